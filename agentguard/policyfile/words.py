"""What a rule says for itself: templates with `{placeholders}`, one text or one per language."""

from __future__ import annotations

from collections.abc import Sequence

from agentguard.core.language import Expression, ListOf, Record, Scope
from agentguard.core.policy import Disclose, Template, Words
from agentguard.policyfile import bounds
from agentguard.policyfile.condition import check_condition, read_text
from agentguard.policyfile.model import DISCLOSE, Spoken
from agentguard.policyfile.node import Mapping, Scalar, shape, shortened
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.spelling import language_tag, sentence, word

CUSTOMER = "on_behalf_of"
"""Who it is stands in the log as a pseudonym, and must not stand beside it."""


def read_words(model: Spoken, scope: Scope, problems: Problems, what: str, given: Sequence[Expression] = ()) -> Words:
    """Return the words of a rule, limit or requirement; `given` holds whenever they are said."""
    because = None
    if model.because is not None:
        because = read_template(model.because, scope, problems, f"{what}: `because`", given)
    disclose = Disclose.CODE
    if model.disclose is not None and word(model.disclose, problems, f"{what}: `disclose`", DISCLOSE):
        disclose = Disclose(model.disclose.text)
    return Words(because, read_say(model.say, scope, problems, f"{what}: `say`", given), disclose)


def read_say(
    node: Scalar | Mapping | None, scope: Scope, problems: Problems, what: str, given: Sequence[Expression] = ()
) -> dict[str, Template]:
    """Return words for the customer by language; one text alone is for every language."""
    if node is None:
        return {}
    if isinstance(node, Scalar):
        template = read_template(node, scope, problems, what, given)
        return {"": template} if template else {}
    says: dict[str, Template] = {}
    if not node.items or len(node.items) > bounds.LANGUAGES:
        problems.add(
            node.place, "too_many", f"{what} must have 1 to {bounds.LANGUAGES} languages, got {len(node.items)}"
        )
    for name, item in node.items.items():
        language = language_tag(node.keys[name], problems)
        if not isinstance(item, Scalar) or not (item.text or item.style):
            problems.add(item.place, "wrong_shape", f"{what}: the words must be a text, got {shape(item)}")
            continue
        template = read_template(item, scope, problems, what, given)
        if template is not None and language is not None:
            says[language] = template
    return says


def read_template(
    scalar: Scalar, scope: Scope, problems: Problems, what: str, given: Sequence[Expression] = ()
) -> Template | None:
    """Return words with their placeholders checked; `{{` and `}}` stand for the braces themselves."""
    if sentence(scalar, problems, what) is None:
        return None
    text, parts, literal, position = scalar.text, list[str | Expression](), "", 0
    while position < len(text):
        character = text[position]
        if text.startswith(("{{", "}}"), position):
            literal += character
            position += 2
        elif character == "}":
            problems.add(scalar.at(position), "placeholder_malformed", f"{what}: `}}` closes nothing: write `}}}}`")
            return None
        elif character == "{":
            end = text.find("}", position)
            if end < 0:
                message = f"{what}: `{{` is never closed: write `}}` after the name, or `{{{{` for a brace"
                problems.add(scalar.at(position), "placeholder_malformed", message)
                return None
            expression = _placeholder(scalar, position + 1, end, scope, problems, what, given)
            if expression is None:
                return None
            parts += [literal, expression] if literal else [expression]
            literal, position = "", end + 1
        else:
            literal += character
            position += 1
    if literal:
        parts.append(literal)
    return Template(text, tuple(parts))


def _placeholder(
    scalar: Scalar, start: int, end: int, scope: Scope, problems: Problems, what: str, given: Sequence[Expression]
) -> Expression | None:
    """Return the expression between two braces."""
    written = scalar.text[start:end]
    inner = written.strip()
    if not inner:
        message = f"{what}: nothing stands between the braces: write a name, or `{{{{` and `}}}}` for braces"
        problems.add(scalar.at(start), "placeholder_malformed", message)
        return None
    begin = start + written.index(inner[0])
    inside = problems.inside()
    text = read_text(Scalar(inner, scalar.at(begin)), inside)
    expression = check_condition(text, scope, inside, None, given) if text else None
    for problem in inside.sorted():
        # the placeholder's own line cannot be followed through folded text by its column alone
        offset = begin + max(problem.column - scalar.at(begin).column, 0)
        problems.add(scalar.at(offset), problem.code, f"{what}: {problem.message}")
    if expression is not None and isinstance(expression.type, Record | ListOf):
        message = f"{what}: `{shortened(inner)}` is a {expression.type}: show a single value"
        problems.add(scalar.at(begin), "placeholder_malformed", message)
        return None
    if expression is not None and (personal := _personal(expression, scope)):
        message = f"{what}: `{personal}` is personal, and words are recorded for good: say it without"
        problems.add(scalar.at(begin), "personal_in_words", message)
        return None
    return expression


def _personal(expression: Expression, scope: Scope) -> str | None:
    """Return a personal value that an expression reads, if there is one: words stand in the log in the clear."""
    personal = (name for name in expression.reads if name in scope.values and scope.values[name].personal)
    return min((*personal, *expression.reads & {CUSTOMER}), default=None)

"""The words of a decision: templates filled in for the record, and what the customer hears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentguard.core.findings import Findings
from agentguard.core.language import Value, evaluate
from agentguard.core.plan import Environment
from agentguard.core.policy import Template, Verdict
from agentguard.core.request import Request
from agentguard.errors import EvaluationError

NOT_KNOWN = "(not known)"


def render(template: Template, values: Environment) -> str:
    """Return a template with its values filled in; one that cannot be evaluated reads `(not known)`."""
    return "".join(part if isinstance(part, str) else _value_text(part, values) for part in template.parts)


def value_text(value: Value) -> str:
    """Return a value as a person would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value_text(item) for item in value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {value_text(item)}" for name, item in value.items()) + "}"
    return str(value)


def _value_text(part: object, values: Environment) -> str:
    try:
        return value_text(evaluate(part, values))  # type: ignore[arg-type]
    except EvaluationError:
        return NOT_KNOWN  # words are a courtesy; the reasons beside them carry what failed


def customer_words(
    found: Sequence[Findings], verdict: Verdict, request: Request, values: Environment
) -> tuple[str, str]:
    """Return what the customer hears and in which language; the first deciding reason that has words speaks.

    Words of a rule, limit or requirement come before a file's `say_otherwise` and `say_on_error`.
    """
    language = wanted_language(request)
    for findings in found:
        for reason, words in zip(findings.reasons, findings.words, strict=True):
            if reason.verdict is verdict and words is not None and words.say:
                return _spoken(words.say, language, values)
    for findings in found:
        for reason in findings.reasons:
            policy = findings.file.policy
            says = policy.say_otherwise if reason.code == "no_rule_matched" else policy.say_on_error
            if reason.verdict is verdict and reason.code in ("no_rule_matched", "cannot_evaluate") and says:
                return _spoken(says, language, values)
    return "", ""


def wanted_language(request: Request) -> str:
    """Return the language tag that the host gave as `context.language`, or empty."""
    wanted = request.context.get("context.language", "")
    return wanted if isinstance(wanted, str) else ""


def _spoken(says: Mapping[str, Template], wanted: str, values: Environment) -> tuple[str, str]:
    """Choose by exact tag, then its first part, then the words for every language, then English, then the first."""
    for tag in (wanted, wanted.split("-", maxsplit=1)[0], "", "en"):
        if tag in says:
            return render(says[tag], values), tag
    tag, template = next(iter(says.items()))
    return render(template, values), tag

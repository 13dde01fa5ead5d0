"""The words of a decision: templates filled in for the record, and what the customer hears."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo

from agentguard.core.findings import Findings
from agentguard.core.language import evaluate
from agentguard.core.plan import Environment
from agentguard.core.policy import Template, Verdict
from agentguard.core.request import Request
from agentguard.core.values import value_text
from agentguard.errors import EvaluationError

NOT_KNOWN = "(not known)"


def render(template: Template, values: Environment, zone: tzinfo) -> str:
    """Return a template with its values filled in, instants as the clocks of the policy's zone show them.

    What cannot be evaluated reads `(not known)`.
    """
    return "".join(part if isinstance(part, str) else _value_text(part, values, zone) for part in template.parts)


def _value_text(part: object, values: Environment, zone: tzinfo) -> str:
    try:
        return value_text(evaluate(part, values), zone)  # type: ignore[arg-type]
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
                return _spoken(words.say, language, values, findings.file.policy.zone)
    for findings in found:
        for reason in findings.reasons:
            policy = findings.file.policy
            says = policy.say_otherwise if reason.code == "no_rule_matched" else policy.say_on_error
            if reason.verdict is verdict and reason.code in ("no_rule_matched", "cannot_evaluate") and says:
                return _spoken(says, language, values, policy.zone)
    return "", ""


def wanted_language(request: Request) -> str:
    """Return the language tag that the host gave as `context.language`, or empty."""
    wanted = request.context.get("context.language", "")
    return wanted if isinstance(wanted, str) else ""


def words_for(says: Mapping[str, Template], wanted: str) -> str | None:
    """Return the tag of the words that somebody of a language understands; None where there are none.

    Tags are compared in one spelling (`de_AT` is `de-at`): the tag itself, less and less of it, the same language as it
    is spoken elsewhere, and then the words for every language.
    """
    if wanted in says:
        return wanted
    tags: dict[str, str] = {}
    for tag in says:
        tags.setdefault(_spelled(tag), tag)
    found = next((tags[tag] for tag in _shorter(_spelled(wanted)) if tag in tags), None)
    language = _spelled(wanted).partition("-")[0]
    elsewhere = next((tag for tag in says if language and _spelled(tag).partition("-")[0] == language), None)
    return found or elsewhere or ("" if "" in says else None)


def _spoken(says: Mapping[str, Template], wanted: str, values: Environment, zone: tzinfo) -> tuple[str, str]:
    """Choose the words of a language, or else the English ones, or else the first."""
    tag = words_for(says, wanted)
    if tag is None:
        tag = words_for(says, "en")
    if tag is None:
        tag = next(iter(says))
    return render(says[tag], values, zone), tag


def _spelled(tag: str) -> str:
    return tag.strip().lower().replace("_", "-")


def _shorter(tag: str) -> Iterator[str]:
    """Yield a tag and what is left when its last part is taken off, again and again."""
    while tag:
        yield tag
        tag = tag.rpartition("-")[0]

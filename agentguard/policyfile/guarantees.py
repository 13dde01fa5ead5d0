"""Guarantees as a file writes them: what never comes out, what must be possible, what nobody reaches by splitting."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from collections.abc import Sequence as Several

from agentguard.core.policy import Guarantee, Total, Verdict
from agentguard.policyfile.limits import Draft, read_most, read_per, read_window
from agentguard.policyfile.model import GuaranteeModel, PolicyModel
from agentguard.policyfile.node import Mapping, Scalar, Sequence, shortened
from agentguard.policyfile.outline import Outline
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.rules import Ids, read_actions, read_when
from agentguard.policyfile.spelling import texts, word

OUTCOMES = ("allow", "escalate", "deny")
KINDS = ("never", "possible", "never_by_splitting")
_VERDICTS = re.compile(
    r"(?P<kind>never|possible):?\s+(?P<verdicts>[a-z]+(\s*,\s*[a-z]+)*)(\s+when:?\s+(?P<when>.+))?", re.DOTALL
)
_SPLITTING = re.compile(
    r"never_by_splitting:?\s+(?P<never_by_splitting>.+?),?\s+(sum:?\s+(?P<sum>.+?)|count:?\s+(?P<count>actions))"
    r"(,?\s+per:?\s+(?P<per>.+?))?,?\s+in:?\s+(?P<in>[a-z0-9 ]+?)(,?\s+when:?\s+(?P<when>.+))?",
    re.DOTALL,
)


def read_guarantees(model: PolicyModel, outline: Outline, ids: Ids, problems: Problems) -> tuple[Guarantee, ...]:
    """Return the guarantees of a file."""
    return tuple(made for item in model.guarantees or () if (made := _guarantee(item, outline, ids, problems)))


def promise_lines(text: str) -> list[str] | None:
    """Return a promise as people write it, as the lines of an entry of a file; None where it is none."""
    found = _SPLITTING.fullmatch(text)
    if found is not None:
        return [f"{key}: {_quoted(value)}" for key, value in _parts(found)]
    found = _VERDICTS.fullmatch(text)
    if found is None:
        return None
    verdicts = [part.strip() for part in found["verdicts"].split(",")]
    lines = [f"never: {json.dumps(verdicts)}" if found["kind"] == "never" else f"possible: {verdicts[0]}"]
    return lines + [f"when: {json.dumps(when, ensure_ascii=False)}" for when in [found["when"]] if when]


def _parts(found: re.Match[str]) -> Iterator[tuple[str, str | list[str]]]:
    for key, value in found.groupdict().items():
        if value is not None:
            yield key, [part.strip(" []") for part in value.split(",")] if key == "per" else value


def _quoted(value: str | list[str]) -> str:
    """Return a value as a file says it; what is written by currency or action stays as it is."""
    return value if isinstance(value, str) and value.startswith("{") else json.dumps(value, ensure_ascii=False)


def _guarantee(model: GuaranteeModel, outline: Outline, ids: Ids, problems: Problems) -> Guarantee | None:
    what = f"guarantee `{shortened(model.id.text)}`"
    name = ids.take(model.id, "guarantee")
    said = [kind for kind in KINDS if getattr(model, kind) is not None]
    if len(said) != 1 and not (problems.is_mended(model.node) and not said):
        message = f"{what} must say one of `never`, `possible` and `never_by_splitting`"
        got = " and ".join(f"`{kind}`" for kind in said)
        problems.add(model.id.place, "keys_conflict", f"{message}, got {got or 'none of them'}")
    if model.never_by_splitting is not None:
        return _splitting(model, model.never_by_splitting, name, what, outline, problems)
    for key in ("sum", "count", "per", "in"):
        if getattr(model, "in_" if key == "in" else key) is not None:
            message = f"{what}: `{key}` stands beside `never_by_splitting` alone: remove it, or say that, too"
            problems.add(model.key(key).place, "keys_conflict", message)
    never = _never(model, what, problems)
    possible = None
    if model.possible is not None and (found := word(model.possible, problems, f"{what}: `possible`", OUTCOMES)):
        possible = Verdict[found.upper()]
    on = read_actions(model.on, outline, problems, what)
    when, sound = read_when(model.when, on, outline, problems, what)
    if name is None or not sound:
        return None
    return Guarantee(name, on, never, possible, when, model.id.place)


def _never(model: GuaranteeModel, what: str, problems: Problems) -> frozenset[Verdict]:
    scalars: Several[Scalar] = texts(model.never, problems, f"{what}: `never`") if model.never is not None else ()
    found = (word(scalar, problems, f"{what}: `never`", OUTCOMES) for scalar in scalars)
    never = frozenset(Verdict[verdict.upper()] for verdict in found if verdict)
    if isinstance(model.never, Sequence) and not model.never.items:
        message = f"{what}: `never` must name at least one verdict, got an empty list"
        problems.add(model.never.place, "too_many", message)
    return never


def _splitting(
    model: GuaranteeModel, limit: Scalar | Mapping, name: str | None, what: str, outline: Outline, problems: Problems
) -> Guarantee | None:
    """Return what no sequence of allowed requests may pass; it is read as a limit is (SPEC P13.3)."""
    draft = Draft(model, "guarantee", outline, problems)
    window = None
    if model.in_ is None:
        problems.add(model.id.place, "missing_key", f"{what}: key `in` is missing: say over which time, like `30 days`")
    else:
        window = read_window(model.in_, outline, problems, what)
    when, sound = read_when(model.when, draft.on, outline, problems, what)
    per = read_per(draft, outline, problems)
    most = read_most(draft, limit, "never_by_splitting", outline, problems)
    if name is None or window is None or per is None or most is None or not sound:
        return None
    total = Total(draft.measure, draft.currencies, per, window, most)
    return Guarantee(name, draft.on, frozenset(), None, when, model.id.place, total)

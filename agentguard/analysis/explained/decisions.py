"""One decision as a document: what was asked, what decided, on which values, and what would have changed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from agentguard.analysis.explained.clauses import capital, outcome
from agentguard.analysis.turned import Turned
from agentguard.core.asked import From, Input
from agentguard.core.decision import Decision, LimitCheck, Reason
from agentguard.core.documents.blocks import Block, Document, Item, Paragraph, Points, Section, Table
from agentguard.core.english.comparison import comparison_words
from agentguard.core.english.names import read_noun
from agentguard.core.english.parts import ago_words, per_words, required_words, window_words
from agentguard.core.english.values import at_home, list_words, value_words
from agentguard.core.explain import Explanation, RuleExplanation
from agentguard.core.language import Comparison, Type, Value
from agentguard.core.language.terms import reads
from agentguard.core.limits import in_unit
from agentguard.core.policy import Limit, Requirement, Verdict
from agentguard.core.prose import PERSONAL, action_words, amount_text
from agentguard.core.request import FactStatus
from agentguard.core.turning import Turn

ANSWERS = {True: "yes", False: "no", None: "not known"}
LONGEST_VALUE = 160

_ENDED = {
    Verdict.ALLOW: "the agent does it alone",
    Verdict.ESCALATE: "people decide",
    Verdict.DENY: "it is refused",
    Verdict.ABSTAIN: "nothing is said",
}


def decision_document(
    explanation: Explanation,
    turned: Turned,
    *,
    position: int | None = None,
    observed: bool = False,
    erased: Sequence[str] = (),
) -> Document:
    """Return why one request is decided as it is.

    Args:
        explanation: The decision with everything that led to it.
        turned: What would have changed it.
        position: Of its entry in the audit log; None where it is not from there.
        observed: It was recorded and not enforced.
        erased: What the record cannot say any more.
    """
    decision = explanation.decision
    kind = "A decision" if position is None else f"The decision of entry {position} of the audit log"
    blocks: list[Block] = list(_outcome(decision))
    if observed:
        blocks.append(Paragraph("Only observed: this was recorded, and not enforced."))
    if erased:
        blocks.append(Paragraph(f"Erased, and so not known any more: {list_words(erased)}."))
    blocks += [
        Section("What was asked", (Table(("", ""), tuple(_asked(explanation))),)),
        Section("Why", tuple(_why(explanation))),
        Section("What would have changed it", tuple(_changes(explanation, turned))),
        Section("Every rule that was asked", (_rules(explanation),)),
        *_limits(explanation),
        *_known(explanation),
    ]
    title = f"{capital(action_words(explanation.about.request.action))}: {_end_words(decision)}"
    return Document(kind, title, tuple(blocks))


def _outcome(decision: Decision) -> Iterator[Block]:
    if decision.approved:
        yield Paragraph("People approved it, as far as it was asked of them.")
    if decision.say:
        yield Table(("", ""), (("The customer hears:", decision.say),))


def _end_words(decision: Decision) -> str:
    routes = list_words(f"`{route.route.id}`" for route in decision.routes)
    to = f" ({routes})" if decision.routes else ""
    return f"{_ENDED[decision.verdict]}{to}"


def _asked(explanation: Explanation) -> Iterator[tuple[str, str]]:
    request, hidden = explanation.about.request, explanation.hidden
    yield "what", f"{action_words(request.action)} (`{request.action}`)"
    yield "by", f"{request.actor.id} ({request.actor.kind})"
    customer = PERSONAL if "on_behalf_of" in hidden else request.on_behalf_of
    yield "for the customer", customer or "–"
    at, decided = (_short(explanation, when) for when in (request.asked_at, explanation.about.evidence.now))
    yield "asked at", f"{at}, decided at {decided}"
    for item in explanation.about.inputs():
        if item.source in (From.ARGUMENT, From.CONTEXT):
            yield input_noun(item.name, item.type), _shown(explanation, item.name, item.value)


def input_noun(name: str, kind: Type) -> str:
    """Return what a value is called."""
    return read_noun(name, kind).text


def _shown(explanation: Explanation, name: str, value: Value | None) -> str:
    if value is None:
        return "not there"
    return _short(explanation, value) if explanation.may_show(name, value) else PERSONAL


def _short(explanation: Explanation, value: Value) -> str:
    text = value_words(at_home(value, _zone(explanation)))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _zone(explanation: Explanation) -> tzinfo:
    return explanation.about.plan.files[0].policy.zone


def _why(explanation: Explanation) -> Iterator[Block]:
    decision = explanation.decision
    for reason in decision.reasons:
        if reason.verdict is decision.verdict:
            yield Section(reason.source, tuple(_reason(explanation, reason)), mark=str(reason.verdict))


def _reason(explanation: Explanation, reason: Reason) -> Iterator[Block]:
    if reason.because:
        yield Paragraph(reason.because)
    if reason.detail:
        yield Paragraph(f"What could not be worked out: {reason.detail}.")
    rule = next((rule for rule in explanation.rules if rule.id == reason.source), None)
    found = _found(explanation, reason.source)
    if rule is not None:
        yield Paragraph(f"This rule says that {outcome(rule.then)}, because:")
        yield Points(tuple(Item(words) for words in compared(rule, _zone(explanation))))
        yield Paragraph(f"It stands in line {rule.place.line} of `{rule.place.file.rpartition('/')[2]}`.")
    elif isinstance(found, Limit):
        yield from (
            Paragraph(f"{capital(room_words(found, check))}.") for check in _checks(explanation.decision, reason.source)
        )
    elif isinstance(found, Requirement):
        yield Paragraph(f"{capital(missing_words(found))}.")
    elif reason.code == "no_rule_matched":
        yield Paragraph("No rule of this policy applies, and where none does it says this.")
    elif not reason.detail:
        yield Paragraph("Something could not be looked up or worked out, and that counts against the request.")


def compared(rule: RuleExplanation, zone: tzinfo) -> list[str]:
    """Return how the comparisons of a rule came out: those in its way, or all of them where it applies."""
    absent = {name for item in rule.comparisons if _says_absent(item) for name in reads(item.term)}
    told = [item for item in rule.comparisons if item.error is None or item.error.name not in absent]
    decisive = told if rule.holds else [item for item in told if item.blocking]
    return list(dict.fromkeys(comparison_words(item, zone) for item in decisive or told)) or ["it always applies"]


def _says_absent(comparison: Comparison) -> bool:
    return comparison.operator == "has" and comparison.result is False


def _checks(decision: Decision, limit: str) -> Iterator[LimitCheck]:
    return (check for check in decision.limits if check.limit == limit)


def room_words(limit: Limit, check: LimitCheck) -> str:
    """Return what was left of a limit, and what this adds."""
    used, this = amount_text(check.used, check.unit), amount_text(check.amount, check.unit)
    where = f"{per_words(limit)}, {window_words(limit.window)}"
    if check.max is None:
        return f"{used} was used {where}, this adds {this}, and how much there may be could not be worked out"
    most, left = amount_text(check.max, check.unit), in_unit(max(check.max - check.used, 0), check.unit)
    return f"at most {most} {where}: {used} was used, so there was room for {left}, and this is {this}"


def missing_words(requirement: Requirement) -> str:
    """Return what did not happen."""
    return f"what has to happen first did not: {required_words(requirement)}, {ago_words(requirement)}"


def _found(explanation: Explanation, source: str) -> Limit | Requirement | None:
    for file in explanation.about.plan.files:
        for planned in file.limits:
            if planned.id == source:
                return planned.limit
        for wanted in file.requires:
            if wanted.id == source:
                return wanted.requirement
    return None


def _changes(explanation: Explanation, turned: Turned) -> Iterator[Block]:
    allowed = explanation.decision.verdict is Verdict.ALLOW
    rows = tuple(_turn(explanation, item, turn) for item, found in turned.turns for turn in found)
    if rows:
        yield Paragraph("Each of these alone, everything else as it was; each was decided again to make sure:")
        yield Table(("what", "as it was", "instead", "then"), rows)
    else:
        yield Paragraph("No other value of one thing alone was found that would have changed it.")
    yield from _proved(turned, "kept the agent from doing it alone" if allowed else "let the agent do it alone")
    closest = explanation.closest
    if closest is not None and closest.blocking:
        yield Paragraph(f"The nearest rule that would have let the agent do it alone is `{closest.id}`, but:")
        told = dict.fromkeys(comparison_words(item, _zone(explanation)) for item in closest.blocking)
        yield Points(tuple(map(Item, told)))


def _proved(turned: Turned, end: str) -> Iterator[Block]:
    """Yield of which inputs it is proved that no other value would have changed it, and of which it is not known."""
    if not turned.fixed:
        return
    told = {id(item) for item, found in turned.turns if found} | {id(item) for item in turned.fixed}
    others = [_input_words(item) for item, _ in turned.turns if id(item) not in told]
    left = f" Left open: {list_words(others)}." if others else ""
    proved = f"Proved: of everything else that was asked for or known, no change of one thing alone would have {end}."
    yield Paragraph(f"{proved}{left}")


def _turn(explanation: Explanation, item: Input, turn: Turn) -> tuple[str, str, str, str]:
    then = _end_words(turn.decision)
    if item.source is From.REQUIREMENT:
        return _input_words(item), "it did not happen" if turn.value else "it happened", _happened(turn.value), then
    was, instead = ("not there" if value is None else _short(explanation, value) for value in (item.value, turn.value))
    before = "" if turn.before is None else f" (with {_short(explanation, turn.before)} not yet)"
    return _input_words(item), was, f"{instead}{before}", then


def _happened(value: Value | None) -> str:
    return "it happens before" if value else "it does not happen before"


def _input_words(item: Input) -> str:
    if item.source is From.LIMIT:
        return f"what was used of `{item.name}`"
    if item.source is From.REQUIREMENT:
        return f"what `{item.name}` asks for"
    return input_noun(item.name, item.type)


def _rules(explanation: Explanation) -> Table:
    rules, zone = explanation.rules, _zone(explanation)
    columns = ("rule", "it says", "applies", "because")
    return Table(
        columns,
        tuple(
            (f"`{rule.id}`", outcome(rule.then), ANSWERS[rule.holds], "; ".join(compared(rule, zone))) for rule in rules
        ),
    )


def _limits(explanation: Explanation) -> Iterator[Section]:
    checks = explanation.decision.limits
    if checks:
        rows = tuple(_limit(check) for check in checks)
        yield Section("Limits that were asked", (Table(("limit", "used", "this adds", "at most", "fits"), rows),))


def _limit(check: LimitCheck) -> tuple[str, ...]:
    numbers = (amount_text(number, check.unit) for number in (check.used, check.amount, check.max))
    return f"`{check.limit}`", *numbers, ANSWERS[check.fits]


def _known(explanation: Explanation) -> Iterator[Section]:
    plan, evidence = explanation.about.plan, explanation.about.evidence
    rows = []
    for name, declared in plan.facts.items():
        fact = evidence.facts.get(name)
        failed = fact is None or fact.status is FactStatus.FAILED
        value = "could not be looked up" if fact is None or failed else _shown(explanation, name, fact.value)
        rows.append((input_noun(name, declared.type), value))
    if rows:
        yield Section("What was known", (Table(("", ""), tuple(rows)),))


def change_sentences(explanation: Explanation) -> Iterator[str]:
    """Yield what stood in the way of doing it alone, one sentence each; none where nothing did."""
    decision = explanation.decision
    if decision.verdict is Verdict.ALLOW:
        return
    zone = _zone(explanation)
    if explanation.closest is not None:
        blocking = "; ".join(comparison_words(item, zone) for item in explanation.closest.blocking)
        yield f"`{explanation.closest.id}` would have allowed it, but: {blocking}"
    for rule in explanation.rules:
        if rule.holds and rule.then.verdict > Verdict.ALLOW:
            yield f"`{rule.id}` says that {outcome(rule.then)}, because: {'; '.join(compared(rule, zone))}"
    for check in decision.limits:
        found = _found(explanation, check.limit)
        if not check.fits and isinstance(found, Limit):
            yield f"limit `{check.limit}`: {room_words(found, check)}"
    for missing in decision.requirements:
        found = _found(explanation, missing.requirement)
        if missing.entry is None and isinstance(found, Requirement):
            yield f"`{missing.requirement}`: {missing_words(found)}"

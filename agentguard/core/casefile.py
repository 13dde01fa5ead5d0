"""What somebody sees who judges a decision afterwards: what was asked and known, and later what was decided."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from agentguard.core.digest import time_text
from agentguard.core.dossier import Budget, Cause, Conversation, Known, Named, Said
from agentguard.core.packet import STATES, WIDTH, bar
from agentguard.core.prose import PERSONAL, action_words, amount_text, known_by, moment, name_words, printable, span
from agentguard.core.reviews import LEAST, ReviewCase
from agentguard.core.sheet import Sheet


@dataclass(frozen=True, slots=True)
class Judged:
    """One opinion; the note is None where it is sealed, or there is none."""

    by: str
    authenticated: str
    at: datetime
    should: str | None
    verdict: str
    severity: str | None
    blind: bool
    reason_code: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided and what came of it: for those who have judged, or who say that they looked.

    Attributes:
        state: Of the action, now.
        causes: The reasons that decided.
        told: What the customer heard.
        opinions: The first one first; `counts` is what counts of them, None before the first.
    """

    verdict: str
    state: str
    causes: tuple[Cause, ...]
    told: tuple[Said, ...]
    opinions: tuple[Judged, ...]
    counts: str | None


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with everything that was known when it was decided.

    Attributes:
        case: What was drawn, when and how.
        opinions: How many people have judged it.
        purged: The record of the decision is gone, as its time was over; nothing else is known then.
        customer: Masked, or in the clear where personal values were opened.
        policies: Name, version and description of each file that governed the action.
        budgets: The limits as they stood then.
        opened, closed: Places of the personal values that were opened for this, and of those that were not.
        outcome: None for whoever is to judge it without knowing.
    """

    case: ReviewCase
    opinions: int
    purged: bool = False
    action: str = ""
    agent: str = ""
    model: str = ""
    customer: str = ""
    asked_at: datetime | None = None
    decided_at: datetime | None = None
    arguments: tuple[Named, ...] = ()
    conversation: Conversation | None = None
    policies: tuple[str, ...] = ()
    facts: tuple[Known, ...] = ()
    budgets: tuple[Budget, ...] = ()
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    outcome: Outcome | None = None

    def as_text(self, width: int = WIDTH) -> str:
        """Return the case as text for a person, with no line wider than `width`."""
        sheet = Sheet(width)
        judged = "waits to be judged" if not self.opinions else f"judged by {self.opinions}"
        how = " because too few of its kind were" if self.case.how == LEAST else ""
        sheet.prose(f"{self.case.id}: {judged}, drawn {moment(self.case.drawn_at)} UTC{how}", hang=2)
        if self.purged:
            sheet.prose("The record of the decision was purged, as its time was over; that it was drawn stays.")
            return str(sheet)
        _asked(sheet, self)
        _known(sheet, self)
        _budgets(sheet, self.budgets)
        if self.outcome is None:
            sheet.heading("what was decided")
            sheet.prose("Not shown before you have said what would have been right.")
        else:
            _outcome(sheet, self.outcome)
        return str(sheet)

    def as_json(self) -> dict[str, Any]:
        """Return the case as JSON; what counts of the opinions is in `outcome` alone."""
        document: dict[str, Any] = _plain(asdict(self))
        del document["case"]["verdict"]
        return document


def _asked(sheet: Sheet, file: CaseFile) -> None:
    model = f" ({file.model})" if file.model else ""
    customer = f" for customer {file.customer}" if file.customer else ""
    sheet.heading("what was asked")
    sheet.prose(f"{file.agent}{model} asked to {action_words(file.action)}{customer} (`{file.action}`).")
    sheet.pairs(
        (name_words(item.name), PERSONAL if item.value is None else printable(item.value)) for item in file.arguments
    )
    sheet.prose(f"Asked {moment(file.asked_at)} UTC, decided {moment(file.decided_at)} UTC.")
    for policy in file.policies:
        sheet.prose(policy)
    talk = file.conversation
    if talk is None:
        return
    if talk.summary is not None:
        sheet.prose(printable(talk.summary))
    where = ("conversation", talk.id), ("channel", talk.channel), ("language", talk.language)
    signals = tuple((name_words(item.name), item.value or PERSONAL) for item in talk.signals)
    sheet.pairs((name, printable(value)) for name, value in (*where, *signals) if value)


def _known(sheet: Sheet, file: CaseFile) -> None:
    if not file.facts:
        return
    sheet.heading("what was known")
    sheet.pairs((name_words(item.name), _fact(item)) for item in file.facts)


def _fact(item: Known) -> str:
    value = {"absent": "there was none", "failed": "the lookup failed"}.get(item.status)
    shown = value or (PERSONAL if item.value is None else printable(item.value))
    old = f", {span(item.age)} old" if item.age >= 1 else ""
    return f"{shown} (from {printable(item.source)}{old})" if item.source else shown


def _budgets(sheet: Sheet, budgets: tuple[Budget, ...]) -> None:
    if not budgets:
        return
    sheet.heading("budgets then")
    sheet.prose("# used, + held for others, = this one, . left, ! too much")
    for item in budgets:
        most = "a max that could not be worked out" if item.max is None else amount_text(item.max, item.unit)
        used, this = amount_text(item.used, item.unit), amount_text(item.this, item.unit)
        sheet.prose(f"{bar(item)} {item.limit}: {used} used, this {this}, of {most}", hang=27)


def _outcome(sheet: Sheet, outcome: Outcome) -> None:
    sheet.heading("what was decided")
    said = {"allow": "allowed", "deny": "denied"}.get(outcome.verdict, outcome.verdict)
    sheet.prose(f"It was {said}; by now the action is {STATES.get(outcome.state, outcome.state)}.")
    for number, cause in enumerate(outcome.causes, 1):
        sheet.prose(f"{number}. {cause.source}: {cause.says or cause.code.replace('_', ' ')}", hang=3)
        for sentence in cause.because:
            sheet.prose(sentence, indent=3, hang=2)
        sheet.verbatim(cause.text, indent=5)
    for item in outcome.told:
        words = PERSONAL if item.words is None else f'"{" ".join(printable(item.words).split())}"'
        sheet.prose(f"{moment(item.at)} {item.by or 'the policy'} said: {words}", hang=2)
    sheet.heading("what was said of it")
    if not outcome.opinions:
        sheet.prose("Nothing yet.")
    for opinion in outcome.opinions:
        blind = "without knowing what was decided" if opinion.blind else "knowing what was decided"
        should = f", right would have been {opinion.should}" if opinion.should else ""
        severity = f", {opinion.severity}" if opinion.severity else ""
        note = f' "{" ".join(printable(opinion.note).split())}"' if opinion.note else ""
        known = f"known by {known_by(opinion.authenticated)}"
        sheet.prose(
            f"{moment(opinion.at)} {opinion.by}: {opinion.verdict}{severity}{should} ({opinion.reason_code}; {blind}; "
            f"{known}){note}",
            hang=2,
        )
    if outcome.counts is not None:
        sheet.prose(f"What counts: {outcome.counts}.")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

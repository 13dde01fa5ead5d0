"""The handoff packet: everything that somebody has to know who decides an escalation, so that nobody starts again.

Frozen values that are text, amounts and times; `as_text` reads well to somebody who has never seen the system.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from agentguard.core.digest import time_text
from agentguard.core.dossier import (
    Alternative,
    Budget,
    Cast,
    Cause,
    Conversation,
    Desk,
    Known,
    Named,
    Other,
    Said,
)
from agentguard.core.narration.escalated import WHY_NOT
from agentguard.core.prose import PERSONAL, action_words, amount_text, known_by, moment, name_words, printable, span
from agentguard.core.request import LINK, SUMMARY
from agentguard.core.sheet import Sheet

WIDTH = 100
BAR = 24
STATES = {
    "waiting": "waits for people",
    "ready": "allowed, and not begun",
    "executing": "under way",
    "settled": "done",
    "released": "not done",
    "in_doubt": "done or not, nobody knows",
    "denied": "denied",
}
ENDS = {
    "rejected": "A person said no.",
    "expired": "Nobody decided it in time.",
    "withdrawn": "It was taken back before anybody decided it.",
}
STALE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Packet:
    """One escalation with its whole context.

    Attributes:
        state: Of the escalation; `action_state` of its action.
        customer: Masked; `customer_id` in the clear only where personal values were opened.
        contest: What the customer says against a refusal, where people look at it anew.
        ended: Of a contest, how people ended what the policies left to them: `rejected`, `expired`; empty otherwise.
        policies: Name, version and description of each file that governs the action.
        automatic: What would have been automatic, and what would have had to be different.
        amended: The action that an approver put in its place; empty where nobody did.
        changeable: Arguments of which an approver may ask for less, or for another choice.
        earlier, later: The customer's newest other actions, asked for before and after this one.
        before: Votes on earlier escalations of the same action, which count no more.
        explained: False where the keys are not at hand, so that nobody can decide again from the record.
        opened, closed: Places of the personal values that were opened for this packet, and of those that were not.
    """

    escalation: str
    state: str
    opened_at: datetime
    due_at: datetime | None
    now: datetime
    action: str
    action_id: str
    action_state: str
    relates_to: str | None
    amended: str
    agent: str
    model: str
    customer: str
    customer_id: str | None
    asked_at: datetime
    arguments: tuple[Named, ...]
    conversation: Conversation
    policies: tuple[str, ...]
    causes: tuple[Cause, ...]
    facts: tuple[Known, ...]
    told: tuple[Said, ...]
    contest: Said | None
    ended: str
    budgets: tuple[Budget, ...]
    automatic: tuple[str, ...]
    alternatives: tuple[Alternative, ...]
    changeable: tuple[str, ...]
    earlier: tuple[Other, ...]
    later: tuple[Other, ...]
    desks: tuple[Desk, ...]
    votes: tuple[Cast, ...]
    before: tuple[Cast, ...]
    explained: bool
    opened: tuple[str, ...]
    closed: tuple[str, ...]

    def as_text(self, width: int = WIDTH) -> str:
        """Return the packet as text for a person, with no line wider than `width`."""
        sheet = Sheet(width)
        sheet.prose(f"{self.escalation}: {_standing(self)}", hang=2)
        _asked(sheet, self)
        _conversation(sheet, self.conversation)
        _causes(sheet, self)
        _automatic(sheet, self)
        _facts(sheet, self.facts)
        _budgets(sheet, self.budgets)
        _told(sheet, self.told)
        _others(sheet, self)
        _desks(sheet, self)
        return str(sheet)

    def as_json(self) -> dict[str, Any]:
        """Return the packet as JSON; instants are RFC 3339 text in UTC, amounts are minor units."""
        document: dict[str, Any] = _plain(asdict(self))
        return document


def _standing(packet: Packet) -> str:
    if packet.state != "open" or packet.due_at is None:
        return packet.state.replace("_", " ")
    return f"open, to be decided by {moment(packet.due_at)} UTC ({_left(packet.due_at, packet.now)})"


def _left(due: datetime, now: datetime) -> str:
    left = (due - now).total_seconds()
    return f"in {span(left)}" if left > 0 else f"late by {span(-left)}"


def _asked(sheet: Sheet, packet: Packet) -> None:
    model = f" ({packet.model})" if packet.model else ""
    customer = f" for customer {packet.customer_id or packet.customer}" if packet.customer else ""
    sheet.heading("what is asked")
    sheet.prose(f"{packet.agent}{model} asks to {action_words(packet.action)}{customer} (`{packet.action}`).")
    sheet.pairs(
        (name_words(item.name), PERSONAL if item.value is None else printable(item.value)) for item in packet.arguments
    )
    waited = span((packet.now - packet.opened_at).total_seconds())
    sheet.prose(f"Asked {moment(packet.asked_at)} UTC; it has waited for {waited}.")
    if packet.relates_to is not None:
        sheet.prose(f"It belongs to the earlier action {packet.relates_to}.")
    if packet.amended:
        sheet.prose(f"An approver asked for less, or for something else: {packet.amended} took its place.")
    elif packet.action_state != "waiting":
        sheet.prose(f"By now the action is {STATES.get(packet.action_state, packet.action_state)}.")


def _conversation(sheet: Sheet, conversation: Conversation) -> None:
    sheet.heading("what happened so far")
    if conversation.summary is not None:
        sheet.prose(printable(conversation.summary))
    else:
        sealed = SUMMARY in conversation.sealed
        sheet.prose(f"There is a summary; it is {PERSONAL[1:-1]}." if sealed else "Nobody wrote it down.")
    link = PERSONAL if LINK in conversation.sealed else conversation.link or ""
    where = ("conversation", conversation.id), ("channel", conversation.channel), ("language", conversation.language)
    signals = ((name_words(item.name), item.value or PERSONAL) for item in conversation.signals)
    sheet.pairs((name, printable(value)) for name, value in (*where, ("link", link), *signals) if value)


def _causes(sheet: Sheet, packet: Packet) -> None:
    if packet.contest is not None:
        sheet.heading("what the customer says against it")
        words = PERSONAL if packet.contest.words is None else printable(packet.contest.words)
        sheet.prose(f"{moment(packet.contest.at)} {words}", hang=2)
    sheet.heading("why a person has to decide" if packet.contest is None else "why it was refused")
    if packet.ended:
        sheet.prose(f"{ENDS.get(packet.ended, packet.ended)} What follows is why it was left to people.")
    for policy in packet.policies:
        sheet.prose(policy)
    for number, cause in enumerate(packet.causes, 1):
        where = f", {cause.place}" if cause.place else ""
        sheet.prose(f"{number}. {cause.says or cause.code.replace('_', ' ')}", hang=3)
        for sentence in cause.because:
            sheet.prose(sentence, indent=3, hang=2)
        sheet.prose(f"{cause.kind} {cause.source}{where}:" if cause.text else f"{cause.kind} {cause.source}", indent=3)
        sheet.verbatim(cause.text, indent=5)


def _automatic(sheet: Sheet, packet: Packet) -> None:
    if not (packet.automatic or packet.alternatives or not packet.explained):
        return
    sheet.heading("what would have been automatic")
    if not packet.explained:
        sheet.prose("Not known here: it takes the keys file to decide again from the record.")
    for text in packet.automatic:
        sheet.prose(f"- {text}", hang=2)
    for item in packet.alternatives:
        how = "lower" if item.at_most else "change"
        sheet.prose(f"- an approver may {how} {name_words(item.argument)} to {item.value}, and it is allowed", hang=2)


def _facts(sheet: Sheet, facts: tuple[Known, ...]) -> None:
    if facts:
        sheet.heading("what we know")
        sheet.pairs((name_words(item.name), _fact(item)) for item in facts)


def _fact(item: Known) -> str:
    value = {"absent": "there is none", "failed": "the lookup failed"}.get(item.status)
    shown = value or (PERSONAL if item.value is None else printable(item.value))
    old = f", {span(item.age)} old when it was used" if item.age >= STALE_SECONDS else ""
    return f"{shown} (from {printable(item.source)}{old})" if item.source else shown


def _budgets(sheet: Sheet, budgets: tuple[Budget, ...]) -> None:
    if not budgets:
        return
    sheet.heading("budgets")
    sheet.prose("# used, + held for others, = this one, . left, ! too much")
    for item in budgets:
        beside = sheet.width >= 3 * BAR  # on a narrow page the words stand below the bar
        text = f"{bar(item)}{' ' if beside else chr(10) + '  '}{' '.join(_budget(item))}"
        sheet.prose(text, hang=BAR + 3 if beside else 2)


def bar(item: Budget, width: int = BAR) -> str:
    """Return a limit drawn as text: used, held for others, this one, left; it ends in `!` where it does not fit."""
    if not item.max:
        sign, closing = ("?", "]") if item.max is None else ("!", "!" if item.over else "]")
        return f"[{sign.ljust(width)}{closing}"
    edges = [min(width, round(width * part / item.max)) for part in (item.used - item.held, item.used)]
    end = min(width, max(round(width * (item.used + item.this) / item.max), edges[1] + (1 if item.this else 0)))
    drawn = "#" * edges[0] + "+" * (edges[1] - edges[0]) + "=" * (end - edges[1])
    return f"[{drawn.ljust(width, '.')}{'!' if item.over else ']'}"


def _budget(item: Budget) -> Iterator[str]:
    def amount(number: int) -> str:
        """Return a number of the limit's unit in words."""
        return amount_text(number, item.unit)

    most = "a max that could not be worked out" if item.max is None else amount(item.max)
    held = f" ({amount(item.held)} of it held)" if item.held else ""
    yield f"{item.limit}, {item.window}: {amount(item.used)} used{held}, this {amount(item.this)}, of {most}"
    if item.over:
        yield f"({amount(item.over)} too much)"
    if item.then != item.used:
        yield f"(when it was asked, {amount(item.then)} was used)"


def _told(sheet: Sheet, told: tuple[Said, ...]) -> None:
    sheet.heading("what the customer was told")
    if not told:
        sheet.prose("Nothing is on record.")
    for item in told:
        words = PERSONAL if item.words is None else f'"{_in_one_line(item.words)}"'
        who = f"{item.by} said" if item.by else "the policy gave the agent to say"
        channel = f", by {item.channel}" if item.channel else ""
        sheet.prose(f"{moment(item.at)} {who}{channel}: {words}", hang=2)


def _others(sheet: Sheet, packet: Packet) -> None:
    if not packet.customer:
        return
    sheet.heading("earlier actions for this customer")
    if not packet.earlier:
        sheet.prose("None: it is their first.")
    _actions(sheet, packet.earlier)
    if packet.later:
        sheet.heading("asked for this customer since")
        _actions(sheet, packet.later)


def _actions(sheet: Sheet, others: tuple[Other, ...]) -> None:
    for item in others:
        why = f" ({item.why})" if item.why else ""
        outcome = STATES.get(item.state, item.state)
        arguments = f", {printable(item.arguments)}" if item.arguments else ""
        sheet.prose(f"{moment(item.asked_at)} {action_words(item.action)}{arguments}: {outcome}{why}", hang=2)


def _desks(sheet: Sheet, packet: Packet) -> None:
    sheet.heading("who decides")
    if packet.state != "open":
        sheet.prose(f"Nobody any more: the escalation is {packet.state.replace('_', ' ')}.")
    for item in packet.desks if packet.state == "open" else ():
        sheet.prose(_desk(packet, item), hang=2)
        if item.reason_codes:
            sheet.prose(f"It takes one of these reasons: {', '.join(item.reason_codes)}.", indent=2)
        if item.people is None:
            sheet.prose("Nothing tells who they are, so that nobody can vote now.", indent=2)
        elif len(item.people) < item.missing:
            may = f"only {len(item.people)} of them" if item.people else "none of them"
            sheet.prose(f"As things are {may} can still say yes, and that is too few.", indent=2)
    if packet.changeable:
        names = ", ".join(map(name_words, packet.changeable))
        sheet.prose(f"They may also ask for less, or for another choice (amend): {names}.")
    _votes(sheet, packet.votes)
    if packet.before:
        sheet.prose("Said on it before, which does not count here:")
        _votes(sheet, packet.before)


def _desk(packet: Packet, desk: Desk) -> str:
    denied = "then it is denied" if packet.contest is None else "then it stays denied"
    late = f"then it goes to {desk.if_late}" if desk.if_late else denied
    people = f": {', '.join(desk.people)}" if desk.people else ""
    if not desk.missing:
        return f"{desk.route}: {' or '.join(desk.who)}; {desk.needed} of {desk.needed} said yes."
    more = f"{desk.missing} more of {desk.needed}" if desk.missing != desk.needed else f"{desk.needed}"
    by = f"{moment(desk.due)} UTC ({_left(desk.due, packet.now)})"
    return f"{desk.route}: {' or '.join(desk.who)}{people}; {more} needed by {by}, {late}."


def _votes(sheet: Sheet, votes: tuple[Cast, ...]) -> None:
    for vote in votes:
        words = PERSONAL if vote.note is None else f'"{_in_one_line(vote.note)}"'
        note = "" if vote.note == "" else f" {words}"
        reason = f" ({vote.reason_code})" if vote.reason_code else ""
        word = "yes" if vote.approve else "no"
        who = f"{vote.voter}, for {vote.stands_for}," if vote.stands_for else vote.voter
        lost = f"; that does not count now: {WHY_NOT.get(vote.lost, vote.lost)}" if vote.lost else ""
        known = f"known by {known_by(vote.authenticated)}"
        sheet.prose(f"{moment(vote.at)} {who} said {word}{reason}, {known}{lost}{note}", hang=2)


def _in_one_line(words: str) -> str:
    return " ".join(printable(words).split())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

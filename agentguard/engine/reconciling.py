"""The record beside the payment provider's books: what was paid without an intent, intended and not paid, or differs.

Only this finds what was never written down: a process that has the provider's credentials and goes around the guard.
A payment belongs to an action by the action's id (the `key` that its tool got), by the provider's own reference, or by
the leaf of the entry that said it was about to happen (`intent`); a leaf that the log does not have is a finding of its
own, since the provider was told of an entry that is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from agentguard.core.digest import time_text
from agentguard.core.lifecycle import State
from agentguard.core.money import Money, format_minor
from agentguard.errors import MoneyError, UsageError
from agentguard.store import Reading, Store
from agentguard.store.payments import DONE, NOT_DONE, Payment, Payments
from agentguard.store.records import ActionRecord, Entry

UNKNOWN_PAYMENT = "payment_without_intent"
NO_PAYMENT = "intent_without_payment"
OTHER_AMOUNT = "amount_differs"
TWICE = "paid_twice"
SHARED = "one_payment_for_two"
NOT_BEGUN = "paid_and_not_allowed"
RELEASED = "paid_and_released"
IN_DOUBT = "in_doubt"
OTHER_INTENT = "intent_not_in_log"

CODES: Mapping[str, str] = {
    UNKNOWN_PAYMENT: "the provider paid, and nothing on record asked for it",
    NO_PAYMENT: "the record says that it was done, and the provider has no such payment",
    OTHER_AMOUNT: "the provider paid another amount than the record says",
    TWICE: "the provider paid more than once for one action",
    SHARED: "two actions on record name the same payment",
    NOT_BEGUN: "the provider paid for an action that was denied, or was not begun",
    RELEASED: "the provider paid, and the record says that nothing happened",
    IN_DOUBT: "nobody knows yet whether it was done; the provider's books say",
    OTHER_INTENT: "the provider was told of an entry that the log does not have",
}
"""By code: what it means, in words."""

SLACK = timedelta(minutes=10)
MOST_FINDINGS = 100_000
BEGUN = frozenset({State.EXECUTING, State.IN_DOUBT, State.SETTLED, State.RELEASED})
_DOUBTFUL = frozenset({State.EXECUTING, State.IN_DOUBT})
_INTENTS = frozenset({"decided", "sent_again", "taken_up"})
_TOLD = frozenset({"settled", "recorded"})
_PAGE = 500

Progress = Callable[[int, int], None]
"""Told how many actions were looked at, and of how many."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is compared.

    Attributes:
        actions: Only these kinds of action; every one that has an amount if empty.
        amount: The argument that is what the provider pays, where an action has several amounts.
        since: From when on; the first payment of the file if left out.
        until: Until when; the last payment of the file if left out.
        slack: How long after an action was begun its payment may be made: what is that near to the window's edges and
            has no payment is no finding, and counted as that.
    """

    actions: frozenset[str] = frozenset()
    amount: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    slack: timedelta = SLACK


ALL = Scope()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in which the books and the record differ.

    Attributes:
        line: Of the provider's file; None where it has nothing.
        payment: The provider's own name for it.
        paid, recorded: Amounts as people write them; empty where there is none.
        at: When it was paid, or begun.
    """

    code: str
    at: datetime
    line: int | None = None
    payment: str = ""
    action_id: str = ""
    action: str = ""
    paid: str = ""
    recorded: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when; both included."""

    since: datetime
    until: datetime

    def has(self, moment: datetime) -> bool:
        """Return whether a moment lies in it."""
        return self.since <= moment <= self.until


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of comparing.

    Attributes:
        payments: How many of the file lie in the window.
        actions: How many actions were begun in it.
        matched: Actions with one payment of the same amount.
        pending: Payments that the provider has not finished.
        at_edges: Actions without a payment so near to the window's edges that it may lie outside.
        counts: By code, how many findings; `findings` holds the first 100,000 of them.
    """

    window: Window
    payments: int = 0
    actions: int = 0
    matched: int = 0
    pending: int = 0
    at_edges: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """True if the books and the record say the same."""
        return not self.counts


@dataclass(frozen=True, slots=True)
class _Expected:
    """What the record says of one action, and the leaves of its intents."""

    record: ActionRecord
    at: datetime
    amount: Money | None
    intents: frozenset[str]


class _Tally:
    def __init__(self, window: Window, amount: str | None) -> None:
        self.window, self.amount = window, amount
        self.numbers: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.findings: list[Finding] = []

    def found(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        self.counts[finding.code] += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)


def reconcile(store: Store, payments: Payments, scope: Scope = ALL, progress: Progress | None = None) -> Reconciliation:
    """Compare a provider's payments with the record, as one state of it is.

    Raises:
        UsageError: The file has no payments and no window was given, or it is not clear which amount is meant.
    """
    span = payments.span()
    if span is None and (scope.since is None or scope.until is None):
        raise UsageError("expected payments in the file, got none; say --since and --until to compare with nothing")
    first, last = span or (scope.since, scope.until)
    window = Window(scope.since or first, scope.until or last)  # type: ignore[arg-type]
    if window.since > window.until:
        raise UsageError("expected a window that begins before it ends")
    tally = _Tally(window, scope.amount)

    def read(reading: Reading) -> None:
        """Look at every action, then at what is left of the payments."""
        for expected in _expected(reading, scope.actions, tally, progress):
            _compare(expected, payments, tally, scope.slack)
        for payment in payments.of_nobody():
            _nobodys(payment, reading, tally)

    store.read(read)
    numbers = tally.numbers
    findings = tuple(sorted(tally.findings, key=lambda item: (item.at, item.code, item.line or 0)))
    return Reconciliation(
        window,
        numbers["payments"],
        numbers["actions"],
        numbers["matched"],
        numbers["pending"],
        numbers["at_edges"],
        tally.counts,
        findings,
    )


def _expected(
    reading: Reading, actions: frozenset[str], tally: _Tally, progress: Progress | None
) -> Iterator[_Expected]:
    after, seen = "", 0
    every = sum(reading.count_actions().values()) if progress is not None else 0
    while page := reading.actions(limit=_PAGE, after=after):
        after, seen = page[-1].id, seen + len(page)
        if progress is not None:
            progress(seen, every)
        for record in page:
            if (actions and record.action not in actions) or record.effect == "read":
                continue
            entries = reading.entries_of(record.id)
            money = _money(record, entries, tally.amount)
            if money is None and not actions:
                continue
            leaves = frozenset(entry.leaf for entry in entries if entry.kind in _INTENTS)
            yield _Expected(record, _at(record, entries), money, leaves)


def _at(record: ActionRecord, entries: tuple[Entry, ...]) -> datetime:
    """Return when it was begun; what was done elsewhere, when it happened."""
    told = next((item for item in entries if item.kind == "recorded" and item.body), None)
    happened = None if told is None else told.document.get("happened_at")
    return datetime.fromisoformat(happened) if happened else record.began_at or record.asked_at


def _money(record: ActionRecord, entries: tuple[Entry, ...], named: str | None) -> Money | None:
    """Return the amount that was really done, or was asked for; None where it has none.

    Raises:
        UsageError: It has several, and nobody said which.
    """
    amounts = amounts_of(record, entries)
    if named is not None:
        return amounts.get(named)
    if len(amounts) > 1:
        names = ", ".join(sorted(amounts))
        raise UsageError(f"`{record.action}` has several amounts ({names}); say with --amount which one is paid")
    return next(iter(amounts.values()), None)


def amounts_of(record: ActionRecord, entries: tuple[Entry, ...]) -> dict[str, Money]:
    """Return the amounts of an action by argument: what was really done, or else what was asked for."""
    values: dict[str, Any] = dict(orjson.loads(record.arguments))
    for item in entries:
        if item.kind in _TOLD and item.body:
            values |= item.document.get("real_values") or {}
    return {name: money for name, value in values.items() if (money := _amount(value)) is not None}


def _amount(value: object) -> Money | None:
    if not isinstance(value, str):
        return None
    try:
        return Money.parse(value)
    except MoneyError:
        return None


def _compare(expected: _Expected, payments: Payments, tally: _Tally, slack: timedelta) -> None:
    """Compare one action with its payments."""
    record = expected.record
    references = [record.external_reference] if record.external_reference else []
    of_it = payments.of(record.id, references, expected.intents)
    found = [payment for payment, _ in of_it]
    inside = tally.window.has(expected.at)
    if record.state in BEGUN and inside:
        tally.numbers["actions"] += 1
    if not (inside and record.state in BEGUN) and not any(tally.window.has(payment.at) for payment in found):
        return
    about = Finding("", expected.at, action_id=record.id, action=record.action, recorded=_text(expected.amount))
    seen = [payment for payment, before in of_it if not before and tally.window.has(payment.at)]
    tally.numbers["payments"] += len(seen)
    tally.numbers["pending"] += sum(payment.status not in (DONE, NOT_DONE) for payment in seen)
    for payment in found:
        if payment.intent and payment.intent not in expected.intents:
            tally.found(_with(about, OTHER_INTENT, payment, f"intent {payment.intent}"))
    for payment, before in of_it:
        if before and payment.status != NOT_DONE:
            tally.found(_with(about, SHARED, payment, f"found for {before} already"))
    paid = [payment for payment in found if payment.status != NOT_DONE]
    if inside and _is_doubtful(record, tally.window):
        _doubtful(about, found, tally)
    if paid:
        _paid(about, expected, paid, tally)
    elif record.state is State.SETTLED and inside:
        edge = Window(tally.window.since + slack, tally.window.until - slack)
        if not found and not edge.has(expected.at) and not _is_short(edge):
            tally.numbers["at_edges"] += 1
            return
        detail = f"the provider says that {found[-1].id} was not done" if found else ""
        tally.found(replace(about, code=NO_PAYMENT, detail=detail))


def _is_doubtful(record: ActionRecord, window: Window) -> bool:
    """Return whether nobody knows what became of it; what is under way and in time is not in doubt."""
    late = record.deadline is not None and record.deadline < window.until
    return record.state is State.IN_DOUBT or (record.state is State.EXECUTING and late)


def _is_short(edge: Window) -> bool:
    """Return whether nothing is left of a window between its edges: then everything in it counts."""
    return edge.since > edge.until


def _paid(about: Finding, expected: _Expected, paid: list[Payment], tally: _Tally) -> None:
    state, first = expected.record.state, paid[0]
    if state is not State.SETTLED and state not in _DOUBTFUL:
        tally.found(_with(about, RELEASED if state is State.RELEASED else NOT_BEGUN, first, f"the action is {state}"))
    for payment in paid[1:]:
        tally.found(_with(about, TWICE, payment, f"after {first.id} (line {first.line})"))
    if expected.amount is not None and (first.amount, first.currency) != (
        expected.amount.minor,
        expected.amount.currency,
    ):
        tally.found(_with(about, OTHER_AMOUNT, first))
    elif state is State.SETTLED and len(paid) == 1:
        tally.numbers["matched"] += 1


def _doubtful(about: Finding, found: list[Payment], tally: _Tally) -> None:
    """Say what the provider's books know of an action of which nobody knows yet."""
    if not found:
        tally.found(replace(about, code=IN_DOUBT, detail="the provider has no such payment"))
    for payment in found:
        said = {DONE: "it was paid", NOT_DONE: "it was not done"}.get(payment.status, "it is under way")
        tally.found(_with(about, IN_DOUBT, payment, f"the provider says that {said}"))


def _nobodys(payment: Payment, reading: Reading, tally: _Tally) -> None:
    """Say that nothing on record asked for a payment, unless it lies outside of the window or was not made."""
    if not tally.window.has(payment.at):
        return
    tally.numbers["payments"] += 1
    if payment.status == NOT_DONE:
        return
    tally.numbers["pending"] += payment.status != DONE
    action = reading.action(payment.key) if payment.key else None
    known = "" if action is None else f"its key is of an action `{action.action}`, which is not compared"
    finding = Finding(UNKNOWN_PAYMENT, payment.at, detail=known)
    tally.found(_with(finding, UNKNOWN_PAYMENT, payment, known))
    if payment.intent:
        tally.found(_with(finding, OTHER_INTENT, payment, f"intent {payment.intent}"))


def _with(about: Finding, code: str, payment: Payment, detail: str = "") -> Finding:
    """Return a finding about a payment."""
    paid = format_minor(payment.amount, payment.currency)
    return replace(about, code=code, at=payment.at, line=payment.line, payment=payment.id, paid=paid, detail=detail)


def _text(amount: Money | None) -> str:
    return "" if amount is None else str(amount)


def record_reconciliation(
    store: Store, done: Reconciliation, *, sha256: str, by: str, authenticated: str, tenant: str
) -> int:
    """Write down that the books were compared, with what came of it, and return the entry's position."""
    body = {
        "tenant": tenant,
        "kind": "reconciled",
        "by": by,
        "authenticated": authenticated,
        "sha256": sha256,
        "since": time_text(done.window.since),
        "until": time_text(done.window.until),
        "payments": done.payments,
        "actions": done.actions,
        "matched": done.matched,
        "pending": done.pending,
        "findings": dict(sorted(done.counts.items())),
    }
    return store.transact(lambda transaction: transaction.append(body)).pos

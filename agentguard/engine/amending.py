"""Amending: an approver asks for less, or picks another choice, and a new action takes the old one's place.

The new request is decided on its own, under a key of its own; whoever asks again under the old key gets its outcome.
Nothing is ever raised: that is refused, and written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from agentguard.core.decision import Reason
from agentguard.core.language import Value
from agentguard.core.language.signs import taken_off
from agentguard.core.language.types import OneOf
from agentguard.core.money import Money
from agentguard.core.people import People
from agentguard.core.plan import Plan
from agentguard.core.policy import Verdict
from agentguard.engine import admission, escalating, voting
from agentguard.engine.admission import Refused, Try
from agentguard.engine.asking import Ask, ask
from agentguard.engine.continuing import proposal_of
from agentguard.engine.expiry import end_waiting
from agentguard.engine.parts import Parts
from agentguard.engine.proposing import propose
from agentguard.engine.sides import bundle_of
from agentguard.engine.voting import Ballot
from agentguard.errors import UsageError
from agentguard.store import Transaction
from agentguard.store.records import ActionRecord, EscalationRecord

KEY = "amended"
"""What the key of a new action begins with; nobody can guess the rest, and take it first."""

MOST_AMENDMENTS = 10
"""How often in a row a request may be amended."""


def amend(parts: Parts, escalation_id: str, attempt: Try, changes: Mapping[str, Any]) -> Ballot:
    """End what waits, and propose the same with other arguments instead.

    Returns:
        The ballot, with the id of the new action: `guard.execute` decides it, or whoever asks under the old key.

    Raises:
        NotFoundError: No escalation has this id.
        UsageError: What it should be changed to cannot be understood.
        VoteRefusedError: Whoever tries may not decide it, or may not change it so; the log says so.
    """
    people = admission.convened(parts)

    def work(transaction: Transaction) -> Ballot | Refused:
        """End the action and ask for less in one commit, or say why not."""
        record, action = admission.found(transaction, escalation_id)
        seat = admission.admitted(parts, transaction, record, action, people, attempt)
        if isinstance(seat, Refused) or not isinstance(people, People):
            return seat if isinstance(seat, Refused) else admission.NO_PEOPLE
        asked = _changed(parts, transaction, record, action, changes)
        if isinstance(asked, Refused):
            admission.refuse(transaction, record, attempt, asked)
            return asked
        cast = voting.vote_of(transaction, record, people, seat, attempt, request_digest=asked.digest)
        transaction.vote(cast)
        more = {"amended": asked.action_id, "people": people.source or None}
        voting.written(parts, transaction, record, action, cast, escalating.AMENDED, attempt.note, **more)
        transaction.close_escalation(record.id, escalating.OPEN, escalating.AMENDED)
        reason = Reason("amended", record.id, Verdict.DENY)
        end_waiting(
            transaction,
            action,
            reason,
            by=cast.voter,
            authenticated=cast.authenticated,
            amended=asked.action_id,
            changed=sorted(changes),
        )
        position = propose(parts, transaction, asked, by=cast.voter, authenticated=cast.authenticated)
        return Ballot(record.id, escalating.AMENDED, asked.action_id, 0, position, stands_for=cast.stands_for)

    ballot = parts.store.transact(work)
    if isinstance(ballot, Refused):
        raise ballot.error()
    return ballot


def _changed(
    parts: Parts, transaction: Transaction, record: EscalationRecord, action: ActionRecord, changes: Mapping[str, Any]
) -> Ask | Refused:
    """Return the new request, or why it may not take the place of the old one.

    Raises:
        UsageError: A value cannot be understood, or the action is amended too often.
    """
    before = proposal_of(parts, transaction, action.id)
    bundle = bundle_of(parts, transaction, action)
    plan = parts.force.plan(bundle, action.action)
    _check_names(plan, changes, action.action)
    arguments = dict(before.arguments) if isinstance(before.arguments, Mapping) else {}
    proposal = replace(
        before,
        arguments={**arguments, **{name: _in_currency(arguments.get(name), value) for name, value in changes.items()}},
        key=parts.new_id(KEY, transaction.now()),
        relates_to=action.id,
    )
    _check_length(transaction, action)
    asked = ask(parts, proposal, plan, parts.force.known_context(transaction), now=transaction.now())
    if asked.faults:
        raise UsageError(f"expected other values for `{action.action}`, got {asked.faults[0]}")
    return _refused(record, plan, arguments, asked, changes) or asked


def _check_names(plan: Plan, changes: Mapping[str, Any], action: str) -> None:
    """Refuse what names no argument, which is a slip and no attempt."""
    if not changes:
        raise UsageError(f"expected at least one argument of `{action}` to change, got none")
    for name in changes:
        if name not in plan.asked:
            known = ", ".join(plan.asked)
            raise UsageError(f"expected an argument of `{action}` ({known}), got `{str(name)[:60]}`")


def _check_length(transaction: Transaction, action: ActionRecord) -> None:
    length, record = 0, action
    while record.key.startswith(f"{KEY}_") and record.relates_to is not None:
        length += 1
        origin = transaction.action(record.relates_to)
        if origin is None:
            break
        record = origin
    if length >= MOST_AMENDMENTS:
        raise UsageError(f"expected at most {MOST_AMENDMENTS} amendments in a row, got another one; decide it as it is")


def _in_currency(before: object, given: Any) -> Any:
    """Return an amount that was written as a bare number in the currency of the one that it takes the place of."""
    if isinstance(before, Money) and isinstance(given, str) and given.strip().replace(".", "", 1).isdigit():
        return f"{given.strip()} {before.currency}"
    return given


def _refused(
    record: EscalationRecord, plan: Plan, before: Mapping[str, Value], asked: Ask, changes: Mapping[str, Any]
) -> Refused | None:
    after = asked.request.arguments
    if all(after.get(name) == before.get(name) for name in changes):
        return Refused("unchanged", "expected other values than were asked for, got the same; approve it as it is")
    for name in changes:
        if not all(_may_change(route, plan, asked.request.action, name) for route in escalating.routes_of(record)):
            may = ", ".join(sorted(changeable(record, plan, asked.request.action))) or "nothing"
            return Refused("not_changeable", f"expected one of what may be changed here ({may}), got `{name}`")
        if isinstance(plan.arguments[name].type, OneOf) or after.get(name) == before.get(name):
            continue
        if not is_less(before.get(name), after.get(name)):
            words = f"expected less than {before.get(name)} for `{name}`, got {after.get(name)}; nothing may be raised"
            return Refused("raises", words)
    return None


def changeable(record: EscalationRecord, plan: Plan, action: str) -> Iterator[str]:
    """Yield the arguments that every route of an escalation lets an approver change."""
    routes = escalating.routes_of(record)
    yield from (name for name in plan.asked if all(_may_change(route, plan, action, name) for route in routes))


def _may_change(route: Mapping[str, Any], plan: Plan, action: str, name: str) -> bool:
    """Return whether a route lets an argument be changed: what it lists, else amounts of money and what is summed.

    What a limit takes off what it sums, a fee say, is no amount that gets less by being lowered.
    """
    if plan.arguments[name].personal:
        return False
    if "may_change" in route:
        return name in route["may_change"]
    limits = (planned.limit.measure.get(action) for file in plan.files for planned in file.limits)
    measures = [measure for measure in limits if measure is not None]
    summed = {read for measure in measures for read in measure.reads}
    off = {read for measure in measures for read in taken_off(measure.tree)}
    kind = plan.arguments[name].type
    return not isinstance(kind, OneOf) and name not in off and (str(kind).startswith("money") or name in summed)


def is_less(before: object, after: object) -> bool:
    """Return whether an amount or number is smaller than another one, of the same sign and in the same currency."""
    if isinstance(before, Money) and isinstance(after, Money):
        return before.currency == after.currency and _smaller(Decimal(before.minor), Decimal(after.minor))
    if isinstance(before, int | Decimal) and isinstance(after, int | Decimal):
        return _smaller(Decimal(before), Decimal(after))
    return False


def _smaller(before: Decimal, after: Decimal) -> bool:
    return after != 0 and (before > 0) == (after > 0) and abs(after) < abs(before)

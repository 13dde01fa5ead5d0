"""`agentguard escalations approve | reject | amend | withdraw`: what somebody decides, as who they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from agentguard.cli.identity import login, read_people, voter
from agentguard.cli.opened import open_app, open_as, open_reading
from agentguard.cli.options import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AppOption,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
)
from agentguard.cli.output import Output, print_json
from agentguard.engine import escalating
from agentguard.engine.answers import Answer
from agentguard.engine.guard import Guard
from agentguard.engine.powers import more_people
from agentguard.engine.tally import UNVERIFIED
from agentguard.engine.voting import Ballot
from agentguard.errors import UsageError

Id = Annotated[str, typer.Argument(help="The escalation's id, as `escalations list` shows it.")]
ReasonCode = Annotated[
    str,
    typer.Option("--reason-code", "-r", help="A word for why, like `within_policy` or `goodwill`.", show_default=False),
]
Note = Annotated[str, typer.Option("--note", help="Words for the record.")]


def approve(
    escalation_id: Id,
    reason_code: ReasonCode,
    note: Note = "",
    as_: AsOption = None,
    app: AppOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Vote yes. With --app, the last yes it takes also runs the action, decided again as things stand then."""
    guard, by, authenticated = _voter(store, people, policies, as_)
    ballot = guard.escalations.approve(
        escalation_id, by=by, authenticated=authenticated, reason_code=reason_code, note=note
    )
    answer = _gone_on(app, ballot) if ballot.state == escalating.APPROVED else None
    if json:
        print_json(_document(ballot, by, authenticated, answer))
        return
    output = Output()
    output.line(_known(by, authenticated), style="dim")
    for name, why in ballot.not_counted:
        output.line(f"the vote of {name} does not count any more: {why}", style="yellow")
    if ballot.state != escalating.APPROVED:
        output.line(f"{_placed(by, ballot)} said yes; {ballot.missing} more needed")
        return
    may = f"{ballot.action_id} may run, if facts and limits still allow it"
    output.line(f"approved by {_placed(by, ballot)}: {may}", style="green")
    _say_answer(output, answer)


def reject(
    escalation_id: Id,
    reason_code: ReasonCode,
    note: Note = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Vote no: one no denies the action."""
    guard, by, authenticated = _voter(store, people, policies, as_)
    ballot = guard.escalations.reject(
        escalation_id, by=by, authenticated=authenticated, reason_code=reason_code, note=note
    )
    if json:
        print_json(_document(ballot, by, authenticated, None))
        return
    output = Output()
    output.line(_known(by, authenticated), style="dim")
    output.line(f"rejected by {_placed(by, ballot)}: {ballot.action_id} is denied")


def amend(
    escalation_id: Id,
    changes: Annotated[list[str], typer.Option("--set", help="What is asked for instead, like `amount=200.00`.")],
    reason_code: ReasonCode,
    note: Note = "",
    as_: AsOption = None,
    app: AppOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Ask for less, or for another choice, instead: a new action, decided on its own. With --app, at once."""
    guard, by, authenticated = _voter(store, people, policies, as_)
    ballot = guard.escalations.amend(
        escalation_id,
        _changes(changes),
        by=by,
        authenticated=authenticated,
        reason_code=reason_code,
        note=note,
    )
    answer = _gone_on(app, ballot)
    if json:
        print_json(_document(ballot, by, authenticated, answer))
        return
    output = Output()
    output.line(_known(by, authenticated), style="dim")
    output.line(f"amended by {_placed(by, ballot)}: {ballot.action_id} takes its place", style="green")
    _say_answer(output, answer)


def withdraw(
    escalation_id: Id,
    why: Annotated[str, typer.Option("--why", help="Why nobody has to decide it any more; it goes into the record.")],
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Take back what was asked for, so that nobody has to decide it; the action is denied."""
    guard, by, authenticated = open_as(store, policies, people, as_)
    ballot = guard.escalations.withdraw(escalation_id, by=by, why=why, authenticated=authenticated)
    if json:
        print_json(_document(ballot, by, authenticated, None))
        return
    output = Output()
    output.line(_known(by, authenticated), style="dim")
    if ballot.missing:
        output.line(f"{by} wants it withdrawn; {more_people(ballot.missing)}")
    else:
        output.line(f"withdrawn by {by}: {ballot.action_id} is denied")


def _voter(store: str, people: Path | None, policies: Path, as_: str | None) -> tuple[Guard, str, str]:
    """Return a guard over the store, who votes, and how they are known."""
    known = read_people(people, policies)
    by, authenticated = voter(known, as_)
    return open_reading(store, known), by, authenticated


def _known(by: str, authenticated: str) -> str:
    if authenticated == UNVERIFIED:
        return f"you are {by}, as you say; nobody checked, and the record says so"
    return f"you are {by}, known by the login `{login()}`"


def _placed(by: str, ballot: Ballot) -> str:
    return f"{by} (for {ballot.stands_for})" if ballot.stands_for else by


def _changes(given: Sequence[str]) -> dict[str, str]:
    """Return what is changed, by the name of the argument.

    Raises:
        UsageError: It is not written like `amount=200.00`.
    """
    changes: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name.strip() or name.strip() in changes:
            raise UsageError(f"expected one value for an argument, like `--set amount=200.00`, got `{item[:80]}`")
        changes[name.strip()] = value.strip()
    return changes


def _gone_on(app: str | None, ballot: Ballot) -> Answer | None:
    """Run what was approved, and return what came of it: of this vote, be it that another worker was the first."""
    return None if app is None else replace(open_app(app).execute(ballot.action_id), replayed=False)


def _say_answer(output: Output, answer: Answer | None) -> None:
    if answer is None:
        output.line("it goes on when the agent asks again or a worker next goes round; --app does it at once")
    else:
        output.line(str(answer))


def _document(ballot: Ballot, by: str, authenticated: str, answer: Answer | None) -> dict[str, Any]:
    return {
        "escalation": ballot.escalation,
        "state": ballot.state,
        "action_id": ballot.action_id,
        "missing": ballot.missing,
        "not_counted": [{"voter": name, "why": why} for name, why in ballot.not_counted],
        "entry": ballot.entry,
        "by": by,
        "stands_for": ballot.stands_for,
        "authenticated": authenticated,
        "status": None if answer is None else answer.for_model()["status"],
    }

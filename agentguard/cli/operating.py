"""`halt`, `resume` and `recover`: what an operator does when something is wrong."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from agentguard.cli.exits import FOUND
from agentguard.cli.identity import login, operator, read_people, reason
from agentguard.cli.opened import open_app, open_for, open_reading
from agentguard.cli.options import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AppOption,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
    WhyOption,
)
from agentguard.cli.output import Output, print_json
from agentguard.core.people import UNVERIFIED, People
from agentguard.core.prose import moment
from agentguard.engine.answers import Answer, InDoubt, Unavailable
from agentguard.engine.directory import Given
from agentguard.engine.guard import Guard
from agentguard.engine.powers import more_people
from agentguard.engine.taking_up import may_help
from agentguard.errors import PeopleUnavailableError, PolicyError, UsageError

Target = Annotated[
    str, typer.Argument(help="`all`, one action like `action:refund.issue`, or one agent like `agent:support-bot`.")
]
SAID = "every stop and start has a reason in the record"


def halt(
    target: Target = "all",
    why: WhyOption = "",
    list_: Annotated[bool, typer.Option("--list", help="Stop nothing; show what is stopped now.")] = False,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Stop everything, one action or one agent, at once and until `resume`."""
    if list_:
        _list(store, json=json)
        return
    checked = _target(target)
    known, by, authenticated = _who_stops(people, policies, as_)
    doubt = open_reading(store, known).halt(checked, by=by, why=reason(why, SAID), authenticated=authenticated)
    document = {"target": checked, "halted": True, "known": not doubt}
    _say(json, document, f"stopped: {checked}. `agentguard resume {checked}` lets it go on.")
    if doubt:
        Output(sys.stderr).line(f"warning: {doubt}", style="yellow")
        raise typer.Exit(FOUND)


def resume(
    target: Target = "all",
    why: WhyOption = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Let go on what was stopped; where people.yaml says who may, it takes two of them unless it says otherwise."""
    checked = _target(target)
    guard, person = open_for(store, policies, people, as_, why, SAID)
    resumed = guard.resume(checked, **person)
    document = {
        "target": checked,
        "halted": resumed.missing > 0,
        "changed": resumed.changed,
        "missing": resumed.missing,
    }
    if resumed.missing:
        _say(json, document, f"`{checked}` is still stopped: {more_people(resumed.missing)}; {person['by']} has")
        raise typer.Exit(FOUND)
    _say(json, document, f"goes on: {checked}" if resumed else f"`{checked}` was not stopped; nothing has changed")


def recover(app: AppOption = None, json: JsonOption = False) -> None:
    """Find out what became of actions that were abandoned, by the application's own tools."""
    if app is None:
        raise UsageError("expected --app: recovery needs the application's tools, like `--app shop.guard:guard`")
    guard = open_app(app)
    output = Output()
    guard.start(recover=False)
    answers = guard.recover(told=None if json else lambda answer: output.line(_outcome(answer)))
    left = {answer.decision_id for answer in answers if needs_person(guard, answer)}
    if json:
        print_json(
            [
                {
                    "action_id": answer.decision_id,
                    "action": answer.action,
                    "status": answer.status,
                    "for_person": answer.decision_id in left,
                }
                for answer in answers
            ]
        )
    else:
        _sum_up(output, answers, left)
    if left or any(isinstance(answer, Unavailable) for answer in answers):
        raise typer.Exit(FOUND)


def needs_person(guard: Guard, answer: Answer) -> bool:
    """Return whether nothing but a person can find out what became of an action."""
    if not isinstance(answer, InDoubt):
        return False
    record, now = guard.audit.action(answer.decision_id), guard.store.read(lambda reading: reading.now())
    return not may_help(guard.tools[answer.action], record, now)


def _outcome(answer: Answer) -> str:
    why = f" ({answer.cause})" if isinstance(answer, Unavailable) else ""
    return f"{answer.decision_id}  {answer.action}  {answer.status}{why}"


def _sum_up(output: Output, answers: list[Answer], left: set[str]) -> None:
    counts = Counter(answer.status for answer in answers)
    output.line(", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "nothing to recover")
    if left:
        output.line("for a person: look into the other system, then `agentguard actions resolve ID`", style="magenta")
        for action_id in sorted(left):
            output.line(f"  {action_id}", style="magenta")


def _list(store: str, *, json: bool) -> None:
    halts = open_reading(store).store.read(lambda reading: reading.halts())
    if json:
        print_json(
            [{"target": item.target, "at": item.at.isoformat(), "by": item.by, "why": item.why} for item in halts]
        )
        return
    output = Output()
    if not halts:
        output.line("nothing is stopped")
        return
    rows = [(item.target, moment(item.at), item.by, item.why) for item in halts]
    output.table(("stopped", "at (UTC)", "by", "why"), rows, whole=("at (UTC)",))


def _target(target: str) -> str:
    kind, _, name = target.partition(":")
    if target == "all" or (kind in ("action", "agent") and name):
        return target
    raise UsageError(f"expected `all`, `action:NAME` or `agent:NAME`, got `{target}`")


def _who_stops(people: Path | None, policies: Path, named: str | None) -> tuple[Given, str, str]:
    """Return the people and who this is; where the people file is broken, whoever is logged in stops all the same."""
    try:
        known = read_people(people, policies)
    except PolicyError as error:
        first = str(error).splitlines()[0]
        Output(sys.stderr).line(f"warning: nobody checks who may stop: {first}", style="yellow")
        return _unreadable, named or login(), "os_login" if named is None else UNVERIFIED
    return known, *operator(known, named)


def _unreadable() -> People:
    raise PeopleUnavailableError("the people file cannot be read")


def _say(json: bool, document: dict[str, object], words: str) -> None:
    if json:
        print_json(document)
    else:
        Output().line(words)

"""`worker`: the process that does what is due when nobody calls, and says what it did."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated, Any

import orjson
import typer

from agentguard.cli.exits import FOUND
from agentguard.cli.interrupts import Stop, until_told_to_stop
from agentguard.cli.opened import open_app
from agentguard.cli.operating import needs_person
from agentguard.cli.options import AppOption, JsonOption
from agentguard.cli.output import Output, print_json
from agentguard.core.prose import moment
from agentguard.engine.answers import Answer, Unavailable
from agentguard.engine.guard import Guard
from agentguard.engine.notices import ChannelState
from agentguard.engine.rounds import LONGEST_ROUND, Round
from agentguard.errors import StoreError, UsageError


def work(
    app: AppOption = None,
    once: Annotated[bool, typer.Option("--once", help="Do what is due now and end.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.1, help="Seconds from the end of a round to the next.")] = 5,
    json: JsonOption = False,
) -> None:
    """Do what is due: deadlines, reminders, what was approved, what was abandoned, and notices to people."""
    if app is None:
        raise UsageError("expected --app: the worker needs the application's tools, like `--app shop.guard:guard`")
    guard = open_app(app)
    guard.start(recover=False)
    try:
        with until_told_to_stop() as stop:
            if not once:
                _work_on(guard, stop, every, app, json=json)
            elif _said(guard, _round(guard, stop, None, json=json), json=json, compact=False):
                raise typer.Exit(FOUND)
    finally:
        guard.close()  # what its rounds wrote is sealed, and its witnesses have it


def _work_on(guard: Guard, stop: Stop, every: float, app: str, *, json: bool) -> None:
    output = Output(sys.stderr if json else sys.stdout)
    output.line(f"working for {app}, a round every {every:g} s; stop with Ctrl-C or SIGTERM")
    failing: dict[str, int] = {}
    over = False
    while not over:
        over = stop.told  # the last round takes up nothing, and waits for what is under way
        try:
            round_ = _round(guard, stop, LONGEST_ROUND, json=json)
        except StoreError as error:  # whoever runs a worker wants it to go on when the database is back
            Output(sys.stderr).failure(f"{error}; the next round tries again")
        else:
            changed = {
                item.name: item.attempts for item in round_.channels if item.attempts != failing.get(item.name, 0)
            }
            failing.update(changed)
            if _did(round_) or any(item.sent for item in round_.channels) or changed:
                _said(guard, round_, json=json, compact=True)
        stop.wait(every)
    output.line("stopped")


def _round(guard: Guard, stop: Stop, within: timedelta | None, *, json: bool) -> Round:
    """Do one round; in words, each action is told as soon as it is known, be it after the round."""
    return guard.work(None if json else lambda answer: _say_answer(guard, answer), lambda: stop.told, within)


def _said(guard: Guard, round_: Round, *, json: bool, compact: bool) -> bool:
    """Print what a round came to; return whether something of it needs somebody."""
    people = {answer.decision_id for answer in round_.answers if needs_person(guard, answer)}
    if not json:
        _say(round_)
    elif compact:
        sys.stdout.write(orjson.dumps(_document(round_, people)).decode() + "\n")
        sys.stdout.flush()
    else:
        print_json(_document(round_, people))
    unavailable = any(isinstance(answer, Unavailable) for answer in round_.answers)
    return bool(people) or unavailable or any(item.attempts or item.stopped for item in round_.channels)


def _did(round_: Round) -> bool:
    return bool(round_.answers or round_.reminded or round_.drawn)


def _document(round_: Round, people: set[str]) -> dict[str, Any]:
    return {
        "actions": [
            {
                "action_id": answer.decision_id,
                "action": answer.action,
                "status": answer.status,
                "reason_code": answer.reason_code,
                "for_person": answer.decision_id in people,
            }
            for answer in round_.answers
        ],
        "reminded": [
            {"escalation": item.escalation, "action_id": item.action_id, "routes": list(item.routes)}
            for item in round_.reminded
        ],
        "drawn": list(round_.drawn),
        "channels": [_channel(item) for item in round_.channels],
    }


def _channel(state: ChannelState) -> dict[str, Any]:
    return {
        "name": state.name,
        "position": state.position,
        "sent": state.sent,
        "waiting": state.waiting,
        "oldest": None if state.oldest is None else state.oldest.isoformat(),
        "attempts": state.attempts,
        "error": state.error,
        "next_try": None if state.next_try is None else state.next_try.isoformat(),
        "stopped": state.stopped,
    }


def _say_answer(guard: Guard, answer: Answer) -> None:
    code = f" ({answer.reason_code})" if answer.reason_code and not answer.executed else ""
    person = "; a person has to look: `agentguard actions resolve`" if needs_person(guard, answer) else ""
    Output().line(f"{answer.decision_id}  {answer.action}  {answer.status}{code}{person}")


def _say(round_: Round) -> None:
    output = Output()
    for item in round_.reminded:
        output.line(f"{item.escalation}  reminded the people of {', '.join(item.routes)}")
    if round_.drawn:
        output.line(f"drawn for a review: {', '.join(round_.drawn)}")
    for state in round_.channels:
        _say_channel(output, state)
    if not (_did(round_) or any(state.sent or state.attempts for state in round_.channels)):
        output.line("nothing is due")


def _say_channel(output: Output, state: ChannelState) -> None:
    if state.sent:
        output.line(f"{state.name}  told of {state.sent}")
    if state.stopped:
        output.line(f"{state.name}  is stopped: its receiver is gone for good", style="magenta")
    elif state.attempts:
        since = f" since {moment(state.oldest)}" if state.oldest is not None else ""
        output.line(
            f"{state.name}  cannot be told: {state.error} ({state.attempts} tries, the next after "
            f"{moment(state.next_try)} UTC); {state.waiting} waiting{since}",
            style="magenta",
        )

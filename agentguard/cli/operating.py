"""`halt`, `resume` and `recover`: what an operator does when something is wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from agentguard.cli.opened import DEFAULT_STORE, AppOption, JsonOption, StoreOption, login, open_app, open_reading
from agentguard.cli.output import Output, print_json, verdict_text
from agentguard.errors import UsageError

Target = Annotated[
    str, typer.Argument(help="`all`, one action like `action:refund.issue`, or one agent like `agent:support-bot`.")
]
Why = Annotated[str, typer.Option("--why", help="The reason, for the record.")]


def halt(target: Target = "all", why: Why = "", store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Stop everything, one action or one agent, at once and until `resume`."""
    checked = _target(target)
    guard = open_reading(store)
    guard.halt(checked, by=login(), why=_why(why))
    _say(json, {"target": checked, "halted": True}, f"stopped: {checked}. `agentguard resume {checked}` lets it go on.")


def resume(target: Target = "all", why: Why = "", store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Let go on what was stopped."""
    checked = _target(target)
    guard = open_reading(store)
    was_stopped = guard.resume(checked, by=login(), why=_why(why))
    words = f"goes on: {checked}" if was_stopped else f"`{checked}` was not stopped; nothing has changed"
    _say(json, {"target": checked, "halted": False, "changed": was_stopped}, words)


def recover(app: AppOption = None, json: JsonOption = False) -> None:
    """Find out what became of actions that were abandoned, by the application's own tools."""
    if app is None:
        raise UsageError("expected --app: recovery needs the application's tools, like `--app shop.guard:guard`")
    guard = open_app(app)
    guard.start()
    answers = guard.recover()
    if json:
        print_json(
            [{"action_id": answer.decision_id, "action": answer.action, "status": answer.status} for answer in answers]
        )
        return
    output = Output()
    if not answers:
        output.line("nothing to recover")
        return
    output.table(
        ("action id", "action", "now"),
        [(answer.decision_id, answer.action, verdict_text(answer.status or "done")) for answer in answers],
    )


def _target(target: str) -> str:
    kind, _, name = target.partition(":")
    if target == "all" or (kind in ("action", "agent") and name):
        return target
    raise UsageError(f"expected `all`, `action:NAME` or `agent:NAME`, got `{target}`")


def _why(why: str) -> str:
    if not why.strip():
        raise UsageError("expected --why: every stop and start has a reason in the record")
    return why


def _say(json: bool, document: dict[str, object], words: str) -> None:
    if json:
        print_json(document)
    else:
        Output().line(words)

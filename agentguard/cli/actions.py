"""`agentguard actions`: what was asked for and where each stands."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import typer

from agentguard.cli import timeline
from agentguard.cli.exits import FOUND
from agentguard.cli.identity import operator
from agentguard.cli.opened import open_app, open_reading
from agentguard.cli.options import DEFAULT_STORE, AppOption, AsOption, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json, verdict_text
from agentguard.core.lifecycle import State
from agentguard.core.prose import inline, moment
from agentguard.engine.answers import Done, NotDone
from agentguard.errors import UsageError
from agentguard.store.records import ActionRecord

Id = Annotated[str, typer.Argument(help="The action's id, as `actions list` shows it.")]


def list_actions(
    state: Annotated[str | None, typer.Option(help="Only this state, like `waiting` or `in_doubt`.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=1000)] = 50,
    after: Annotated[str, typer.Option(help="The last id of the page before.")] = "",
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """List actions in the order in which they were asked for; times are UTC."""
    wanted = _state(state)
    guard = open_reading(store)
    found = guard.store.read(lambda reading: reading.actions(wanted, None, limit, after))
    if json:
        print_json([document(record) for record in found])
        return
    output = Output()
    if not found:
        output.line("no actions")
        return
    for record in found:
        colour = str(verdict_text(record.state.value).style)
        output.line(f"{record.id}  {record.action}  {record.state}", style=colour)
        output.prose(f"{moment(record.asked_at)}  {inline(orjson.loads(record.arguments))}", indent=2)
    if len(found) == limit:
        output.line(f"more may be there: --after {found[-1].id}")


def show(action_id: Id, store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Show one action from request to settlement, in words."""
    guard = open_reading(store)
    record = guard.audit.action(action_id)
    if json:
        print_json({**document(record), "entries": [entry.document for entry in guard.audit.of(action_id)]})
        return
    timeline.show(Output(), guard, record)


def resolve(
    action_id: Id,
    done: Annotated[bool | None, typer.Option("--done/--not-done", help="What you found out.")] = None,
    why: Annotated[str, typer.Option("--why", help="How you found out, for the record.")] = "",
    as_: AsOption = None,
    app: AppOption = None,
    json: JsonOption = False,
) -> None:
    """Say what a person found out about an action in doubt."""
    if done is None or not why.strip():
        raise UsageError("expected --done or --not-done, and --why: what you found out and how")
    if app is None:
        raise UsageError("expected --app: what is held is settled by the application's own rules")
    guard = open_app(app)
    by, authenticated = operator(guard.people, as_)
    answer = guard.resolve(action_id, done=done, by=by, why=why, authenticated=authenticated)
    if json:
        document = {"action_id": action_id, "status": answer.status, "executed": answer.executed, "entry": answer.entry}
        print_json(document)
    else:
        otherwise = _ASKED if answer.replayed else _OVERTAKEN
        Output().line(f"{action_id}: {_RESOLVED.get(type(answer)) or f'{otherwise} {answer.entry}'}")
    if type(answer) not in _RESOLVED:
        raise typer.Exit(FOUND)


def document(record: ActionRecord) -> dict[str, Any]:
    """Return an action as JSON; personal values are sealed in it."""
    return {
        "id": record.id,
        "tenant": record.tenant,
        "action": record.action,
        "state": record.state.value,
        "agent": orjson.loads(record.request)["id"],
        "conversation": "" if record.is_recorded else record.conversation,
        "source": record.conversation if record.is_recorded else None,
        "key": record.key,
        "arguments": orjson.loads(record.arguments),
        "on_behalf_of": record.on_behalf_of,
        "asked_at": record.asked_at.isoformat(),
        "decision_entry": record.decision_entry,
        "escalation": record.escalation,
        "external_reference": record.external_reference,
        "attempt": record.attempt,
    }


_RESOLVED = {Done: "settled, it was done", NotDone: "released, it was not done"}
_ASKED = "nothing was moved, since it takes somebody else who says the same within the hour; what you said is entry"
_OVERTAKEN = "nothing was moved, since it was being sent again meanwhile; what you said is entry"


def _state(state: str | None) -> State | None:
    if state is None:
        return None
    try:
        return State(state)
    except ValueError as error:
        raise UsageError(f"expected one of {', '.join(item.value for item in State)}, got `{state}`") from error

"""`agentguard escalations contest`: what a customer says against a denial, taken down for them."""

from __future__ import annotations

from typing import Annotated

import typer

from agentguard.cli.opened import open_as
from agentguard.cli.options import (
    DEFAULT_POLICIES,
    DEFAULT_STORE,
    AsOption,
    JsonOption,
    PeopleOption,
    PoliciesOption,
    StoreOption,
)
from agentguard.cli.output import Output, print_json
from agentguard.core.prose import moment


def contest(
    decision: Annotated[str, typer.Argument(help="The id of the action that was denied.", metavar="DECISION")],
    words: Annotated[str, typer.Option("--words", help="Why, in the customer's own words; sealed as personal.")],
    channel: Annotated[str, typer.Option("--channel", help="Where they said so, like `letter` or `phone`.")] = "",
    key: Annotated[str | None, typer.Option("--key", help="Names this one contest; again, it is the same one.")] = None,
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Let people who have not seen the case look at a denial anew; whoever takes it down has seen it."""
    guard, by, authenticated = open_as(store, policies, people, as_)
    made = guard.contest(decision, words, by=by, channel=channel, key=key)
    if json:
        print_json(
            {
                "escalation": made.escalation,
                "action_id": made.action_id,
                "entry": made.entry,
                "at": made.at.isoformat(),
                "due": made.due.isoformat(),
                "by": by,
                "authenticated": authenticated,
            }
        )
        return
    output = Output()
    output.line(f"contested for the customer by {by}: {made.escalation}, to be decided by {moment(made.due)} UTC")
    output.line(f"{made.action_id} stays denied, whatever they decide", style="dim")

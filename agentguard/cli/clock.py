"""`agentguard clock`: what time it is for the record, and what to do when the machine's clock jumped."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from agentguard.cli.exits import FOUND
from agentguard.cli.opened import open_for, open_reading
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
from agentguard.core.prose import moment, span
from agentguard.store.records import ClockRecord


def show(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Show the clock and the record's own time. It says whether anybody may rely on them; times are UTC."""
    found = open_reading(store).store.read(lambda reading: reading.clock())
    if json:
        print_json(
            {
                "clock": found.wall.isoformat(),
                "ledger": found.ledger.isoformat(),
                "last_commit": found.last_wall.isoformat(),
                "relied_on": not found.fault,
                "fault": found.fault,
            }
        )
    else:
        _say(Output(), found)
    if found.fault:
        raise typer.Exit(FOUND)


def confirm(
    why: Annotated[str, typer.Option("--why", help="How you know, for the record.")] = "",
    as_: AsOption = None,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    people: PeopleOption = None,
    json: JsonOption = False,
) -> None:
    """Say that the clock, which jumped, is right. Every process on this store goes on."""
    said = "how you know that the clock is right now goes into the record"
    guard, person = open_for(store, policies, people, as_, why, said)
    changed = guard.confirm_clock(**person)
    found = guard.store.read(lambda reading: reading.clock())
    if json:
        print_json({"changed": changed, "clock": found.wall.isoformat(), "ledger": found.ledger.isoformat()})
        return
    output = Output()
    output.line("the clock is relied on again" if changed else "nobody doubted the clock; nothing has changed")
    _say(output, found)


def _say(output: Output, found: ClockRecord) -> None:
    output.line(f"clock    {moment(found.wall)}  what the clock shows now, in UTC")
    output.line(f"ledger   {moment(found.ledger)}  {_ahead(found.ledger - found.wall)}")
    output.line(f"last     {moment(found.last_wall)}  what the clock showed when something was last recorded")
    if found.fault:
        output.prose(f"nothing is decided or begun: {found.fault}", style="red")


def _ahead(ahead: timedelta) -> str:
    """Return how far the ledger is ahead of a clock that was set back, and when both agree again."""
    if ahead < timedelta(seconds=1):
        return "what the record goes by; it never goes back"
    seconds = ahead.total_seconds()
    return f"{span(seconds)} ahead: it goes on at half speed, and the clock catches up in {span(2 * seconds)}"

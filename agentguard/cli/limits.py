"""`agentguard limits`: what is used and held of every limit, key by key, drawn as bars."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Any

import typer
from rich.text import Text

from agentguard.cli.customers import customer_text
from agentguard.cli.opened import open_reading
from agentguard.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from agentguard.cli.output import Output, print_json
from agentguard.core.prose import amount_text, moment, plain
from agentguard.engine.guard import Guard
from agentguard.engine.headroom import CUSTOMER, RECENT, Headroom, Key

BAR = 20
WIDTH = 75
"""Columns below which there is no room for bars beside amounts."""


def show(
    limit: Annotated[
        str | None, typer.Option("--limit", help="Only this limit, like `refunds/customer-30-days`.")
    ] = None,
    decisions: Annotated[
        int, typer.Option(help="Look for keys in so many of the newest decisions.", min=1, max=100_000)
    ] = RECENT,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show what is used and held now, of how much, for every key that a recent decision touched."""
    guard = open_reading(store)
    found = [item for item in guard.limits(decisions) if limit in (None, item.limit, item.limit.partition("/")[2])]
    if json:
        print_json([_document(guard, item) for item in found])
        return
    output = Output()
    if not found:
        output.line(f"no decision among the newest {decisions} touched {'a limit' if limit is None else f'`{limit}`'}")
        return
    for number, (name, items) in enumerate(groupby(found, key=lambda item: item.limit)):
        if number:
            output.line()
        _print_limit(output, guard, name, list(items))


def bar(headroom: Headroom, width: int = BAR) -> Text:
    """Return a bar: settled is full, held is shaded, what is left is dots; anything above zero shows."""
    if not headroom.max:
        return Text("?" * width if headroom.max is None else "█" * width, style="dim")
    settled = _cells(headroom.settled, headroom.max, width)
    held = min(_cells(headroom.used, headroom.max, width), width) - settled
    held = max(held, 1) if headroom.held and settled < width else max(held, 0)
    left = width - settled - held
    colour = "red" if headroom.used >= headroom.max else "green"
    return Text.assemble(("█" * settled, colour), ("▒" * held, "yellow"), ("·" * left, "dim"))


def _cells(amount: int, of: int, width: int) -> int:
    if amount <= 0:
        return 0
    cells = min(amount * width // of, width)
    return max(cells, 1)


def _print_limit(output: Output, guard: Guard, name: str, items: list[Headroom]) -> None:
    per = ", ".join(key.name for key in items[0].keys)
    whose = f"per {per}" if per else "for everybody together"
    output.line(f"{name}  {whose}, {_window(items[0].window)}", style="bold")
    bars = output.console.width >= WIDTH
    output.table(
        ("for", "used", "held", "max", "left", *[""] * bars),
        [
            (
                ", ".join(_key(guard, key) for key in item.keys) or "everybody",
                amount_text(item.used, item.unit),
                amount_text(item.held, item.unit) if item.held else "–",
                amount_text(item.max, item.unit),
                amount_text(item.left, item.unit),
                *[bar(item)] * bars,
            )
            for item in items
        ],
        right=("used", "held", "max", "left"),
        whole=("used", "held", "max", "left", ""),
    )


def _window(window: str) -> str:
    return window if window in ("forever", "conversation") else f"in {window}"


def _key(guard: Guard, key: Key) -> str:
    if key.value is None:
        return "(personal)"
    return customer_text(guard, str(key.value)) if key.name == CUSTOMER else plain(key.value)


def _document(guard: Guard, item: Headroom) -> dict[str, Any]:
    return {
        "limit": item.limit,
        "window": item.window,
        "keys": {key.name: key.value for key in item.keys},
        "customer": next((customer_text(guard, str(key.value)) for key in item.keys if key.name == CUSTOMER), None),
        "unit": item.unit,
        "used": item.used,
        "settled": item.settled,
        "held": item.held,
        "max": item.max,
        "left": item.left,
        "entry": item.entry,
        "decided_at": moment(item.decided_at),
    }

"""What the demonstration prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentguard.cli.demo.line import Line

if TYPE_CHECKING:
    from agentguard.cli.demo import Outcome

TONES = {"good": "green", "stopped": "red", "open": "yellow"}


def show_begin(console: Console) -> None:
    """Print what is about to happen."""
    console.print("\n[bold]A scripted agent serves ten customers of a shop and a clinic.[/bold]")
    console.print("Only the model is played; client, policies, database and payments are real.")


def table_of(lines: Sequence[Line], *, narrow: bool) -> Table:
    """Return the table: one line for each request, with what decided it and what the customer hears."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("customer", style="bold", no_wrap=True)
    if narrow:
        table.add_column("asks for", ratio=4)
        table.add_column("decision", width=24)
        table.add_column("the customer hears", ratio=5)
    else:
        table.add_column("asks for", ratio=5)
        table.add_column("decision", width=17)
        table.add_column("decided by", width=25)
        table.add_column("the customer hears", ratio=6)
    for number, line in enumerate(lines):
        decision = Text(line.decision, style=TONES[line.tone])
        hears = Text(f"“{line.hears}”") if line.hears else Text("(nothing yet)", style="dim")
        cells = (decision.append(f"\n{line.rule}", style="default"),) if narrow else (decision, line.rule)
        ends = number + 1 == len(lines) or bool(lines[number + 1].customer)
        table.add_row(line.customer, line.asks, *cells, hears, end_section=ends and narrow)
    return table


def show_end(console: Console, outcome: Outcome) -> None:
    """Print what can be checked now, where the record lies, and what to try next."""
    good, bad = "[green]✓[/green]", "[red]✗[/red]"
    chain = "each joined to the one before; nothing was changed"
    console.print(
        f"{good if outcome.intact else bad} audit log: {outcome.entries} entries, "
        f"{chain if outcome.intact else 'but they do not say what they said'}"
    )
    console.print(
        f"{good if outcome.agrees else bad} money: the provider's own books hold {outcome.booked} refunds; "
        f"{'the record has each once' if outcome.agrees else 'the record does not agree'}"
    )
    console.print(f"[yellow]…[/yellow] people: {outcome.waiting} request still waits for somebody to decide")
    console.print(f"\nThe record is {outcome.database}, its keys beside it. Try next:", soft_wrap=True)
    for command in ("audit list", "audit verify", "escalations list", "limits"):
        console.print(f"  agentguard {command} --store sqlite:///{outcome.database}", soft_wrap=True, markup=False)

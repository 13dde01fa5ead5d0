"""The replay's tables and its JSON."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scripts.replays.recording import Expected
from scripts.replays.workloads import Result

WORDS = {
    Expected.GOOD: "good calls",
    Expected.FORBIDDEN: "forbidden calls",
    Expected.FORBIDDEN_SOFT: "forbidden calls, soft",
    Expected.OPEN: "not scored",
}
MISSED_SHOWN = 10
RULES_SHOWN = 24


def show(result: Result, console: Console) -> None:
    """Print one workload: what happened to its calls, what decided, and whether the targets hold."""
    table = Table(title=f"{result.name}: {result.title}", title_justify="left", title_style="bold")
    table.add_column("recorded calls")
    for heading in ("calls", "allowed", "escalated", "blocked"):
        table.add_column(heading, justify="right")
    for expected, verdicts in result.calls.items():
        blocked = verdicts["deny"] + verdicts["unavailable"]
        counts = (sum(verdicts.values()), verdicts["allow"], verdicts["escalate"], blocked)
        if counts[0]:
            table.add_row(WORDS[expected], *(str(count) for count in counts))
    if result.ungoverned:
        table.add_row("reads without a policy", str(result.ungoverned), "-", "-", "-", style="dim")
    if result.rules:
        table.add_section()
        table.add_row("stopped by (a call may have several)", style="dim")
    for rule, count in result.rules.most_common(RULES_SHOWN):
        table.add_row(f"  {escape(rule)}", str(count))
    if len(result.rules) > RULES_SHOWN:
        table.add_row(f"  ... and {len(result.rules) - RULES_SHOWN} more; `--json` has them all", style="dim")
    console.print(table)
    for target in result.targets:
        mark = "[green]holds[/green]" if target.holds else "[red]fails[/red]"
        console.print(f"  {mark}  {escape(target.wanted)}: {escape(target.came)}", highlight=False, soft_wrap=True)
    for line in result.missed[:MISSED_SHOWN]:
        console.print(f"  [yellow]missed[/yellow]  {escape(line)}", highlight=False, soft_wrap=True)
    if len(result.missed) > MISSED_SHOWN:
        console.print(f"  ... and {len(result.missed) - MISSED_SHOWN} more")
    console.print(
        f"  {result.per_second:,.0f} decisions per second, facts looked up, nothing stored\n", highlight=False
    )


def as_json(results: Iterable[Result]) -> dict[str, Any]:
    """Return everything the tables say, and every missed call."""
    listed = list(results)
    return {
        "holds": all(result.holds for result in listed),
        "workloads": [
            {
                "name": result.name,
                "title": result.title,
                "calls": {str(expected): dict(verdicts) for expected, verdicts in result.calls.items() if verdicts},
                "stopped_by": dict(result.rules.most_common()),
                "targets": [
                    {"wanted": target.wanted, "came": target.came, "holds": target.holds} for target in result.targets
                ],
                "missed": list(result.missed),
                "reads_without_policy": result.ungoverned,
                "decisions_per_second": round(result.per_second),
            }
            for result in listed
        ],
    }

"""The table at the end, and the same as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.tortures.chaos import Tally
from scripts.tortures.judge import Judgement

EXAMPLES = 3


def as_json(judgement: Judgement, misfortunes: dict[str, int], seconds: float, seed: str) -> dict[str, Any]:
    """Return everything that was counted."""
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "holds": judgement.holds,
        "misfortunes": misfortunes,
        "wrong": {what: len(examples) for what, examples in judgement.wrong.items()},
        "examples": {what: examples[:EXAMPLES] for what, examples in judgement.wrong.items() if examples},
        "counts": judgement.counts,
        "limits": [asdict(limit) for limit in judgement.limits],
    }


def misfortunes(tally: Tally, provider_kills: int, database_kills: int, promotions: int, asked: int) -> dict[str, int]:
    """Return what was done to them, in words."""
    return {
        "workers killed": tally.kills,
        "workers stopped and let go on": tally.stops,
        "payment provider killed": provider_kills,
        "database server killed": database_kills,
        "standby promoted": promotions,
        "doubts that a person looked into at the end": asked,
    }


def show(console: Console, counted: dict[str, Any]) -> None:
    """Print what was tried, and what must be 0."""
    table = Table("what happened", "count", title=f"seed {counted['seed']}, {counted['seconds']:g} s", box=None)
    table.columns[1].justify = "right"
    for words, count in (*counted["misfortunes"].items(), *counted["counts"].items()):
        table.add_row(words, f"{count:,}")
    console.print(table)
    limits = Table("limit", "max", "most in a window", "refused", box=None)
    for column in limits.columns[1:]:
        column.justify = "right"
    for limit in counted["limits"]:
        limits.add_row(limit["limit"], f"{limit['max']:,}", f"{limit['most']:,}", f"{limit['refused']:,}")
    console.print(limits)
    must = Table("must be 0", "count", box=None)
    must.columns[1].justify = "right"
    for words, count in counted["wrong"].items():
        must.add_row(words, f"[{'red' if count else 'green'}]{count:,}[/]")
    console.print(must)
    for words, examples in counted["examples"].items():
        for example in examples:
            console.print(f"{words}: {example.splitlines()[-1]}", markup=False, highlight=False, soft_wrap=True)
    if not counted["holds"]:
        broken = ", ".join(words for words, count in counted["wrong"].items() if count)
        console.print(f"expected 0 everywhere, got more: {broken}", markup=False, highlight=False, soft_wrap=True)

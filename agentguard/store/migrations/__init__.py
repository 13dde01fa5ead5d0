"""How the tables of one version become those of the next, for every engine; `scripts/migration` writes a step.

A step changes tables and rows and nothing else: triggers are taken away before it and made anew after it. What SQLite
cannot alter in place is made by a new table and a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.operations import Operations

Step = Callable[["Operations"], None]


def steps(last: int) -> Mapping[int, Step]:
    """Return what makes each version up to the last out of the one before; the first is made out of nothing."""
    return {number: import_module(f"{__name__}.v{number:04}").upgrade for number in range(1, last + 1)}

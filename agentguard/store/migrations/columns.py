"""The kinds of columns that steps make. They stay as they are: steps that were run are history."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

WORDS = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

FIXED = {"sqlite_strict": True, "sqlite_with_rowid": False}
"""Of tables whose rows never change: no hidden key, through which one could be pushed out."""


def column(name: str, kind: Any, *, null: bool = False) -> sa.Column[Any]:
    """Return a column that numbers nothing by itself."""
    return sa.Column(name, kind, autoincrement=False, nullable=null)

"""A tool's result as a model reads it: plain JSON values, amounts as people write them."""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel

from agentguard.core.money import Money

MAX_CHARACTERS: Final = 65_536
MAX_NESTING: Final = 16


def shown(result: Any) -> Any:
    """Return a result as JSON values, or None for what has no such form, is nested too deep or is too long."""
    try:
        plain = _plain(result, MAX_NESTING)
        return plain if len(json.dumps(plain, allow_nan=False)) <= MAX_CHARACTERS else None
    except ValueError:
        return None


def _plain(value: Any, depth: int) -> Any:
    if depth < 0:
        raise ValueError("nested too deep")
    match value:
        case enum.Enum():
            return _plain(value.value, depth)
        case None | bool() | int() | float() | str():
            return value
        case Money() | Decimal() | timedelta():
            return str(value)
        case date():
            return value.isoformat()
        case BaseModel():
            return _plain(dict(value), depth)
        case Mapping():
            return {str(name): _plain(item, depth - 1) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item, depth - 1) for item in value]
        case _ if dataclasses.is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name), depth - 1) for field in dataclasses.fields(value)}
        case _:
            raise ValueError(f"a model cannot read {type(value).__name__}")

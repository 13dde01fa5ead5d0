"""The operational log: structlog, never configured by this library.

An event is a name and keys. Arguments, facts and customers never go in. This log is a courtesy and may be lost; the
audit log is not and may not.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import structlog


def get_logger(part: str) -> Any:
    """Return a logger that names the part of agentguard it speaks for."""
    # Not bound here: a bound logger would keep the configuration of the moment of import.
    return structlog.get_logger("agentguard", part=part)


def place_of(error: BaseException, function: Callable[..., Any]) -> str:
    """Return where a host's function failed, like `shop.py:31`: enough to find it, and nothing of what it was about."""
    frames = traceback.extract_tb(error.__traceback__)
    code = getattr(inspect.unwrap(function), "__code__", None)
    own = [frame for frame in frames if code is not None and frame.filename == code.co_filename] or frames
    return f"{PurePath(own[-1].filename).name}:{own[-1].lineno}" if own else ""

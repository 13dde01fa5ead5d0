"""The operational log: structlog, never configured by this library.

An event is a name and keys. Arguments, facts and customers never go in. This log is a courtesy and may be lost; the
audit log is not and may not.
"""

from __future__ import annotations

from typing import Any

import structlog


def get_logger(part: str) -> Any:
    """Return a logger that names the part of agentguard it speaks for."""
    # Not bound here: a bound logger would keep the configuration of the moment of import.
    return structlog.get_logger("agentguard", part=part)

"""What was put into force: one row for each change, and the last one counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from sqlalchemy import Select, insert, select

from agentguard.core.canary import InForce
from agentguard.store.lookups import Lookups
from agentguard.store.moment import from_microseconds
from agentguard.store.records import BundleRecord
from agentguard.store.tables import ActivationRow, BundleRow

First = Callable[[Select[Any]], Mapping[str, Any] | None]
"""Gives the first row of a query, or None."""

_activation = ActivationRow.__table__
_bundle = BundleRow.__table__


def put(lookups: Lookups, first: First, wanted: InForce, who: str, why: str, now_us: int) -> None:
    """Write what is in force from now on."""
    last = first(select(_activation.c.n).order_by(_activation.c.n.desc()).limit(1))
    values = {
        "n": 1 if last is None else last["n"] + 1,
        "bundle": wanted.bundle,
        "by": who,
        "why": why,
        "at_us": now_us,
    }
    if wanted.canary is not None:
        values |= {"canary": wanted.canary.bundle, "share": wanted.canary.share, "salt": wanted.canary.salt}
    lookups.change(insert(_activation).values(values))


def bundle_record(first: First, digest: str) -> BundleRecord | None:
    """Return a bundle by its digest, with its last activation if there was one."""
    row = first(select(_bundle).where(_bundle.c.digest == digest))
    if row is None:
        return None
    policies = tuple(orjson.loads(row["policies"]))
    put_last = first(
        select(_activation).where(_activation.c.bundle == digest).order_by(_activation.c.n.desc()).limit(1)
    )
    if put_last is None:
        return BundleRecord(digest, policies)
    return BundleRecord(digest, policies, put_last["by"], put_last["why"], from_microseconds(put_last["at_us"]))

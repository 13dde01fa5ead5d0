"""What makes a limit's account, as its file writes it: limits that say the same count together, across versions."""

from __future__ import annotations

from typing import Any

from agentguard.core.language import parse, unparse
from agentguard.core.language.meaning import rests_on
from agentguard.core.policy import Limit, WindowKind


def account_identity(limit: Limit) -> dict[str, Any]:
    """Return what makes a limit's account, beside tenant, unit and values.

    Renaming a limit or changing `in`, `max` or `over` keeps what was used; anything else opens another account, be it
    what a name or a table means that it is written with.
    """
    measured = {name: canonical_text(item.source) if item else "#" for name, item in sorted(limit.measure.items())}
    identity: dict[str, Any] = {"measure": measured, "per": [canonical_text(item.source) for item in limit.per]}
    if limit.when is not None:
        identity["when"] = canonical_text(limit.when.source)
    if limit.freed_by:
        freed = {name: canonical_text(item.source) if item else "" for name, item in sorted(limit.freed_by.items())}
        identity["freed_by"] = freed
    written = (*limit.measure.values(), *limit.per, limit.when, *limit.freed_by.values())
    meant = {key: text for item in written if item is not None for key, text in rests_on(item).items()}
    if meant:
        identity["meant"] = meant
    if limit.window.kind is WindowKind.CONVERSATION:
        identity["per"] = [*identity["per"], "context.conversation"]
    return identity


def canonical_text(source: str) -> str:
    """Return a condition's canonical spelling, so that spaces and `&&` do not open another account."""
    return unparse(parse(source))

"""Entries of the audit log as CloudEvents 1.0.2 in JSON, for queues and event buses: one type per kind of entry.

Notices to people are CloudEvents too (`adapters/webhook.py`); they have another `source`, so that an entry and the
notice it made are never taken for one event.
"""

from __future__ import annotations

from typing import Any

from agentguard.core.digest import time_text
from agentguard.engine.outward import outward
from agentguard.store.records import Entry

TYPE_PREFIX = "agentguard.entry."


def cloud_event(log: str, entry: Entry) -> dict[str, Any]:
    """Return an entry as CloudEvents has it, in the structured mode.

    `sequence` sorts as text, `leaf` is the entry's hash in the log's tree.
    """
    return {
        "specversion": "1.0",
        "id": f"{log}-{entry.pos}",
        "source": f"urn:agentguard:{log}:entries",
        "type": f"{TYPE_PREFIX}{entry.kind}",
        "time": time_text(entry.at),
        "subject": entry.action_id or entry.stream,
        "datacontenttype": "application/json",
        "sequence": f"{entry.pos:020d}",
        "leaf": entry.leaf,
        "data": outward(entry),
    }

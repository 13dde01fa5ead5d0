"""One action from request to settlement, entry by entry, as an auditor reads it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from agentguard.cli.customers import customer_text, narrator
from agentguard.cli.output import Output, verdict_text
from agentguard.core.narration.narrator import Narrator
from agentguard.core.narration.told import Details
from agentguard.core.prose import inline, moment
from agentguard.engine.guard import Guard
from agentguard.store.records import ActionRecord, Entry


def show(output: Output, guard: Guard, record: ActionRecord) -> None:
    """Print an action: what was asked, where it stands, and everything that happened."""
    output.heading(record.action)
    output.pairs(_facts(guard, record))
    entries = guard.audit.of(record.id)
    told = narrator(guard, entries)
    for entry in entries:
        output.line()
        show_entry(output, told, entry)
    show_notes(output, guard, [entry.pos for entry in entries], record.id)


def show_notes(output: Output, guard: Guard, entries: Iterable[int], action_id: str | None) -> None:
    """Print what was noted later about any of these entries, or their action."""
    for note in guard.audit.notes(entries, [action_id] if action_id else []):
        output.line()
        output.line(f"incident {note.incident}, noted in entry {note.entry}", style="bold magenta")
        output.pairs([("by", note.by), ("why", note.why)], indent=2)


def show_entry(output: Output, narrator: Narrator, entry: Entry, more: Details | None = None) -> None:
    """Print one entry: when, which, what happened, and why; then what else there is to say."""
    told = narrator.tell(entry.document)
    title = verdict_text(told.colour)
    style = f"bold {title.style}".strip()
    output.line(f"{moment(entry.at)}  entry {entry.pos}  {told.title}", style=style)
    details = [*told.details, *(more or ())]
    if details:
        output.pairs(details, indent=2)


def _facts(guard: Guard, record: ActionRecord) -> list[tuple[str, Any]]:
    actor = orjson.loads(record.request)
    model = f" ({actor['model']})" if actor.get("model") else ""
    customer = customer_text(guard, record.on_behalf_of)
    pseudonym = f", {record.on_behalf_of} in the record" if customer != record.on_behalf_of else ""
    facts: list[tuple[str, Any]] = [
        ("id", record.id),
        ("state", verdict_text(record.state.value)),
        ("asked at", f"{moment(record.asked_at)} UTC"),
        (actor["kind"], f"{actor['id']}{model}"),
        ("on behalf of", f"{customer}{pseudonym}" if record.on_behalf_of else "–"),
        ("arguments", inline(orjson.loads(record.arguments)) or "none"),
        ("key", record.key),
    ]
    more = (
        ("source" if record.is_recorded else "conversation", record.conversation),
        ("relates to", record.relates_to),
        ("escalation", record.escalation),
        ("reference", record.external_reference),
    )
    return [*facts, *((name, value) for name, value in more if value)]

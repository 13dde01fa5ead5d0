"""`agentguard demo`: a scripted agent serves ten customers under the policy packs; no key, no network, no model.

Everything but the model is real: the `openai` client, the policies, the database, the payments' own books.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentguard.cli.demo.line import Line
from agentguard.cli.shipped import policies_folder
from agentguard.errors import UsageError

DEFAULT_FOLDER = Path("agentguard-demo")
FILES = ("demo.db", "demo.db-wal", "demo.db-shm", "demo.db.keys", "demo.db.keys-wal", "demo.db.keys-shm")
NARROW = 110
"""Columns below which what decided stands under the decision."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demonstration came to.

    Attributes:
        entries, intact: How long the audit log is, and whether it still says what it said.
        booked, agrees: Refunds in the provider's own books, and whether the record has each of them once.
        waiting: Escalations that nobody has decided.
    """

    lines: tuple[Line, ...]
    entries: int
    intact: bool
    booked: int
    agrees: bool
    waiting: int
    database: Path

    @property
    def ok(self) -> bool:
        """True if everything was as it should be."""
        return self.intact and self.agrees


def run(folder: Path | None = None, *, as_json: bool = False) -> int:
    """Play the demonstration, print what happened, and return the exit code.

    Args:
        folder: Where the record is kept, `agentguard-demo` here if left out; made if it is not there, and what an
            earlier demonstration left in it is replaced.
        as_json: Print one JSON document instead of the table.
    """
    from rich.console import Console

    from agentguard.cli.demo.table import show_begin, show_end, table_of

    folder = folder or DEFAULT_FOLDER
    _prepare(folder)
    if as_json:
        outcome = perform(folder)
        print(json.dumps(_document(outcome), indent=2, ensure_ascii=False))
        return 0 if outcome.ok else 1
    console = Console(highlight=False)
    show_begin(console)
    with console.status("serving the customers"):
        outcome = perform(folder)
    console.print(table_of(outcome.lines, narrow=console.width < NARROW))
    show_end(console, outcome)
    return 0 if outcome.ok else 1


def perform(folder: Path) -> Outcome:
    """Play every scene into a folder and return what happened."""
    import openai

    from agentguard.cli.demo.play import play, script_name
    from agentguard.cli.demo.shop import open_shop
    from agentguard.cli.demo.story import SCENES
    from agentguard.testing.model_server import API_KEY, ModelServer
    from agentguard.testing.payment_server import Mood, PaymentServer

    scripts = {script_name(talk): scene.script for talk, scene in enumerate(SCENES, start=1)}
    with _quiet_log(), PaymentServer() as payments, ModelServer(scripts) as model:
        payments.moods["H-80"] = Mood.ANSWERS_LATE
        shop = open_shop(folder, policies_folder(), payments)
        guard = shop.guard
        with openai.OpenAI(base_url=model.base_url, api_key=API_KEY, max_retries=0) as client:
            lines = tuple(play(shop, client))
        verification = guard.audit.verify()
        recorded = Counter(item.document.get("external_reference") for item in guard.audit.list(limit=1000))
        outcome = Outcome(
            lines=lines,
            entries=verification.entries,
            intact=verification.ok,
            booked=len(payments.books),
            agrees=all(recorded[booking.receipt.id] == 1 for booking in payments.books),
            waiting=len(guard.escalations.list()),
            database=folder / "demo.db",
        )
        guard.close()
    return outcome


@contextmanager
def _quiet_log() -> Iterator[None]:
    """Keep the operational log out of the terminal while the demonstration runs."""
    import structlog

    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"expected a folder to write to, got `{folder}` ({error.strerror}); name another with `--folder`"
        ) from error


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "lines": [line.as_json() for line in outcome.lines],
        "audit": {"entries": outcome.entries, "intact": outcome.intact},
        "refunds_booked": outcome.booked,
        "books_agree": outcome.agrees,
        "waiting": outcome.waiting,
        "database": str(outcome.database),
    }

"""DBOS Transact: a workflow with one step that does nothing, from so many threads. Run with a database and threads."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crew import obey
from dbos import DBOS
from loads import one, threads


@DBOS.step()
def refund(order_id: str) -> str:
    """Do nothing."""
    return order_id


@DBOS.workflow()
def issue(order_id: str) -> str:
    """Run the one step."""
    return refund(order_id)


def main() -> None:
    """Act whenever told to."""
    logging.disable(logging.CRITICAL)
    url, callers = sys.argv[1], int(sys.argv[2])
    DBOS(config={"name": "bench", "system_database_url": url, "run_admin_server": False})
    DBOS.launch()

    def act() -> None:
        issue("A-17")

    obey(lambda seconds: one(act, seconds) if callers == 1 else threads(act, seconds, callers))
    DBOS.destroy()


if __name__ == "__main__":
    main()

"""A long history from a short one: what was run for real is copied on in time, row by row, inside the database.

Running a million actions takes an hour; copying takes a minute and leaves tables and indexes of the same size and
order. The numbers of entries and postings, the running totals and the accounts go on as if everything had been run.
The entries' digests do not, so that such a log no longer verifies: it is for measuring alone.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

SIZE = "(SELECT size FROM agentguard_log)"
LAST = "(SELECT last FROM temp.streams WHERE streams.stream = t.stream)"
OWN = "(SELECT {} FROM agentguard_account WHERE id = account)"

# By table: which rows were run, and the new value of a column in the k-th copy where it is not the old one.
COPIES = {
    "agentguard_entry": (
        f"pos <= {SIZE}",
        {
            "pos": f"pos + :k * {SIZE}",
            "seq": f"seq + :k * {LAST}",
            "ts_us": "ts_us + :k * :span",
            "action_id": "action_id || '.' || :k",
        },
    ),
    "agentguard_action": (
        f"decision_entry <= {SIZE}",
        {
            "id": "id || '.' || :k",
            "key": "key || '.' || :k",
            "decision_entry": f"decision_entry + :k * {SIZE}",
            **{
                name: f"{name} + :k * :span"
                for name in ("asked_us", "began_us", "deadline_us", "lease_us", "updated_us")
            },
        },
    ),
    "agentguard_posting": (
        f"n <= {OWN.format('n')}",
        {
            "ts_us": "ts_us + :k * :span",
            "n": f"n + :k * {OWN.format('n')}",
            "cum": f"cum + :k * {OWN.format('posted')}",
            "action_id": "action_id || '.' || :k",
        },
    ),
}
ENDS = (
    f"""
    UPDATE agentguard_account SET n = n * (:k + 1), posted = posted * (:k + 1),
        last_us = last_us + :k * :span, last_position = last_position + :k * {SIZE}
    """,
    """
    UPDATE agentguard_log SET size = size * (:k + 1), last_us = last_us + :k * :span, wall_us = wall_us + :k * :span
    """,
)


def multiply(path: Path, times: int) -> None:
    """Make so many of every action in a SQLite file that nobody else has open."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {pragma}")
    [(first, last)] = connection.execute("SELECT min(ts_us), max(ts_us) FROM agentguard_entry")
    values = {"span": last - first + 5_000_000, "k": times - 1}
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    connection.execute(
        "CREATE TEMP TABLE streams AS SELECT stream, max(seq) AS last FROM agentguard_entry GROUP BY stream"
    )
    connection.execute("BEGIN IMMEDIATE")
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for table, (original, changes) in COPIES.items():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        copied = ", ".join(changes.get(column, column) for column in columns)
        for k in range(1, times):
            connection.execute(
                f"INSERT INTO {table} SELECT {copied} FROM {table} t WHERE {original}", values | {"k": k}
            )
    for statement in ENDS:
        connection.execute(statement, values)
    for _, text in triggers:
        connection.execute(text)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()

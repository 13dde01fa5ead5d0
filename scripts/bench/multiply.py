"""A long history from a short one: what was run for real is copied on in time, row by row, inside the database.

Running a million actions takes an hour; copying takes minutes and leaves tables and indexes of the same size and order.
The numbers of entries and postings, the running totals and the accounts go on as if everything had been run, and each
copied entry has its own body and digest and follows the one before, so that the whole log verifies.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

OWN = "(SELECT {} FROM agentguard_account WHERE id = account)"

# By table, the new value of a column in the k-th copy where it is not the old one.
COPIES = {
    "agentguard_action": {
        "id": "id || '.' || :k",
        "key": "key || '.' || :k",
        "decision_entry": "decision_entry + :k * :copied",
        **{name: f"{name} + :k * :span" for name in ("asked_us", "began_us", "deadline_us", "lease_us", "updated_us")},
    },
    "agentguard_posting": {
        "ts_us": "ts_us + :k * :span",
        "n": f"n + :k * {OWN.format('n')}",
        "cum": f"cum + :k * {OWN.format('posted')}",
        "action_id": "action_id || '.' || :k",
    },
}
ENDS = (
    """
    UPDATE agentguard_account SET n = n * (:k + 1), posted = posted * (:k + 1),
        last_us = last_us + :k * :span, last_position = last_position + :k * :copied
    """,
    """
    UPDATE agentguard_log SET size = size + :k * :copied, last_us = last_us + :k * :span,
        wall_us = wall_us + :k * :span, leaf = (SELECT leaf FROM agentguard_entry ORDER BY pos DESC LIMIT 1)
    """,
)


def multiply(path: Path, times: int, apart: int = 0) -> None:
    """Make so many of every action in a SQLite file that nobody else has open, each copy so many microseconds later."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {pragma}")
    [(first, last)] = connection.execute("SELECT min(ts_us), max(ts_us) FROM agentguard_entry")
    span = max(apart, last - first + 5_000_000)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    connection.execute("BEGIN IMMEDIATE")
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    [(size, before)] = connection.execute(
        "SELECT max(pos), coalesce(max(pos) FILTER (WHERE action_id IS NULL), 0) FROM agentguard_entry"
    )
    insert = "INSERT INTO agentguard_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    connection.executemany(insert, _entries(connection, before, times, span))
    values = {"span": span, "k": times - 1, "copied": size - before}
    for table, changes in COPIES.items():
        connection.execute(f"CREATE TEMP TABLE original AS SELECT * FROM {table}")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        copied = ", ".join(changes.get(column, column) for column in columns)
        for k in range(1, times):
            connection.execute(f"INSERT INTO {table} SELECT {copied} FROM original", values | {"k": k})
        connection.execute("DROP TABLE original")
    for statement in ENDS:
        connection.execute(statement, values)
    for _, text in triggers:
        connection.execute(text)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _entries(connection: sqlite3.Connection, before: int, times: int, span: int) -> Iterator[tuple[Any, ...]]:
    """Yield the copies of the entries after those that are about no action, as rows."""
    read = (
        "SELECT pos, stream, seq, ts_us, kind, action_id, leaf, body FROM agentguard_entry WHERE pos > ? ORDER BY pos"
    )
    rows = connection.execute(read, (before,)).fetchall()
    originals = [(row, orjson.loads(row[-1])) for row in rows]
    heads = {stream: (seq, leaf) for _, stream, seq, _, _, _, leaf, _ in rows}
    pos = before + len(rows)
    for k in range(1, times):
        for (_, stream, _, ts_us, kind, action_id, _, _), said in originals:
            pos += 1
            seq, leaf = heads[stream]
            own: dict[str, Any] = {"seq": seq + 1, "prev": leaf, "ts_us": ts_us + k * span}
            own |= {name: f"{said[name]}.{k}" for name in ("action_id", "key") if name in said}
            own |= {name: _later(said[name], k * span) for name in ("now", "asked_at") if name in said}
            if said.get("decision_entry"):
                own["decision_entry"] = said["decision_entry"] + k * len(rows)
            body = orjson.dumps(said | own, option=orjson.OPT_SORT_KEYS)
            leaf = sha256(b"\0" + body).hexdigest()
            heads[stream] = seq + 1, leaf
            yield pos, stream, seq + 1, own["ts_us"], kind, f"{action_id}.{k}", leaf, body


def _later(text: str, microseconds: int) -> str:
    moved = datetime.fromisoformat(text) + timedelta(microseconds=microseconds)
    return moved.isoformat(timespec="microseconds")[:-6] + "Z"

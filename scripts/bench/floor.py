"""The least that an action costs in Python: the same rows, the same tables, the same two commits, and nothing else.

Straight-line code that knows no policy: it decides nothing, looks nothing up and checks nothing. It makes both entries'
canonical bytes and hashes, keeps the accounts in a dictionary, writes what a batch came to with one statement a table,
and wakes the callers. What it costs, no guard in Python can go below with these tables.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import queue
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import orjson
from governed import Shop

_BEGIN, _END = "decided", "settled"


class Floor:
    """Writes actions like one that a guard took, as they came.

    Args:
        url: The SQLite database, which is made by a guard with one action in it.
    """

    def __init__(self, url: str) -> None:
        shop = Shop(url, is_async=True)
        with asyncio.Runner() as runner:
            shop.meet(runner)
        shop.guard.close()
        self._path = Path(url.removeprefix("sqlite:///"))
        self._numbers = itertools.count()
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._read_one()
        self._committer = threading.Thread(target=self._commit)
        self._committer.start()

    def close(self) -> None:
        """Write nothing any more."""
        self._queue.put(None)
        self._committer.join()
        self._connection.close()

    def _read_one(self) -> None:
        """Read the last action that is there, as what all others are made like."""
        one = self._connection.execute("SELECT * FROM agentguard_action ORDER BY id DESC LIMIT 1")
        self._names = [column[0] for column in one.description]
        self._action = list(one.fetchone())
        self._id = self._action[self._names.index("id")]
        entries = "SELECT kind, body, stream, leaf FROM agentguard_entry WHERE action_id = ? ORDER BY pos"
        self._entries = {kind: (orjson.loads(body), stream) for kind, body, stream, _ in self._all(entries, self._id)}
        self._seq = self._all("SELECT max(seq) FROM agentguard_entry WHERE stream = ?", self._entries[_END][1])[0][0]
        self._size, self._leaf = self._all("SELECT size, leaf FROM agentguard_log")[0]
        moved = "SELECT account, amount FROM agentguard_posting WHERE action_id = ?"
        self._amounts = dict(self._all(moved, self._id))
        self._accounts = {
            row[0]: list(row) for row in self._all("SELECT * FROM agentguard_account") if row[0] in self._amounts
        }

    def _all(self, statement: str, *values: Any) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()

    async def act(self) -> None:
        """Write what an action writes, in two commits that others share."""
        name = f"act_{next(self._numbers):026d}"
        for kind in (_BEGIN, _END):
            done = asyncio.get_running_loop().create_future()
            self._queue.put((name, kind, done))
            await done

    def _commit(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty():
                batch.append(self._queue.get())
            self._write(batch)
            batch[0][2].get_loop().call_soon_threadsafe(_wake, batch)

    def _write(self, batch: list[Any]) -> None:
        now = time.time_ns() // 1000
        entries: list[Any] = []
        opened: list[Any] = []
        moved: list[Any] = []
        postings: list[Any] = []
        for name, kind, _ in batch:
            entries.append(self._entry(name, kind, now))
            if kind == _BEGIN:
                opened.append(self._opened(name))
                for account, amount in self._amounts.items():
                    self._accounts[account][2] += amount
            else:
                moved.append(("settled", 1, now, name, "executing", 1))
                postings += [self._posting(account, amount, name, now) for account, amount in self._amounts.items()]
        run = self._connection
        run.execute("BEGIN IMMEDIATE")
        run.execute("SELECT size, leaf FROM agentguard_log").fetchone()
        run.executemany("INSERT INTO agentguard_entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)", entries)
        if opened:
            run.executemany(f"INSERT INTO agentguard_action VALUES ({', '.join('?' * len(opened[0]))})", opened)
        if moved:
            change = "UPDATE agentguard_action SET state = ?, fence = ?, updated_us = ?"
            run.executemany(f"{change} WHERE id = ? AND state = ? AND fence = ?", moved)
            run.executemany("INSERT INTO agentguard_posting VALUES (?, ?, ?, ?, ?, ?)", postings)
        change = "UPDATE agentguard_account SET pending = ?, posted = ?, n = ?, last_us = ?, last_position = ?"
        counted = [(row[2], row[3], row[4], row[5], self._size, row[0]) for row in self._accounts.values()]
        run.executemany(f"{change} WHERE id = ?", counted)
        run.execute("UPDATE agentguard_log SET size = ?, leaf = ?, last_us = ?", (self._size, self._leaf, now))
        run.execute("COMMIT")

    def _entry(self, name: str, kind: str, now: int) -> tuple[Any, ...]:
        document, stream = self._entries[kind]
        self._seq += 1
        self._size += 1
        made = {**document, "action_id": name, "key": name, "seq": self._seq, "prev": self._leaf, "ts_us": now}
        body = orjson.dumps(made, option=orjson.OPT_SORT_KEYS)
        self._leaf = hashlib.sha256(b"\0" + body).hexdigest()
        return (self._size, stream, self._seq, now, kind, name, self._leaf, body)

    def _opened(self, name: str) -> list[Any]:
        row = self._action.copy()
        for column, value in (
            ("id", name),
            ("key", name),
            ("conversation", name),
            ("state", "executing"),
            ("fence", 1),
        ):
            row[self._names.index(column)] = value
        return row

    def _posting(self, account: str, amount: int, name: str, now: int) -> tuple[Any, ...]:
        row = self._accounts[account]
        row[2] -= amount
        row[3] += amount
        row[4] += 1
        row[5] = now
        return (account, now, row[4], amount, row[3], name)


def _wake(batch: list[Any]) -> None:
    for _, _, done in batch:
        done.set_result(None)

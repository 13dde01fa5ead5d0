"""Whoever reads the database from outside: plain SQL over what is committed, and nothing of the library's."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """One entry of the log."""

    pos: int
    ts_us: int
    kind: str
    document: dict

    @property
    def at(self):
        return EPOCH + timedelta(microseconds=self.ts_us)


class Observer:
    """One reader of a database, of either engine."""

    def __init__(self, address):
        self._mark = "?" if address.startswith("sqlite") else "%s"
        if self._mark == "?":
            self._connection = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
        else:
            self._connection = psycopg.connect(address.replace("+psycopg", ""), autocommit=True)

    def close(self):
        self._connection.close()

    def entries(self, after):
        rows = self._all("select pos, ts_us, kind, body from agentguard_entry where pos > ? order by pos", after)
        return [Seen(pos, ts_us, kind, json.loads(body)) for pos, ts_us, kind, body in rows]

    def actions(self):
        """Return state and fence of every action."""
        rows = self._all("select id, state, fence from agentguard_action")
        return {action_id: (state, fence) for action_id, state, fence in rows}

    def accounts(self, names):
        """Return what is held and what settled for all time, by account."""
        marks = ", ".join("?" * len(names))
        rows = self._all(f"select id, pending, posted - reversed from agentguard_account where id in ({marks})", *names)
        return {name: (held, settled) for name, held, settled in rows}

    def open_escalations(self):
        return self._all("select id, action_id from agentguard_escalation where state = 'open' order by id")

    def _all(self, statement, *parameters):
        return self._connection.execute(statement.replace("?", self._mark), parameters).fetchall()

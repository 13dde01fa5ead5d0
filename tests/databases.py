"""A database on PostgreSQL that is emptied for the next test: making one takes ten times as long."""

import json
from datetime import UTC, datetime

import psycopg

from agentguard.store import Store

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

# Every refusal to change history is this one function; for a moment it lets rows go.
EMPTY = """
CREATE OR REPLACE FUNCTION agentguard_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
DELETE FROM agentguard_escalation;
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
  LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
END $$;
"""
SHAPE = """
SELECT string_agg(tgname || '=' || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT string_agg(attrelid::regclass || '.' || attname, ' ' ORDER BY attrelid, attnum) FROM pg_attribute
JOIN pg_class ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace
"""
ALONE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = "
ALONE += "'client backend' AND pid <> pg_backend_pid()"


class SpareDatabase:
    """One database of a server; a test that changed its tables or triggers leaves the next one a new one."""

    def __init__(self, server):
        self._server = server
        self._number = 0
        self._connection = None

    def emptied(self):
        """Return the address of a database with tables and nothing in them but the head of `log-of-the-test`."""
        if self._connection is not None:
            self._connection.execute(ALONE)
        if self._connection is None or self._connection.execute(SHAPE).fetchall() != self._shape:
            self._make()
        self._connection.execute(self._empty)
        return self._server.url_of(f"test_{self._number}")

    def close(self):
        if self._connection is not None:
            self._connection.close()

    def _make(self):
        if self._connection is not None:
            self._connection.close()
            self._server.drop_database(f"test_{self._number}")
        self._number += 1
        url = self._server.create_database(f"test_{self._number}")
        Store.open(url, lambda: LONG_AGO, log="log-of-the-test").close()
        self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self._shape = self._connection.execute(SHAPE).fetchall()
        asked = (
            "SELECT pg_get_functiondef('agentguard_refuse'::regproc), row_to_json(agentguard_log) FROM agentguard_log"
        )
        refuse, head = self._connection.execute(asked).fetchone()
        row = f"json_populate_record(NULL::agentguard_log, '{json.dumps(head)}')"
        self._empty = f"BEGIN; {EMPTY} {refuse}; INSERT INTO agentguard_log SELECT * FROM {row}; COMMIT"

"""Many rows in one message: as many round trips as for a few, and every value as it was given."""

import psycopg
import pytest

from agentguard.core.lifecycle import State
from agentguard.store import Store
from agentguard.store.records import ActionKey
from agentguard.store.unit import Unit
from agentguard.store.verification import verify
from tests.store.given import HandClock, action, begin, body, usage

ODD = "'; -- \\ \\x00 \" %s {} \u00e9 \U0001f4b8 \u2028 null"


@pytest.fixture
def store(database):
    opened = Store.open(database, HandClock(), patience=2.0)
    yield opened
    opened.close()


def opening(name, **changes):
    record = action(name, **changes)

    def work(transaction):
        transaction.open_action(record)
        transaction.hold(name, f"customer-{name}", "USD", 100)
        transaction.store_result(name, bytes(range(256)))
        return transaction.append({**body(name), "note": ODD})

    return Unit(work, keys=[ActionKey(record.tenant, record.agent, record.conversation, record.key)])


def settling(name, fence=0):
    def work(transaction):
        transaction.move(name, State.EXECUTING, fence, State.SETTLED)
        transaction.settle(name)
        return transaction.append(body(name, "settled", kind="settled"))

    return Unit(work)


def outcomes(store, units):
    store._commit(units)
    assert [unit.error for unit in units] == [None] * len(units)
    return [unit.value for unit in units]


def sent(monkeypatch, store, units):
    """Return how many messages with rows of parameters a commit of these units sends."""
    counted = []
    execute, each = psycopg.Cursor.execute, psycopg.Cursor.executemany
    with monkeypatch.context() as patched:
        patched.setattr(
            psycopg.Cursor, "execute", lambda *given, **named: (counted.append(1), execute(*given, **named))[1]
        )
        patched.setattr(psycopg.Cursor, "executemany", lambda *given: (counted.append(len(given[2])), each(*given))[1])
        outcomes(store, units)
    return sum(counted)


def test_a_commit_of_thirty_actions_sends_as_many_messages_as_one_of_two(store, monkeypatch):
    begin(store, "a1")
    counted = {}
    for many in (2, 30):
        units = [opening(f"{many}-{number}", agent=ODD) for number in range(many)]
        counted[many] = sent(monkeypatch, store, units) - many  # each looks at an account of its own
    assert counted[2] == counted[30]
    assert verify(store).ok


def test_what_is_written_for_many_is_read_as_it_was_given(store, database):
    names = ["a", ODD, *(f"a{number}" for number in range(5))]
    changes = {"key": ODD, "conversation": "", "external_reference": None, "relates_to": ODD, "on_behalf_of": ODD}
    units = [opening(name, **{**changes, "key": f"{ODD}-{name}"}) for name in names]
    entries = outcomes(store, units)
    outcomes(store, [settling(name) for name in names])
    other = Store.open(database, HandClock(), patience=2.0)  # which remembers nothing
    for name, entry in zip(names, entries, strict=True):
        kept = other.read(lambda reading, name=name: reading.action(name))
        assert (kept.state, kept.relates_to, kept.external_reference) == (State.SETTLED, ODD, None)
        assert other.read(lambda reading, name=name: reading.result(name)) == bytes(range(256))
        assert other.read(lambda reading, pos=entry.pos: reading.entry(pos)).document["note"] == ODD
        assert usage(other, f"customer-{name}") == (0, 100)
    assert verify(other).ok
    other.close()


def test_of_many_actions_that_are_looked_up_by_their_keys_each_finds_its_own(store, database):
    outcomes(store, [opening(f"a{number}") for number in range(6)])
    other = Store.open(database, HandClock(), patience=2.0)
    keys = [ActionKey("acme", "support-bot", "c-91", f"key-{name}") for name in ("a4", "nobody", "a0", "a4", "a5")]
    units = [Unit(lambda reading, key=key: reading.action_by_key(*key), keys=[key]) for key in keys]
    found = [record and record.id for record in outcomes(other, units)]
    assert found == ["a4", None, "a0", "a4", "a5"]
    other.close()


@pytest.mark.law(5)
def test_of_many_actions_that_are_moved_one_that_another_process_changed_keeps_none_of_them_from_the_rest(
    store, database
):
    outcomes(store, [opening(f"a{number}") for number in range(3)])
    with psycopg.connect(database.replace("+psycopg", ""), autocommit=True) as other:
        other.execute("UPDATE agentguard_action SET fence = 7 WHERE id = 'a1'")  # without an entry, as nobody may
    units = [settling(f"a{number}") for number in range(3)]
    store._commit(units)
    assert [unit.error is None for unit in units] == [True, False, True]
    states = [store.read(lambda reading, name=name: reading.action(name)).state for name in ("a0", "a1", "a2")]
    assert states == [State.SETTLED, State.EXECUTING, State.SETTLED]

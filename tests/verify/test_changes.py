"""What the check of the log finds when the owner of the database, who can drop triggers, changes something."""

import sqlite3
import tracemalloc

import orjson
import pytest

from agentguard.core.canary import InForce
from agentguard.core.digest import digest
from agentguard.core.lifecycle import State
from agentguard.store import Store
from agentguard.store.rows import vote_values
from agentguard.store.transaction import leaf_of
from agentguard.store.verification import MOST_FINDINGS, verify
from tests.store.given import HandClock, begin, body, release, settle
from tests.store.test_policies_and_people import ESCALATION, VOTE
from tests.verify.given import introduce, seal

TEXT = "policy: refunds\n"


@pytest.fixture
def address(path):
    """A file: what can be done to it from outside is this module's matter."""
    return f"sqlite:///{path}"


@pytest.fixture
def full(store, clock):
    """Twelve entries in two streams, with policies, sealed values, accounts and actions in several states."""
    text_digest = digest(TEXT.encode())

    def policies(transaction):
        transaction.store_policy(text_digest, "refunds", 1, TEXT)
        transaction.store_bundle("b" * 64, [text_digest])
        transaction.activate(InForce("b" * 64), "ann", "first")
        transaction.append({"tenant": "acme", "kind": "activated", "bundle": "b" * 64})

    store.transact(policies)
    for number in range(1, 5):
        clock.advance(seconds=1)
        begin(store, f"a{number}", [("customer", 100)])
    settle(store, "a1")
    release(store, "a2")

    def doubt(transaction):
        transaction.move("a3", State.EXECUTING, 0, State.IN_DOUBT, new_fence=1)
        name = transaction.store_sealed(b"k" * 32 + b"secret" * 8)
        policies = {"refunds": {"digest": text_digest, "version": 1}}
        transaction.append(body("a3", "in_doubt", 1, email={"sealed": name}, policies=policies, bundle="b" * 64))

    store.transact(doubt)
    for _ in range(4):
        clock.advance(seconds=1)
        store.transact(lambda t: t.append({"tenant": "beta", "kind": "noted"}))
    return store


@pytest.fixture
def owner(full, path):
    """A plain connection whose owner dropped every trigger."""
    connection = sqlite3.connect(path, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    yield connection
    connection.close()


def found(store):
    result = verify(store)
    return [(finding.pos, finding.code) for finding in result.findings], result


def test_a_sound_log_verifies(full):
    told = []
    result = verify(full, lambda done, total: told.append((done, total)))
    assert result.ok
    assert (result.entries, result.streams, result.intact, result.erased) == (12, 2, 12, 0)
    assert result.head == full.read(lambda r: r.entry(12).leaf)
    assert told == [(12, 16), (16, 16)]


def test_an_empty_log_verifies(store):
    result = verify(store)
    assert result.ok
    assert (result.entries, result.intact, result.head) == (0, 0, "")


@pytest.mark.parametrize("pos", range(1, 13))
def test_any_changed_byte_of_any_entry_is_found_where_it_is(full, owner, pos):
    (data,) = owner.execute("SELECT body FROM agentguard_entry WHERE pos = ?", (pos,)).fetchone()
    for place in (0, 1, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[place] ^= 1
        owner.execute("UPDATE agentguard_entry SET body = ? WHERE pos = ?", (bytes(changed), pos))
        codes, result = found(full)
        assert (pos, "leaf") in codes
        assert result.intact == pos - 1
    owner.execute("UPDATE agentguard_entry SET body = ? WHERE pos = ?", (data, pos))
    assert verify(full).ok


@pytest.mark.parametrize("pos", range(1, 12))
def test_a_removed_entry_is_found_and_what_came_before_still_holds(full, owner, pos):
    owner.execute("DELETE FROM agentguard_entry WHERE pos = ?", (pos,))
    codes, result = found(full)
    assert (pos + 1, "gap") in codes
    assert result.intact == pos - 1


def test_a_cut_tail_is_found_by_the_head(full, owner):
    owner.execute("DELETE FROM agentguard_entry WHERE pos > 10")
    codes, result = found(full)
    assert codes == [(None, "head")]
    assert "expected 12 entries as the head says, got 10" in str(result.findings[0])
    assert result.intact == 10


def test_a_removed_entry_with_the_rest_renumbered_is_found_by_the_chain(full, owner):
    owner.execute("DELETE FROM agentguard_entry WHERE pos = 4")
    for pos in range(5, 13):
        owner.execute("UPDATE agentguard_entry SET pos = ? WHERE pos = ?", (pos - 1, pos))
    owner.execute("UPDATE agentguard_log SET size = 11")
    codes, result = found(full)
    assert {(4, "sequence"), (4, "chain")} <= set(codes)
    assert result.intact == 3


def test_an_inserted_entry_is_found(full, owner):
    for pos in range(12, 4, -1):
        owner.execute("UPDATE agentguard_entry SET pos = ? WHERE pos = ?", (pos + 1, pos))
    owner.execute(
        "INSERT INTO agentguard_entry SELECT 5, stream, seq, ts_us, kind, action_id, leaf, body "
        "FROM agentguard_entry WHERE pos = 4"
    )
    owner.execute("UPDATE agentguard_log SET size = 13")
    codes, result = found(full)
    assert {(5, "sequence"), (5, "chain")} <= set(codes)
    assert result.intact == 4


def test_two_entries_that_changed_places_are_found(full, owner):
    owner.execute("UPDATE agentguard_entry SET pos = 100 WHERE pos = 3")
    owner.execute("UPDATE agentguard_entry SET pos = 3 WHERE pos = 4")
    owner.execute("UPDATE agentguard_entry SET pos = 4 WHERE pos = 100")
    codes, result = found(full)
    assert {(3, "sequence"), (3, "chain"), (4, "time")} <= set(codes)
    assert result.intact == 2


def test_a_changed_entry_with_a_new_leaf_is_found_by_the_next_in_its_stream(full, owner):
    (data,) = owner.execute("SELECT body FROM agentguard_entry WHERE pos = 3").fetchone()
    changed = data.replace(b'"action_id":"a2"', b'"action_id":"a4"')
    owner.execute(
        "UPDATE agentguard_entry SET body = ?, leaf = ?, action_id = 'a4' WHERE pos = 3", (changed, leaf_of(changed))
    )
    codes, _ = found(full)
    assert (4, "chain") in codes


@pytest.mark.parametrize(
    "column,value",
    [("stream", "beta"), ("seq", 9), ("ts_us", 1), ("kind", "x"), ("action_id", "a9"), ("action_id", None)],
)
def test_a_column_that_says_something_else_than_the_body_is_found(full, owner, column, value):
    owner.execute(f"UPDATE agentguard_entry SET {column} = ? WHERE pos = 4", (value,))
    codes, _ = found(full)
    assert (4, "column") in codes


@pytest.mark.parametrize("data", [b"null", b"[1]", b"\xff\xfe", b'{"b":1,"a":2}', b'{"a":1,"a":2}', b'{"a": 1}'])
def test_a_body_that_is_not_canonical_is_found(full, owner, data):
    owner.execute("UPDATE agentguard_entry SET body = ?, leaf = ? WHERE pos = 12", (data, leaf_of(data)))
    codes, _ = found(full)
    assert (12, "body") in codes


def test_a_log_grafted_from_another_one_is_found(full, owner, tmp_path):
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}", HandClock())
    other.transact(lambda t: t.append({"tenant": "acme", "kind": "activated"}))
    entry = other.read(lambda r: r.entry(1))
    other.close()
    owner.execute(
        "UPDATE agentguard_entry SET body = ?, leaf = ?, ts_us = ?  WHERE pos = 1",
        (entry.body, entry.leaf, entry.document["ts_us"]),
    )
    codes, _ = found(full)
    assert {(1, "column"), (2, "chain")} <= set(codes)


def test_a_changed_policy_text_is_found(full, owner):
    owner.execute("UPDATE agentguard_policy_text SET text = text || 'x'")
    codes, result = found(full)
    assert codes == [(None, "policy")]
    assert "expected the text of policy `refunds` 1 as stored" in str(result.findings[0])


@pytest.mark.parametrize("table", ["agentguard_policy_text", "agentguard_bundle"])
def test_a_missing_policy_text_or_bundle_is_found_at_each_entry_that_names_it(full, owner, table):
    owner.execute(f"DELETE FROM {table}")
    codes, _ = found(full)
    assert (8, "policy") in codes


def say(store, kind, customer="p_1", **more):
    """Append what an erasure appends; return where."""
    body = {"tenant": "acme", "kind": kind, "on_behalf_of": customer, **more}
    return store.transact(lambda transaction: transaction.append(body)).pos


def test_an_erased_sealed_value_is_counted_and_a_changed_one_is_found(full, owner):
    owner.execute("UPDATE agentguard_sealed SET sealed = CAST(sealed || x'00' AS BLOB)")
    assert found(full)[0] == [(8, "sealed")]
    begun = say(full, "erasing")
    owner.execute("DELETE FROM agentguard_sealed")
    assert (found(full)[0], verify(full).erased) == ([], 1), "whoever dies before the end has still begun"
    say(full, "erased", begun=begun)
    assert (found(full)[0], verify(full).erased) == ([], 1)


def test_a_sealed_value_that_was_deleted_without_an_erasure_is_found(full, owner):
    owner.execute("DELETE FROM agentguard_sealed")
    said, result = found(full)
    assert (said, result.erased) == ([(8, "sealed")], 0)
    say(full, "erasing", "p_2")
    assert found(full)[0] == [(8, "sealed")], "another customer's erasure excuses nothing"


def test_an_erasure_that_was_never_begun_or_left_its_values_is_found(full):
    alone = say(full, "erased", begun=3)
    assert found(full)[0] == [(alone, "sealed")]
    say(full, "erased", begun=say(full, "erasing"))
    assert found(full)[0] == [(8, "sealed"), (alone, "sealed")]


@pytest.mark.parametrize(
    "change", ["state = 'settled' WHERE id = 'a4'", "state = 'executing' WHERE id = 'a1'", "fence = 7 WHERE id = 'a3'"]
)
def test_an_action_that_stands_elsewhere_than_its_last_entry_says_is_found(full, owner, change):
    owner.execute(f"UPDATE agentguard_action SET {change}")
    # An action in another state holds something else as well.
    assert {(None, "action")} <= set(found(full)[0]) <= {(None, "action"), (None, "account")}


@pytest.mark.parametrize("data", [b"null", b"7", b'{"state"'])
def test_a_removed_action_whose_entry_cannot_be_read_is_found(full, owner, data):
    owner.execute("UPDATE agentguard_entry SET body = ? WHERE pos = 5", (data,))
    owner.execute("DELETE FROM agentguard_action WHERE id = 'a4'")
    assert {(5, "leaf"), (5, "body"), (5, "action")} <= set(found(full)[0])


def test_an_action_that_no_entry_speaks_of_is_found(full, owner):
    owner.execute("UPDATE agentguard_action SET id = 'a9' WHERE id = 'a4'")
    codes, _ = found(full)
    assert sorted(codes, key=str) == [(5, "action"), (None, "action")]


@pytest.mark.parametrize(
    "change",
    [
        "agentguard_account SET pending = pending + 1",
        "agentguard_account SET posted = posted + 1",
        "agentguard_action SET holds = '[[\"customer\",\"USD\",101]]' WHERE id = 'a4'",
        "agentguard_action SET holds = '[[\"another\",\"USD\",100]]' WHERE id = 'a4'",
        "agentguard_action SET holds = '[]' WHERE id = 'a4'",
        "agentguard_account SET n = n + 1 WHERE id = (SELECT min(account) FROM agentguard_posting)",
        "agentguard_account SET last_us = last_us - 1 WHERE id = (SELECT min(account) FROM agentguard_posting)",
        "agentguard_posting SET amount = amount + 1",
        "agentguard_posting SET cum = cum + 1",
    ],
)
def test_an_account_that_does_not_add_up_is_found(full, owner, change):
    owner.execute(f"UPDATE {change}")
    codes, _ = found(full)
    assert {code for _, code in codes} == {"account"}


@pytest.mark.parametrize(
    "change",
    [
        "agentguard_entry SET ts_us = 4611686018427387904",
        "agentguard_entry SET pos = pos + 4611686018427380000 WHERE pos > 6",
        "agentguard_bundle SET policies = '{'",
        "agentguard_activation SET at_us = 4611686018427387904, bundle = ''",
        "agentguard_action SET holds = '{'",
        "agentguard_log SET size = 4611686018427387904",
    ],
)
def test_what_makes_no_sense_is_a_finding_or_nothing_and_never_an_error(full, owner, change):
    owner.execute(f"UPDATE {change}")
    assert verify(full).ok is ("agentguard_bundle" in change)  # its digest is what entries name


def test_the_log_can_be_checked_without_the_rows_that_it_speaks_of(full, owner):
    owner.execute("UPDATE agentguard_action SET state = 'settled' WHERE id = 'a4'")
    assert not verify(full).ok
    assert verify(full, rows=False).ok
    owner.execute("UPDATE agentguard_entry SET kind = 'x' WHERE pos = 4")
    assert not verify(full, rows=False).ok


FORGED = """INSERT INTO agentguard_vote
    SELECT escalation, 'tom', 1, replace(document, 'ann', 'tom'), voted_us FROM agentguard_vote"""


@pytest.fixture
def voted(store, clock, path):
    """One vote and the entry that records it, and a plain connection whose owner dropped every trigger."""
    begin(store, "a1", state=State.WAITING, escalation=ESCALATION.id)

    def vote(transaction):
        transaction.open_escalation(ESCALATION)
        transaction.vote(VOTE)
        document = orjson.loads(vote_values(VOTE)["document"])
        transaction.append(body("a1", "waiting", kind="voted", vote=document))

    clock.advance(seconds=1)
    store.transact(vote)
    connection = sqlite3.connect(path, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    yield connection
    connection.close()


def test_a_vote_that_stands_as_its_entry_says_is_sound(store, voted):
    assert found(store)[0] == []


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "change,codes",
    [
        ("UPDATE agentguard_vote SET voter = 'tom'", [(None, "vote"), (2, "vote")]),
        ("UPDATE agentguard_vote SET approve = 0", [(None, "vote")]),
        ("UPDATE agentguard_vote SET document = replace(document, 'ann', 'tom')", [(None, "vote")]),
        ("UPDATE agentguard_vote SET document = 'broken'", [(None, "vote")]),
        ("DELETE FROM agentguard_vote", [(2, "vote")]),
        (FORGED, [(None, "vote")]),
    ],
)
def test_a_vote_that_was_changed_removed_or_never_cast_is_found(store, voted, change, codes):
    voted.execute(change)
    assert found(store)[0] == codes


def test_a_head_that_names_another_last_entry_is_found(full, owner):
    owner.execute("UPDATE agentguard_log SET leaf = 'x'")
    assert found(full)[0] == [(None, "head")]


def test_findings_are_bounded(full, owner):
    owner.execute("UPDATE agentguard_entry SET leaf = 'x', kind = 'x', seq = 1, stream = 'x'")
    many = owner.execute("SELECT max(pos) FROM agentguard_entry").fetchone()[0]
    for pos in range(many + 1, many + 40):
        owner.execute("INSERT INTO agentguard_entry VALUES (?, 'x', 1, 1, 'x', NULL, 'x', x'7b7d')", (pos,))
    result = verify(full)
    assert len(result.findings) == MOST_FINDINGS
    assert result.truncated


def test_what_the_owner_rewrites_as_a_whole_is_not_found_which_the_manual_says(full, owner):
    previous = {}
    for pos, stream, data in owner.execute("SELECT pos, stream, body FROM agentguard_entry ORDER BY pos").fetchall():
        document = orjson.loads(data) | {"prev": previous.get(stream)}
        if document["kind"] == "noted":
            document["words"] = "what never was"
        new = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        previous[stream] = leaf_of(new)
        owner.execute("UPDATE agentguard_entry SET body = ?, leaf = ? WHERE pos = ?", (new, leaf_of(new), pos))
        owner.execute("UPDATE agentguard_log SET leaf = ?", (leaf_of(new),))
    result = verify(full)
    assert result.ok
    assert result.head == previous["beta"]


def test_checking_a_long_log_takes_little_memory(store):
    def fill(transaction):
        for _ in range(4000):
            transaction.append({"tenant": "acme", "kind": "noted", "words": "w" * 1000})

    store.transact(fill)
    told = []
    tracemalloc.start()
    result = verify(store, lambda done, total: told.append(done))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.ok
    assert told == [4000]
    assert most < 4_000_000


def test_where_only_texts_were_changed_every_other_entry_is_still_proven(full, owner):
    introduce(full)
    seal(full)
    size = full.read(lambda reading: reading.position())
    owner.execute("UPDATE agentguard_entry SET body = CAST(replace(body, 'acme', 'evil') AS BLOB) WHERE pos IN (1, 3)")
    result = verify(full)
    assert (result.intact, result.spared, result.changed) == (0, size, (1, 3))


def test_where_a_leaf_was_made_anew_nothing_is_said_to_be_spared(full, owner):
    introduce(full)
    seal(full)
    changed = bytes(owner.execute("SELECT body FROM agentguard_entry WHERE pos = 3").fetchone()[0]) + b" "
    owner.execute("UPDATE agentguard_entry SET body = ?, leaf = ? WHERE pos = 3", (changed, leaf_of(changed)))
    result = verify(full)
    assert (result.spared, result.changed) == (0, ())

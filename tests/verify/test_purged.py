"""Entries whose bodies were taken away: rightly, under a tombstone that the log's key signed, and otherwise."""

import pytest

from agentguard.core.retention import LEAST_DAYS
from agentguard.evidence.note import sign_note
from agentguard.evidence.tombstone import Tombstone, leaves_digest
from agentguard.store.tombstones import bury
from agentguard.store.verification import verify
from tests.verify.given import KEY, THIEF, Owner, introduce, seal


@pytest.fixture
def log(store, clock):
    introduce(store)
    store.transact(lambda t: [t.append({"tenant": "acme", "kind": "noted", "n": n}) for n in range(9)])
    seal(store)
    clock.advance(days=LEAST_DAYS)
    return store


def purge(store, ranges, *, key=KEY, taken=None, log="log-of-the-test", leaves=None):
    """Take away bodies as a purge does; `taken` are those that go if they are not those that are signed for."""

    def work(transaction):
        named = [transaction.entry(pos).leaf for first, last in ranges for pos in range(first, last + 1)]
        digest = leaves or leaves_digest(map(bytes.fromhex, named))
        note = sign_note(Tombstone(log, tuple(ranges), digest).text, key)
        body = {"tenant": "acme", "kind": "purged", "ranges": list(map(list, ranges)), "tombstone": note}
        bury(transaction, taken or ranges, transaction.append(body).pos)

    store.transact(work)


def found(store, **given):
    checked = verify(store, **given)
    return {(finding.pos, finding.code) for finding in checked.findings}, checked


def test_what_was_purged_is_counted_and_the_tree_still_holds(log):
    purge(log, [(2, 4), (6, 6)])
    purge(log, [(5, 5)])
    seal(log)
    for keys in ((), (KEY.key,)):
        codes, checked = found(log, keys=keys)
        assert codes == set()
        assert (checked.purged, checked.entries, checked.intact, checked.signed) == (5, 12, 12, 12)


@pytest.mark.parametrize(
    "taken,pos",
    [([(2, 5)], 5), ([(2, 4), (7, 7)], 7), ([(2, 3), (8, 8)], 8)],
)
def test_a_body_that_the_tombstone_does_not_name_is_missed(log, taken, pos):
    purge(log, [(2, 4)], taken=taken)
    codes, checked = found(log)
    assert codes == {(pos, "tombstone")}
    assert checked.intact == pos - 1


@pytest.mark.parametrize(
    "forged",
    [{"key": THIEF}, {"log": "another-log"}, {"leaves": b"l" * 32}],
    ids=["another key", "another log", "other leaves"],
)
def test_a_forged_tombstone_covers_nothing(log, forged):
    purge(log, [(2, 4)], **forged)
    codes, checked = found(log, keys=(KEY.key,))
    assert codes == {(11, "tombstone"), (2, "tombstone")}
    assert "entries 2 to 4, whose bodies are gone" in " ".join(map(str, checked.findings))


def test_a_leaf_that_was_changed_together_with_its_body_is_found(log, address):
    purge(log, [(2, 4)])
    owner = Owner(address)
    owner.do("UPDATE agentguard_entry SET leaf = ? WHERE pos = 3", "0" * 64)
    owner.close()
    codes, _ = found(log)
    assert {(11, "tombstone"), (2, "tombstone"), (None, "tree")} <= codes


@pytest.mark.parametrize("leaf", ["", "x" * 64, "A" * 64])
def test_what_is_no_leaf_is_found(log, address, leaf):
    purge(log, [(2, 4)])
    owner = Owner(address)
    owner.do("UPDATE agentguard_entry SET leaf = ? WHERE pos = 3", leaf)
    owner.close()
    assert (3, "leaf") in found(log)[0]


def test_a_purged_entry_of_another_stream_or_number_is_found(log, address):
    purge(log, [(2, 4)])
    owner = Owner(address)
    owner.do("UPDATE agentguard_entry SET seq = 9 WHERE pos = 3")
    owner.close()
    assert {(3, "sequence"), (4, "sequence")} <= found(log)[0]


@pytest.mark.parametrize("early", [0, 1])
def test_what_was_too_young_to_be_purged_is_missed_whoever_signed_for_it(log, clock, early):
    log.transact(lambda t: [t.append({"tenant": "acme", "kind": "noted", "n": n}) for n in range(3)])
    clock.advance(days=LEAST_DAYS, microseconds=-early)
    purge(log, [(2, 4), (12, 13)])
    purge(log, [(6, 6)])
    seen, checked = found(log, keys=(KEY.key,))
    assert seen == ({(14, "tombstone"), (2, "tombstone"), (12, "tombstone")} if early else set())
    assert checked.purged == (1 if early else 6)

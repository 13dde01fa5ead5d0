"""What is found when the owner of the database, who can drop triggers, attacks a signed log behind our back."""

import shutil
from datetime import timedelta

import pytest

from agentguard.store import Store
from agentguard.store.verification import Kept, verify
from tests.engine.given import shop as open_shop
from tests.verify.given import (
    KEY,
    THIEF,
    WITNESS_KEY,
    Owner,
    canonical,
    changed,
    forged_note,
    introduce,
    leaves_of,
    seal,
)

ORIGIN = "agentguard/log-of-the-test"


@pytest.fixture
def logged(store, clock):
    """Twelve entries in two streams, signed at seven and at twelve; the notes are kept elsewhere too."""
    introduce(store)
    for number in range(2, 13):
        clock.advance(seconds=1)
        tenant = "beta" if number % 3 == 0 else "acme"
        store.transact(lambda t, n=number, tenant=tenant: t.append({"tenant": tenant, "kind": "noted", "n": n}))
        if number in (7, 12):
            store.kept = seal(store, witness_at=clock.now)
            store.kept_before = store.kept if number == 7 else store.kept_before
    return store


@pytest.fixture
def owner(logged, address):
    made = Owner(address)
    yield made
    made.close()


def found(store, **given):
    checked = verify(store, **given)
    return {(finding.pos, finding.code) for finding in checked.findings}, checked


def outside(note):
    return {"kept": [Kept("archive.txt", note)], "keys": [KEY.key]}


def test_a_log_that_nobody_touched_is_sound_and_says_what_was_signed(logged):
    codes, checked = found(logged, **outside(logged.kept), processes=1)
    assert codes == set()
    assert (checked.entries, checked.intact, checked.signed, checked.checkpoints, checked.kept) == (12, 12, 12, 2, 12)
    assert checked.pinned
    assert checked.keys == (KEY.key.text,)


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    """A real shop, signed: a refund that was approved by a person, decided twice, voted on and settled."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    shop = open_shop(f"sqlite:///{path}")
    introduce(shop.guard.store)
    waiting = shop.ask("60.00", key="k-2", order_id="A-2").escalation.id
    shop.guard.escalations.approve(waiting, by="maria", note="she has waited long", reason_code="within_policy")
    assert shop.ask("60.00", key="k-2", order_id="A-2").executed
    seal(shop.guard.store)
    shop.guard.close()
    return path


@pytest.mark.parametrize("kind", ["decided", "voted", "settled"])
def test_every_field_of_an_entry_is_under_its_leaf_and_under_what_was_signed(decided, tmp_path, kind):
    """The decision, the approver and the rule included; the leaf is made anew each time, so that it agrees."""
    path = tmp_path / "copy.db"
    shutil.copy(decided, path)
    owner, store = Owner(f"sqlite:///{path}"), Store.open(f"sqlite:///{path}")
    ((pos,),) = owner.rows("SELECT max(pos) FROM agentguard_entry WHERE kind = ?", kind)
    body = owner.body(pos)
    fields = leaves_of(body)
    assert len(fields) > 20
    missed = []
    for field in fields:
        owner.write(pos, changed(body, field))
        codes, checked = found(store)
        if (None, "tree") not in codes or checked.signed:
            missed.append(field)
    owner.write(pos, changed(body, fields[0]), leaf=False)
    codes, checked = found(store)
    owner.close()
    store.close()
    assert missed == []
    assert {(pos, "leaf"), (None, "tree")} <= codes
    assert checked.intact == 0, "no checkpoint before this one says what still holds"


@pytest.mark.parametrize("pos", [1, 6, 12])
def test_one_byte_is_found_at_its_entry(logged, owner, pos):
    data = bytearray(canonical(owner.body(pos)))
    data[len(data) // 2] ^= 1
    owner.write(pos, bytes(data), leaf=False)
    codes, checked = found(logged)
    assert {(pos, "leaf"), (None, "tree")} <= codes
    assert checked.intact <= pos - 1


def test_a_change_is_narrowed_down_to_what_was_added_since_the_last_root_that_holds(logged, owner):
    owner.write(9, {**owner.body(9), "n": 99})
    codes, checked = found(logged)
    assert codes == {(12, "chain"), (None, "tree")}
    (told,) = (str(finding) for finding in checked.findings if finding.code == "tree")
    assert "what was signed for 7 entries still holds, so one of 8 to 12 was changed" in told
    assert (checked.intact, checked.signed) == (7, 7)


def test_a_removed_entry_is_found(logged, owner):
    owner.do("DELETE FROM agentguard_entry WHERE pos = 5")
    codes, checked = found(logged)
    assert (6, "gap") in codes
    assert checked.intact == 4


def test_an_inserted_entry_is_found(logged, owner):
    for pos in range(12, 4, -1):
        owner.do("UPDATE agentguard_entry SET pos = ? WHERE pos = ?", pos + 1, pos)
    columns = "stream, seq, ts_us, kind, action_id, leaf, body FROM agentguard_entry WHERE pos = 4"
    owner.do(f"INSERT INTO agentguard_entry SELECT 5, {columns}")
    owner.do("UPDATE agentguard_log SET size = 13")
    codes, checked = found(logged)
    assert {(5, "sequence"), (5, "chain"), (None, "tree")} <= codes
    assert checked.signed == 0


def test_entries_in_another_order_are_found(logged, owner):
    for old, new in ((4, 100), (5, 4), (100, 5)):
        owner.do("UPDATE agentguard_entry SET pos = ? WHERE pos = ?", new, old)
    codes, _ = found(logged)
    assert {(4, "sequence"), (None, "tree")} <= codes


def test_a_tail_that_was_cut_off_together_with_the_head_is_found_by_the_checkpoint_of_before(logged, owner):
    cut(owner, 9)
    codes, checked = found(logged)
    assert codes == {(None, "rollback")}
    assert "expected 12 entries or more, as the checkpoint of 12 entries says, got 9" in str(checked.findings[0])


def test_a_tail_that_was_cut_off_with_its_checkpoints_is_found_by_one_that_is_kept_elsewhere(logged, owner):
    cut(owner, 9)
    forget(owner, 9)
    assert found(logged)[0] == set(), "nothing in the database shows it, which the manual says"
    codes, checked = found(logged, **outside(logged.kept))
    assert codes == {(None, "rollback")}
    assert checked.signed == 7


def test_a_log_rewritten_as_a_whole_by_somebody_without_the_key_is_found_by_what_was_signed(logged, owner):
    owner.rewrite(change=lambda pos, body: {**body, "words": "what never was"} if pos == 4 else body)
    codes, checked = found(logged)
    assert codes == {(None, "tree")}
    assert checked.signed == 0


def test_a_log_rewritten_and_signed_with_another_key_is_found_by_whoever_knows_the_key(logged, owner):
    def change(pos, body):
        return {**body, "key": THIEF.key.text} if pos == 1 else body

    rewritten(owner, change, THIEF)
    assert found(logged)[0] == set(), "the log names the thief's key, which the report says nobody pinned"
    assert not verify(logged).pinned
    codes, _ = found(logged, keys=[KEY.key])
    assert codes == {(None, "signature")}


@pytest.mark.parametrize("first", [1, 9])
def test_a_log_rewritten_with_the_key_itself_is_found_by_a_checkpoint_that_is_kept_elsewhere(logged, owner, first):
    rewritten(owner, lambda pos, body: {**body, "n": 99} if pos == max(first, 4) else body, KEY, first)
    assert found(logged, keys=[KEY.key])[0] == set()
    codes, checked = found(logged, **outside(logged.kept))
    assert codes == {(None, "fork")}
    assert "the checkpoint of 12 entries in `archive.txt`" in str(checked.findings[0])


def test_two_checkpoints_that_are_kept_elsewhere_say_how_far_a_rewritten_log_still_holds(logged, owner):
    rewritten(owner, lambda pos, body: {**body, "n": 99} if pos == 9 else body, KEY, 9)
    kept = [Kept("archive.txt", logged.kept), Kept("older.txt", logged.kept_before)]
    codes, checked = found(logged, keys=[KEY.key], kept=kept)
    assert codes == {(None, "fork")}
    assert "what was signed for 7 entries still holds, so one of 8 to 12 was changed" in str(checked.findings[0])
    assert (checked.intact, checked.kept) == (7, 7)


def test_a_fork_shows_as_soon_as_two_readers_compare_their_checkpoints(tmp_path, clock):
    one, other = tmp_path / "one.db", tmp_path / "other.db"
    store = Store.open(f"sqlite:///{one}", clock, log="log-of-the-test")
    introduce(store)
    store.close()
    shutil.copy(one, other)
    notes = []
    for number, path in enumerate((one, other)):
        branch = Store.open(f"sqlite:///{path}", clock)
        branch.transact(lambda t, n=number: t.append({"tenant": "acme", "kind": "noted", "n": n}))
        notes.append(seal(branch))
        assert verify(branch).ok
        branch.close()
    branch = Store.open(f"sqlite:///{one}", clock)
    codes, checked = found(branch, **outside(notes[1]))
    branch.close()
    assert codes == {(None, "fork")}
    assert checked.intact == 0


def test_an_older_backup_in_the_tables_place_is_found_by_what_is_kept_elsewhere(logged, owner):
    backup = owner.rows("SELECT * FROM agentguard_entry WHERE pos <= 7 ORDER BY pos")
    owner.do("DELETE FROM agentguard_entry")
    for row in backup:
        owner.do(f"INSERT INTO agentguard_entry VALUES ({', '.join('?' * len(row))})", *row)
    codes, _ = found(logged)
    assert {(None, "head"), (None, "rollback")} <= codes
    cut(owner, 7)
    forget(owner, 7)
    assert found(logged)[0] == set()
    assert found(logged, **outside(logged.kept))[0] == {(None, "rollback")}


def test_another_log_in_its_place_is_found(logged, clock, tmp_path):
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}", clock, log="another-log")
    introduce(other)
    seal(other)
    codes, checked = found(other, **outside(logged.kept))
    other.close()
    assert codes == {(None, "fork")}
    assert "another log stands in its place" in str(checked.findings[0])


def test_a_clock_that_was_set_back_is_found_by_the_time_of_a_witness(logged, owner, clock):
    clock.now += timedelta(hours=5)
    seal_after(logged, "late", clock.now)
    clock.advance(minutes=1)
    seal_after(logged, "later", clock.now)
    owner.rewrite(14, lambda pos, body: {**body, "ts_us": body["ts_us"] - 4 * 3_600_000_000} if pos == 14 else body)
    owner.do("UPDATE agentguard_entry SET ts_us = ts_us - 14400000000 WHERE pos = 13")
    owner.rewrite(13, lambda pos, body: {**body, "ts_us": body["ts_us"] - 4 * 3_600_000_000} if pos == 13 else body)
    for size in (13, 14):
        resign(owner, KEY, size)
    codes, checked = found(logged, keys=[KEY.key, WITNESS_KEY.key])
    assert (None, "signature") in codes, "the witness signed other roots"
    assert not checked.ok


def test_an_entry_that_was_written_later_than_it_says_is_found_by_the_time_of_a_witness(logged, clock):
    signed_at = clock.now + timedelta(hours=5)
    seal_after(logged, "n", signed_at)  # the ledger's clock stands still while a witness's goes on
    seal_after(logged, "n", signed_at + timedelta(minutes=1))
    codes, checked = found(logged, keys=[KEY.key, WITNESS_KEY.key])
    assert codes == {(14, "backdated")}
    assert "it was written later than it says" in str(checked.findings[0])
    assert len(checked.late) == 2, "what no witness saw for five hours is worth a question"
    assert found(logged, keys=[KEY.key])[0] == set(), "no witness, no time"


@pytest.mark.parametrize("minutes,codes", [(5, set()), (6, {(14, "backdated")})])
def test_a_witness_may_be_five_minutes_ahead(logged, clock, minutes, codes):
    seal_after(logged, "n", clock.now + timedelta(minutes=minutes))
    seal_after(logged, "n", clock.now + timedelta(minutes=minutes))
    assert found(logged, keys=[KEY.key, WITNESS_KEY.key])[0] == codes


def test_a_clock_that_was_ahead_is_found_by_the_time_of_a_witness(logged, clock):
    seal_after(logged, "n", clock.now - timedelta(hours=1))
    codes, checked = found(logged, keys=[KEY.key, WITNESS_KEY.key])
    assert (13, "backdated") in codes
    assert "the clock was ahead" in " ".join(map(str, checked.findings))


@pytest.fixture
def tiled(store):
    """600 entries: two tiles and a part of one."""
    introduce(store)
    store.transact(lambda t: [t.append({"tenant": "acme", "kind": "noted", "n": n}) for n in range(599)])
    store.kept = seal(store)
    return store


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE agentguard_tile SET root = hashes WHERE n = 1",
        "UPDATE agentguard_tile SET hashes = root WHERE n = 0",
        "DELETE FROM agentguard_tile WHERE n = 0",
    ],
)
def test_a_tile_that_was_changed_or_removed_is_found(tiled, address, change):
    owner = Owner(address)
    assert found(tiled)[0] == set()
    owner.do(change)
    codes, _ = found(tiled)
    owner.close()
    assert codes == {(None, "tree")}


@pytest.mark.parametrize(
    "change,code",
    [
        ("UPDATE agentguard_checkpoint SET note = 'x' WHERE size = 7", "checkpoint"),
        ("UPDATE agentguard_checkpoint SET size = 8 WHERE size = 7", "checkpoint"),
        ("UPDATE agentguard_checkpoint SET origin = 'agentguard/another'", "checkpoint"),
        ("UPDATE agentguard_checkpoint SET note = replace(note, 'shop', 'shoq') WHERE size = 7", "signature"),
        ("DELETE FROM agentguard_checkpoint WHERE size = 7", "checkpoint"),
        ("UPDATE agentguard_cosignature SET line = replace(line, 'A', 'B')", "signature"),
        ("UPDATE agentguard_promise SET root = (SELECT root FROM agentguard_promise WHERE size = 12)", "tree"),
    ],
)
def test_a_checkpoint_that_was_changed_or_removed_is_found(logged, owner, change, code):
    assert owner.do(change)
    codes, _ = found(logged, keys=[KEY.key, WITNESS_KEY.key])
    assert {name for _, name in codes} == {code}


def test_a_removed_checkpoint_that_somebody_keeps_is_missed(logged, owner):
    owner.do("DELETE FROM agentguard_cosignature")
    owner.do("DELETE FROM agentguard_checkpoint")
    codes, checked = found(logged)
    assert codes == set()
    assert checked.checkpoints == 0
    codes, checked = found(logged, **outside(logged.kept))
    assert codes == {(None, "checkpoint")}
    assert (checked.intact, checked.kept) == (12, 12), "every entry is as it was"


def test_a_body_that_was_taken_away_without_a_tombstone_is_found(logged, owner):
    owner.do("UPDATE agentguard_entry SET body = ? WHERE pos = 5", b"")
    codes, checked = found(logged)
    assert codes == {(5, "tombstone")}
    assert (checked.intact, checked.signed) == (4, 12), "its leaf and its place are as they were signed"


def test_a_checkpoint_of_an_old_key_over_the_entry_of_the_new_one_is_found(logged, clock):
    introduce(logged, THIEF)
    seal(logged, KEY)
    assert found(logged)[0] == {(None, "signature")}


def test_a_stolen_key_is_told_and_breaks_nothing(logged):
    introduce(logged, THIEF, stolen=True)
    seal(logged, THIEF)
    codes, checked = found(logged)
    assert codes == set()
    assert "was stolen" in str(checked.late[0])


def test_an_older_copy_that_was_put_back_on_purpose_is_told_and_breaks_nothing(logged, owner):
    cut(owner, 9)
    forget(owner, 9)
    body = {"tenant": "acme", "kind": "restored", "continues": ORIGIN, "origin": f"{ORIGIN}/restored-1", "here": 9}
    reopened = Store.open(logged.address)
    reopened.transact(lambda t: [t.append(body), *(t.append({"tenant": "acme", "kind": "noted"}) for _ in range(5))])
    seal(reopened, origin=f"{ORIGIN}/restored-1")
    codes, checked = found(reopened, **outside(logged.kept))
    assert codes == set()
    assert "as entry 10 records" in str(checked.late[0])
    assert found(reopened, **outside(logged.kept_before))[0] == set(), "what was not lost is compared as ever"


def test_a_forged_restore_excuses_nothing_that_stands_before_it(logged, owner):
    owner.rewrite(2, lambda pos, body: {**body, "n": 99} if pos == 5 else body)
    forget(owner, 0)
    body = {"tenant": "acme", "kind": "restored", "continues": ORIGIN, "origin": f"{ORIGIN}/restored-1", "here": 0}
    reopened = Store.open(logged.address)
    reopened.transact(lambda t: t.append(body))
    seal(reopened, origin=f"{ORIGIN}/restored-1")
    assert (None, "fork") in found(reopened, **outside(logged.kept))[0]


def test_every_trigger_that_the_owner_drops_is_no_help_to_him(logged, address):
    owner = Owner(address, drops=True)
    owner.write(5, {**owner.body(5), "n": 50})
    assert {code for _, code in found(logged)[0]} == {"chain", "tree"}
    owner.close()


def cut(owner, size):
    """Take away every entry after one, and let the head say so."""
    owner.do("DELETE FROM agentguard_entry WHERE pos > ?", size)
    ((leaf,),) = owner.rows("SELECT leaf FROM agentguard_entry WHERE pos = ?", size)
    owner.do("UPDATE agentguard_log SET size = ?, leaf = ?", size, leaf)


def forget(owner, size):
    """Take away what was signed about more entries than there are."""
    for table in ("checkpoint", "cosignature", "promise"):
        owner.do(f"DELETE FROM agentguard_{table} WHERE size > ?", size)


def rewritten(owner, change, key, first=1):
    """Rewrite everything from an entry on, and sign it anew as far as somebody has a key for it."""
    owner.rewrite(first, change)
    for size in (7, 12):
        if size >= first:
            resign(owner, key, size)


def resign(owner, key, size):
    note, root = forged_note(owner, key, ORIGIN, size)
    owner.do("UPDATE agentguard_checkpoint SET note = ? WHERE size = ?", note, size)
    owner.do("UPDATE agentguard_promise SET root = ? WHERE size = ?", root, size)


def seal_after(store, words, witness_at):
    store.transact(lambda t: t.append({"tenant": "acme", "kind": "noted", "words": words}))
    return seal(store, witness_at=witness_at)

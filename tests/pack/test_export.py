"""What goes into a pack, on both engines, and what is recorded about it."""

import json
import shutil
import threading
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agentguard import Guard
from agentguard.engine.export_query import MOST_ENTRIES
from agentguard.errors import NotFoundError, PowerRefusedError, TamperedError, UsageError
from agentguard.evidence import verify
from agentguard.evidence.checkpoint import Checkpoint, signed
from tests.cli import shop as shops
from tests.pack.conftest import KEY
from tests.verify.given import Owner

ADA = {"by": "ada", "why": "the audit of 2026", "authenticated": "os_login"}


def read(path, name):
    with zipfile.ZipFile(path) as packed:
        return packed.read(name)


def entries_of(path):
    return [json.loads(line) for line in read(path, "entries.jsonl").splitlines()]


def manifest_of(path):
    return json.loads(read(path, "manifest.json"))


@pytest.fixture
def guard(shop, tmp_path):
    """The shop's guard over a copy of its own, since every pack is an entry."""
    copy = replace(shop, folder=Path(shutil.copytree(shop.folder, tmp_path / "shop")))
    guard = copy.guard()
    yield guard
    guard.close()


def small_shop(folder, address, **more):
    """A guard whose one tool pays refunds up to 50, over the given database."""
    folder.mkdir(exist_ok=True)
    (folder / "refunds.yaml").write_text(shops.POLICY, encoding="utf-8")
    guard = Guard(folder, store=address, activate=True, **more)
    guard.fact("order")(lambda order_id: {"id": order_id, "total": "500.00 USD", "customer": "cus_1"})
    guard.action("refund.issue")(lambda order_id, amount, email=None: "re_1")
    return guard


def refund(guard, key, amount, customer="cus_1"):
    return guard.run(
        "refund.issue",
        {"order_id": "A", "amount": amount, "email": "ann@example.com"},
        agent="bot",
        on_behalf_of=customer,
        context={"conversation": "c"},
        key=key,
    )


def test_a_pack_is_the_same_bytes_when_it_is_made_twice_on_either_engine(address, tmp_path):
    guard = small_shop(tmp_path / "policies", address, signer=KEY)
    refund(guard, "1", "40.00")
    refund(guard, "2", "20.00", customer="cus_2")
    guard.seals.seal()
    for wanted in ({}, {"customer": "cus_1"}, {"verdict": "deny"}):
        for name in "ab":
            guard.audit.export(tmp_path / f"{name}.zip", **wanted, **ADA)
        first = (tmp_path / "a.zip").read_bytes()
        assert first == (tmp_path / "b.zip").read_bytes(), wanted
        assert verify.main([str(tmp_path / "a.zip"), "--key", KEY.key.text]) == 0
        (tmp_path / "a.zip").unlink()
        (tmp_path / "b.zip").unlink()
    guard.close()


def test_a_pack_is_made_again_at_its_size_however_much_has_happened_since(guard, tmp_path):
    then = guard.audit.export(tmp_path / "then.zip", **ADA)
    guard.seals.seal()
    refunds = guard.audit.list(kind="decided")
    assert refunds
    guard.halt("action:other", by="ada", why="so that something happens")
    guard.resume("action:other", by="ada", why="so that something happens")
    guard.seals.seal()
    now = guard.audit.export(tmp_path / "now.zip", **ADA)
    again = guard.audit.export(tmp_path / "again.zip", size=then.seal.checkpoint.size, **ADA)
    assert again.sha256 == then.sha256 != now.sha256
    with pytest.raises(UsageError, match="expected the size of a checkpoint, got 9; the next one has 16"):
        guard.audit.export(tmp_path / "other.zip", size=9, **ADA)


def test_actions_come_whole_with_what_put_their_policies_into_force(shop, guard, tmp_path):
    made = guard.audit.export(tmp_path / "a.zip", verdict="escalate", **ADA)
    kinds = [line["entry"]["kind"] for line in entries_of(made.path)]
    assert kinds[0] == "activated"
    assert {"decided", "voted", "settled"} <= set(kinds)
    actions = {line["entry"].get("action_id") for line in entries_of(made.path)} - {None}
    for action_id in actions:
        whole = [entry.pos for entry in guard.audit.of(action_id)]
        assert [line["pos"] for line in entries_of(made.path) if line["entry"].get("action_id") == action_id] == whole
    assert manifest_of(made.path)["query"] == {"verdict": "escalate"}


@pytest.mark.parametrize(
    "wanted,keys",
    [
        ({"customer": "cus_9999"}, ["theirs"]),
        ({"verdict": "allow"}, ["done", "doubt", "not_done"]),
        ({"verdict": "deny"}, ["theirs", "invalid", "too_much"]),
    ],
)
def test_customer_and_verdict_narrow_to_whole_actions(wanted, keys, shop, guard, tmp_path):
    made = guard.audit.export(tmp_path / "a.zip", **wanted, **ADA)
    actions = {line["entry"].get("action_id") for line in entries_of(made.path)} - {None}
    assert actions == {shop.ids[key] for key in keys}


def test_one_action_and_a_time_narrow_too(shop, guard, tmp_path):
    one = guard.audit.export(tmp_path / "one.zip", action_id=shop.ids["done"], **ADA)
    assert one.entries == 3, "activated, decided and settled"
    newest = guard.audit.list(action_id=shop.ids["too_much"])[0].at
    late = guard.audit.export(tmp_path / "late.zip", since=newest, until=newest, **ADA)
    assert shop.ids["too_much"] in {line["entry"].get("action_id") for line in entries_of(late.path)}
    with pytest.raises(NotFoundError, match="got none"):
        guard.audit.export(tmp_path / "none.zip", until=newest - timedelta(days=1), **ADA)


def test_what_was_taken_out_by_whom_and_why_is_an_entry_that_no_later_pack_shows_unless_asked(shop, guard, tmp_path):
    made = guard.audit.export(tmp_path / "a.zip", customer="cus_8812", **ADA)
    entry = guard.audit.show(made.entry)
    body = entry.document
    assert entry.kind == "exported"
    assert (body["by"], body["why"], body["authenticated"]) == ("ada", "the audit of 2026", "os_login")
    assert body["sha256"] == verify.hashlib.sha256(made.path.read_bytes()).hexdigest() == made.sha256
    assert body["query"]["customer"].startswith("p_"), "the record names nobody"
    assert body["entries"] == made.entries
    guard.seals.seal()
    without = guard.audit.export(tmp_path / "b.zip", **ADA)
    assert "exported" not in {line["entry"]["kind"] for line in entries_of(without.path)}
    with_them = guard.audit.export(tmp_path / "c.zip", readings=True, **ADA)
    assert "exported" in {line["entry"]["kind"] for line in entries_of(with_them.path)}


def test_a_later_pack_proves_that_the_log_continues_an_earlier_one(shop, guard, tmp_path):
    first = guard.audit.export(tmp_path / "first.zip", **ADA)
    guard.seals.seal()
    later = guard.audit.export(tmp_path / "later.zip", readings=True, **ADA)
    (tmp_path / "kept").write_bytes(read(first.path, "checkpoint.txt"))
    assert later.seal.checkpoint.size > first.seal.checkpoint.size
    assert verify.main([str(later.path), "--key", KEY.key.text, "--checkpoint", str(tmp_path / "kept")]) == 0


def test_a_checkpoint_that_somebody_kept_is_shown_to_be_continued_and_a_false_one_is_not_handed_out(guard, tmp_path):
    kept = guard.seals.newest()
    guard.halt("action:other", by="ada", why="so that something happens")
    guard.seals.seal()
    made = guard.audit.export(tmp_path / "a.zip", older=[kept.note], **ADA)
    (tmp_path / "kept").write_text(kept.note, encoding="utf-8")
    assert verify.main([str(made.path), "--key", KEY.key.text, "--checkpoint", str(tmp_path / "kept")]) == 0
    false = signed(Checkpoint(kept.origin, kept.size - 1, bytes(32)), KEY)
    with pytest.raises(TamperedError, match="got another root"):
        guard.audit.export(tmp_path / "b.zip", older=[false], **ADA)
    assert not (tmp_path / "b.zip").exists()


@pytest.mark.parametrize("leaf", [False, True], ids=["the body", "the leaf as well"])
def test_an_entry_that_was_changed_behind_the_seal_is_not_handed_out(guard, tmp_path, leaf):
    owner = Owner(f"sqlite:///{tmp_path}/shop/shop.db")
    pos = next(entry.pos for entry in guard.audit.list(limit=100) if entry.kind == "decided")
    owner.write(pos, {**owner.body(pos), "verdict": "escalate"}, leaf=leaf)
    owner.close()
    with pytest.raises(TamperedError):
        guard.audit.export(tmp_path / "a.zip", **ADA)
    assert not (tmp_path / "a.zip").exists()


def test_personal_values_are_closed_unless_asked_for_and_then_the_look_is_recorded_first(shop, guard, tmp_path):
    closed = guard.audit.export(tmp_path / "closed.zip", customer="cus_8812", **ADA)
    with zipfile.ZipFile(closed.path) as packed:
        assert "personal.jsonl" not in packed.namelist()
        for name in packed.namelist():
            assert b"ann@example.com" not in packed.read(name), name
    before = guard.store.read(lambda reading: reading.position())
    opened = guard.audit.export(tmp_path / "open.zip", customer="cus_8812", personal=True, **ADA)
    assert b"ann@example.com" in read(opened.path, "personal.jsonl")
    assert b"ann@example.com" in read(opened.path, "report.html")
    assert b"PERSONAL VALUES ARE IN THE CLEAR" in read(opened.path, "README.txt")
    assert b"ann@example.com" not in read(opened.path, "entries.jsonl")
    looked = guard.audit.show(before + 1)
    assert looked.kind == "personal_read"
    assert (looked.document["by"], looked.document["where"]) == ("ada", "evidence pack")
    assert "arguments.email" in looked.document["fields"]
    assert verify.main([str(opened.path), "--key", KEY.key.text]) == 0


def test_who_may_not_read_personal_values_gets_no_pack_with_them(guard, tmp_path):
    people = tmp_path / "people.yaml"
    people.write_text(
        "people: 1\nusers:\n  eve: {name: Eve, logins: [eve]}\n  ada: {name: Ada, logins: [ada]}\n"
        "powers: {read_personal: [ada]}\n",
        encoding="utf-8",
    )
    guarded = Guard(tmp_path / "shop" / "policies", store=f"sqlite:///{tmp_path}/shop/shop.db", people=people)
    eve = {"by": "eve", "why": "curious", "authenticated": "os_login"}
    with pytest.raises(PowerRefusedError, match="`eve` may not read personal"):
        guarded.audit.export(tmp_path / "a.zip", personal=True, **eve)
    assert not (tmp_path / "a.zip").exists()
    guarded.close()


def test_a_log_that_is_not_sealed_makes_a_pack_that_says_so(tmp_path, capsys):
    guard = small_shop(tmp_path / "policies", f"sqlite:///{tmp_path}/a.db")
    refund(guard, "1", "40.00")
    for name in "ab":
        made = guard.audit.export(tmp_path / f"{name}.zip", **ADA)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert not made.seal.is_signed
    assert b"THIS LOG IS NOT SEALED" in read(made.path, "README.txt")
    assert verify.main([str(made.path)]) == 3
    assert "nobody signed" in capsys.readouterr().out
    guard.close()


def test_a_pack_waits_for_the_checkpoint_that_covers_it_and_without_one_says_that_nobody_signed(guard, tmp_path):
    guard.halt("action:other", by="ada", why="so that something is not sealed")
    host = Guard(tmp_path / "shop" / "policies", store=guard.store)
    late = host.audit.export(tmp_path / "late.zip", within=timedelta(0), **ADA)
    assert not late.seal.is_signed, "this host has no key, and nobody else sealed"
    sealing = threading.Timer(0.1, guard.seals.seal)
    sealing.start()
    made = host.audit.export(tmp_path / "a.zip", within=timedelta(seconds=20), **ADA)
    sealing.join()
    assert made.seal.is_signed
    assert made.seal.checkpoint.size >= made.last


def test_nothing_is_overwritten_and_nobody_takes_evidence_without_a_name_and_a_reason(shop, guard, tmp_path):
    (tmp_path / "there.zip").write_text("there", encoding="utf-8")
    before = guard.store.read(lambda reading: reading.position())
    with pytest.raises(UsageError, match="which is there already"):
        guard.audit.export(tmp_path / "there.zip", **ADA)
    for person in ({"by": "", "why": "x"}, {"by": "ada", "why": ""}):
        with pytest.raises(UsageError, match="expected who does this"):
            guard.audit.export(tmp_path / "a.zip", **person)
    assert guard.store.read(lambda reading: reading.position()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop", "there.zip"]


def test_more_entries_than_a_pack_may_have_are_refused(shop, guard, tmp_path, monkeypatch):
    assert MOST_ENTRIES == 20_000
    monkeypatch.setattr("agentguard.engine.export_query.MOST_ENTRIES", 3)
    with pytest.raises(UsageError, match="expected at most 3 entries in a pack"):
        guard.audit.export(tmp_path / "a.zip", **ADA)


def test_a_table_takes_no_formula_of_somebody_for_one(shop):
    assert all(verify.csv_line([sign + "1"]).startswith("\"'") for sign in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
    assert verify.csv_line(["=1+1", "-2", 'say "no"', "a,b", ""]) == '"\'=1+1","\'-2","say ""no""","a,b",""\r\n'

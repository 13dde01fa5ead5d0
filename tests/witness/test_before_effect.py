"""`witness: before_effect`: nothing is called before a witness has seen the entry that says it is about to happen."""

import asyncio
import threading
import time
from datetime import timedelta

import pytest

from agentguard import Done, Guard, Idempotent, NotDone
from agentguard.adapters.file_witness import FileWitness
from agentguard.errors import ConfigurationError
from agentguard.store.verification import verify
from tests.engine.given import bundle, shop
from tests.verify.given import Owner
from tests.witness.given import LARGE_WAITS, Away, size_of, witnessed_shop


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shop.checkpoint"


@pytest.fixture
def open_shop(address, path):
    """Open shops: with functions and threads on one engine, with coroutines and event loops on the other."""
    opened, is_async = [], address.startswith("postgresql")

    def open_one(*witnesses, **more):
        opened.append(
            witnessed_shop(
                address,
                *(witnesses or (FileWitness(path),)),
                **{"text": LARGE_WAITS, "is_async": is_async, **more},
            )
        )
        if is_async:
            opened[-1].ask = opened[-1].aask
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


def intent_of(shop, answer):
    return next(entry for entry in shop.guard.audit.of(answer.decision_id) if entry.kind == "decided")


@pytest.mark.law(2)
def test_the_tool_is_called_once_a_witness_has_seen_the_intent(open_shop, path):
    shop = open_shop()
    seen = []

    def pay(order_id, amount, key):
        seen.append(size_of(path.read_text()))
        return shop.pay(order_id, amount, key)

    shop.acts = pay
    answer = shop.ask("51")
    assert isinstance(answer, Done)
    assert seen[0] >= intent_of(shop, answer).pos
    assert intent_of(shop, answer).document["witness"] is True
    assert shop.guard.audit.recompute(intent_of(shop, answer).pos).same


@pytest.mark.law(2)
def test_where_no_witness_sees_it_nothing_is_called_and_what_was_held_is_given_back(open_shop, path):
    away = Away(FileWitness(path))
    shop = open_shop(away, wait=0.8)
    answer = shop.ask("51")
    assert (type(answer), answer.error, answer.executed, shop.paid) == (NotDone, "not_witnessed", False, [])
    assert (shop.kinds(answer), shop.usage(answer)) == (["decided", "released"], [(0, 0)])
    again = shop.ask("51")
    assert (type(again), again.replayed) == (NotDone, True), "a key that ended stays ended"
    assert isinstance(shop.ask("50", key="k-2"), Done), "what does not need a witness goes on"
    away.is_here = True
    assert isinstance(shop.ask("51", key="k-3"), Done)
    assert verify(shop.guard.store).ok


def test_waiting_takes_at_most_half_of_the_time_that_the_tool_has(open_shop, path):
    shop = open_shop(Away(FileWitness(path)), wait=60.0, timeout=timedelta(seconds=1))
    began = time.monotonic()
    assert shop.ask("51").error == "not_witnessed"
    assert time.monotonic() - began < 5


def test_many_at_once_share_their_checkpoints(address, path):
    made = witnessed_shop(address, counted := Counted(FileWitness(path)), text=LARGE_WAITS)
    answers = []
    threads = [
        threading.Thread(target=lambda number=number: answers.append(made.ask("51", key=f"k-{number}")))
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.guard.close()
    assert [type(answer) for answer in answers] == [Done] * 16
    assert counted.added < 16, "some were seen together"


class Counted(Away):
    """A witness that takes its time, and counts what it is offered."""

    def __init__(self, inner):
        super().__init__(inner)
        self.is_here, self.added = True, 0

    def add(self, old_size, proof, note):
        time.sleep(0.02)
        self.added += 1
        return super().add(old_size, proof, note)


def test_a_task_that_is_cancelled_while_it_waits_calls_nothing_and_holds_nothing(address, path):
    made = witnessed_shop(address, Away(FileWitness(path)), text=LARGE_WAITS, is_async=True, wait=30.0)

    async def given_up():
        about = {"agent": "bot", "on_behalf_of": "c-1", "context": {"conversation": "talk-1"}, "key": "k-1"}
        arguments = {"order_id": "A-1", "amount": "51", "reason": "late"}
        await asyncio.wait_for(made.guard.arun("refund.issue", arguments, **about), 0.3)

    with pytest.raises(TimeoutError):
        asyncio.run(given_up())
    end = time.monotonic() + 5
    while (states := [record.state for record in made.guard.store.read(lambda reading: reading.actions())]) != [
        "released"
    ]:
        assert time.monotonic() < end, states
        time.sleep(0.01)
    assert made.paid == []
    made.guard.close()


def test_another_process_may_seal_and_the_host_needs_no_key(address, path):
    """The host waits for what the sealing process writes down."""
    made = witnessed_shop(address, FileWitness(path), text=LARGE_WAITS, signer=None)
    made.guard.start()
    sealer = witnessed_shop(address, FileWitness(path), text=LARGE_WAITS)
    stop = threading.Event()

    def seal():
        while not stop.is_set():
            sealer.guard.seals.seal()
            time.sleep(0.02)

    thread = threading.Thread(target=seal)
    thread.start()
    answer = made.ask("51")
    stop.set()
    thread.join()
    assert isinstance(answer, Done)
    for one in (made, sealer):
        one.guard.close()


def test_what_is_sent_again_is_seen_anew(address, path):
    """An intent that is written for a second attempt is another entry, and waits for a witness as the first did."""
    made = witnessed_shop(
        address, away := Away(FileWitness(path)), text=LARGE_WAITS, effect=Idempotent(timedelta(hours=24)), wait=0.3
    )
    away.is_here = True

    def lost(order_id, amount, key):
        raise RuntimeError("no answer")

    made.acts = lost
    answer = made.ask("51")
    assert made.state(answer) == "in_doubt"
    made.acts = None
    away.is_here = False
    made.clock.advance(timedelta(minutes=30))
    made.guard.recover()
    assert (made.paid, made.state(answer)) == ([], "in_doubt"), "the first attempt may have acted, so nobody knows"
    away.is_here = True
    made.clock.advance(timedelta(minutes=30))
    made.guard.recover()
    assert (len(made.paid), made.state(answer)) == (1, "settled")
    made.guard.close()


def test_a_policy_that_asks_for_a_witness_needs_a_guard_that_has_one(address):
    made = shop(address, text=LARGE_WAITS)
    with pytest.raises(ConfigurationError, match=r"`refund\.issue`.*witnesses="):
        made.guard.start()
    made.guard.close()


@pytest.mark.law(2)
def test_the_tool_is_given_the_leaf_of_its_intent(address):
    guard, metadata = Guard(bundle(LARGE_WAITS.replace("witness:", "# witness:")), store=address, activate=True), []

    @guard.action("identity.verify")
    def check(document: str, *, intent: str, key: str) -> None:
        metadata.append((intent, key))

    answer = guard.run("identity.verify", {"document": "passport"}, agent="bot", key="k-1")
    assert isinstance(answer, Done)
    assert metadata == [(guard.audit.of(answer.decision_id)[0].leaf, answer.decision_id)]
    guard.close()


def test_what_was_seen_of_a_log_that_was_cut_off_meanwhile_covers_nothing_new(open_shop, address, path):
    away = Away(FileWitness(path))
    away.is_here = True
    shop = open_shop(away, wait=0.8)
    answers = [shop.ask("51", key=f"k-{number}") for number in range(3)]
    assert [type(answer) for answer in answers] == [Done] * 3
    away.is_here = False
    owner = Owner(address)
    (kept,) = owner.rows("SELECT min(size) FROM agentguard_checkpoint")[0]
    for table, column in (("entry", "pos"), ("checkpoint", "size"), ("promise", "size"), ("cosignature", "size")):
        owner.do(f"DELETE FROM agentguard_{table} WHERE {column} > ?", kept)
    ((leaf,),) = owner.rows("SELECT leaf FROM agentguard_entry WHERE pos = ?", kept)
    owner.do("UPDATE agentguard_log SET leaf = ?, size = ?", leaf, kept)
    owner.close()
    paid = len(shop.paid)
    assert shop.ask("52", key="k-9").executed is False
    assert len(shop.paid) == paid, "a witness had seen as many entries, and not this one"


def test_what_the_database_says_of_a_witness_is_asked_of_the_witness(open_shop, address, path):
    away = Away(FileWitness(path))
    away.is_here = True
    shop = open_shop(away, wait=1.0)
    assert isinstance(shop.ask("51"), Done)
    away.is_here = False
    stopped = threading.Event()

    def forge():
        owner = Owner(address)
        while not stopped.wait(0.02):
            owner.do(
                "INSERT INTO agentguard_cosignature SELECT origin, size, ?, '', at_us FROM agentguard_checkpoint"
                " WHERE size NOT IN (SELECT size FROM agentguard_cosignature)",
                away.name,
            )
        owner.close()

    forging = threading.Thread(target=forge)
    forging.start()
    answer = shop.ask("52", key="k-2")
    stopped.set()
    forging.join()
    assert (answer.error, len(shop.paid)) == ("not_witnessed", 1)
    away.is_here = True
    assert isinstance(shop.ask("53", key="k-3"), Done)

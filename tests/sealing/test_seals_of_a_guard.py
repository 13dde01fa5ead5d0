"""Sealing beside the walks of a guard: in time, never in their way, and seen."""

import asyncio
import contextlib
import dataclasses
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from structlog.testing import capture_logs

from agentguard import Guard
from agentguard.adapters.checkpoint_exports import CheckpointFile, CheckpointWebhook
from agentguard.engine.sealing import Sealing
from agentguard.errors import ConfigurationError, NotDoneError, NotFoundError, UsageError
from agentguard.evidence.checkpoint import opened
from agentguard.store import Store
from tests.engine.given import PEOPLE, REFUNDS, bundle, shop
from tests.sealing.given import KEY, OTHER_KEY, RecordingSigner, add, all_sealed, assert_sound, owner, rewrite

SOON = timedelta(milliseconds=20)
LONG = timedelta(hours=1)


def until(met, seconds=10.0):
    """Wait for what a thread does beside us."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def open_shop(address):
    opened = []

    def open_one(signer=None, **more):
        opened.append(shop(address, signer=signer, **more))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


def test_what_is_done_is_sealed_soon_after_without_anybody_asking(open_shop):
    one = open_shop(Sealing(RecordingSigner(), every=SOON))
    answer = one.ask()
    until(lambda: one.guard.seals.covering(answer.entry) is not None)
    assert_sound(one.guard.store)
    state = one.guard.seals.state()
    assert (state.unsealed, state.oldest, state.in_time, state.key) == (0, None, True, KEY.key.text)


def test_as_soon_as_there_are_enough_entries_they_are_sealed_however_long_the_time(open_shop):
    one = open_shop(Sealing(RecordingSigner(), every=LONG / 1000, at_most=20))
    one.ask()
    until(lambda: one.guard.seals.newest() is not None)  # the first look is at once
    before = one.guard.seals.newest().size
    add(one.guard.store, 21 - (one.guard.seals.state().unsealed + 2))
    add(one.guard.store)
    assert one.guard.seals.newest().size == before
    add(one.guard.store)
    until(lambda: one.guard.seals.newest().size > before)


def test_where_nobody_has_a_key_nothing_is_signed_and_it_is_said_how_far_behind_that_is(open_shop):
    one = open_shop()
    one.ask()
    one.clock.advance(timedelta(seconds=10))
    state = one.guard.seals.state()
    assert not state.signs_here
    assert (state.sealed, state.unsealed, state.in_time) == (0, state.entries, False)
    assert state.oldest == timedelta(seconds=10)
    with pytest.raises(UsageError, match="AGENTGUARD_SIGNING_KEY"):
        one.guard.seals.seal()
    assert all_sealed(one.guard.store) == []


def test_whoever_closes_a_guard_leaves_nothing_unsealed(open_shop, address):
    one = open_shop(Sealing(RecordingSigner(), every=LONG))
    one.ask()
    until(lambda: one.guard.seals.newest() is not None)
    one.ask(key="k-2")
    one.guard.close()
    store = Store.open(address)
    assert all_sealed(store)[-1].size == store.read(lambda reading: reading.position())
    store.close()


def test_a_receipt_waits_for_the_checkpoint_that_covers_the_entry_and_not_for_the_hour(open_shop):
    one = open_shop(Sealing(RecordingSigner(), every=LONG))
    answer = one.ask()
    receipt = one.guard.seals.receipt(answer.entry)
    kept = one.guard.seals.kept(answer.entry)
    checkpoint = receipt.check(bytes.fromhex(kept.leaf), [KEY.key])
    assert checkpoint.size >= answer.entry
    assert one.guard.seals.check_receipt(receipt.text, [KEY.key]).ok


def test_a_receipt_of_what_nobody_seals_is_none_after_a_bounded_wait(open_shop):
    one = open_shop()
    answer = one.ask()
    began = time.monotonic()
    assert one.guard.seals.receipt(answer.entry, within=timedelta(milliseconds=100)) is None
    assert time.monotonic() - began < 5
    with pytest.raises(NotFoundError):
        one.guard.seals.receipt(10_000)


def test_a_key_that_the_log_does_not_know_stops_nothing_but_sealing_and_is_seen(open_shop):
    first = open_shop(Sealing(RecordingSigner(), every=SOON))
    first.ask()
    until(lambda: first.guard.seals.newest() is not None)
    first.guard.close()
    other = RecordingSigner(OTHER_KEY)
    with capture_logs() as logs:
        one = open_shop(Sealing(other, every=SOON))
        assert one.ask(key="k-2").executed
        until(lambda: one.guard.seals.state().trouble is not None)
        until(lambda: any(event["event"] == "seals.window_passed" for event in logs))
    state = one.guard.seals.state()
    assert (state.trouble.code, state.in_time) == ("configuration_invalid", False)
    assert [event["error"] for event in logs if event["event"] == "seals.failed"] == ["configuration_invalid"]
    assert other.messages == []


def test_a_log_rewritten_behind_our_back_is_said_loudly_once_and_signed_no_more(open_shop, address):
    signer = RecordingSigner()
    one = open_shop(Sealing(signer, every=SOON))
    one.ask()
    until(lambda: one.guard.seals.state().unsealed == 0)
    signed = len(signer.messages)
    with capture_logs() as logs:
        with owner(address) as run:
            rewrite(run, 2)
        until(lambda: one.guard.seals.state().trouble is not None and one.guard.seals.state().trouble.tries > 2)
    assert len(signer.messages) == signed
    assert [event["error"] for event in logs if event["event"] == "seals.failed"] == ["tampered"]


def test_whoever_listens_is_told_of_each_checkpoint_and_one_that_fails_is_told_again(open_shop):
    one = open_shop(Sealing(RecordingSigner(), every=SOON))
    heard, failing = [], [OSError("down")]

    @one.guard.seals.listen
    def copy(note):
        if failing:
            raise failing.pop()
        heard.append(opened(note, [KEY.key]).size)

    with capture_logs() as logs:
        one.ask()
        until(lambda: one.guard.seals.state().unsealed == 0 and heard and heard[-1] == one.guard.seals.newest().size)
    assert heard == sorted(set(heard))
    assert [event["error"] for event in logs if event["event"] == "seals.listener_failed"] == ["OSError"]
    (state,) = one.guard.seals.state().listeners
    assert (state.told, state.waiting, state.attempts) == (heard[-1], 0, 0)


def test_whoever_hangs_while_listening_holds_up_neither_sealing_nor_walks(open_shop):
    one = open_shop(Sealing(RecordingSigner(), every=SOON))
    stuck = threading.Event()
    one.guard.seals.listen(lambda note: stuck.wait(20), "stuck")
    for number in range(3):
        answer = one.ask("1.00", key=f"k-{number}")
        until(lambda: one.guard.seals.covering(answer.entry) is not None)  # noqa: B023 - asked at once
    assert one.guard.seals.state().listeners[0].waiting > 0
    stuck.set()


def test_a_coroutine_cannot_listen(open_shop):
    async def listener(note):
        pass

    with pytest.raises(UsageError, match="plain function"):
        open_shop().guard.seals.listen(listener)


def test_a_forked_child_seals_what_it_does_by_itself(open_shop):
    one = open_shop(Sealing(RecordingSigner(), every=SOON))
    one.ask()
    until(lambda: one.guard.seals.state().unsealed == 0)
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(Exception):
            answer = one.ask("1.00", key="k-child")
            until(lambda: one.guard.seals.covering(answer.entry) is not None)
            code = 0
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert_sound(one.guard.store)


def test_the_key_of_the_environment_signs_where_no_signer_is_given(open_shop, monkeypatch):
    monkeypatch.setenv("AGENTGUARD_SIGNING_KEY", KEY.text)
    one = open_shop()
    answer = one.ask()
    assert one.guard.seals.receipt(answer.entry) is not None
    assert one.guard.seals.state().key == KEY.key.text


def test_an_environment_that_names_no_key_ends_the_start_and_disturbs_no_reader(open_shop, monkeypatch, tmp_path):
    monkeypatch.setenv("AGENTGUARD_SIGNING_KEY", str(tmp_path / "none.key"))
    one = open_shop()
    assert one.guard.audit.verify().ok
    with pytest.raises(ConfigurationError, match="audit keygen"):
        one.ask()


def leaf_at(guard, position):
    return guard.store.read(lambda reading: reading.entry(position)).leaf


def test_every_answer_carries_the_leaf_of_its_entry_and_a_repeated_key_the_same(open_shop):
    one = open_shop()
    asked = {
        "done": one.ask(),
        "denied": one.ask(key="k-2", who="c-2"),
        "invalid": one.ask("much", key="k-3"),
        "waiting": one.ask("60.00", key="k-4"),
        "ready": one.ask("1.00", key="k-5", run=one.guard.propose),
    }
    for answer in asked.values():
        assert answer.leaf == leaf_at(one.guard, answer.entry)
        assert one.guard.seals.kept(answer) == one.guard.seals.kept(answer.entry)
    assert one.ask().leaf == asked["done"].leaf
    assert one.guard.check(asked["waiting"].decision_id).leaf == asked["waiting"].leaf
    one.guard.halt(by="maria", why="a test")
    stopped = one.ask(key="k-6")
    assert stopped.leaf == leaf_at(one.guard, stopped.entry)
    with pytest.raises(NotFoundError):
        one.guard.seals.kept(dataclasses.replace(stopped, entry=None, leaf=""))


def test_what_an_effect_ends_in_doubt_or_not_done_has_its_leaf_too(open_shop):
    one = open_shop()
    for error in (RuntimeError, NotDoneError):
        one.acts = lambda *_, error=error: (_ for _ in ()).throw(error("no"))
        answer = one.ask(key=error.__name__)
        assert answer.leaf == leaf_at(one.guard, answer.entry)


def test_a_receipt_is_awaited_in_an_event_loop(open_shop):
    one = open_shop(Sealing(RecordingSigner(), every=LONG))
    answer = one.ask()
    receipt = asyncio.run(one.guard.seals.areceipt(answer.entry))
    assert receipt.check(bytes.fromhex(answer.leaf), [KEY.key]).size >= answer.entry


def test_checkpoints_are_copied_to_a_file_and_posted_signed(open_shop, tmp_path):
    one = open_shop(Sealing(RecordingSigner(), every=SOON))
    posted = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.headers["webhook-id"], self.headers["webhook-signature"], body.decode()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    one.guard.seals.listen(CheckpointFile(tmp_path / "newest.txt"))
    one.guard.seals.listen(
        CheckpointWebhook(f"http://127.0.0.1:{server.server_port}/checkpoints", secret="whsec_" + 32 * "A")
    )
    one.ask()
    one.guard.close()
    server.shutdown()
    server.server_close()
    note = (tmp_path / "newest.txt").read_text()
    assert posted[-1][2] == note
    assert opened(note, [KEY.key]).size > 1
    assert posted[-1][0].startswith("checkpoint-")
    assert posted[-1][1].startswith("v1,")


def test_who_only_records_what_others_did_seals_it_as_well(address):
    guard = Guard(bundle(REFUNDS), store=address, people=PEOPLE, activate=True, signer=Sealing(RecordingSigner(), SOON))
    guard.start()
    guard.close()
    recorder = Guard(bundle(REFUNDS), store=address, people=PEOPLE, signer=Sealing(RecordingSigner(), SOON))
    add(recorder.store)
    with contextlib.suppress(UsageError):
        recorder.record("refund.issue", {}, by="maria", source="desk", happened_at=datetime.now(UTC), key="d-1")
    until(lambda: recorder.seals.state().unsealed == 0)
    recorder.close()


def test_a_key_service_that_was_away_is_asked_again_and_it_is_said_when_it_is_back(open_shop):
    class Away(RecordingSigner):
        def sign(self, message):
            if away:
                raise ConnectionError("the key service is away")
            return super().sign(message)

    away = [True]
    with capture_logs() as logs:
        one = open_shop(Sealing(Away(), every=SOON))
        assert one.ask().executed
        until(lambda: one.guard.seals.trouble is not None)
        assert one.guard.seals.trouble.words == "ConnectionError"  # what a host's own error says may be anything
        away.clear()
        until(lambda: one.guard.seals.state().unsealed == 0 and one.guard.seals.trouble is None)
    assert [event["event"] for event in logs if event["event"] == "seals.recovered"] == ["seals.recovered"]
    assert_sound(one.guard.store)


def test_a_log_in_memory_is_sealed_as_any_other():
    one = shop("sqlite://", signer=Sealing(RecordingSigner(), every=SOON))
    answer = one.ask()
    assert one.guard.seals.receipt(answer.entry) is not None
    one.guard.close()


def test_the_thread_ends_with_its_store(open_shop):
    one = open_shop(Sealing(RecordingSigner(), every=SOON))
    one.ask()
    thread = one.guard.seals._loop._beside._thread
    one.guard.store.close()
    thread.join(10)
    assert not thread.is_alive()

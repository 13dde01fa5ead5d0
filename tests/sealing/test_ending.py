"""How a guard ends: what can still be sealed and told is, in a bounded time, and what could not be is said."""

import threading
import time
from concurrent.futures import Future
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from agentguard.engine import sealing_loop, witnessing
from agentguard.engine.parts import Waits
from agentguard.engine.sealing import Sealing
from agentguard.errors import WitnessUnavailableError
from tests.engine.given import shop
from tests.sealing.given import RecordingSigner

SELDOM = timedelta(hours=1)


class Slow:
    """A witness that takes its time for each checkpoint, or fails each time."""

    required = False

    def __init__(self, seconds=0.0, *, fails=False, name="slow"):
        self.name, self._seconds, self._fails = name, seconds, fails
        self.seen = []
        self.asked = threading.Event()

    def latest(self, origin):
        return None

    def add(self, old_size, proof, note):
        self.asked.set()
        if self._fails:
            raise WitnessUnavailableError("it is away")
        time.sleep(self._seconds)
        self.seen.append(int(note.split("\n")[1]))


def ended(signer=None, *witnesses, wait=10.0, listener=None):
    """Let a guard act and end; return it, how long the end took, and what it said meanwhile."""
    waits = Waits(witness=timedelta(seconds=wait), rounds=None)
    one = shop("sqlite://", signer=Sealing(signer or RecordingSigner(), SELDOM), witnesses=witnesses, waits=waits)
    if listener is not None:
        one.guard.seals.listen(listener)
    one.ask()
    for witness in witnesses:
        assert witness.asked.wait(10)
    one.ask(key="k-2")
    entries = one.guard.seals.state().entries
    with capture_logs() as logs:
        began = time.monotonic()
        one.guard.close()
        took = time.monotonic() - began
    said = {event["event"]: event for event in logs if event["log_level"] in {"warning", "error"}}
    return entries, took, said


def test_a_slow_witness_is_told_of_the_last_checkpoint_before_the_end():
    witness = Slow(0.3)
    entries, _, said = ended(None, witness)
    assert witness.seen[-1] == entries
    assert said == {}


def test_a_witness_that_needs_longer_than_it_has_is_named_at_the_end():
    _, took, said = ended(None, Slow(1.0), Slow(name="quick"), wait=0.2)
    assert said["seals.not_told"]["names"] == "slow"
    assert took < 5


@pytest.mark.parametrize("who", ["witness", "listener"])
def test_whoever_fails_holds_up_no_end_and_is_named(who):
    def listener(note):
        raise OSError("it is away")

    witnesses = [Slow(fails=True, name="away")] if who == "witness" else []
    _, took, said = ended(None, *witnesses, wait=30.0, listener=listener if who == "listener" else None)
    assert said["seals.not_told"]["names"].endswith("away" if who == "witness" else "listener")
    assert took < 10


def test_a_witness_that_never_answers_is_said_and_holds_up_no_end(monkeypatch):
    monkeypatch.setattr(witnessing, "LONGEST_OFFER", 0.1)
    hanging, go = Slow(name="hanging"), threading.Event()
    hanging.add = lambda *_: (hanging.asked.set(), go.wait(30))[1] and None
    waits = Waits(witness=timedelta(seconds=30), rounds=None)
    soon = Sealing(RecordingSigner(), timedelta(milliseconds=20))
    one = shop("sqlite://", signer=soon, witnesses=[hanging], waits=waits)
    with capture_logs() as logs:
        for number in range(3):
            one.ask(key=f"k-{number}")
            time.sleep(0.2)
        began = time.monotonic()
        one.guard.close()
    go.set()
    said = [event for event in logs if event["event"] == "witness.unavailable"]
    assert [(event["witness"], event["reason"]) for event in said] == [("hanging", "no answer in 0.1 seconds")]
    assert time.monotonic() - began < 10
    assert logs[-1]["event"] == "seals.not_told"


def test_where_no_thread_is_left_the_next_checkpoint_is_offered_and_told(monkeypatch):
    witness, told = Slow(), []
    one = shop("sqlite://", signer=Sealing(RecordingSigner(), SELDOM), witnesses=[witness])
    one.guard.seals.listen(told.append)
    one.ask()
    assert witness.asked.wait(10)
    while one.guard._parts.witnessing.untold or not told:
        time.sleep(0.01)
    one.guard.seals._loop._beside.stop()
    one.ask(key="k-2")
    none = Future()
    none.set_exception(RuntimeError("can't start new thread"))
    with monkeypatch.context() as patched:
        patched.setattr("agentguard.engine.worker.start", lambda function: none)
        one.guard.seals.seal()
        assert not one.guard._parts.witnessing.covering(one.guard.store, 1, 10).result(1)
    one.ask(key="k-3")
    entries = one.guard.seals.seal().size
    one.guard.close()
    assert witness.seen[-1] == entries
    assert int(told[-1].split("\n")[1]) == entries


def test_a_last_checkpoint_that_cannot_be_taken_is_said_with_the_reason():
    signer = RecordingSigner()

    def away(message):
        raise ConnectionError("the key service is away")

    signer.sign = away
    _, _, said = ended(signer)
    assert said["seals.left_unsealed"]["reason"] == "ConnectionError"


def test_a_last_checkpoint_that_takes_too_long_is_not_waited_for_and_said(monkeypatch):
    monkeypatch.setattr(sealing_loop, "LONGEST_STOP", 0.1)
    signer, go = RecordingSigner(), threading.Event()
    sign = signer.sign
    signer.sign = lambda message: (go.wait(10), sign(message))[1]
    _, took, said = ended(signer)
    go.set()
    assert took < 5
    assert said["guard.still_at_work"]["what"] == "agentguard-sealing"
    assert (said["seals.left_unsealed"]["reason"], said["seals.left_unsealed"]["entries_sealed"]) == (
        "it took too long",
        0,
    )


def test_a_guard_that_is_closed_again_says_and_waits_for_nothing_twice():
    one = shop("sqlite://", signer=Sealing(RecordingSigner(), SELDOM), witnesses=[Slow(fails=True)])
    one.ask()
    with capture_logs() as logs:
        one.guard.close()
        one.guard.close()
    assert [event["event"] for event in logs].count("seals.not_told") == 1

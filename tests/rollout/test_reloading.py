"""Policies that change while agents work: files of a developer, and activations in the midst of traffic."""

import os
import signal
import threading
import time
from datetime import timedelta

import pytest
import structlog

from agentguard import Denied, Done, Guard, Idempotent, Ready, StoreUnavailableError, Unavailable, UsageError, Waiting
from agentguard.core.people import People, Power, User
from agentguard.engine import reloading
from agentguard.engine.activation import activate
from agentguard.engine.reloading import Reloading
from tests.engine.given import REFUNDS, bundle, shop
from tests.forked import FORKSERVER, forked
from tests.rollout import reloaded
from tests.rollout.reloaded import CASES, book, in_force, save, text, visits

SECOND = REFUNDS.replace("version: 1\n", "version: 2\n").replace(
    "then: escalate to lead\n    when: amount > 50", "then: allow\n    when: amount > 50"
)
STRICT = REFUNDS.replace("version: 1\n", "version: 3\n").replace(
    "then: escalate to lead\n    when: amount > 50", "then: deny\n    when: amount > 50"
)


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "policies"
    found.mkdir()
    (found / "visits.yaml").write_text(text())
    return found


@pytest.fixture
def guard(folder, tmp_path, monkeypatch):
    """A guard whose files are looked at when a test says so, and at once."""
    monkeypatch.setattr(reloading, "QUIET", 0.0)
    monkeypatch.setattr(reloading, "HOLLOW", 0.0)
    monkeypatch.setattr(Reloading, "begin", lambda self: None)
    found = visits(folder, f"sqlite:///{tmp_path / 'visits.db'}", reload=True)
    found.start()
    look(found)
    yield found
    found.close()


@pytest.fixture
def open_shop(address):
    opened = []

    def open_one(**options):
        opened.append(shop(address, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.guard.close()


def look(guard):
    """Look twice: the first time something is seen to have changed, the second time nobody has written since."""
    guard.reloading.look()
    guard.reloading.look()


def problems(guard):
    return guard.reloading.last.problems


def test_files_that_have_not_changed_change_nothing(guard):
    assert (guard.reloading.last, in_force(guard)) == (None, {"visits": 1})


def test_a_changed_file_decides_from_then_on_and_the_log_says_who_changed_it(guard, folder):
    assert isinstance(book(guard, "40.00", "k-1"), Done)
    save(folder / "visits.yaml", text(2, "10.00"))
    look(guard)
    assert isinstance(book(guard, "40.00", "k-2"), Denied)
    assert isinstance(book(guard, "10.00", "k-3"), Done)
    assert guard.reloading.last.problems == ()
    entry = guard.audit.list(kind="activated")[-1]
    assert (entry.document["by"], entry.document["why"]) == ("guard", "reload=True")
    assert guard.reloading.last.bundle == guard.bundle.digest == entry.document["bundle"]


def test_a_file_that_does_not_load_keeps_what_was_in_force_and_says_where_it_is_wrong(guard, folder):
    with structlog.testing.capture_logs() as logs:
        save(folder / "visits.yaml", text(2).replace("deposit <= 50.00", "deposit <= "))
        look(guard)
        look(guard)
    assert in_force(guard) == {"visits": 1}
    assert problems(guard)[0].startswith("visits.yaml:12:21 syntax")
    (said,) = [line for line in logs if line["event"] == "guard.not_reloaded"]
    assert said["reason"] == problems(guard)[0]
    save(folder / "visits.yaml", text(2))
    look(guard)
    assert (in_force(guard), problems(guard)) == ({"visits": 2}, ())


def test_what_was_wrong_is_forgotten_when_the_file_is_as_it_was(guard, folder):
    (folder / "visits.yaml").write_text("nonsense\n")
    look(guard)
    assert problems(guard)
    save(folder / "visits.yaml", text())
    look(guard)
    assert (problems(guard), len(guard.audit.list(kind="activated"))) == ((), 1)


def test_half_a_file_never_comes_into_force_even_where_it_loads(guard, folder):
    whole = text(2)
    cut = whole[: whole.index("  - id: large")].rstrip()
    assert visits_load(cut)
    (folder / "visits.yaml").write_text(cut)
    look(guard)
    assert in_force(guard) == {"visits": 1}
    assert "expected a line break at its end" in problems(guard)[0]


def visits_load(words):
    from agentguard import policyfile

    return policyfile.load_text(words, "visits.yaml")


def test_a_file_that_is_written_while_it_is_read_is_read_again(guard, folder, monkeypatch):
    load = reloading.policyfile.load

    def load_slowly(paths):
        found = load(paths)
        save(folder / "visits.yaml", text(3, "20.00"))
        monkeypatch.setattr(reloading.policyfile, "load", load)
        return found

    monkeypatch.setattr(reloading.policyfile, "load", load_slowly)
    save(folder / "visits.yaml", text(2, "10.00"))
    look(guard)
    assert in_force(guard) == {"visits": 1}
    look(guard)
    assert in_force(guard) == {"visits": 3}


def test_two_files_that_belong_together_come_into_force_together(guard, folder):
    beside = text().replace("policy: visits", "policy: fees")
    save(folder / "fees.yaml", beside)
    look(guard)
    assert in_force(guard) == {"fees": 1, "visits": 1}
    wider = "visit.book: {deposit: money, note: text?}"
    save(folder / "visits.yaml", text(2).replace("visit.book: {deposit: money}", wider))
    look(guard)
    assert in_force(guard) == {"fees": 1, "visits": 1}
    assert "other arguments" in problems(guard)[0]


def test_a_case_beside_the_policy_that_fails_keeps_what_was_in_force(guard, folder):
    save(folder / "visits_test.yaml", CASES.format(most="50.00"))
    save(folder / "visits.yaml", text(2, "49.99"))
    look(guard)
    assert in_force(guard) == {"visits": 1}
    assert "the case `the largest that is booked without a person` fails" in problems(guard)[0]
    save(folder / "visits_test.yaml", CASES.format(most="49.99"))
    look(guard)
    assert in_force(guard) == {"visits": 2}


def test_a_changed_text_under_the_same_version_says_which_version_to_write(guard, folder):
    save(folder / "visits.yaml", text(1, "49.99"))
    look(guard)
    assert in_force(guard) == {"visits": 1}
    assert problems(guard)[0].endswith("write `version: 2`")


def test_a_file_whose_tool_would_be_governed_by_nothing_may_not_go(guard, folder):
    save(folder / "others.yaml", text().replace("visits", "others").replace("visit.book", "visit.cancel"))
    (folder / "visits.yaml").unlink()
    look(guard)
    assert in_force(guard) == {"visits": 1}
    assert "tool `visit.book` is governed by no policy" in problems(guard)[0]
    (folder / "others.yaml").unlink()
    look(guard)
    assert "expected at least one policy file" in problems(guard)[0]


def test_files_that_are_still_being_saved_are_waited_for(guard, folder, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(reloading, "QUIET", 0.5)
    monkeypatch.setattr(reloading, "monotonic", lambda: now[0])
    save(folder / "visits.yaml", text(2))
    guard.reloading.look()
    now[0] += 0.49
    guard.reloading.look()
    assert in_force(guard) == {"visits": 1}
    save(folder / "visits_test.yaml", CASES.format(most="50.00"))
    guard.reloading.look()
    now[0] += 0.49
    guard.reloading.look()
    assert in_force(guard) == {"visits": 1}, "somebody saved another file meanwhile"
    now[0] += 0.01
    guard.reloading.look()
    assert in_force(guard) == {"visits": 2}


@pytest.mark.parametrize("hollow", [lambda file: file.unlink(), lambda file: file.write_text("")])
def test_a_file_that_is_gone_or_empty_for_a_moment_is_waited_for_longer(guard, folder, monkeypatch, hollow):
    save(folder / "others.yaml", text().replace("visits", "others").replace("visit.book", "visit.cancel"))
    look(guard)
    now = [100.0]
    monkeypatch.setattr(reloading, "HOLLOW", 2.0)
    monkeypatch.setattr(reloading, "monotonic", lambda: now[0])
    hollow(folder / "others.yaml")
    guard.reloading.look()
    now[0] += 1.99
    guard.reloading.look()
    assert (in_force(guard), problems(guard)) == ({"others": 1, "visits": 1}, ())
    now[0] += 0.01
    guard.reloading.look()
    assert in_force(guard) == {"visits": 1} or problems(guard), "it was meant"


def test_where_it_is_said_who_may_change_policies_files_do_not(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(reloading, "QUIET", 0.0)
    monkeypatch.setattr(Reloading, "begin", lambda self: None)
    ada = User("ada", "Ada", frozenset({"ada"}))
    people = People(users={"ada": ada}, groups={}, powers={"activate": Power(frozenset({"user:ada"}))})
    guard = visits(folder, f"sqlite:///{tmp_path / 'visits.db'}", reload=True, people=people)
    guard.start()
    save(folder / "visits.yaml", text(2))
    look(guard)
    assert in_force(guard) == {"visits": 1}
    assert "run `agentguard policy activate`" in problems(guard)[0]
    guard.close()


def test_what_cannot_be_stored_now_is_tried_again(guard, folder, monkeypatch):
    def away(*_):
        raise StoreUnavailableError("the disk is full")

    save(folder / "visits.yaml", text(2))
    with monkeypatch.context() as broken, structlog.testing.capture_logs() as logs:
        broken.setattr(type(guard.store), "transact", away)
        look(guard)
        look(guard)
        assert problems(guard) == ("the disk is full",)
    assert [line["event"] for line in logs] == ["guard.not_reloaded"], "said once, however often it is tried"
    guard.reloading.look()
    assert (in_force(guard), problems(guard)) == ({"visits": 2}, ())


@pytest.mark.parametrize("given, activates", [("folder", False), ("bundle", True)])
def test_what_cannot_be_reloaded_is_said_at_once(folder, given, activates):
    policies = folder if given == "folder" else bundle(text())
    with pytest.raises(UsageError, match="expected the policies' files and `activate=True` with `reload=True`"):
        Guard(policies, store="sqlite://", activate=activates, reload=True)


def test_a_saved_file_comes_into_force_by_itself(folder, address):
    guard = visits(folder, address, reload=True)
    assert isinstance(book(guard, "40.00", "k-1"), Done)
    save(folder / "visits.yaml", text(2, "10.00"))
    until(lambda: in_force(guard) == {"visits": 2})
    assert isinstance(book(guard, "40.00", "k-2"), Denied)
    guard.close()


def test_only_a_guard_that_reloads_has_the_thread_and_it_ends_when_it_is_stopped(folder, tmp_path):
    store = f"sqlite:///{tmp_path / 'visits.db'}"
    plain, guard = visits(folder, store), visits(folder, store, reload=True)
    plain.start()
    guard.start()
    assert [thread.name for thread in threading.enumerate()].count("agentguard-reloading") == 1
    guard.reloading.stop()
    assert "agentguard-reloading" not in [thread.name for thread in threading.enumerate()]
    plain.close()
    guard.close()


def until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_child_of_a_fork_looks_at_the_files_itself(folder, tmp_path):
    guard = visits(folder, f"sqlite:///{tmp_path / 'visits.db'}", reload=True)
    guard.start()
    assert guard.reloading._beside.is_running
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        before = guard.reloading._beside.is_running
        guard.start()
        os.write(writing, b"1" if not before and guard.reloading._beside.is_running else b"0")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 1) == b"1"
    guard.close()


@pytest.mark.parametrize("moment, versions", [("before", 1), ("after", 2)])
def test_a_process_killed_in_the_midst_of_it_leaves_one_whole_set_in_force(folder, address, moment, versions):
    process = forked(reloaded.die_in_commit, address, folder, moment)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    (folder / "visits.yaml").write_text(text())
    guard = visits(folder, address, activate=False)
    guard.start()
    assert in_force(guard) == {"visits": versions}
    assert guard.audit.verify().ok
    guard.close()


@pytest.mark.law(8)
def test_each_decision_in_the_midst_of_changes_is_wholly_under_the_policies_in_force_then(address, open_shop):
    """Two processes with two threads each, and a third one that changes the policies a dozen times meanwhile."""
    made = open_shop(clock="machine", people=None)
    made.guard.start()
    began, count = FORKSERVER.Event(), 20
    actors = [forked(reloaded.act, address, [SECOND], name, began, count) for name in ("a", "b")]
    for actor in actors:
        actor.start()
    time.sleep(0.5)
    began.set()
    while any(actor.is_alive() for actor in actors):
        reloaded.change(made.guard, [STRICT, SECOND], 2, 0.05)
    for actor in actors:
        actor.join()
        assert actor.exitcode == 0
    under, bundles = None, set()
    entries = made.guard.audit.list(limit=1000)
    assert len(entries) < 1000
    for entry in entries:
        if entry.kind == "activated":
            under = entry.document["bundle"]
        elif entry.kind == "decided":
            said = entry.document
            assert said["bundle"] == under, "it was decided under what was in force in that very transaction"
            assert said["verdict"] == {bundle(SECOND).digest: "allow", bundle(STRICT).digest: "deny"}[under]
            assert made.guard.audit.recompute(entry.pos).differs == ()
            bundles.add(under)
    assert len([entry for entry in entries if entry.kind == "decided"]) == 2 * count, "none is lost, none twice"
    assert len(bundles) == 2
    assert made.guard.audit.verify().ok


@pytest.mark.law(4, 10)
def test_what_runs_ends_under_the_policy_it_began_with_and_what_is_ready_or_waits_is_decided_anew(open_shop):
    made = open_shop(effect=Idempotent(ttl=timedelta(hours=1)), timeout=None)
    waiting = made.ask("60.00", key="k-1", order_id="A-1")
    ready = made.ask("50.00", key="k-2", order_id="A-2", run=made.guard.propose)
    assert (type(waiting), type(ready)) == (Waiting, Ready)
    begun, go_on = threading.Event(), threading.Event()

    def act(*given):
        begun.set()
        assert go_on.wait(20)
        return made.pay(*given)

    made.acts = act
    answers = []
    running = threading.Thread(target=lambda: answers.append(made.ask("50.00", key="k-3", order_id="A-3")))
    running.start()
    assert begun.wait(20)
    nothing = REFUNDS.replace("version: 1\n", "version: 2\n").replace("amount <= 50\n", "amount <= 1\n")
    nothing = nothing.replace("amount > 50 and amount <= 500", "amount > 500").replace(
        "escalate to lead\n    when", "deny\n    when"
    )
    activate(made.guard._parts, bundle(nothing), "default", by="ada", why="nothing goes any more")
    go_on.set()
    running.join()
    assert isinstance(answers[0], Done)
    assert made.usage(answers[0]) == [(0, 5000), (5000, 5000)], "A-2 is still held on the customer's account"
    first = next(entry.document["bundle"] for entry in made.guard.audit.of(answers[0].decision_id))
    assert first == bundle(REFUNDS).digest
    assert isinstance(made.guard.execute(ready.decision_id), Denied)
    made.guard.escalations.approve(
        waiting.escalation.id, by="maria", reason_code="goodwill", authenticated="unverified"
    )
    assert isinstance(made.guard.execute(waiting.decision_id), Denied)
    assert len(made.paid) == 1
    assert made.usage(answers[0]) == [(0, 5000), (0, 5000)]


def test_policies_that_ask_a_running_process_for_facts_it_cannot_look_up_deny_and_say_which(open_shop):
    made = open_shop()
    made.ask("1.00", key="k-0")
    asking = REFUNDS.replace("version: 1\n", "version: 2\n").replace("facts:\n", "facts:\n  till.open: yes_no\n")
    asking = asking.replace("when: amount <= 50\n", "when: amount <= 50 and till.open\n")
    activate(made.guard._parts, bundle(asking), "default", by="ada", why="only while the till is open")
    with structlog.testing.capture_logs() as logs:
        assert isinstance(made.ask("1.00"), Denied)
    said = [(line["fact"], line["error"]) for line in logs if line["event"] == "fact.failed"]
    assert said == [("till", "no_lookup")]


@pytest.mark.parametrize("broken", ["gone", "another", "newer"])
def test_policies_in_force_that_cannot_be_read_let_nothing_run_and_say_so(address, open_shop, monkeypatch, broken):
    first = open_shop()
    first.ask("1.00", key="k-0")
    other = open_shop(clock=first.clock)
    other.guard.start()
    activate(first.guard._parts, bundle(SECOND), "default", by="ada", why="changed elsewhere")
    wrong = {"gone": None, "another": REFUNDS, "newer": SECOND.replace("agentguard: 1", "agentguard: 2")}[broken]
    read = type(other.guard.store.read(lambda reading: reading)).policy_text

    def policy_text(reading, digest):
        found = read(reading, digest)
        return (
            None if wrong is None else type(found)(**{**{n: getattr(found, n) for n in found.__slots__}, "text": wrong})
        )

    with monkeypatch.context() as broken_store, structlog.testing.capture_logs() as logs:
        broken_store.setattr("agentguard.store.reading.Reading.policy_text", policy_text)
        answer = other.ask("1.00")
    assert (type(answer), answer.cause, other.paid) == (Unavailable, "bundle", [])
    assert "guard.bundle_unreadable" in [line["event"] for line in logs]
    assert isinstance(other.ask("1.00"), Done), "nothing was stored under its key"

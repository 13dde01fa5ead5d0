"""What an action gives back: what an earlier one counted on limits that name it under `freed_by`, once."""

import threading
from datetime import timedelta

import pytest
import structlog

from agentguard import Denied, Done, Guard, Idempotent, Money, NotDoneError
from agentguard.cli.customers import narrator
from agentguard.engine.force import Force
from agentguard.errors import TamperedError
from agentguard.testing.clock import ManualClock
from tests.engine.given import bundle
from tests.engine.test_recording import VISITS, opened


@pytest.fixture
def clinic(address):
    made = opened(address)
    yield made
    made.guard.close()


def cancelled(clinic, original, **more):
    return clinic.run("visit.cancel", arguments={"slot_id": "s-1"}, relates_to=original.decision_id, **more)


def places(clinic):
    return clinic.guard.decide("visit.book", {"slot_id": "s-1", "fee": "1.00"}, agent="bot", on_behalf_of="c-9").decision.limits[0].used  # noqa: E501  # fmt: skip


def settled(clinic, answer):
    return next(entry for entry in clinic.guard.audit.of(answer.decision_id) if entry.kind == "settled").document


def test_a_cancelled_visit_gives_its_place_back_and_keeps_its_fee(clinic):
    first, *_ = [clinic.run() for _ in range(3)]
    assert isinstance(clinic.run(), Denied)
    undone = cancelled(clinic, first)
    assert isinstance(undone, Done)
    freed = settled(clinic, undone)["freed"]
    assert [(item["limit"], item["amount"], item["action_id"]) for item in freed] == [
        ("visits/places", 1, first.decision_id)
    ]
    assert isinstance(clinic.run(fee="0.01"), Done)
    assert isinstance(clinic.run(fee="0.01"), Denied), "one place, once"
    assert clinic.used("fees") == 12_001
    assert clinic.verified() == ()


@pytest.mark.law(3)
def test_a_place_is_given_back_once_however_often_it_is_cancelled(clinic):
    first, *_ = [clinic.run() for _ in range(3)]
    once, twice = cancelled(clinic, first), cancelled(clinic, first)
    assert "freed" in settled(clinic, once)
    assert "freed" not in settled(clinic, twice)
    assert cancelled(clinic, first, key="same").replayed is False
    assert cancelled(clinic, first, key="same").replayed is True
    assert places(clinic) == 2
    assert clinic.verified() == ()


@pytest.mark.law(3)
def test_many_that_undo_one_visit_at_once_give_one_place_back(clinic):
    first, *_ = [clinic.run() for _ in range(3)]
    found, wrong = [], []

    def undo(number):
        try:
            found.append(cancelled(clinic, first, key=f"c-{number}"))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=undo, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [type(answer) for answer in found] == [Done] * 12
    assert sum("freed" in settled(clinic, answer) for answer in found) == 1
    assert places(clinic) == 2
    assert clinic.verified() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"relates_to": None},
        {"relates_to": "act_of_nobody"},
        {"on_behalf_of": "c-2"},
        {"tenant": "other"},
        {"tenant": "other", "on_behalf_of": ""},
    ],
)
def test_what_was_done_for_somebody_else_or_is_not_named_stays_counted(clinic, wrong):
    first = clinic.run()
    named = {"relates_to": first.decision_id, **wrong}
    undone = clinic.run("visit.cancel", arguments={"slot_id": "s-1"}, **named)
    assert isinstance(undone, Done)
    assert "freed" not in settled(clinic, undone)
    assert places(clinic) == 1


def test_only_what_is_done_is_undone_and_only_by_what_is_done(clinic):
    denied = clinic.run(fee="301.00")
    assert isinstance(denied, Denied)
    assert "freed" not in settled(clinic, cancelled(clinic, denied))
    first = clinic.run()
    clinic.guard.halt("action:visit.cancel", by="ada", why="drill")
    assert isinstance(cancelled(clinic, first), Denied)
    clinic.guard.resume("action:visit.cancel", by="ada", why="over")
    assert places(clinic) == 1


def test_an_action_that_gives_back_and_is_in_doubt_gives_back_when_it_is_known(address):
    guard = Guard(bundle(VISITS), store=address, clock=ManualClock(), activate=True)
    guard.fact("slot")(lambda slot_id: {"doctor": "lee", "most": 3, "price": Money.of("1", "USD")})
    guard.action("visit.book")(lambda key, **arguments: arguments)
    failing = [TimeoutError, NotDoneError]

    @guard.action("visit.cancel")
    def cancel(slot_id):
        raise failing[0]

    named = {"agent": "bot", "on_behalf_of": "c-1"}
    first = guard.run("visit.book", {"slot_id": "s-1", "fee": "1.00"}, key="b", **named)
    undone = guard.run("visit.cancel", {"slot_id": "s-1"}, key="c", relates_to=first.decision_id, **named)
    used = lambda: guard.decide("visit.book", {"slot_id": "s-1", "fee": "1.00"}, **named).decision.limits[0].used  # noqa: E731
    assert (undone.status, used()) == ("in_doubt", 1)
    guard.resolve(undone.decision_id, done=True, by="ada", why="it is in the calendar")
    assert used() == 0
    failing[0] = NotDoneError
    second = guard.run("visit.book", {"slot_id": "s-1", "fee": "1.00"}, key="d", **named)
    guard.run("visit.cancel", {"slot_id": "s-1"}, key="e", relates_to=second.decision_id, **named)
    assert used() == 1
    assert guard.audit.verify().findings == ()
    guard.close()


def lost(address, text=VISITS, clock=None, effect=None):
    """Open a clinic whose bookings are lost on their way while `lost` is set, and book a visit."""
    clinic = opened(address, text, clock, actions=("visit.cancel", "visit.refund", "identity.verify"))
    clinic.lost = True

    @clinic.guard.action("visit.book", effect=effect)
    def book(key, slot_id, fee):
        if clinic.lost:
            raise TimeoutError

    return clinic


def kinds(clinic, answer):
    return [entry.kind for entry in clinic.guard.audit.of(answer.decision_id)]


def recorded(clinic, original, **more):
    named = {"relates_to": original.decision_id, "ago": timedelta(0), **more}
    return clinic.record("visit.cancel", arguments={"slot_id": "s-1"}, **named)


@pytest.mark.parametrize("undo", [cancelled, recorded])
def test_what_undid_an_action_in_doubt_counts_when_it_turns_out_to_have_been_done(address, undo):
    clinic = lost(address)
    first, second = clinic.run(), clinic.run()
    assert (first.status, places(clinic)) == ("in_doubt", 2)
    undone = [
        undo(clinic, answer, key=f"{answer.decision_id}-{number}") for answer in (first, second) for number in (1, 2)
    ]
    assert places(clinic) == 2, "nobody knows yet"
    assert kinds(clinic, first) == ["decided", "in_doubt", "undone", "undone"]
    clinic.guard.resolve(first.decision_id, done=True, by="ada", why="it is in the calendar")
    clinic.guard.resolve(second.decision_id, done=False, by="ada", why="it is in no calendar")
    assert places(clinic) == 0
    freed = [entry for entry in clinic.guard.audit.list(limit=100) if entry.document.get("freed")]
    assert [(entry.kind, entry.document["freed"][0]["action_id"]) for entry in freed] == [
        ("counted", first.decision_id)
    ], "one place, once"
    assert freed[0].document["action_id"] in [getattr(item, "decision_id", None) or item.action_id for item in undone]
    assert clinic.used("fees") == 4000, "its fee stays"
    assert clinic.verified() == ()
    clinic.guard.close()


def test_a_part_of_what_was_in_doubt_is_given_back_as_it_was_told(address):
    clinic = lost(address)
    clinic.record("identity.verify", arguments={"document": "passport"}, ago=timedelta(0))
    first = clinic.run(fee="40.00")
    for back in ("10.00", "15.00"):
        assert isinstance(
            clinic.run("visit.refund", arguments={"slot_id": "s-1", "back": back}, relates_to=first.decision_id), Done
        )
    assert clinic.used("fees") == 4000, "nobody knows yet"
    clinic.guard.resolve(first.decision_id, done=True, by="ada", why="it is in the calendar")
    assert clinic.used("fees") == 1500
    assert clinic.verified() == ()
    entries = clinic.guard.audit.list(limit=100)
    told = [
        narrator(clinic.guard, entries).tell(entry.document) for entry in entries if entry.kind in ("undone", "counted")
    ]
    assert [item.title for item in told] == 2 * ["undone while it was in doubt"] + 2 * [
        "what it undid is counted now, and given back"
    ]
    assert ("gives back", "10.00 USD on visits/fees, if it turns out to have been done") in told[0].details
    clinic.guard.close()


@pytest.mark.law(4)
@pytest.mark.parametrize("text", [VISITS, VISITS.replace("    freed_by: visit.cancel\n", "")])
def test_what_was_sent_again_after_it_had_been_undone_stays_counted(address, text):
    clinic = lost(address, text, effect=Idempotent(timedelta(days=1)))
    first = clinic.run()
    assert isinstance(cancelled(clinic, first), Done)
    clinic.lost = False
    (answer,) = clinic.guard.recover()
    assert isinstance(answer, Done)
    assert places(clinic) == 1, "this send may be the one that was done, after the cancellation"
    assert clinic.verified() == ()
    clinic.guard.close()
    later = opened(address, VISITS.replace("version: 1", "version: 2"), clinic.clock)
    assert places(later) == 1, "nor does a limit that comes later give it back"
    assert isinstance(cancelled(later, first, key="again"), Done)
    assert places(later) == 0
    assert later.verified() == ()
    later.guard.close()


@pytest.mark.parametrize("known", ["before", "after"])
def test_a_limit_that_comes_later_gives_back_what_was_undone_in_doubt(address, known):
    clinic = lost(address, VISITS.replace("    freed_by: visit.cancel\n", ""))
    first, found = clinic.run(), {"done": True, "by": "ada", "why": "it is in the calendar"}
    cancelled(clinic, first)
    if known == "before":
        clinic.guard.resolve(first.decision_id, **found)
        assert places(clinic) == 1
    clinic.guard.close()
    later = lost(address, VISITS.replace("version: 1", "version: 2"), clinic.clock)
    later.guard.start()
    if known == "after":
        assert places(later) == 1
        later.guard.resolve(first.decision_id, **found)
    assert places(later) == 0
    assert later.verified() == ()
    later.guard.close()


@pytest.mark.parametrize(
    "parts, left", [(["10.00"], 3000), (["40.00"], 0), (["40.01"], 0), (["10.00", "29.99"], 1), (["30.00", "30.00"], 0)]
)
def test_a_part_is_given_back_until_the_whole_is(clinic, parts, left):
    clinic.record("identity.verify", arguments={"document": "passport"}, ago=timedelta(0))
    first = clinic.run(fee="40.00")
    for back in parts:
        undone = clinic.run("visit.refund", arguments={"slot_id": "s-1", "back": back}, relates_to=first.decision_id)
        assert isinstance(undone, Done)
    found = clinic.guard.decide("visit.book", {"slot_id": "s-1", "fee": "1.00"}, agent="bot", on_behalf_of="c-1")
    assert {check.limit: check.used for check in found.decision.limits} == {
        "visits/places": 1,
        "visits/fees": left,
        "visits/ever": 4000,
    }
    assert clinic.verified() == ()


@pytest.mark.law(9)
def test_how_much_is_given_back_cannot_be_evaluated_and_nothing_is(address):
    text = VISITS.replace("visit.refund: back}", "visit.refund: desk.share}").replace(
        "facts:\n", "facts:\n  desk.share: money\n"
    )
    clinic = opened(address, text)
    shares = [Money.of("15.00", "USD"), None]
    clinic.guard.fact("desk")(lambda: {"share": shares.pop()})
    clinic.record("identity.verify", arguments={"document": "passport"}, ago=timedelta(0))
    first = clinic.run(fee="40.00")
    for amount in (0, 1500):
        undone = clinic.run("visit.refund", arguments={"slot_id": "s-1", "back": "9.00"}, relates_to=first.decision_id)
        assert isinstance(undone, Done)
        assert sum(item["amount"] for item in settled(clinic, undone).get("freed", ())) == amount
    assert clinic.verified() == ()
    clinic.guard.close()


def test_it_is_given_back_in_the_windows_of_the_original_and_in_no_other(clinic):
    first = clinic.run()
    clinic.clock.advance(timedelta(days=4))
    clinic.run()
    cancelled(clinic, first)
    assert places(clinic) == 1
    clinic.clock.advance(timedelta(days=3) - timedelta(microseconds=1))
    assert places(clinic) == 1
    clinic.clock.advance(timedelta(microseconds=1))
    assert places(clinic) == 1, "the first one and what was given back of it have left the window together"
    clinic.clock.advance(timedelta(days=4))
    assert places(clinic) == 0


def test_what_was_recorded_is_undone_and_undoes(clinic):
    first = clinic.record(agent="bot")
    undone = clinic.record(
        "visit.cancel", arguments={"slot_id": "s-1"}, relates_to=first.action_id, agent="bot", key="gone"
    )
    assert [(item.limit, item.amount, item.unit) for item in undone.freed] == [("visits/places", 1, "#")]
    assert places(clinic) == 0
    again = clinic.record(
        "visit.cancel", arguments={"slot_id": "s-1"}, relates_to=first.action_id, agent="bot", key="gone"
    )
    assert (again.replayed, again.freed) == (True, undone.freed)
    second = clinic.run()
    third = clinic.record("visit.cancel", arguments={"slot_id": "s-1"}, relates_to=second.decision_id, ago=timedelta(0))
    assert len(third.freed) == 1
    assert clinic.verified() == ()


def test_a_limit_that_comes_later_counts_what_was_done_and_what_was_given_back(address):
    plain = VISITS.replace("    freed_by: visit.cancel\n", "").replace("    freed_by: {visit.refund: back}\n", "")
    clinic = opened(address, plain)
    clinic.record("identity.verify", arguments={"document": "passport"}, ago=timedelta(0))
    first, second = clinic.run(), clinic.record(fee="20.00", ago=timedelta(0), agent="bot")
    cancelled(clinic, first)
    clinic.run("visit.refund", arguments={"slot_id": "s-1", "back": "15.00"}, relates_to=first.decision_id)
    clinic.record(
        "visit.refund", arguments={"slot_id": "s-1", "back": "50.00"}, relates_to=second.action_id, ago=timedelta(0)
    )
    assert places(clinic) == 2, "nothing is given back unless the limit says so"
    clinic.guard.close()
    again = opened(address, VISITS.replace("version: 1", "version: 2"), clinic.clock)
    found = again.guard.decide("visit.book", {"slot_id": "s-1", "fee": "1.00"}, agent="bot", on_behalf_of="c-1")
    assert {check.limit: check.used for check in found.decision.limits} == {
        "visits/places": 1,
        "visits/fees": 2500,
        "visits/ever": 6000,
    }
    assert again.verified() == ()
    late = again.run("visit.refund", arguments={"slot_id": "s-1", "back": "99.00"}, relates_to=first.decision_id)
    assert [item["amount"] for item in settled(again, late)["freed"]] == [2500]
    assert again.verified() == ()
    again.guard.close()


def test_policies_of_then_that_cannot_be_read_keep_nothing_from_being_written_down(address, monkeypatch):
    clinic = opened(address)
    first = clinic.run()
    unreadable = clinic.guard.bundle.digest
    clinic.guard.close()
    again = opened(address, VISITS.replace("version: 1", "version: 2"), clinic.clock)
    read = Force.bundle

    def bundle_of(force, reading, digest):
        if digest == unreadable:
            raise TamperedError("expected its texts, got none")
        return read(force, reading, digest)

    monkeypatch.setattr(Force, "bundle", bundle_of)
    with structlog.testing.capture_logs() as logs:
        undone = cancelled(again, first, key="cancel")
    assert isinstance(undone, Done)
    assert "freed" not in settled(again, undone)
    assert [log["error"] for log in logs if log["event"] == "action.not_given_back"] == ["tampered"]
    assert places(again) == 1
    again.guard.close()


def test_moving_a_visit_counts_on_the_new_account_and_gives_back_on_the_old_one(address):
    text = VISITS.replace(
        "  visit.cancel: {slot_id: text}", "  visit.cancel: {slot_id: text}\n  visit.move: {slot_id: text}"
    )
    text = text.replace(
        "on: [visit.book, visit.cancel, visit.refund, identity.verify]}", "on: [visit.book, visit.move]}"
    )
    text = text.replace("    on: [visit.book]\n    count", "    on: [visit.book, visit.move]\n    count")
    clinic = opened(address, text.replace("freed_by: visit.cancel", "freed_by: visit.move").replace(
        "visit.refund: {", "visit.refund: {"), actions=("visit.book", "visit.move"))  # fmt: skip
    first = clinic.run()
    moved = clinic.run("visit.move", arguments={"slot_id": "s-2"}, relates_to=first.decision_id)
    assert isinstance(moved, Done)
    seen = {}
    for slot in ("s-1", "s-2"):
        found = clinic.guard.decide("visit.book", {"slot_id": slot, "fee": "1.00"}, agent="bot", on_behalf_of="c-1")
        seen[slot] = found.decision.limits[0].used
    assert seen == {"s-1": 0, "s-2": 1}
    assert clinic.verified() == ()
    clinic.guard.close()


def test_what_the_tool_says_it_really_was_blocks_what_follows_and_is_told(open_shop):
    shop = open_shop(settles=lambda result: {"amount": result["amount"]}, effect=Idempotent(timedelta(hours=1)))
    shop.acts = lambda order_id, amount, key: {"amount": Money.of("99.99", "USD")}
    done = shop.ask("40.00", key="k-1")
    assert isinstance(done, Done)
    assert shop.usage(done) == [(0, 9999), (0, 9999)]
    shop.acts = None
    denied = shop.ask("0.02", key="k-2")
    assert isinstance(denied, Denied)
    assert denied.reason_code == "limit_exceeded"
    assert isinstance(shop.ask("0.01", key="k-3"), Done)
    body = next(entry for entry in shop.guard.audit.of(done.decision_id) if entry.kind == "settled").document
    assert (sorted(body["settled"].values()), body["real_values"]) == ([9999, 9999], {"amount": "99.99 USD"})
    assert shop.guard.audit.verify().findings == ()

"""What people and other systems did counts in limits and log, once, and nothing is decided about it."""

import asyncio
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
import structlog

from agentguard import Actor, Deed, Denied, Done, Guard, KeyConflictError, Money, RecordingError, UsageError
from agentguard.testing.clock import ManualClock
from tests.engine.given import bundle

VISITS = """
agentguard: 1
policy: visits
version: 1
owner: clinic@acme.example
timezone: Europe/Berlin
currency: USD
actions:
  visit.book: {slot_id: text, fee: money}
  visit.cancel: {slot_id: text}
  visit.refund: {slot_id: text, back: money}
  identity.verify: {document: text}
context: {conversation: text}
facts:
  slot.doctor: text
  slot.most: integer
rules:
  - {id: any, then: allow, on: [visit.book, visit.cancel, visit.refund, identity.verify]}
  - {id: closed, on: [visit.book], then: deny, when: slot.most == 0, say: Closed.}
limits:
  - id: places
    on: [visit.book]
    count: actions
    per: slot.doctor
    in: 7 days
    max: slot.most
    over: deny
    freed_by: visit.cancel
  - id: fees
    on: [visit.book]
    sum: fee
    per: on_behalf_of
    in: calendar month
    max: 300
    over: deny
    freed_by: {visit.refund: back}
  - {id: ever, on: [visit.book], sum: fee, per: agent.id, in: forever, max: 1000, over: deny}
requires:
  - {id: known, on: [visit.refund], action: identity.verify, same: [on_behalf_of], within: 30 minutes, else: deny}
"""

HOUR = timedelta(hours=1)


class Clinic:
    """A guard over visits, with books of its own."""

    def __init__(self, shop):
        self.shop, self.guard, self.clock = shop, shop.guard, shop.clock
        self.number = 0

    def record(self, action="visit.book", fee="40.00", *, ago=HOUR, key=None, **more):
        self.number += 1
        arguments = more.pop("arguments", {"slot_id": "s-1", **({"fee": fee} if action == "visit.book" else {})})
        named = {"by": "maria", "source": "front desk", "on_behalf_of": "c-1", "key": key or f"r-{self.number}", **more}
        happened = named.pop("happened_at", self.clock() - ago)
        return self.guard.record(action, arguments, happened_at=happened, **named)

    def run(self, action="visit.book", fee="40.00", *, key=None, arguments=None, **more):
        self.number += 1
        given = arguments or {"slot_id": "s-1", **({"fee": fee} if action == "visit.book" else {})}
        named = {"agent": "bot", "on_behalf_of": "c-1", "key": key or f"k-{self.number}", **more}
        return self.guard.run(action, given, **named)

    def used(self, limit):
        found = [item for item in self.guard.limits() if item.limit == f"visits/{limit}"]
        return found[-1].used if found else None

    def verified(self):
        return self.guard.audit.verify().findings


ACTIONS = ("visit.book", "visit.cancel", "visit.refund", "identity.verify")


def opened(address, text=VISITS, clock=None, actions=ACTIONS):
    """Open a guard over visits; `shop.doctors` None means that the calendar is down."""
    clock = clock or ManualClock()
    shop = SimpleNamespace(clock=clock, doctors={"s-1": "lee", "s-2": "kim"}, most=3)
    shop.guard = Guard(bundle(text), store=address, clock=clock, activate=True)

    @shop.guard.fact("slot")
    def slot(slot_id):
        return {"doctor": shop.doctors[slot_id], "most": shop.most, "price": Money.of("40", "USD")}

    for action in actions:
        shop.guard.action(action)(lambda key, **arguments: arguments)
    return Clinic(shop)


@pytest.fixture
def clinic(address):
    made = opened(address)
    yield made
    made.guard.close()


@pytest.fixture
def desk(tmp_path):
    """The same on one engine, for what comes to no statement of its own."""
    made = opened(f"sqlite:///{tmp_path / 'guard.db'}")
    yield made
    made.guard.close()


def test_what_a_colleague_did_counts_in_every_limit_and_calls_no_tool(clinic):
    told = clinic.record(agent="bot")
    assert [(item.limit, item.amount, item.used, item.max, item.left, item.over) for item in told.limits] == [
        ("visits/places", 1, 1, 3, 2, False),
        ("visits/fees", 4000, 4000, 30_000, 26_000, False),
        ("visits/ever", 4000, 4000, 100_000, 96_000, False),
    ]
    assert not told.over
    assert isinstance(clinic.run(), Done)
    assert clinic.used("places") == 2
    assert [entry.kind for entry in clinic.guard.audit.of(told.action_id)] == ["recorded"]
    assert clinic.verified() == ()


def test_the_entry_says_who_told_what_and_when(clinic):
    told = clinic.record(agent="bot", external_reference="visit-77", relates_to="act_9")
    body = clinic.guard.audit.show(told.entry).document
    assert (body["kind"], body["state"], body["by"], body["by_kind"], body["source"]) == (
        "recorded", "settled", "maria", "person", "front desk",
    )  # fmt: skip
    assert body["actor"]["id"] == "bot"
    assert body["happened_at"] == "2026-11-22T09:00:00.000000Z"
    assert body["arguments"] == {"slot_id": "s-1", "fee": "40.00 USD"}
    assert (body["external_reference"], body["relates_to"]) == ("visit-77", "act_9")
    assert body["facts"]["slot.doctor"]["value"] == "lee"
    record = clinic.guard.audit.action(told.action_id)
    assert (record.state.value, record.external_reference, record.relates_to) == ("settled", "visit-77", "act_9")


@pytest.mark.law(4)
@pytest.mark.parametrize("before, fits", [(259, True), (260, True), (261, False)])
def test_what_was_done_is_counted_even_above_the_max_and_what_follows_must_fit(desk, before, fits):
    told = desk.record(fee=str(before))
    assert told.over == ()
    assert isinstance(desk.run(fee="40.00"), Done if fits else Denied)
    above = desk.record(fee="500.00", key="above")
    assert [item.limit for item in above.over] == ["visits/fees"]
    assert above.over[0].left < 0
    assert isinstance(desk.run(fee="0.01"), Denied)
    assert desk.verified() == ()


@pytest.mark.law(3)
def test_told_twice_counts_once_whoever_tells_it(clinic):
    first = clinic.record(key="r-1")
    again = clinic.record(key="r-1", by="tom")
    assert (again.action_id, again.entry, again.limits, again.replayed) == (
        first.action_id, first.entry, first.limits, True,
    )  # fmt: skip
    assert clinic.used("places") in (None, 1)
    assert [len(clinic.guard.audit.of(first.action_id)), clinic.guard.store.read(lambda r: r.position())] == [1, 2]


@pytest.mark.law(3)
@pytest.mark.parametrize(
    "other",
    [
        {"fee": "40.01"},
        {"ago": 2 * HOUR},
        {"on_behalf_of": "c-2"},
        {"agent": "bot"},
        {"relates_to": "act_1"},
        {"external_reference": "x"},
        {"context": {"conversation": "t"}},
    ],
)
def test_another_deed_under_the_same_key_is_refused_and_stores_nothing(desk, other):
    desk.record(key="r-1")
    before = desk.guard.store.read(lambda r: r.position())
    with pytest.raises(KeyConflictError, match="under a key of its own"):
        desk.record(key="r-1", **other)
    assert desk.guard.store.read(lambda r: r.position()) == before


def test_a_key_is_its_sources_and_its_tenants_own_and_no_agents(clinic):
    told = [
        clinic.record(key="k"),
        clinic.record(key="k", source="phone", fee="1.00"),
        clinic.record(key="k", tenant="other", fee="2.00"),
    ]
    answer = clinic.run(key="k", agent="front desk", fee="3.00")
    assert isinstance(answer, Done)
    assert len({item.action_id for item in told} | {answer.decision_id}) == 4


def test_the_same_key_at_once_counts_once(clinic):
    found, wrong = [], []

    def tell():
        try:
            found.append(clinic.record(key="k", happened_at=clinic.clock()))
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len({item.action_id for item in found}) == 1
    assert sum(not item.replayed for item in found) == 1
    assert clinic.record(key="next").limits[0].used == 2


def test_an_event_loop_records_too(clinic):
    told = asyncio.run(
        clinic.guard.arecord(
            "visit.book",
            {"slot_id": "s-1", "fee": "5.00"},
            by="m",
            source="s",
            key="k",
            happened_at=clinic.clock(),
            on_behalf_of="c-1",
        )
    )
    assert told.limits[0].used == 1


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"arguments": {"slot_id": "s-1"}}, "`fee`: expected an amount of USD, got nothing"),
        ({"arguments": {"slot_id": "s-1", "fee": "1.00", "x": 1}}, "`x`"),
        ({"arguments": {"slot_id": "s-1", "fee": "1.001"}}, "`fee`"),
        ({"action": "visit.steal"}, "no policy in force declares `visit.steal`"),
        ({"happened_at": datetime(2026, 11, 22, 9)}, "with its zone"),
        ({"happened_at": "2026-11-22"}, "with its zone"),
        ({"source": ""}, "`source`"),
        ({"key": "\n"}, "`key`"),
        ({"by": ""}, "`by`"),
        ({"external_reference": ""}, "`external_reference`"),
        ({"context": {"nonsense": 1}}, "nonsense"),
        ({"facts": {"slot.size": 1}}, "no rule or limit of `visit.book` reads fact `slot.size`"),
        ({"facts": {"slot.most": "many"}}, "`slot.most`"),
        ({"facts": ["slot.most"]}, "`facts` as a mapping"),
        ({"tenant": 7}, "`tenant`"),
    ],
)
def test_what_is_wrong_is_said_and_stores_nothing(desk, wrong, words):
    desk.guard.start()
    before = desk.guard.store.read(lambda r: r.position())
    with pytest.raises(UsageError, match=words):
        desk.record(**wrong)
    assert desk.guard.store.read(lambda r: r.position()) == before


@pytest.mark.parametrize("ahead, refused", [(0, False), (30, False), (31, True)])
def test_the_future_has_not_happened(desk, ahead, refused):
    moment = desk.clock() + timedelta(seconds=ahead)
    if refused:
        with pytest.raises(UsageError, match="in the past"):
            desk.record(happened_at=moment)
    else:
        assert desk.record(happened_at=moment).limits[0].used == 1
        assert desk.verified() == ()


def test_another_zones_time_is_the_same_instant(clinic):
    first = clinic.record(key="r-1")
    berlin = timezone(timedelta(hours=1))
    assert clinic.record(key="r-1", happened_at=(clinic.clock() - HOUR).astimezone(berlin)).action_id == first.action_id


@pytest.mark.parametrize(
    "ago, counts",
    [
        (timedelta(days=7) - timedelta(microseconds=1), 1),
        (timedelta(days=7), 0),
        (timedelta(days=400), 0),
    ],
)
def test_it_counts_in_the_windows_in_which_it_happened(clinic, ago, counts):
    told = clinic.record(ago=ago, agent="bot")
    assert told.limits[0].used == counts
    assert told.limits[2].used == 4000, "for ever is for ever"
    assert clinic.verified() == ()


def test_what_happened_before_the_last_movement_counts_from_there_never_too_short(clinic):
    assert isinstance(clinic.run(), Done)
    clinic.record(ago=6 * timedelta(days=1))
    clinic.clock.advance(timedelta(days=6))
    assert clinic.record(ago=timedelta(0), key="now").limits[0].used == 3, "the earlier one left the window a day ago"
    clinic.clock.advance(timedelta(days=1, microseconds=1))
    assert clinic.record(ago=timedelta(0), key="then").limits[0].used == 2


def test_facts_as_they_were_are_told_and_then_nothing_is_looked_up(clinic):
    clinic.shop.doctors = None
    told = clinic.record(facts={"slot.doctor": "kim", "slot.most": 1}, agent="bot")
    assert [item.max for item in told.limits] == [1, 30_000, 100_000]
    body = clinic.guard.audit.show(told.entry).document
    assert body["facts"]["slot.doctor"] == {
        "status": "value", "value": "kim", "source": "front desk", "read_at": "2026-11-22T10:00:00.000000Z",
    }  # fmt: skip


def test_a_limit_that_cannot_count_it_is_an_error_unless_it_is_left_out(clinic):
    clinic.shop.doctors = None
    with pytest.raises(UsageError, match=r"limit `visits/places` cannot count it.*give what is missing"):
        clinic.record(key="r-1", agent="bot")
    told = clinic.record(key="r-1", agent="bot", partly=True)
    assert [item.limit for item in told.limits] == ["visits/fees", "visits/ever"]
    assert told.uncounted[0].startswith("visits/places: ")
    assert clinic.record(key="r-1", agent="bot").replayed
    assert clinic.verified() == ()


def test_a_max_that_nobody_knows_does_not_keep_it_from_being_counted(clinic):
    clinic.shop.most = None
    told = clinic.record()
    assert (told.limits[0].used, told.limits[0].max, told.limits[0].left, told.limits[0].over) == (1, None, None, False)


def test_limits_of_nobody_named_and_of_the_one_who_did_it(clinic):
    told = clinic.record(by=Actor("night-batch", kind="system"))
    body = clinic.guard.audit.show(told.entry).document
    assert (body["by"], body["by_kind"], body["actor"]["id"]) == ("night-batch", "system", "night-batch")
    with pytest.raises(UsageError, match="visits/fees"):
        clinic.record(on_behalf_of="")


@pytest.mark.parametrize("ago, verdict", [(29, "Done"), (30, "Done"), (31, "Denied")])
def test_a_requirement_finds_it_at_the_time_at_which_it_happened(desk, ago, verdict):
    desk.record("identity.verify", arguments={"document": "passport"}, ago=timedelta(minutes=ago))
    answer = desk.run("visit.refund", arguments={"slot_id": "s-1", "back": "1.00"})
    assert type(answer).__name__ == verdict


def test_a_limit_that_is_passed_is_told_to_the_developers_once(desk):
    with structlog.testing.capture_logs() as logs:
        for fee in ("260.00", "40.00", "0.01", "5.00"):
            desk.record(fee=fee, agent="bot", ago=timedelta(0), facts={"slot.most": 9, "slot.doctor": "lee"})
    told = [log["limits"] for log in logs if log["event"] == "limit.over"]
    assert told == [["visits/fees"]]


def test_a_stop_does_not_keep_what_happened_out_of_the_books(clinic):
    clinic.guard.halt(by="ada", why="drill")
    assert clinic.record().limits[0].used == 1
    assert isinstance(clinic.run(), Denied)


def test_a_recorded_action_is_not_taken_up_again(clinic):
    told = clinic.record()
    with pytest.raises(UsageError, match="was recorded"):
        clinic.guard.execute(told.action_id)
    with pytest.raises(UsageError, match="in doubt"):
        clinic.guard.resolve(told.action_id, done=False, by="ada", why="no")
    with pytest.raises(UsageError, match="kind `recorded`"):
        clinic.guard.audit.recompute(told.entry)


def test_personal_values_are_sealed_and_can_be_erased(open_shop):
    shop = open_shop()
    told = shop.guard.record(
        "identity.verify", {"document": "passport C01X"}, by="m", source="s", key="k", happened_at=shop.clock(),
        on_behalf_of="c-1",
    )  # fmt: skip
    body = shop.guard.audit.show(told.entry).body
    assert b"C01X" not in body
    assert b"c-1" not in body.replace(b"conversation", b"")
    assert shop.guard.audit.verify().findings == ()


def deeds(clinic, count, **more):
    return [
        Deed(
            action="visit.book",
            arguments={"slot_id": "s-1", "fee": "1.00"},
            by="import",
            source="old system",
            happened_at=clinic.clock() - timedelta(minutes=count - number),
            key=f"row-{number}",
            on_behalf_of="c-1",
            **more,
        )
        for number in range(count)
    ]


def test_many_are_recorded_in_few_commits_and_again_only_what_is_missing(clinic):
    seen = []
    first = clinic.guard.record_all(deeds(clinic, 60), progress=lambda done, of: seen.append((done, of)))
    assert seen == [(50, 60), (60, 60)]
    assert [item.replayed for item in first] == [False] * 60
    assert first[-1].limits[1].used == 6000
    clinic.record(key="another", source="phone")
    more = deeds(clinic, 61)
    moved = [
        replace(deed, happened_at=old.happened_at)
        for deed, old in zip(more, [*deeds(clinic, 60), more[-1]], strict=True)
    ]
    again = clinic.guard.record_all(moved)
    assert [item.replayed for item in again] == [True] * 60 + [False]
    assert clinic.verified() == ()


def test_what_was_recorded_before_a_run_was_cut_off_stays_and_the_rest_follows(desk):
    def cut_off(done, of):
        raise KeyboardInterrupt

    told = deeds(desk, 60)
    with pytest.raises(KeyboardInterrupt):
        desk.guard.record_all(told, progress=cut_off)
    assert [item.replayed for item in desk.guard.record_all(told)] == [True] * 50 + [False] * 10
    assert desk.verified() == ()


def test_other_policies_that_come_into_force_meanwhile_count_the_rest(address):
    clinic = opened(address)
    newer = VISITS.replace("version: 1", "version: 2").replace("- {id: ever,", "- {id: always,")

    def change(done, of):
        if done == 50:
            opened(address, newer, clinic.clock).guard.start()

    found = clinic.guard.record_all(deeds(clinic, 60), progress=change)
    assert [item.limits[2].limit for item in found] == ["visits/ever"] * 50 + ["visits/always"] * 10
    assert found[-1].limits[2].used == 6000
    assert clinic.verified() == ()
    clinic.guard.close()


def test_policies_that_never_stay_in_force_are_an_error_and_not_a_loop(desk, monkeypatch):
    monkeypatch.setattr("agentguard.engine.recording._overtaken", lambda *given: True)
    with pytest.raises(UsageError, match="stay in force"):
        desk.record()


def test_a_dry_run_stores_nothing_and_says_what_is_new(clinic):
    clinic.guard.record_all(deeds(clinic, 2)[:1])
    before = clinic.guard.store.read(lambda r: r.position())
    found = clinic.guard.record_all(deeds(clinic, 2), dry_run=True)
    assert [(item.replayed, item.entry is None) for item in found] == [(True, False), (False, True)]
    assert clinic.guard.store.read(lambda r: r.position()) == before


def test_nothing_of_many_is_stored_where_one_is_not_understood_and_all_are_named(clinic):
    clinic.guard.start()
    before = clinic.guard.store.read(lambda r: r.position())
    wrong = deeds(clinic, 5)
    odd = [
        Deed(action="visit.book", arguments={}, by="i", source="old system", happened_at=clinic.clock(), key="x"),
        Deed(action="visit.rob", arguments={}, by="i", source="old system", happened_at=clinic.clock(), key="y"),
    ]
    with pytest.raises(RecordingError) as raised:
        clinic.guard.record_all([*wrong[:2], odd[0], *wrong[2:], odd[1], wrong[0]])
    assert [number for number, _ in raised.value.problems] == [3, 7]
    assert "number 3: `visit.book`" in str(raised.value)
    assert clinic.guard.store.read(lambda r: r.position()) == before


def test_two_deeds_of_one_batch_do_not_share_a_key(clinic):
    one, two = deeds(clinic, 2)
    other = Deed(
        action="visit.book", arguments={"slot_id": "s-2", "fee": "9.00"}, by="i", source=one.source, key=one.key,
        happened_at=clinic.clock(), on_behalf_of="c-1",
    )  # fmt: skip
    with pytest.raises(RecordingError, match=r"number 3: expected a key of its own, got `row-0` of number 1 again"):
        clinic.guard.record_all([one, two, other])
    found = clinic.guard.record_all([one, two, one])
    assert [item.replayed for item in found] == [False, False, True]


def test_what_a_limit_does_not_speak_of_is_recorded_all_the_same(clinic):
    told = clinic.record("identity.verify", arguments={"document": "passport"})
    assert told.limits == ()
    assert clinic.verified() == ()


def test_a_limit_that_comes_later_counts_it_at_the_time_at_which_it_happened(address):
    clinic = opened(address)
    for days in (3, 1, 6, 8):
        clinic.record(ago=timedelta(days=days), agent="bot")
    clinic.guard.close()
    limit = "  - {id: new, on: [visit.book], count: actions, in: 5 days, max: 9, over: deny}\n"
    again = opened(
        address, VISITS.replace("version: 1", "version: 2").replace("requires:", f"{limit}requires:"), clinic.clock
    )
    assert [item.used for item in again.record(key="x", agent="bot").limits if item.limit == "visits/new"] == [3]
    assert again.verified() == ()
    again.guard.close()


def test_what_is_filled_in_by_the_policy_may_be_told_as_it_really_was(address):
    text = VISITS.replace("fee: money}", "fee: 'money, computed as price'}")
    text = text.replace("facts:\n", "names: {price: slot.price}\nfacts:\n  slot.price: money\n")
    clinic = opened(address, text)
    assert clinic.record(arguments={"slot_id": "s-1"}, agent="bot").limits[1].amount == 4000
    told = clinic.record(fee="35.00", agent="bot")
    assert told.limits[1].amount == 3500
    assert clinic.guard.audit.show(told.entry).document["real_values"] == {"fee": "35.00 USD"}
    clinic.guard.close()
    limit = "  - {id: new, on: [visit.book], sum: fee, in: 1 days, max: 999, over: deny}\n"
    more = text.replace("version: 1", "version: 2").replace("  - {id: ever,", f"{limit}  - {{id: ever,")
    again = opened(address, more, clinic.clock)
    third = again.record(arguments={"slot_id": "s-1"}, key="third", agent="bot")
    assert [item.used for item in third.limits if item.limit == "visits/new"] == [4000 + 3500 + 4000]
    assert again.verified() == ()
    again.guard.close()

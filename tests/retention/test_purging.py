"""The purge: what is over goes as a whole, what is not stays, and the log still proves everything that it proved."""

import sqlite3
import threading
from datetime import timedelta

import pytest

from agentguard.errors import PowerRefusedError, TamperedError, UsageError
from agentguard.evidence.keys import SigningKey
from agentguard.evidence.note import read_note, verified
from agentguard.evidence.tombstone import Tombstone, leaves_digest
from tests.engine.given import PEOPLE, REFUNDS, shop
from tests.privacy.conftest import people
from tests.retention.conftest import KEPT, WHO, YEAR

SECRET = "order-of-mrs-personal"


def purge(at, **more):
    return at.guard.retention.purge(**{**WHO, **more})


def leaves(at):
    return [entry.leaf for entry in at.guard.audit.list(limit=1000)]


def settled(at, key="k-1", **more):
    """Return the answer to a refund of an order that has a name."""
    return at.ask(key=key, order_id=SECRET, **more)


def test_a_settled_action_goes_after_its_time_and_the_log_still_holds(opened, disk):
    at = opened()
    answer = settled(at)
    at.guard.told(answer.decision_id, "Refunded.", by="bot")
    at.clock.advance(2 * YEAR + timedelta(days=3))
    before, count = leaves(at), len(at.guard.audit.of(answer.decision_id))
    assert disk.has(SECRET) == {SECRET}
    done = purge(at)
    assert (done.records, done.entries, done.by_action) == (1, count, {"refund.issue": 1})
    assert leaves(at)[: len(before)] == before
    assert {entry.is_purged for entry in at.guard.audit.of(answer.decision_id)} == {True}
    assert at.guard.audit.verify().ok
    at.guard.close()
    if disk.address.startswith("sqlite"):
        assert disk.has(SECRET) == set()


@pytest.mark.parametrize(
    "early,count", [(timedelta(microseconds=1), 0), (timedelta(0), 0), (-timedelta(microseconds=1), 1)]
)
def test_nothing_goes_a_microsecond_too_early(opened_here, early, count):
    at = opened_here()
    answer = settled(at)
    last = at.guard.audit.of(answer.decision_id)[-1].at
    at.clock.advance(last.replace(year=last.year + 2) - at.clock() - early)
    assert at.guard.retention.due().records == count
    assert purge(at).records == count


def test_each_action_has_its_own_time_and_what_nobody_speaks_of_stays(opened_here):
    at = opened_here()
    settled(at)
    at.guard.run("identity.verify", {"document": "passport"}, agent="bot", on_behalf_of="c-1", key="v-1")
    at.clock.advance(YEAR + timedelta(days=3))
    assert purge(at).by_action == {"identity.verify": 1}
    at.clock.advance(YEAR)
    assert purge(at).by_action == {"refund.issue": 1}


def test_without_a_word_about_it_nothing_goes(opened_here):
    at = opened_here(text=REFUNDS)
    settled(at)
    at.clock.advance(20 * YEAR)
    done = purge(at)
    assert (done.records, done.unsaid) == (0, {"refund.issue": 1})


def test_the_longest_time_of_all_files_counts(opened_here):
    other = REFUNDS.replace("policy: refunds", "policy: more").replace(
        "names:", "retention: {otherwise: 3 years}\nnames:", 1
    )
    at = opened_here(text=[REFUNDS.replace("names:", "retention: {otherwise: 1 year}\nnames:", 1), other])
    settled(at)
    at.clock.advance(2 * YEAR + timedelta(days=3))
    assert purge(at).records == 0
    at.clock.advance(YEAR)
    assert purge(at).records == 1


@pytest.mark.parametrize("named", ["customer", "action", "action_id", "since"])
def test_what_is_held_stays_until_it_is_let_go(opened_here, named):
    at = opened_here()
    answer = settled(at)
    scope = {"customer": "c-1", "action": "refund.issue", "action_id": answer.decision_id, "since": at.clock()}
    hold = at.guard.retention.hold(**{named: scope[named]}, **WHO)
    at.clock.advance(3 * YEAR)
    done = purge(at)
    assert (done.records, done.held) == (0, 1)
    at.guard.retention.lift(hold.id, **WHO)
    assert purge(at).records == 1


def test_what_is_under_way_and_what_it_relates_to_stays(opened):
    at = opened()
    first = settled(at)
    waiting = at.ask("60.00", key="k-2", order_id=SECRET, relates_to=first.decision_id)
    at.clock.advance(3 * YEAR)
    done = purge(at)
    assert (done.records, done.needed) == (0, 1)
    at.guard.escalations.withdraw(waiting.escalation.id, **WHO)
    at.guard.work()
    assert purge(at).by_action == {"refund.issue": 1}  # the other one has just ended


def test_the_tombstone_is_signed_and_covers_exactly_the_leaves_that_lost_their_bodies(opened):
    at = opened()
    answers = [settled(at, key=f"k-{number}", amount="1.00") for number in range(3)]
    at.clock.advance(3 * YEAR)
    position = purge(at).positions[0]
    body = at.guard.audit.show(position).document
    note = read_note(body["tombstone"])
    assert verified(note, [at.guard.seals.introduced()[0].key])
    stone = Tombstone.read(note.text)
    purged = [entry for entry in at.guard.audit.list(limit=1000) if entry.is_purged]
    assert sorted(entry.action_id for entry in purged) == sorted(
        entry.action_id for answer in answers for entry in at.guard.audit.of(answer.decision_id)
    )
    assert stone.leaves == leaves_digest(bytes.fromhex(entry.leaf) for entry in purged)
    assert stone.ranges == tuple(map(tuple, body["ranges"]))
    assert stone.entries == body["entries"] == len(purged)
    assert body["kept_for"] == {"refund.issue": "2 years"}


@pytest.mark.law(3)
def test_a_purged_key_never_acts_again_and_limits_keep_their_count(opened):
    at = opened()
    answer = settled(at, amount="50.00")
    before = at.usage(answer)
    at.clock.advance(3 * YEAR)
    purge(at)
    again = settled(at, amount="50.00")
    assert (again.status, again.replayed, again.decision_id, len(at.paid)) == ("done", True, answer.decision_id, 1)
    assert at.usage(answer) == before
    assert settled(at, key="k-2", amount="51.00").status != "done"  # for ever: 100 on the order


def test_a_purge_in_two_batches_can_be_killed_between_them_and_goes_on(opened, monkeypatch):
    monkeypatch.setattr("agentguard.engine.purging.MOST_ENTRIES", 3)
    at = opened()
    for number in range(4):
        settled(at, key=f"k-{number}", amount="1.00")
    at.clock.advance(3 * YEAR)
    count = iter(range(10))
    real = at.guard.store.transact

    class KilledError(BaseException):
        """The process is gone."""

    def transact(work):
        ours = threading.current_thread() is threading.main_thread()  # the log is sealed beside us
        if ours and next(count) == 2:
            raise KilledError
        return real(work)

    at.guard.seals.seal()
    with monkeypatch.context() as patch:
        patch.setattr(at.guard.store, "transact", transact)
        with pytest.raises(KilledError):
            purge(at)
    assert at.guard.audit.verify().ok
    assert 0 < at.guard.retention.due().records < 4
    purge(at)
    assert at.guard.retention.due().records == 0
    assert at.guard.audit.verify().ok


def test_it_takes_two_people_where_powers_are_declared_and_a_key(opened, address):
    at = opened(people(purge=({"ada", "kim"}, 2)))
    settled(at)
    at.clock.advance(3 * YEAR)
    with pytest.raises(PowerRefusedError) as refused:
        purge(at)
    assert refused.value.why == "more_people"
    assert purge(at, by="kim").records == 1
    with pytest.raises(PowerRefusedError):
        purge(at, by="kim")
    keyless = shop(address, clock=at.clock)
    with pytest.raises(UsageError, match="a key to sign the tombstone"):
        keyless.guard.retention.purge(**WHO)
    keyless.guard.close()


def test_everything_that_reads_records_copes_with_purged_ones(opened):
    at = opened()
    answer = settled(at)
    denied = at.ask("900.00", key="k-2", order_id="A-9", who="c-2")
    at.guard.told(answer.decision_id, "Refunded.", by="bot")
    at.clock.advance(3 * YEAR)
    purge(at)
    audit, identity = at.guard.audit, answer.decision_id
    assert audit.action(identity).on_behalf_of == ""
    assert audit.list(customer="c-1") == ()
    assert audit.list(verdict="allow") == ()
    position = audit.of(identity)[0].pos
    for refused in (
        lambda: audit.explain(position),
        lambda: audit.recompute(position),
        lambda: at.guard.letter(identity),
        lambda: at.guard.told(identity, "Again.", by="bot"),
        lambda: at.guard.contest(denied.decision_id, "No!", by="c-2"),
    ):
        with pytest.raises(UsageError, match="purged"):
            refused()
    assert at.guard.check(identity).replayed
    at.guard.limits()
    at.guard.halt("agent:bot", **WHO)
    assert at.guard.recover() == []
    assert audit.verify().ok


def test_a_limit_that_comes_later_reports_what_was_purged_as_not_countable(opened):
    at = opened(PEOPLE)
    settled(at)
    at.clock.advance(3 * YEAR)
    purge(at)
    settled(at, key="k-2", amount="7.00")
    later = KEPT.replace("version: 1", "version: 2", 1) + (
        "  - {id: all-time, on: [refund.issue], sum: amount, in: forever, max: 1000, over: deny}\n"
    )
    at.guard.close()
    again = opened(PEOPLE, text=later, clock=at.clock)
    again.guard.start()
    body = again.guard.audit.list(kind="activated", newest_first=True)[0].document
    opening = body["limits"]["refunds/all-time"]
    assert (opening["account"], opening["movements"], opening["uncounted"]) == ("filled", 1, 1)
    assert again.guard.audit.verify().ok


def test_an_undoing_of_what_was_purged_gives_nothing_back(opened_here):
    text = KEPT.replace(
        "max: order.total, over: deny}", "max: order.total, over: deny, freed_by: [identity.verify]}", 1
    )
    at = opened_here(text=text)
    first = settled(at, amount="90.00")
    at.clock.advance(3 * YEAR)
    purge(at)
    before = at.usage(first)
    answer = at.guard.run(
        "identity.verify",
        {"document": "passport"},
        agent="bot",
        on_behalf_of="c-1",
        key="v-1",
        relates_to=first.decision_id,
    )
    assert (answer.status, at.usage(first)) == ("done", before)


def test_a_yes_that_nobody_used_goes_in_its_time(opened_here):
    at = opened_here()
    arguments = {"order_id": SECRET, "amount": "40.00", "reason": "late"}
    said = {"on_behalf_of": "c-1", "words": "Yes", "by": "form", "context": {"conversation": "talk-1"}}
    first = at.guard.confirm("refund.issue", arguments, key="form-1", **said)
    at.clock.advance(3 * YEAR)
    assert purge(at).by_action == {"refund.issue": 1}
    assert at.guard.audit.show(first.entry).is_purged
    assert at.guard.confirm("refund.issue", arguments, key="form-1", **said).entry > first.entry
    assert at.guard.audit.verify().ok


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE agentguard_entry SET body = x'' WHERE pos = 2",
        "UPDATE agentguard_entry SET body = x'7b7d' WHERE body = x''",
        "UPDATE agentguard_entry SET leaf = 'f' WHERE body = x''",
        "DELETE FROM agentguard_tombstone",
        "UPDATE agentguard_tombstone SET last = 99",
        "INSERT INTO agentguard_tombstone SELECT last, last + 1, entry FROM agentguard_tombstone",
        "DELETE FROM agentguard_vote",
    ],
)
def test_the_database_lets_nothing_else_be_taken_away(tmp_path, statement):
    at = shop(f"sqlite:///{tmp_path}/guard.db", text=KEPT, signer=SigningKey("agentguard/test", bytes(range(32))))
    waiting = at.ask("60.00", key="w-1")
    at.guard.escalations.approve(waiting.escalation.id, by="maria", reason_code="goodwill")
    settled(at)
    at.clock.advance(3 * YEAR)
    purge(at)
    at.guard.close()
    raw = sqlite3.connect(tmp_path / "guard.db")
    with pytest.raises(sqlite3.IntegrityError, match="agentguard: "):
        raw.execute(statement)
    raw.close()


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM agentguard_legal_hold", "UPDATE agentguard_legal_hold SET scope = replace(scope, 'p_', 'q_')"],
)
def test_a_hold_that_was_taken_away_behind_the_logs_back_still_keeps_everything(tmp_path, statement):
    at = shop(f"sqlite:///{tmp_path}/guard.db", text=KEPT, signer=SigningKey("agentguard/test", bytes(range(32))))
    settled(at)
    at.guard.retention.hold(customer="c-1", **WHO)
    at.clock.advance(3 * YEAR)
    raw = sqlite3.connect(tmp_path / "guard.db", isolation_level=None)
    raw.execute(statement)
    raw.close()
    for taking in (lambda: purge(at), lambda: at.guard.privacy.erase("c-1", **WHO)):
        with pytest.raises(TamperedError, match="legal hold"):
            taking()
    assert [finding.code for finding in at.guard.audit.verify().findings] == ["legal_hold"]
    at.guard.close()

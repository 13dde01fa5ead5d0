"""Policy texts, bundles, halts, escalations, votes, earlier actions, results: what is kept, and what is refused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from agentguard.core.canary import InForce
from agentguard.core.digest import digest
from agentguard.core.lifecycle import State
from agentguard.core.request import Vote
from agentguard.errors import NotFoundError, PolicyVersionError, StaleFenceError, UsageError
from agentguard.store.records import BundleRecord, EntryFilter, EscalationRecord, Halt
from tests.store.given import MICROSECOND, START, action, begin, body, settle

NOTE = {"tenant": "acme", "kind": "noted"}


def noted(work):
    def with_entry(transaction):
        value = work(transaction)
        transaction.append(NOTE)
        return value

    return with_entry


def store_policy(store, text, name="refunds", version=1):
    store.transact(lambda t: t.store_policy(digest(text.encode()), name, version, text))
    return digest(text.encode())


def test_a_policy_text_is_kept_exactly(store):
    text = "policy: refunds\r\n# Grüße ¤\n\n"
    name = store_policy(store, text)
    assert store.read(lambda r: r.policy_text(name)).text == text
    assert store.read(lambda r: r.policy_text("nothing")) is None


def test_the_same_text_again_changes_nothing_and_another_text_of_the_same_version_is_refused(store):
    store_policy(store, "one")
    store_policy(store, "one")
    with pytest.raises(PolicyVersionError, match="write `version: 2`"):
        store_policy(store, "two")
    store_policy(store, "two", version=2)
    store_policy(store, "three", name="returns")


def test_a_policy_text_is_not_stored_under_anothers_digest(store):
    with pytest.raises(UsageError, match="which is another text's"):
        store.transact(lambda t: t.store_policy(digest(b"one"), "refunds", 1, "two"))


def test_the_bundle_activated_last_is_in_force(store, clock):
    one, two = store_policy(store, "one"), store_policy(store, "two", version=2)
    assert store.read(lambda r: r.bundle_in_force()) is None
    store.transact(lambda t: (t.store_bundle("b1", [one]), t.store_bundle("b2", [two]), t.store_bundle("b1", [one])))
    assert store.read(lambda r: r.bundle_in_force()) is None
    for number, bundle in enumerate(("b1", "b2", "b1")):
        clock.advance(hours=1)
        why = f"why {number}"
        store.transact(noted(lambda t, bundle=bundle, why=why: t.activate(InForce(bundle), "ann", why)))
        assert store.read(lambda r: r.bundle_in_force().digest) == bundle
    assert store.read(lambda r: r.bundle_in_force()) == BundleRecord(
        "b1", (one,), "ann", "why 2", START + timedelta(hours=3)
    )
    assert store.read(lambda r: r.bundle("b2")).why == "why 1"


def test_a_bundle_needs_its_texts_and_an_activation_its_bundle(store):
    with pytest.raises(NotFoundError, match="store it first"):
        store.transact(lambda t: t.store_bundle("b1", ["nothing"]))
    with pytest.raises(NotFoundError, match="store it first"):
        store.transact(noted(lambda t: t.activate(InForce("b1"), "ann", "why")))
    one, two = store_policy(store, "one"), store_policy(store, "two", version=2)
    store.transact(lambda t: t.store_bundle("b1", [one]))
    with pytest.raises(UsageError, match="got others"):
        store.transact(lambda t: t.store_bundle("b1", [two]))


def test_what_is_halted_is_so_until_it_is_resumed(store):
    store.transact(noted(lambda t: t.halt("agent:support-bot", "ann", "odd refunds")))
    store.transact(noted(lambda t: t.halt("all", "ann", "fire")))
    store.transact(noted(lambda t: t.halt("all", "bob", "still fire")))
    assert store.read(lambda r: r.halts()) == (
        Halt("agent:support-bot", "ann", "odd refunds", START),
        Halt("all", "bob", "still fire", START),
    )
    assert store.transact(noted(lambda t: t.resume("all")))
    assert not store.transact(noted(lambda t: t.resume("all")))
    assert [halt.target for halt in store.read(lambda r: r.halts())] == ["agent:support-bot"]


ESCALATION = EscalationRecord(
    id="e1",
    tenant="acme",
    action_id="a1",
    routes='[{"id":"refunds/support_lead"}]',
    request_digest="d" * 64,
    reasons=("rule_matched:refunds/medium-refund:refunds/support_lead",),
    shown='{"amount":"120.00 USD"}',
    opened_at=START,
    due_at=START + timedelta(hours=4),
)
VOTE = Vote(
    escalation="e1",
    voter="ann",
    approve=True,
    groups=frozenset({"group:support-leads", "group:all"}),
    authenticated="os_login",
    request_digest="d" * 64,
    reasons=frozenset(ESCALATION.reasons),
    voted_at=START + MICROSECOND,
    reason_code="goodwill",
    viewed_at=START,
)


@pytest.fixture
def waiting(store):
    begin(store, "a1", state=State.WAITING)
    store.transact(noted(lambda t: t.open_escalation(ESCALATION)))
    return store


def test_an_escalation_and_its_votes_come_back_as_they_were_stored(waiting):
    assert waiting.read(lambda r: r.escalation("e1")) == ESCALATION
    assert waiting.read(lambda r: r.escalation("e2")) is None
    no = replace(VOTE, voter="bob", approve=False, viewed_at=None, groups=frozenset())
    waiting.transact(noted(lambda t: t.vote(VOTE)))
    waiting.transact(noted(lambda t: t.vote(no)))
    assert waiting.read(lambda r: r.votes("e1")) == (VOTE, no)
    assert waiting.read(lambda r: r.votes_of("a1")) == (VOTE, no)
    assert waiting.read(lambda r: r.votes_of("a2")) == ()


@pytest.mark.law(7)
def test_a_person_votes_once(waiting):
    waiting.transact(noted(lambda t: t.vote(VOTE)))
    with pytest.raises(UsageError, match="expected one vote of `ann`"):
        waiting.transact(noted(lambda t: t.vote(replace(VOTE, approve=False))))
    assert waiting.read(lambda r: r.votes("e1")) == (VOTE,)


@pytest.mark.law(12)
def test_votes_on_one_escalation_are_bounded(waiting):
    def many(transaction):
        for number in range(100):
            transaction.vote(replace(VOTE, voter=f"v{number}"))
        transaction.append(NOTE)

    waiting.transact(many)
    with pytest.raises(UsageError, match="at most 100"):
        waiting.transact(noted(lambda t: t.vote(VOTE)))


def test_a_closed_escalation_takes_no_vote_and_closes_once(waiting):
    waiting.transact(noted(lambda t: t.close_escalation("e1", "open", "approved")))
    found = waiting.read(lambda r: r.escalation("e1"))
    assert (found.state, found.closed_at) == ("approved", START)
    for work in (lambda t: t.vote(VOTE), lambda t: t.close_escalation("e1", "open", "rejected")):
        with pytest.raises(StaleFenceError, match="got it approved"):
            waiting.transact(noted(work))
    with pytest.raises(StaleFenceError, match="got none"):
        waiting.transact(noted(lambda t: t.vote(replace(VOTE, escalation="e9"))))


def test_escalations_are_listed_by_state_tenant_and_page(waiting):
    def more(transaction):
        transaction.open_escalation(replace(ESCALATION, id="e2", tenant="beta"))
        transaction.open_escalation(replace(ESCALATION, id="e3", action_id="a2"))
        transaction.close_escalation("e1", "open", "approved")
        transaction.append(NOTE)

    waiting.transact(more)

    def ids(**options):
        return [found.id for found in waiting.read(lambda r: r.escalations(**options))]

    assert ids() == ["e2", "e3"]
    assert ids(state=None) == ["e1", "e2", "e3"]
    assert ids(state="approved") == ["e1"]
    assert ids(tenant="beta") == ["e2"]
    assert ids(state=None, limit=1, after="e1") == ["e2"]
    assert [found.id for found in waiting.read(lambda r: r.escalations_of("a2"))] == ["e3"]


def test_a_requirement_finds_the_newest_settled_action_with_the_same_values(store, clock):
    positions = {}
    for number, (customer, conversation) in enumerate([("p1", "c1"), ("p1", "c2"), ("p2", "c1"), ("p1", "c1")]):
        clock.advance(minutes=10)
        begin(store, f"a{number}")
        positions[number] = settle(
            store, f"a{number}", values={"on_behalf_of": customer, "conversation": conversation}
        ).pos

    def newest(values, since=None, name="refund.issue", tenant="acme"):
        return store.read(lambda r: r.settled(tenant, name, values, since))

    assert newest({"on_behalf_of": "p1", "conversation": "c1"}) == positions[3]
    assert newest({"on_behalf_of": "p1", "conversation": "c2"}) == positions[1]
    assert newest({"on_behalf_of": "p2", "conversation": "c2"}) is None
    assert newest({"on_behalf_of": "p2"}) == positions[2]
    assert newest({"another": "p1"}) is None
    assert newest({"on_behalf_of": "p1"}, name="identity.verify") is None
    assert newest({"on_behalf_of": "p1"}, tenant="beta") is None
    settled_at = START + timedelta(minutes=30)
    assert newest({"on_behalf_of": "p2"}, settled_at - MICROSECOND) == positions[2]
    assert newest({"on_behalf_of": "p2"}, settled_at) == positions[2]
    assert newest({"on_behalf_of": "p2"}, settled_at + MICROSECOND) is None


def test_an_action_that_only_runs_or_was_given_back_satisfies_no_requirement(store):
    begin(store, "a1")
    assert store.read(lambda r: r.settled("acme", "refund.issue", {"on_behalf_of": "p1"}, None)) is None


def test_a_sealed_result_is_kept_once_and_a_sealed_value_under_its_digest(store):
    store.transact(lambda t: t.store_result("a1", b"sealed"))
    assert store.read(lambda r: (r.result("a1"), r.result("a2"))) == (b"sealed", None)
    with pytest.raises(Exception, match="no row twice"):
        store.transact(lambda t: t.store_result("a1", b"another"))
    name = store.transact(lambda t: t.store_sealed(b"value"))
    assert name == store.transact(lambda t: t.store_sealed(b"value")) == digest(b"value")
    assert store.read(lambda r: (r.sealed(name), r.sealed("x"))) == (b"value", None)


def test_actions_are_listed_by_state_tenant_and_page(store):
    for number, state in enumerate((State.EXECUTING, State.READY, State.READY)):
        begin(store, f"a{number}", state=state, tenant="beta" if number == 2 else "acme")

    def ids(*arguments, **options):
        return [found.id for found in store.read(lambda r: r.actions(*arguments, **options))]

    assert ids() == ["a0", "a1", "a2"]
    assert ids(State.READY) == ["a1", "a2"]
    assert ids(State.READY, "beta") == ["a2"]
    assert ids(limit=2) == ["a0", "a1"]
    assert ids(limit=2, after="a1") == ["a2"]
    assert store.read(lambda r: r.count_actions()) == {State.EXECUTING: 1, State.READY: 2}
    assert store.read(lambda r: r.action("a9")) is None
    assert store.read(lambda r: r.action_by_key("acme", "support-bot", "c-91", "nothing")) is None


def test_entries_are_listed_by_filter_and_page_both_ways(store, clock):
    for number in range(1, 7):
        entry = {
            "tenant": "acme" if number % 2 else "beta",
            "kind": "odd" if number % 2 else "even",
            "action_id": f"a{number}",
        }
        store.transact(lambda t, entry=entry: t.append(entry))
        clock.advance(minutes=1)

    def positions(*arguments, **options):
        return [entry.pos for entry in store.read(lambda r: r.entries(*arguments, **options))]

    assert positions() == [1, 2, 3, 4, 5, 6]
    assert positions(2, 2) == [3, 4]
    assert positions(newest_first=True, limit=2) == [6, 5]
    assert positions(5, newest_first=True) == [4, 3, 2, 1]
    assert positions(filters=EntryFilter(stream="acme")) == [1, 3, 5]
    assert positions(filters=EntryFilter(kind="even")) == [2, 4, 6]
    assert positions(filters=EntryFilter(action_id="a3")) == [3]
    minutes = timedelta(minutes=1)
    assert positions(filters=EntryFilter(since=START + 2 * minutes, until=START + 4 * minutes)) == [3, 4, 5]
    assert [entry.pos for entry in store.read(lambda r: r.entries_of("a4"))] == [4]
    assert [entry.pos for entry in store.read(lambda r: tuple(r.all_entries(4)))] == [5, 6]
    assert store.read(lambda r: (r.entry(7), r.head("nobody"))) == (None, None)


def test_a_page_is_never_larger_than_its_bound(store):
    def many(transaction):
        for _ in range(1001):
            transaction.append(NOTE)

    store.transact(many)
    assert len(store.read(lambda r: r.entries(limit=10**9))) == 1000
    assert len(store.read(lambda r: r.entries(limit=0))) == 1


def test_what_the_store_gives_out_cannot_be_changed(store):
    begin(store, "a1")
    for record in store.read(lambda r: (r.action("a1"), r.entry(1), r.head("acme"))):
        name = "id" if hasattr(record, "id") else "pos"
        before = getattr(record, name)
        with pytest.raises(AttributeError):
            setattr(record, name, "x")
        assert getattr(record, name) == before


def test_an_action_with_text_of_any_kind_comes_back_as_it_was(store):
    record = action("a1", key="'; DROP TABLE agentguard_entry; --", conversation="ünïcode \U0001f600", agent='a"b')

    def work(transaction):
        transaction.open_action(record)
        transaction.append(body("a1"))

    store.transact(work)
    found = store.read(lambda r: r.action_by_key("acme", record.agent, record.conversation, record.key))
    assert found == record._replace(updated_at=START)

"""Policies that a share of customers tries out: who decides for whom, what both versions count, how it ends."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from agentguard import ConfigurationError, Denied, Done, Guard, Idempotent, InDoubt, Money, Ready, Waiting, Waits
from agentguard.core import entry
from agentguard.core.canary import NUMBERS, Canary, InForce, share_of, share_text
from agentguard.core.decide import decide
from agentguard.core.narration.narrator import Narrator
from agentguard.core.needs import needs
from agentguard.core.people import People, Power, User
from agentguard.core.policy import Verdict
from agentguard.engine.explaining import rebuilt
from agentguard.engine.openings import Beginning
from agentguard.errors import PowerRefusedError, UsageError
from tests.engine.given import PEOPLE, REFUNDS, bundle, shop
from tests.rollout.trial import (
    ALL_DAY,
    ANN,
    BIGGER,
    IN,
    IN_TOO,
    OUT,
    OUT_TOO,
    SALT,
    SECOND,
    ask,
    canary_of,
    counted,
    decided,
    entries,
    number_of,
    opened,
)
from tests.verify.given import Owner

FIRST = bundle(REFUNDS).digest
TRIAL = bundle(SECOND).digest


@pytest.fixture
def open_shop(address):
    made = []

    def open_one(**options):
        made.append(shop(options.pop("store", address), **options))
        return made[-1]

    yield open_one
    for one in made:
        one.guard.close()


@pytest.fixture
def trial(open_shop):
    return opened(open_shop)


@pytest.fixture
def open_here(tmp_path, closed_stores):
    """Opens shops where the engine of the database is no matter."""
    return lambda **options: shop(f"sqlite:///{tmp_path / 'guard.db'}", **options)


@pytest.fixture
def here(open_here):
    return opened(open_here)


def kinds_of_limits(activation):
    return {opening.limit: opening.beginning for opening in activation.limits}


# Who is in


def test_a_customer_is_in_whose_number_is_below_the_share_and_anybody_who_has_the_salt_can_say_so():
    wanted = InForce("a", Canary("b", 1000, SALT))
    for number in range(2000):
        side = wanted.side("default", f"c-{number}")
        assert side.number == number_of(f"c-{number}")
        assert (side.bundle, side.other) == (("b", "a") if side.number < 1000 else ("a", "b"))


def test_the_customer_with_the_last_number_below_the_share_is_in_and_the_next_one_is_out():
    number = number_of(IN)
    assert InForce("a", Canary("b", number + 1, SALT)).side("default", IN).bundle == "b"
    assert InForce("a", Canary("b", number, SALT)).side("default", IN).bundle == "a"


def test_about_the_share_is_in_and_whoever_was_in_stays_in_when_it_is_widened():
    names = [f"customer {number}" for number in range(5_000)]
    small, large = (InForce("a", Canary("b", share, SALT)) for share in (1000, 5000))
    first = {name for name in names if small.side("default", name).bundle == "b"}
    second = {name for name in names if large.side("default", name).bundle == "b"}
    assert first < second
    assert 420 <= len(first) <= 580
    assert 2380 <= len(second) <= 2620


def test_another_salt_draws_other_customers_and_each_tenant_has_its_own():
    drawn = [[f"c-{n}" for n in range(300) if number_of(f"c-{n}", salt=salt) < 1000] for salt in (SALT, "s" * 16)]
    assert drawn[0] != drawn[1]
    numbers = {InForce("a", Canary("b", 1000, SALT)).side(tenant, IN).number for tenant in ("default", "acme", "shop")}
    assert len(numbers) == 3


@pytest.mark.parametrize("text, share", [("10%", 1000), ("0.01%", 1), ("99.99%", 9999), (" 12.5 % ", 1250)])
def test_a_share_is_read_as_people_write_it(text, share):
    assert share_of(text) == share
    assert share_of(share_text(share)) == share


@pytest.mark.parametrize("text", ["0%", "100%", "0.001%", "-1%", "10", "ten%", "NaN%", "Infinity%", "%", "1e400%"])
def test_a_share_of_nobody_of_everybody_or_of_no_number_is_refused(text):
    with pytest.raises(UsageError, match="above 0% and below 100%"):
        share_of(text)


@pytest.mark.parametrize("salt", ["", "s" * 15, "s" * 201, "line\nbreak" * 3])
def test_a_salt_that_could_be_guessed_is_refused(salt):
    with pytest.raises(UsageError, match="a salt of 16 to 200"):
        Canary("b", 1, salt)
    Canary("b", 1, "s" * 16)


# What decides


def test_each_customer_meets_their_own_version_and_the_entry_says_which_and_why(trial):
    inside, outside = ask(trial, IN, "60.00"), ask(trial, OUT, "60.00")
    assert isinstance(inside, Done)
    assert isinstance(outside, Waiting)
    said = {"share": 1000, "bundle": TRIAL, "rest": FIRST}
    assert decided(trial, inside)["bundle"] == TRIAL
    assert decided(trial, inside)["canary"] == {"number": number_of(IN), **said}
    assert decided(trial, outside)["bundle"] == FIRST
    assert decided(trial, outside)["canary"] == {"number": number_of(OUT), **said}
    assert trial.guard.audit.verify().ok


def test_without_a_canary_entries_say_none(open_here):
    one = opened(open_here, share="")
    assert decided(one, ask(one, IN))["canary"] is None


def test_a_request_for_nobody_in_particular_is_decided_by_the_policies_in_force(here):
    here.orders["o-"] = {"customer_id": "x", "total": Money.of("1000", "USD")}
    for item in (decided(here, ask(here, "")) for _ in range(3)):
        assert (item["bundle"], item["canary"]["number"]) == (FIRST, None)


def test_one_name_in_two_spellings_is_one_customer(here):
    composed, apart = "caf\u00e9-1", "cafe\u0301-1"
    assert here.guard.canary.side(composed) == here.guard.canary.side(apart)
    here.orders["o-x"] = {"customer_id": composed, "total": Money.of("1000", "USD")}
    first = here.ask("5.00", who=composed, order_id="o-x", key="x-1")
    second = here.ask("5.00", who=apart, order_id="o-x", key="x-2")
    assert decided(here, first)["canary"] == decided(here, second)["canary"]


def test_a_dry_run_and_a_customers_yes_meet_the_same_version(here):
    for who, verdict in ((IN, Verdict.ALLOW), (OUT, Verdict.ESCALATE)):
        arguments = {"order_id": f"o-{who}", "amount": "60.00", "reason": "late"}
        found = here.guard.decide("refund.issue", arguments, agent="bot", on_behalf_of=who)
        assert found.verdict is verdict
        here.guard.confirm("refund.issue", arguments, on_behalf_of=who, words="yes", by=who)
    assert [item["bundle"] for item in entries(here, "confirmed")] == [TRIAL, FIRST]


@pytest.mark.law(8)
def test_a_decision_of_either_version_can_be_computed_again_from_its_entry_after_the_canary(trial):
    answers = [ask(trial, IN, "60.00"), ask(trial, OUT, "60.00"), ask(trial, OUT, "20.00")]
    canary_of(trial).abort(**ANN)
    for answer, verdict in zip(answers, ("allow", "escalate", "allow"), strict=True):
        body = decided(trial, answer)
        again = trial.guard.store.read(lambda reading, body=body: rebuilt(trial.guard._parts, reading, body))
        wanted = needs(again.plan, again.request, again.evidence.facts, again.evidence.now)
        found = entry.verdict(decide(again.plan, again.request, again.evidence, wanted), trial.guard._parts.account)
        assert found["verdict"] == verdict
        assert found == {name: body[name] for name in found}


def test_an_agent_hears_nothing_of_the_canary(here):
    for heard in (ask(here, IN).for_model(), ask(here, OUT, "60.00").for_model()):
        assert "canary" not in str(heard)


# What both versions count


@pytest.mark.law(4)
def test_an_account_that_only_the_canary_has_counts_what_everybody_does(trial):
    assert isinstance(ask(trial, OUT, "45.00"), Done)
    assert isinstance(ask(trial, OUT_TOO, "45.00"), Done)
    assert counted(trial, "refunds/all-day") == (9000, 0)
    refused = ask(trial, IN, "10.01")
    assert isinstance(refused, Denied)
    assert refused.reason_code == "limit_exceeded"
    assert isinstance(ask(trial, IN, "10.00"), Done)
    assert isinstance(ask(trial, IN_TOO, "0.01"), Denied)
    assert isinstance(ask(trial, OUT, "5.00"), Done), "the policies in force have no such limit"
    assert counted(trial, "refunds/all-day") == (10500, 0)
    assert trial.guard.audit.verify().ok


@pytest.mark.law(4)
def test_an_account_that_only_the_policies_in_force_have_counts_what_the_canarys_customers_do(open_shop):
    one = opened(open_shop, share="", text=REFUNDS + ALL_DAY)
    canary_of(one, BIGGER).begin("10%", salt=SALT, **ANN)
    assert isinstance(ask(one, IN, "70.00"), Done)
    assert isinstance(ask(one, OUT, "30.01"), Denied)
    assert isinstance(ask(one, OUT, "30.00"), Done)
    assert isinstance(ask(one, IN_TOO, "70.00"), Done)
    assert counted(one, "refunds/all-day") == (17000, 0)


@pytest.mark.law(4)
def test_a_limit_of_both_versions_is_one_account_and_each_customer_has_the_max_of_their_version(open_shop):
    first, second = ALL_DAY.replace("max: 100", "max: 60"), ALL_DAY
    one = opened(open_shop, share="", text=REFUNDS + first)
    canary_of(one, BIGGER + second).begin("10%", salt=SALT, **ANN)
    assert isinstance(ask(one, IN, "60.00"), Done)
    assert isinstance(ask(one, OUT, "0.01"), Denied)
    assert isinstance(ask(one, IN, "40.01"), Denied)
    assert isinstance(ask(one, IN_TOO, "40.00"), Done)
    assert counted(one, "refunds/all-day") == (10000, 0)
    assert not entries(one, "counted"), "one account needs no second counting"


@pytest.mark.law(10)
def test_what_waits_or_is_refused_counts_nothing_on_the_other_versions_accounts(trial):
    assert isinstance(ask(trial, OUT, "60.00"), Waiting)
    trial.orders["o-theirs"] = {"customer_id": "else", "total": Money.of("1000", "USD")}
    assert isinstance(trial.ask(who=OUT, order_id="o-theirs", key="theirs"), Denied)
    assert counted(trial, "refunds/all-day") == (0, 0)
    assert entries(trial, "counted") == []


def test_what_is_given_back_and_what_really_happened_count_on_both(open_shop):
    one = opened(open_shop, settles=lambda result: result if isinstance(result, dict) else {})
    one.acts = lambda order_id, amount, key: {"amount": Money.of("30.00", "USD")}
    assert isinstance(ask(one, OUT, "40.00"), Done)
    assert counted(one, "refunds/all-day") == (3000, 0)
    ready = ask(one, OUT, "20.00", run=one.guard.propose)
    assert isinstance(ready, Ready)
    assert counted(one, "refunds/all-day") == (3000, 2000)
    one.clock.advance(timedelta(hours=1))
    one.guard.recover()
    assert counted(one, "refunds/all-day") == (3000, 0)
    assert one.guard.audit.verify().ok


@pytest.mark.law(6)
def test_an_unknown_outcome_keeps_its_hold_on_both_and_settles_on_both_whatever_becomes_of_the_canary(trial):
    def lost(order_id, amount, key):
        raise RuntimeError("lost")

    trial.acts = lost
    answers = [ask(trial, who, "30.00") for who in (OUT, IN)]
    assert all(isinstance(answer, InDoubt) for answer in answers)
    assert counted(trial, "refunds/all-day") == (0, 6000)
    canary_of(trial).abort(**ANN)
    for answer in answers:
        trial.guard.resolve(answer.decision_id, done=True, **ANN)
    assert counted(trial, "refunds/all-day") == (6000, 0)
    assert trial.guard.audit.verify().ok


def test_a_late_truth_is_posted_on_both(open_shop):
    one = opened(open_shop)

    def lost(order_id, amount, key):
        raise RuntimeError("lost")

    one.acts = lost
    answer = ask(one, OUT, "30.00")
    one.guard.resolve(answer.decision_id, done=False, **ANN)
    assert counted(one, "refunds/all-day") == (0, 0)
    one.guard.resolve(answer.decision_id, done=True, **ANN)
    assert counted(one, "refunds/all-day") == (3000, 0)
    assert one.guard.audit.verify().ok


def test_what_a_person_did_elsewhere_counts_on_both(trial):
    for key, who in (("p-1", OUT), ("p-2", IN)):
        trial.guard.record(
            "refund.issue",
            {"order_id": f"o-{who}", "amount": "20.00", "reason": "late"},
            by="tom", source="desk", happened_at=trial.clock(), key=key, on_behalf_of=who,
        )  # fmt: skip
    assert counted(trial, "refunds/all-day") == (4000, 0)
    assert [item["posted"][0]["amount"] for item in entries(trial, "counted")] == [2000]
    assert trial.guard.audit.verify().ok


REGION = (
    "  - {id: by-region, on: [refund.issue], sum: amount, per: customer.region, in: 1 days, max: 500, over: deny}\n"
)


def test_facts_that_only_the_other_version_counts_by_are_looked_up_and_not_recorded_beside_the_decision(open_shop):
    # Nothing of the first version reads the region but its segment, so that the fact is taken out of it.
    plain = REFUNDS.replace("segments: [customer.region]\n", "").replace("region: text?", "region: text")
    one = opened(open_shop, share="", text=plain)
    canary_of(one, plain.replace("version: 1", "version: 2") + REGION).begin("10%", salt=SALT, **ANN)
    answer = ask(one, OUT, "20.00")
    assert "customer.region" not in decided(one, answer)["facts"]
    assert counted(one, "refunds/by-region") == (2000, 0)
    assert isinstance(ask(one, IN, "20.00"), Done)
    assert counted(one, "refunds/by-region") == (4000, 0)


def test_what_the_other_version_cannot_count_stands_in_nobodys_way_and_is_said(open_here):
    text = REFUNDS.replace("version: 1", "version: 2").replace(
        "  customer.region: text?\n", "  customer.region: text?\n  shop.area: text\n"
    )
    one = opened(open_here, share="", text=REFUNDS)
    canary_of(one, text + REGION.replace("customer.region", "shop.area")).begin("10%", salt=SALT, **ANN)
    assert isinstance(ask(one, OUT, "20.00"), Done), "nobody registered a lookup of it here"
    assert isinstance(ask(one, IN, "20.00"), Denied)
    (beside,) = entries(one, "counted")
    assert (beside["held"], list(beside["uncounted"])) == ([], ["refunds/by-region"])
    told = Narrator([], one.guard.audit.bundle, str).tell(beside)
    assert told.title == "counted by the other version of a canary as well"
    assert ("not counted", f"refunds/by-region: {beside['uncounted']['refunds/by-region']}") in told.details
    assert one.guard.audit.verify().ok


VERIFIED = """requires:
  - {id: first, on: [refund.issue], action: identity.verify, same: [on_behalf_of], within: 1 hour, else: deny}
"""


def test_what_only_the_other_version_requires_is_remembered_of_everybody(open_here):
    one = opened(open_here, share="", text=REFUNDS)
    canary_of(one, REFUNDS.replace("version: 1", "version: 2") + VERIFIED).begin("10%", salt=SALT, **ANN)
    assert isinstance(ask(one, IN), Denied)
    for who in (IN, OUT):
        one.guard.run("identity.verify", {"document": "passport"}, agent="bot", on_behalf_of=who, key=f"v-{who}")
    assert isinstance(ask(one, IN), Done)
    canary_of(one, REFUNDS.replace("version: 1", "version: 2") + VERIFIED).promote(**ANN)
    assert isinstance(ask(one, OUT), Done)
    assert isinstance(ask(one, OUT_TOO), Denied)


# How it begins, changes and ends


def test_its_accounts_are_filled_when_it_begins_and_promoting_it_fills_nothing(open_shop):
    one = opened(open_shop, share="")
    ask(one, OUT, "20.00")
    begun = canary_of(one).begin("10%", salt=SALT, **ANN)
    assert kinds_of_limits(begun)["refunds/all-day"] is Beginning.FILLED
    assert counted(one, "refunds/all-day") == (2000, 0)
    ask(one, OUT, "20.00")
    assert counted(one, "refunds/all-day") == (4000, 0)
    size = one.guard.store.read(lambda reading: reading.position())
    promoted = canary_of(one).promote(**ANN)
    assert set(kinds_of_limits(promoted).values()) == {Beginning.KEPT}
    assert one.guard.store.read(lambda reading: reading.position()) == size + 1
    assert isinstance(ask(one, OUT, "60.01"), Denied)
    assert isinstance(ask(one, OUT, "60.00"), Done)


def test_an_aborted_canary_ceases_to_count_and_the_next_one_counts_what_was_missed(trial):
    ask(trial, OUT, "20.00")
    assert kinds_of_limits(canary_of(trial).abort(**ANN)) == {
        "refunds/order-refunds": Beginning.KEPT, "refunds/customer-30-days": Beginning.KEPT,
    }  # fmt: skip
    ask(trial, OUT, "20.00")
    assert counted(trial, "refunds/all-day") == (2000, 0)
    again = canary_of(trial).begin("50%", salt=SALT, **ANN)
    assert {item.limit: item.movements for item in again.limits}["refunds/all-day"] == 1
    assert counted(trial, "refunds/all-day") == (4000, 0)


def test_it_is_widened_with_the_same_salt_and_promoted_and_each_step_is_told(here):
    number = number_of(OUT)
    wider = f"{number / 100 + 0.01:.2f}%"
    assert canary_of(here).begin(wider, by="ada", why="it goes well")
    assert isinstance(ask(here, OUT, "60.00"), Done)
    assert isinstance(ask(here, IN, "35.00"), Done)
    assert not canary_of(here).begin(wider, **ANN), "it runs like this already"
    assert canary_of(here).begin("5%", by="ada", why="too fast")
    assert canary_of(here).promote(by="ada", why="good")
    assert here.guard.store.read(lambda reading: reading.in_force()) == InForce(TRIAL)
    said = [Narrator([], here.guard.audit.bundle, str).tell(item).title for item in entries(here, "activated")]
    assert said == [
        "policies put into force",
        "a canary begins: other policies decide for 10% of the customers",
        f"the canary is widened from 10% to {share_text(number + 1)} of the customers",
        f"the canary is narrowed from {share_text(number + 1)} to 5% of the customers",
        "the canary was promoted: its policies are in force for everybody",
    ]
    assert here.guard.audit.verify().ok


def test_other_policies_for_everybody_end_a_canary_and_those_in_force_do_not(here):
    same = Guard(bundle(REFUNDS), store=here.guard.store, people=PEOPLE)
    with pytest.raises(UsageError, match="abort it"):
        same.activate(**ANN)
    third = bundle(REFUNDS.replace("version: 1", "version: 3"))
    assert Guard(third, store=here.guard.store, people=PEOPLE).activate(**ANN)
    assert here.guard.store.read(lambda reading: reading.in_force()) == InForce(third.digest)
    told = Narrator([], here.guard.audit.bundle, str).tell(entries(here, "activated")[-1])
    assert told.title == "other policies put into force, and the canary ended"


def test_the_same_policies_for_everybody_promote_it(here):
    assert Guard(bundle(SECOND), store=here.guard.store, people=PEOPLE).activate(**ANN)
    assert here.guard.store.read(lambda reading: reading.in_force()) == InForce(TRIAL)
    assert entries(here, "activated")[-1]["canary_before"]["bundle"] == TRIAL


def test_another_canary_takes_its_place_and_draws_anew(here):
    before = here.guard.canary.running()
    third = REFUNDS.replace("version: 1", "version: 3")
    canary_of(here, third).begin("20%", **ANN)
    now = here.guard.canary.running()
    assert (now.bundle, now.share) == (bundle(third).digest, 2000)
    assert now.salt != before.salt
    assert len(now.salt) == 32


def test_a_running_canary_is_not_drawn_anew(here):
    with pytest.raises(UsageError, match="the salt that this canary runs with"):
        canary_of(here).begin("20%", salt="s" * 20, **ANN)
    assert canary_of(here).begin("20%", salt=SALT, **ANN)


def test_a_canary_needs_policies_in_force_that_are_others(here, tmp_path):
    with pytest.raises(UsageError, match="other policies than those in force"):
        canary_of(here, REFUNDS).begin("10%", **ANN)
    with pytest.raises(UsageError, match="activate some for everybody first"):
        Guard(bundle(SECOND), store=f"sqlite:///{tmp_path / 'empty.db'}").canary.begin("10%", **ANN)
    canary_of(here).abort(**ANN)
    for end in (here.guard.canary.promote, here.guard.canary.abort):
        with pytest.raises(UsageError, match="expected a canary"):
            end(**ANN)


def test_a_guard_that_activates_what_it_loads_leaves_a_canary_alone(here):
    for text in (REFUNDS, SECOND):
        other = Guard(bundle(text), store=here.guard.store, people=PEOPLE, activate=True)
        other.start()
    assert len(entries(here, "activated")) == 2


def test_a_guard_does_not_start_whose_tools_do_not_fit_the_canary(here):
    other = Guard(bundle(REFUNDS), store=here.guard.store, people=PEOPLE)

    @other.action("refund.issue")
    def refund(order_id: str, amount: Money, reason: str) -> None:
        """Refund."""

    @other.fact("order")
    def order(order_id):
        return {}

    other.fact("customer")(lambda on_behalf_of: {})
    extra = SECOND.replace("    amount: money\n", "    amount: money\n    colour: text?\n")
    canary_of(here, extra.replace("version: 2", "version: 4")).begin("10%", **ANN)
    with pytest.raises(ConfigurationError, match="does not take `colour`"):
        other.start()


# What is under way


def test_what_is_ready_is_decided_again_by_what_decides_for_its_customer_then_and_keeps_what_it_holds(open_shop):
    one = opened(open_shop, share="", effect=Idempotent(ttl=timedelta(hours=1)))
    first, second, third = (ask(one, who, "20.00", run=one.guard.propose) for who in (IN, OUT, IN_TOO))
    canary_of(one).begin("10%", salt=SALT, **ANN)
    for answer in (first, second):
        assert isinstance(one.guard.execute(answer.decision_id), Done)
    assert [decided(one, answer)["bundle"] for answer in (first, second)] == [TRIAL, FIRST]
    fourth = ask(one, OUT_TOO, "20.00", run=one.guard.propose)
    canary_of(one).abort(**ANN)
    for answer in (third, fourth):
        assert isinstance(one.guard.execute(answer.decision_id), Done), "what the canary held as well is let go"
        assert decided(one, answer)["bundle"] == FIRST
    assert counted(one, "refunds/all-day") == (4000, 0)
    assert one.guard.audit.verify().ok


@pytest.mark.law(7)
def test_what_waits_is_decided_after_its_votes_by_what_decides_for_its_customer_then(open_shop):
    one = opened(open_shop, share="")
    waiting = {who: ask(one, who, "60.00") for who in (IN, OUT, IN_TOO)}
    canary_of(one).begin("10%", salt=SALT, **ANN)
    ask(one, OUT, "45.00")
    for who, answer in waiting.items():
        assert isinstance(answer, Waiting), who
        one.guard.escalations.approve(answer.escalation.id, by="maria", authenticated="token", reason_code="confirmed")
        one.guard.execute(answer.decision_id)
    bodies = {who: decided(one, answer) for who, answer in waiting.items()}
    assert {who: body["bundle"] for who, body in bodies.items()} == {IN: TRIAL, OUT: FIRST, IN_TOO: TRIAL}
    assert bodies[OUT]["approved"] is True
    assert bodies[IN]["verdict"] == "deny", "45.00 of everybody's 100.00 are used, and no vote lifts that"
    assert one.guard.audit.verify().ok


@pytest.mark.law(4)
def test_what_runs_when_a_canary_begins_counts_on_its_accounts(open_shop):
    one = opened(open_shop, share="")

    def begins(order_id, amount, key):
        canary_of(one).begin("10%", salt=SALT, **ANN)
        return {}

    one.acts = begins
    assert isinstance(ask(one, OUT, "30.00"), Done)
    one.acts = None
    assert isinstance(ask(one, IN, "70.01"), Denied)
    assert isinstance(ask(one, IN, "70.00"), Done)


def test_a_decision_that_a_change_of_the_canary_overtakes_is_made_anew(open_shop):
    one = opened(open_shop, share="")
    looked = one.guard._parts.registry.lookups["order"].function
    done = []

    def order(order_id):
        if not done:
            done.append(canary_of(one).begin("10%", salt=SALT, **ANN))
        return looked(order_id)

    object.__setattr__(one.guard._parts.registry.lookups["order"], "function", order)
    answer = ask(one, IN, "60.00")
    assert isinstance(answer, Done)
    assert decided(one, answer)["bundle"] == TRIAL


# Who may


def of_power(people):
    users = {name: User(name, name.title(), frozenset({name})) for name in ("ada", "tom", "eve")}
    powers = {"activate": Power(frozenset({"ada", "tom"}), people)}
    return People(users=users, allow_unverified=True, powers=powers)


def test_it_takes_the_power_to_activate_and_as_many_people_and_one_to_abort(open_here):
    one = opened(open_here, share="", people=of_power(2))
    with pytest.raises(PowerRefusedError):
        canary_of(one).begin("10%", by="eve", why="mine")
    asked = canary_of(one).begin("10%", by="ada", why="first")
    assert (asked.changed, asked.missing) == (False, 1)
    other_share = canary_of(one).begin("20%", by="tom", why="more")
    assert (other_share.changed, other_share.missing) == (False, 1), "they do not mean the same"
    assert canary_of(one).begin("10%", by="tom", why="second")
    body = entries(one, "activated")[-1]
    assert (body["by"], body["power"], [each["by"] for each in body["with"]]) == ("tom", "activate", ["ada"])
    with pytest.raises(PowerRefusedError):
        one.guard.canary.abort(by="eve", why="mine")
    assert one.guard.canary.promote(by="ada", why="good").missing == 1
    assert one.guard.canary.abort(by="tom", why="complaints")
    assert [item["power"] for item in entries(one, "power_refused")] == ["activate", "activate"]


def test_nobody_learns_the_salt_from_the_record(here):
    ask(here, IN)
    bodies = b"".join(here.guard.audit.show(item.pos).body for item in here.guard.audit.list(limit=1000))
    assert SALT.encode() not in bodies
    assert Canary("b", 1, SALT).salt_digest.encode() in bodies
    assert SALT not in repr(here.guard.canary.running())
    assert here.guard.canary.running().salt == SALT


@pytest.mark.parametrize("change", ["share = 9000", "salt = 'another salt of sixteen'", "canary = NULL"])
def test_a_canary_that_was_changed_past_the_log_is_found(trial, change):
    owner = Owner(trial.guard.store.url)
    owner.do(f"UPDATE agentguard_activation SET {change} WHERE n = 2")
    owner.close()
    assert [found.code for found in trial.guard.audit.verify().findings] == ["activation"]


assert NUMBERS == 10_000


def test_what_is_ready_beside_a_canary_is_carried_out_beside_it(trial):
    for who in (OUT, IN):
        ready = ask(trial, who, "20.00", run=trial.guard.propose)
        assert isinstance(ready, Ready)
        assert isinstance(trial.guard.execute(ready.decision_id), Done)
    assert counted(trial, "refunds/all-day") == (4000, 0)


def test_what_was_let_go_before_it_began_is_held_no_more(trial):
    def lost(order_id, amount, key):
        raise RuntimeError("lost")

    ready = ask(trial, OUT, "20.00", run=trial.guard.propose)
    canary_of(trial).abort(**ANN)
    trial.acts = lost
    assert isinstance(trial.guard.execute(ready.decision_id), InDoubt)
    assert counted(trial, "refunds/all-day") == (0, 0)
    assert trial.guard.audit.verify().ok


def test_a_record_that_a_change_of_the_canary_overtakes_is_made_anew(open_shop):
    one = opened(open_shop, share="")
    looked = one.guard._parts.registry.lookups["order"].function
    done = []

    def order(order_id):
        if not done:
            done.append(canary_of(one).begin("10%", salt=SALT, **ANN))
        return looked(order_id)

    object.__setattr__(one.guard._parts.registry.lookups["order"], "function", order)
    one.guard.record(
        "refund.issue",
        {"order_id": f"o-{OUT}", "amount": "20.00", "reason": "late"},
        by="tom", source="desk", happened_at=one.clock(), key="p-1", on_behalf_of=OUT,
    )  # fmt: skip
    assert done
    assert counted(one, "refunds/all-day") == (2000, 0)


def test_a_host_may_say_what_only_one_version_declares(here):
    told = {"context": {"wants_person": True, "device": "phone"}}
    with pytest.raises(UsageError, match="no policy in force declares context `device`"):
        ask(here, OUT, **told)
    third = SECOND.replace("version: 2", "version: 3").replace(
        "  wants_person: yes_no?\n", "  wants_person: yes_no?\n  device: text?\n"
    )
    canary_of(here, third).begin("10%", salt=SALT, **ANN)
    assert decided(here, ask(here, OUT, **told))["context"].keys() == {"context.conversation", "context.wants_person"}
    assert "context.device" in decided(here, ask(here, IN, **told))["context"]


def test_a_lookup_that_only_the_other_version_needs_takes_no_time_of_those_that_decide(open_here):
    plain = REFUNDS.replace("  customer.region: text?\n", "  customer.region: text?\n  area.name: text\n")
    one = opened(open_here, share="", waits=Waits(lookups=timedelta(seconds=0.2)))
    asked = []

    def area(on_behalf_of):
        asked.append(on_behalf_of)
        time.sleep(0.4)

    lookups = one.guard._parts.registry.lookups
    lookups["area"] = replace(lookups["customer"], root="area", function=area)
    by_area = REGION.replace("customer.region", "area.name")
    canary_of(one, plain.replace("version: 1", "version: 2") + by_area).begin("10%", salt=SALT, **ANN)
    assert isinstance(ask(one, OUT), Done)
    assert asked == [OUT]
    assert list(entries(one, "counted")[0]["uncounted"]) == ["refunds/by-region"]


def test_what_is_sent_again_settles_at_what_really_happened_on_both(open_shop):
    effect, calls = Idempotent(ttl=timedelta(hours=1)), []
    one = opened(open_shop, effect=effect, settles=lambda result: result)

    def breaks_once(order_id, amount, key):
        calls.append(key)
        if len(calls) == 1:
            raise RuntimeError("lost")
        return {"amount": Money.of("15.00", "USD")}

    one.acts = breaks_once
    assert isinstance(ask(one, OUT, "20.00"), InDoubt)
    one.clock.advance(timedelta(minutes=5))
    one.guard.recover()
    assert len(calls) == 2
    assert counted(one, "refunds/all-day") == (1500, 0)
    assert one.guard.audit.verify().ok


def test_in_an_event_loop_both_versions_count_too(open_here):
    one = opened(open_here, is_async=True)
    answers = [one.aask("45.00", who=who, order_id=f"o-{who}", key=f"a-{who}") for who in (OUT, IN)]
    assert all(isinstance(answer, Done) for answer in answers)
    assert [decided(one, answer)["bundle"] for answer in answers] == [FIRST, TRIAL]
    assert counted(one, "refunds/all-day") == (9000, 0)


def test_a_guard_that_only_observes_counts_for_both_versions_above_every_max(open_here):
    one = opened(open_here, observe=True)
    answers = [ask(one, who, "90.00") for who in (OUT, IN)]
    assert all(isinstance(answer, Done) for answer in answers)
    assert [answer.would_be for answer in answers] == [Verdict.ESCALATE, Verdict.DENY]
    assert counted(one, "refunds/all-day") == (18000, 0)
    assert one.guard.audit.verify().ok


def test_an_action_that_only_one_version_knows_is_unknown_to_the_others_customers(open_here):
    one = opened(open_here, share="", text=REFUNDS)
    only_refunds = REFUNDS.replace("version: 1", "version: 2").replace(
        "  identity.verify:\n    document: text, personal\n", ""
    )
    start, end = only_refunds.index("  - id: verify\n"), only_refunds.index("limits:")
    canary_of(one, only_refunds[:start] + only_refunds[end:]).begin("10%", salt=SALT, **ANN)
    asked = {"document": "passport"}
    inside, outside = (
        one.guard.run("identity.verify", asked, agent="bot", on_behalf_of=who, key=f"v-{who}") for who in (IN, OUT)
    )
    assert inside.reason_code == "action_unknown"
    assert isinstance(outside, Done)

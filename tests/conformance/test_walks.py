"""Every probe of several calls, through every door: replays, edits after approval, limits under threads, the halt."""

from collections import Counter

import pytest

from agentguard import AgentGuardError, Money, NotAllowedError
from tests.conformance.corpus import named, probes
from tests.conformance.doors import DOORS, Caller, Knock
from tests.conformance.world import World

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

PROBES = probes("walks")
ON_DISK = {"json", "openai-chat"}  # every door ends in the same store, and a disk that is asked to be sure is slow
ON_SERVER = {"functions", "functions-async"}
MANY = {
    "twenty of the same": [{"call": '"50.00"', "key": "same"}] * 20,
    "twenty different": [{"call": '"50.00"', "key": f"many-{number}"} for number in range(20)],
    "eleven of fifty": [{"call": '"50.00"', "key": f"few-{number}"} for number in range(11)],
}


@pytest.mark.parametrize("name", list(DOORS))
@pytest.mark.parametrize("probe", PROBES, ids=named)
def test_each_walk_ends_as_it_must(name, probe, tmp_path, request, monkeypatch):
    store = None
    if name in ON_SERVER:
        monkeypatch.setenv("AGENTGUARD_KEYS", str(tmp_path / "guard.keys"))
        store = request.getfixturevalue("spare_database").emptied()
    world = World(tmp_path, in_memory=name not in ON_DISK, store=store)
    door = DOORS[name](world.guard, world.functions)
    try:
        for step in probe["steps"]:
            take(world, door, step)
        assert_what_happened(world, probe)
    finally:
        door.close()
        world.guard.close()


def take(world, door, step):
    world.tool = step.get("tool", world.tool)
    if "later" in step:
        world.later(step["later"])
    if "halt" in step:
        world.guard.halt(step["halt"], by="lena", why="a drill")
    if "resume" in step:
        world.guard.resume(step["resume"], by="lena", why="the drill is over")
    if "vote" in step:
        vote(world, step)
    if "together" in step:
        turn = MANY.get(step["together"], step["together"]) if isinstance(step["together"], str) else step["together"]
        heard = door.call(caller(turn[0]), [knock(item) for item in turn])
        heard = [ask_again(door, item, answer) for item, answer in zip(turn, heard, strict=True)]
        assert Counter(item["status"] for item in heard) == step["answers"]
    if "call" in step:
        heard = door.call(caller(step), [knock(step)])[0]
        status, _, code = step["answer"].partition("/")
        assert heard["status"] == status, heard
        assert heard["executed"] is {"done": True, "already_done": True, "in_doubt": None}.get(status, False)
        assert not code or heard["reason_code"] == code


def ask_again(door, item, answer):
    for _ in range(20):
        if answer["status"] != "unavailable":
            break
        assert answer["retryable"]
        answer = door.call(caller(item), [knock(item)])[0]
    return answer


def caller(item):
    return Caller(
        agent=item.get("agent", "support-bot"),
        on_behalf_of=item.get("customer", "cus_1"),
        conversation=item.get("conversation", "c-1"),
    )


def knock(item):
    amount, order = item["call"], item.get("order", "A-17")
    text = f'{{"order_id": "{order}", "amount": {amount}, "reason": "late"}}'
    plain = amount.strip('"')
    values = {"order_id": order, "amount": float(plain) if plain == "NaN" else plain, "reason": "late"}
    return Knock("refund.issue", text, values, item["key"])


def vote(world, step):
    escalation = world.guard.escalations.list()
    try:
        decide = getattr(world.guard.escalations, step["vote"])
        world.last = escalation[0].id if escalation else world.last
        decide(world.last, by=step["by"], authenticated="os_login", reason_code="checked")
    except AgentGuardError:
        assert step.get("refused") or step.get("may_fail")
    else:
        assert not step.get("refused"), f"the vote of {step['by']} was taken"


def assert_what_happened(world, probe):
    happened = [what for _, what, _ in world.paid]
    if "effects" in probe:
        assert len(happened) == probe["effects"]
    else:
        assert happened == probe.get("paid", [])
    mine = sum((amount for who, _, amount in world.paid if who == "cus_1"), Money(0, "USD"))
    assert mine.minor <= 60_000 or not probe.get("within_limit", True)
    if "spent_at_most" in probe:
        assert mine <= Money.parse(probe["spent_at_most"])
    if "spent" in probe:
        considered = world.guard.decide(
            "refund.issue",
            {"order_id": "A-17", "amount": "0.01", "reason": "late"},
            agent="auditor",
            on_behalf_of="cus_1",
            context={"conversation": "audit"},
        )
        assert considered.decision.limits[0].used == Money.parse(probe["spent"]).minor


@pytest.mark.parametrize("given", [("A-17", "9000.00", "late"), ("A-17", "-40.00", "late"), ("A-17",), ("A-17", True)])
def test_what_is_given_by_position_meets_the_same_policy_as_what_is_named(tmp_path, given):
    world = World(tmp_path, in_memory=True)
    acting = {"agent": "support-bot", "on_behalf_of": "cus_1", "context": {"conversation": "c-1"}, "key": "k1"}
    with world.guard.acting(**acting), pytest.raises(NotAllowedError):
        world.functions["refund.issue"](*given)
    assert world.paid == []
    world.guard.close()


def test_a_guarded_function_outside_its_block_does_nothing(tmp_path):
    world = World(tmp_path, in_memory=True)
    with pytest.raises(AgentGuardError, match="acting"):
        world.functions["refund.issue"](order_id="A-17", amount="40.00", reason="late")
    assert world.paid == []
    world.guard.close()


def test_a_vote_is_bound_to_what_was_shown_and_another_escalation_needs_its_own(tmp_path):
    world = World(tmp_path, in_memory=True)
    who = {"agent": "support-bot", "on_behalf_of": "cus_1", "context": {"conversation": "c-1"}}
    asked = [{"order_id": "A-17", "amount": amount, "reason": "late"} for amount in ("100.00", "400.00")]
    first, second = (world.guard.run("refund.issue", item, key=item["amount"], **who) for item in asked)
    world.guard.escalations.approve(
        first.escalation.id, by="lena", authenticated="os_login", reason_code="within_policy"
    )
    assert world.guard.execute(second.decision_id).status == "waiting"
    assert world.guard.execute(first.decision_id).for_model()["status"] == "done"
    assert [what for _, what, _ in world.paid] == ["A-17 100.00 USD"]
    world.guard.close()

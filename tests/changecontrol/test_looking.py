"""What is looked at before a change is made: its cases, its promises, and the past, as long as that takes no time."""

import pytest

from agentguard import Money
from agentguard.engine import changes
from agentguard.policyfile import load_cases
from tests.changecontrol.given import BROKEN, CASES, LOOSER, entries, make
from tests.engine.given import bundle


@pytest.fixture
def cases(tmp_path):
    file = tmp_path / "refunds_test.yaml"
    file.write_text(CASES)
    return [load_cases(file)]


def ask(guard, amount):
    if "refund.issue" not in guard.tools:

        @guard.action("refund.issue")
        def issue(order_id: str, amount: Money) -> str:
            """Refund."""
            return "re_1"

    return guard.run("refund.issue", {"order_id": "A", "amount": amount}, agent="bot", on_behalf_of="cus_1", key=amount)


def test_cases_promises_and_the_past_are_tried_and_go_into_the_record(shop, cases):
    ask(shop, "55.00")
    meant = bundle(LOOSER)
    shown = shop.changes.look(meant, cases, {"refunds_test.yaml": "0" * 64})
    make(shop, "maria", LOOSER, shown=shown)
    said = entries(shop, "activate_asked")[-1]["change"]
    assert said["tests"] == {"cases": 1, "failed": 0, "named": [], "files": {"refunds_test.yaml": "0" * 64}}
    assert said["proofs"] == {"promises": 1, "broken": [], "open": []}
    assert said["simulation"] == {
        "requests": 1, "changed": 1, "uncertain": 0,
        "sentence": "would have allowed 1 more request worth 55.00 USD without a person",
    }  # fmt: skip
    assert (said["untried"], said["despite"]) == ({}, None)


def test_what_fails_and_what_is_broken_is_named(shop, cases):
    shown = shop.changes.look(bundle(BROKEN.replace("id: small", "id: tiny")), cases, simulate=False)
    assert shown.failures == ("case `fifty` fails", "promise `refunds/never-large` is broken")


def test_the_past_is_not_waited_for(shop, monkeypatch):
    ask(shop, "55.00")
    times = iter([0.0, 61.0])
    monkeypatch.setattr(changes.machine, "monotonic", lambda: next(times, 61.0))
    shown = shop.changes.look(bundle(LOOSER))
    assert (shown.simulation, shown.untried["simulation"]) == (None, "more than 60 seconds")


def test_without_the_solver_the_rest_is_tried_and_it_is_said(shop, cases, monkeypatch):
    for place in ("diffing", "trying"):
        monkeypatch.setattr(f"agentguard.analysis.{place}.has_solver", lambda: False)
    shown = shop.changes.look(bundle(LOOSER), cases)
    assert (shown.direction, shown.proofs, shown.untried["proofs"]) == ("unknown", None, "no solver")
    assert shown.tests.cases == 1
    assert shown.people == 2


def test_very_long_differences_are_cut_for_the_record(shop):
    rules = "".join(f"  - {{id: rule-{number}, then: deny, when: amount == {number}}}\n" for number in range(1, 130))
    text = LOOSER.replace("limits:\n", f"{rules}limits:\n")
    make(shop, "maria", text)
    said = entries(shop, "activate_asked")[-1]["change"]
    assert len(said["said"]) == 100
    assert said["said_more"] > 0
    assert max(map(len, said["said"])) <= 500


def test_a_look_writes_nothing(shop, cases):
    before = shop.store.read(lambda reading: reading.position())
    shop.changes.look(bundle(LOOSER), cases)
    assert shop.store.read(lambda reading: reading.position()) == before

"""Every single call of the corpus, through every door: the one acceptable answer, and the one acceptable effect."""

import json
from decimal import Decimal

import pytest

from agentguard import Money
from tests.conformance.corpus import named, probes
from tests.conformance.doors import DOORS, Caller, Knock
from tests.conformance.world import LyingInteger, LyingText, Small, World

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

PROBES = probes("arguments")
NUMBER = {probe["name"]: number for number, probe in enumerate(PROBES)}
VISIT = {
    "day": '"2026-12-24"',
    "seats": "2",
    "share": '"0.5"',
    "quiet": "true",
    "tags": '["window"]',
    "starts_at": '"2026-12-24T18:00:00+01:00"',
    "lasts": '"30 minutes"',
}


def refund(amount):
    return f'{{"order_id": "A-17", "amount": {amount}, "reason": "late"}}'


def visit(**changes):
    return "{" + ", ".join(f'"{name}": {value}' for name, value in (VISIT | changes).items()) + "}"


NAMES = {
    "Decimal": Decimal,
    "Money": Money,
    "Small": Small,
    "LyingInteger": LyingInteger,
    "LyingText": LyingText,
    "refund": refund,
    "visit": visit,
}


def raw_text(probe):
    if "text" in probe:
        return eval(probe["text"], dict(NAMES))
    if "visit" in probe:
        return visit(**probe["visit"])
    if "json" in probe:
        return probe["json"]
    if "tool" in probe:
        return refund('"40.00"')
    return refund(probe["amount"]) if "amount" in probe else None


def python_values(probe, text):
    if "python" in probe:
        return {"order_id": "A-17", "amount": eval(probe["python"], dict(NAMES)), "reason": "late"}
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def cases():
    """Yield each probe with each door that can carry it."""
    for name, door in DOORS.items():
        for probe in PROBES:
            text = raw_text(probe)
            if door.takes_text:
                if text is not None:
                    yield pytest.param(name, probe, text, None, id=f"{name}-{named(probe)}")
                continue
            values = python_values(probe, text)
            expected = probe | probe.get("functions", {})
            if values is not None and "skip" not in expected:
                yield pytest.param(name, expected, "", values, id=f"{name}-{named(probe)}")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    doors = {}
    for name, kind in DOORS.items():
        world = World(tmp_path_factory.mktemp(name), in_memory=True)
        doors[name] = (world, kind(world.guard, world.functions))
    yield doors
    for world, door in doors.values():
        door.close()
        world.guard.close()


@pytest.mark.parametrize("name, probe, text, values", list(cases()))
def test_each_call_gets_its_answer_and_has_its_effect(opened, name, probe, text, values):
    world, door = opened[name]
    customer = f"cus_{NUMBER[probe['name']]}"
    action = probe.get("tool", "visit.book" if "visit" in probe else "refund.issue")
    heard = door.call(Caller(on_behalf_of=customer, conversation=customer), [Knock(action, text, values, "key-1")])[0]

    paid = probe.get("paid")
    assert world.paid_for(customer) == ([paid] if paid else [])
    status, _, code = probe["answer"].partition("/")
    if heard["status"] == "host_error":
        assert status == "denied"  # a Python caller's own mistake is an error of its own
        return
    assert heard["status"] == status
    assert heard["executed"] is (status == "done")
    assert not code or heard["reason_code"] == code


def test_the_corpus_is_large_and_each_probe_has_its_own_name():
    assert len(PROBES) >= 80
    assert len({probe["name"] for probe in PROBES}) == len(PROBES)

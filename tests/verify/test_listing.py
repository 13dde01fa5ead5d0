"""Entries are found by what stands inside them: the rule, the limit that was full, the person, the policy's version."""

import pytest

from agentguard.errors import UsageError
from tests.engine.given import shop as open_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A refund that was small, one that a person approved, and one that is more than the order and the month allow."""
    made = open_shop(f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}")
    made.ask("40.00", key="k-1")
    waiting = made.ask("60.00", key="k-2", order_id="A-2").escalation.id
    made.guard.escalations.approve(waiting, by="maria", note="she has waited long", reason_code="within_policy")
    made.ask("60.00", key="k-2", order_id="A-2")
    made.ask("400.00", key="k-3", order_id="A-3")
    yield made
    made.guard.close()


@pytest.mark.parametrize(
    "wanted,kinds",
    [
        ({"rule": "refunds/small"}, ["decided"]),
        ({"rule": "medium"}, ["decided", "decided", "decided"]),
        ({"rule": "refunds/more-than-left"}, ["decided"]),
        ({"rule": "other/small"}, []),
        ({"full": "refunds/customer-30-days"}, ["decided"]),
        ({"full": "order-refunds"}, ["decided"]),
        ({"by": "maria"}, ["voted", "decided"]),
        ({"by": "tom"}, []),
        ({"policy": "refunds"}, ["activated", *["decided"] * 4]),
        ({"policy": "refunds@1", "verdict": "deny"}, ["decided"]),
        ({"policy": "refunds@2"}, []),
        ({"by": "maria", "kind": "voted"}, ["voted"]),
    ],
)
def test_entries_are_found_by_what_stands_inside_them(shop, wanted, kinds):
    assert [entry.kind for entry in shop.guard.audit.list(**wanted)] == kinds


def test_pages_of_what_is_found_join_without_a_gap(shop):
    whole = [entry.pos for entry in shop.guard.audit.list(rule="medium")]
    first = [entry.pos for entry in shop.guard.audit.list(rule="medium", limit=2)]
    rest = [entry.pos for entry in shop.guard.audit.list(rule="medium", after=first[-1])]
    assert first + rest == whole


@pytest.mark.parametrize(
    "wanted,said",
    [
        ({"kind": "votd"}, "expected one of decided, .*voted.* as a kind of entry, got `votd`, which none is"),
        ({"verdict": "denied"}, "expected a verdict of abstain, allow, escalate, deny, got `denied`"),
        ({"policy": "refunds@new"}, "expected a policy like `refunds` or `refunds@14`, got `refunds@new`"),
    ],
)
def test_what_does_not_exist_is_an_error_and_no_empty_list(shop, wanted, said):
    with pytest.raises(UsageError, match=said):
        shop.guard.audit.list(**wanted)


def test_a_kind_of_which_there_is_none_yet_is_an_empty_list(shop):
    assert shop.guard.audit.list(kind="expired") == ()

"""A policy may speak of people otherwise than of agents: `agent.kind` says who acts."""

import pytest

from agentguard import Actor, Denied, Done
from agentguard.errors import PolicyError
from agentguard.policyfile import load_text
from tests.engine.given import REFUNDS, shop

BY_KIND = REFUNDS.replace("when: amount <= 50\n", 'when: amount <= 50 or agent.kind == "person"\n').replace(
    "when: order.customer_id != on_behalf_of\n", 'when: order.customer_id != on_behalf_of and agent.kind != "person"\n'
)


def test_a_rule_may_hold_for_people_alone_and_the_record_says_who_acted():
    made = shop("sqlite://", text=BY_KIND)
    assert isinstance(made.ask(who="c-2"), Denied)
    answer = made.ask(who="c-2", key="k-2", agent=Actor("maria", kind="person"))
    assert isinstance(answer, Done)
    decided = made.guard.audit.of(answer.decision_id)[0]
    assert decided.document["actor"]["kind"] == "person"
    assert made.guard.audit.recompute(decided.pos).same
    made.guard.close()


def test_a_policy_that_does_not_speak_of_people_treats_them_as_it_treats_agents():
    made = shop("sqlite://")
    assert isinstance(made.ask(who="c-2", agent=Actor("maria", kind="person")), Denied)
    made.guard.close()


def test_a_kind_that_there_is_not_is_an_error_in_the_file():
    with pytest.raises(PolicyError, match="person"):
        load_text(BY_KIND.replace('== "person"', '== "people"'), "refunds.yaml")

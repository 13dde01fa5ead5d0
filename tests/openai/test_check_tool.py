"""A model looks up what became of an earlier request: both interfaces, this customer's alone, and nothing is stored."""

import asyncio
import json

import jsonschema
import pytest

from agentguard import ConfigurationError, Guard
from agentguard.adapters.openai import OpenAITools
from agentguard.testing.script import call, calls, say
from tests.engine.given import shop as shop_of
from tests.openai.test_tools import ASKED, chat_call, heard

REFUND = {"order_id": "A-1", "amount": "60.00", "reason": "late"}


@pytest.fixture
def shop(tmp_path):
    made = shop_of(f"sqlite:///{tmp_path}/shop.db")
    yield made
    made.guard.close()


def tools_of(shop, who="c-1", **more):
    return OpenAITools(shop.guard, agent="bot", on_behalf_of=who, context={"conversation": "talk-1"}, **more)


def check_call(interface, decision_id):
    if interface == "chat":
        return chat_call("check_action", {"decision_id": decision_id}, id="call_9")
    return {
        "type": "function_call",
        "call_id": "call_9",
        "name": "check_action",
        "arguments": json.dumps({"decision_id": decision_id}),
    }


@pytest.mark.parametrize("interface", ["chat", "responses"])
def test_a_model_hears_what_became_of_what_waited(shop, interface):
    tools = tools_of(shop)
    asked = heard(tools.handle(chat_call("refund_issue", REFUND)))
    assert asked["status"] == "waiting"
    size = shop.guard.store.read(lambda reading: reading.position())
    waiting = tools.handle(check_call(interface, asked["decision_id"]))
    assert waiting.get("tool_call_id", waiting.get("call_id")) == "call_9"
    assert heard(waiting) == asked
    assert shop.guard.store.read(lambda reading: reading.position()) == size
    escalation = shop.guard.escalations.list()[0].id
    shop.guard.escalations.approve(escalation, by="maria", reason_code="goodwill")
    approved = heard(tools.handle(check_call(interface, asked["decision_id"])))
    assert (approved["status"], approved["executed"]) == ("waiting", False)
    assert "approved it" in approved["next_step"]
    shop.guard.work()
    done = heard(tools.handle(check_call(interface, asked["decision_id"])))
    assert (done["status"], done["executed"], done["result"]) == ("already_done", True, {"refund": "r-1"})


def test_it_is_offered_with_a_strict_schema_where_people_may_have_to_decide(shop):
    tools = tools_of(shop)
    offered = tools.chat_tools[-1]["function"]
    assert (offered["name"], offered["strict"]) == ("check_action", True)
    assert tools.response_tools[-1] == {"type": "function", **offered}
    schema = offered["parameters"]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert (schema["additionalProperties"], schema["required"]) == (False, list(schema["properties"]))


def test_where_nobody_ever_decides_there_is_nothing_to_look_up(tmp_path):
    text = """
agentguard: 1
policy: orders
version: 1
actions: {order.show: {order_id: text}}
rules: [{id: all, then: allow}]
"""
    (tmp_path / "orders.yaml").write_text(text)
    guard = Guard(tmp_path / "orders.yaml", store="sqlite://", activate=True)
    guard.action("order.show")(lambda order_id: order_id)
    tools = OpenAITools(guard, agent="bot", on_behalf_of="c-1", context={"conversation": "c"})
    assert [tool["name"] for tool in tools.response_tools] == ["order_show"]
    assert heard(tools.handle(check_call("chat", "act_1")))["reason_code"] == "action_unknown"
    guard.close()


def test_another_customers_request_is_as_if_there_were_none(shop):
    mine = heard(tools_of(shop).handle(chat_call("refund_issue", REFUND)))["decision_id"]
    other = heard(tools_of(shop, "c-2").handle(check_call("chat", mine)))
    none = heard(tools_of(shop, "c-2").handle(check_call("chat", "act_0")))
    assert other == none
    assert (other["status"], other["reason_code"], other["executed"]) == ("denied", "not_found", False)
    assert heard(tools_of(shop, tenant="other").handle(check_call("chat", mine))) == none


@pytest.mark.parametrize(
    "arguments", ["", "[]", "{}", '{"decision_id": 7}', '{"decision_id": "a", "x": 1}', "[" * 99_999]
)
def test_arguments_that_are_none_are_told_to_the_model(shop, arguments):
    answer = heard(tools_of(shop).handle(chat_call("check_action", arguments)))
    assert (answer["status"], answer["reason_code"], answer["retryable"]) == ("denied", "arguments_invalid", True)
    assert "decision_id" in answer["problems"][0]


def test_in_an_event_loop_it_is_the_same(shop):
    tools = tools_of(shop)
    asked = heard(tools.handle(chat_call("refund_issue", REFUND)))
    message = asyncio.run(tools.ahandle(check_call("responses", asked["decision_id"])))
    assert heard(message) == asked


def test_a_model_uses_it_in_a_run_and_the_server_accepts_it(shop, model, client):
    tools = tools_of(shop)
    asked = heard(tools.handle(chat_call("refund_issue", REFUND)))
    turn = calls(call("check_action", {"decision_id": asked["decision_id"]}))
    model.scripts["m"] = [turn, say("A colleague looks at it."), turn, say("A colleague looks at it.")]
    for run in (tools.run(client, "m", ASKED), tools.run_responses(client, "m", "please")):
        assert run.finished
        assert [answer.status for answer in run.answers] == ["waiting"]


def test_an_action_cannot_take_its_name(tmp_path):
    (tmp_path / "p.yaml").write_text(
        "agentguard: 1\npolicy: p\nversion: 1\nactions: {check.action: {a: text}}\nrules: []\n"
    )
    guard = Guard(tmp_path / "p.yaml", store="sqlite://", activate=True)
    guard.action("check.action")(lambda a: a)
    with pytest.raises(ConfigurationError, match="check_action"):
        OpenAITools(guard, agent="bot", on_behalf_of="c-1", context={"conversation": "c"})
    guard.close()

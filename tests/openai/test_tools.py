"""The guard's actions as OpenAI tools: what the model is offered, and what it hears to each call."""

import asyncio
import json
import subprocess
import sys
from types import SimpleNamespace

import openai
import pytest

from agentguard import Actor, ConfigurationError, Done, UsageError
from agentguard.adapters.openai import OpenAITools
from agentguard.testing.model_server import API_KEY
from agentguard.testing.script import ToolCall, Turn, call, calls, say, tell

KEYS = {"status", "executed", "retryable", "decision_id", "reason_code", "say_to_customer", "next_step"}
SMALL = {"order_id": "A-1", "amount": "40.00", "reason": "late"}
SENT = "2026-11-20T00:00:00+00:00"
ASKED = [{"role": "user", "content": "please"}]


@pytest.fixture
def tools(shop):
    return OpenAITools(shop.guard, agent="bot", on_behalf_of="cus_1", context={"conversation": "c-1"})


def chat_call(name, arguments, id="call_1", kind="function"):
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    inner = {"name": name, "arguments": text} if kind == "function" else {"name": name, "input": text}
    return {"id": id, "type": kind, kind: inner}


def heard(message):
    return json.loads(message.get("content") or message["output"])


def entries(shop, kind=None):
    return [entry.document for entry in shop.guard.audit.list(kind=kind)]


def test_each_action_with_a_tool_is_offered_with_its_description_and_a_strict_schema(tools):
    offered = {tool["function"]["name"]: tool["function"] for tool in tools.chat_tools}
    assert list(offered) == ["order_place", "order_show", "refund_issue"]
    assert offered["refund_issue"]["description"] == "Refund part or all of an order."
    assert all(function["strict"] for function in offered.values())
    assert offered["refund_issue"]["parameters"]["properties"]["reason"]["enum"] == ["damaged", "late"]
    assert [{"type": "function", **tool["function"]} for tool in tools.chat_tools] == tools.response_tools


def test_computed_arguments_are_not_offered_and_defaults_may_be_null(tools, client, model):
    schema = next(tool for tool in tools.response_tools if tool["name"] == "order_place")["parameters"]
    assert list(schema["properties"]) == ["lines", "note", "gift"]
    assert schema["properties"]["note"]["type"] == ["string", "null"]
    model.scripts["m"] = [say("hello")]
    client.chat.completions.create(model="m", messages=ASKED, tools=tools.chat_tools)  # the server checks strictness
    client.responses.create(model="m", input="please", tools=tools.response_tools)


def test_null_for_what_has_a_default_is_the_default_and_computed_arguments_are_filled_in(tools, shop):
    given = {"lines": [{"sku": "x", "count": 2}], "note": None, "gift": False}
    assert heard(tools.handle(chat_call("order_place", given)))["status"] == "done"
    assert shop.did == [(({"sku": "x", "count": 2},), False, "80.00 USD", "no note")]


@pytest.mark.parametrize(
    "call_of",
    [
        lambda name, text: {"id": "call_1", "type": "function", "function": {"name": name, "arguments": text}},
        lambda name, text: SimpleNamespace(
            id="call_1", type="function", function=SimpleNamespace(name=name, arguments=text)
        ),
        lambda name, text: {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": name,
            "arguments": text,
        },
    ],
)
def test_a_call_of_either_interface_is_answered_in_its_own_form(tools, shop, call_of):
    message = tools.handle(call_of("refund_issue", json.dumps(SMALL)))
    assert "call_1" in (message.get("tool_call_id"), message.get("call_id"))
    answer = heard(message)
    assert set(answer) == KEYS | {"result"}
    assert answer["status"] == "done"
    assert answer["executed"] is True
    assert answer["result"] == {"refund": "re_1", "amount": "40.00 USD"}
    assert [entry["key"] for entry in entries(shop, "decided")] == ["call_1"]


def test_what_a_read_returns_is_what_the_model_reads(tools):
    answer = heard(tools.handle(chat_call("order_show", {"order_id": "A-1"})))
    assert answer["result"] == {"order_id": "A-1", "total": "120.00 USD", "carrier": "post", "sent": SENT}


@pytest.mark.parametrize(
    "arguments, status, executed",
    [
        ({**SMALL, "amount": "50.01"}, "denied", False),
        ({**SMALL, "order_id": "A-refused"}, "not_done", False),
        ({**SMALL, "order_id": "A-broken"}, "in_doubt", None),
    ],
)
def test_the_model_hears_the_same_keys_whatever_happened_and_never_a_threshold(tools, arguments, status, executed):
    message = tools.handle(chat_call("refund_issue", arguments))
    assert set(heard(message)) == KEYS
    assert (heard(message)["status"], heard(message)["executed"]) == (status, executed)
    assert "50" not in message["content"].replace(heard(message)["decision_id"], "")


def test_a_rule_that_says_so_discloses_its_reason(tools):
    answer = heard(tools.handle(chat_call("refund_issue", {**SMALL, "amount": "31", "reason": "damaged"})))
    assert answer["reason"] == "Damage is refunded up to 30 USD."


def test_half_characters_in_a_result_are_replaced_so_that_it_can_be_sent(tools, shop):
    shop.carrier = "post \ud800"
    message = tools.handle(chat_call("order_show", {"order_id": "A-1"}))
    assert message["content"].encode()
    assert heard(message)["result"]["carrier"] == "post ?"


def test_the_same_call_again_is_already_done_and_has_its_first_result(tools, shop):
    first = heard(tools.handle(chat_call("refund_issue", SMALL)))
    again = heard(tools.handle(chat_call("refund_issue", SMALL)))
    assert (again["status"], again["decision_id"]) == ("already_done", first["decision_id"])
    assert again["result"] == first["result"]
    assert len(shop.did) == 1


def test_plain_text_for_messages_is_an_error(tools):
    with pytest.raises(UsageError, match="got str; put it in one"):
        tools.run(openai.OpenAI(api_key=API_KEY), "scripted", "hello")


def test_the_same_id_with_another_request_is_refused(tools, shop):
    tools.handle(chat_call("refund_issue", SMALL))
    answer = heard(tools.handle(chat_call("refund_issue", {**SMALL, "amount": "41.00"})))
    assert (answer["status"], answer["executed"], answer["reason_code"]) == ("denied", False, "key_conflict")
    assert len(shop.did) == 1


@pytest.mark.parametrize(
    "asked",
    [
        chat_call("refund_everything", SMALL),
        chat_call("refund.issue", SMALL),
        chat_call("Refund_issue", SMALL),
        chat_call("", SMALL),
        chat_call("refund_issue\n", SMALL),
        chat_call("x" * 5_000, SMALL),
        chat_call("\u202eeussi_dnufer", SMALL),
        chat_call("refund_issue", SMALL, kind="custom"),
        {"type": "custom_tool_call", "call_id": "call_1", "name": "refund_issue", "input": json.dumps(SMALL)},
        {
            "type": "function_call",
            "call_id": "call_1",
            "namespace": "refund",
            "name": "issue",
            "arguments": json.dumps(SMALL),
        },
    ],
)
def test_a_tool_that_was_not_offered_is_refused_and_recorded(tools, shop, asked):
    answer = heard(tools.handle(asked))
    assert (answer["status"], answer["reason_code"]) == ("denied", "action_unknown")
    assert shop.did == []
    assert entries(shop)[-1]["action"].startswith("not_offered/")


def test_only_what_is_offered_can_be_called(shop):
    tools = OpenAITools(
        shop.guard, agent="bot", on_behalf_of="cus_1", context={"conversation": "c-1"}, actions=["order.show"]
    )
    assert [tool["name"] for tool in tools.response_tools] == ["order_show"]
    assert heard(tools.handle(chat_call("refund_issue", SMALL)))["reason_code"] == "action_unknown"
    assert shop.did == []


def test_an_action_without_a_tool_cannot_be_offered(shop):
    with pytest.raises(ConfigurationError, match=r"refund\.undo"):
        OpenAITools(shop.guard, agent="bot", on_behalf_of="c", context={}, actions=["refund.undo"])


def test_one_action_as_text_is_not_taken_for_a_list_of_letters(shop):
    with pytest.raises(ConfigurationError, match=r'like `\["refund.issue"\]`'):
        OpenAITools(shop.guard, agent="bot", on_behalf_of="cus_1", context={}, actions="refund.issue")


def test_two_actions_of_one_function_name_cannot_be_offered(tmp_path):
    from agentguard import Guard

    (tmp_path / "p.yaml").write_text(
        "agentguard: 1\npolicy: p\nversion: 1\nowner: o@example.com\ndescription: d.\ntimezone: UTC\n"
        "actions: {a_b.c: {x: text}, a.b_c: {x: text}}\nrules:\n  - {id: r, then: allow}\n"
    )
    guard = Guard(tmp_path, store="sqlite://", activate=True)
    for action in ("a_b.c", "a.b_c"):
        guard.action(action)(lambda x: None)
    with pytest.raises(ConfigurationError, match="a_b_c"):
        OpenAITools(guard, agent="bot", on_behalf_of="c", context={})
    guard.close()


def test_a_call_that_was_cut_off_is_not_run_even_if_it_reads_well(tools, shop):
    asked = {"type": "function_call", "call_id": "call_1", "name": "refund_issue", "arguments": json.dumps(SMALL)}
    answer = heard(tools.handle({**asked, "status": "incomplete"}))
    assert answer["reason_code"] == "arguments_invalid"
    assert shop.did == []


@pytest.mark.parametrize("id", ["x" * 201, "a\nb", "\ud800", "é\u200b" * 150])
def test_an_id_that_is_no_key_still_names_one_call(tools, shop, id):
    assert heard(tools.handle(chat_call("refund_issue", SMALL, id=id)))["status"] == "done"
    assert heard(tools.handle(chat_call("refund_issue", SMALL, id=id)))["status"] == "already_done"
    assert len(shop.did) == 1


def test_without_an_id_the_request_itself_is_the_key(tools, shop):
    assert heard(tools.handle(chat_call("refund_issue", SMALL, id="")))["status"] == "done"
    assert heard(tools.handle(chat_call("refund_issue", SMALL, id="")))["status"] == "already_done"
    assert heard(tools.handle(chat_call("refund_issue", {**SMALL, "amount": "1"}, id="")))["status"] == "done"


@pytest.mark.parametrize("what", [{"type": "web_search_call"}, {}, None, 3])
def test_what_is_no_call_of_the_applications_is_a_usage_error(tools, what):
    with pytest.raises(UsageError, match="expected a tool call"):
        tools.handle(what)


def test_a_turn_with_no_calls_has_no_answers(tools):
    assert tools.handle_all({"role": "assistant", "content": "hello"}) == []
    assert tools.handle_all([{"type": "web_search_call"}, {"type": "message"}]) == []
    with pytest.raises(UsageError, match="expected a chat completion"):
        tools.handle_all({"role": "user", "content": "hello"})


def test_the_calls_of_a_turn_run_at_the_same_time_and_are_answered_in_their_order(tools, shop):
    shop.together(2)
    turn = [chat_call("refund_issue", {**SMALL, "order_id": f"A-{n}"}, id=f"call_{n}") for n in (1, 2)]
    messages = tools.handle_all(turn)
    assert [message["tool_call_id"] for message in messages] == ["call_1", "call_2"]
    assert [heard(message)["status"] for message in messages] == ["done", "done"]


def test_a_limit_holds_over_the_calls_of_one_turn(tools, shop):
    turn = [chat_call("refund_issue", {**SMALL, "order_id": f"A-{n}"}, id=f"call_{n}") for n in range(6)]
    statuses = [heard(message)["status"] for message in tools.handle_all(turn)]
    assert sorted(statuses).count("done") == len(shop.did) == 2


@pytest.mark.parametrize("asynchronous", [False, True])
def test_no_call_of_a_turn_is_lost_because_its_siblings_move_the_same_account(tools, shop, asynchronous):
    shop.lookups_take = 0.02
    small = {**SMALL, "amount": "5.00"}
    turn = [chat_call("refund_issue", {**small, "order_id": f"A-{n}"}, id=f"call_{n}") for n in range(16)]
    messages = asyncio.run(tools.ahandle_all(turn)) if asynchronous else tools.handle_all(turn)
    assert [heard(message)["status"] for message in messages] == ["done"] * 16
    assert len(shop.did) == 16


def test_a_host_error_in_one_call_is_raised_when_the_others_have_ended(shop):
    tools = OpenAITools(shop.guard, agent="bot", on_behalf_of="cus_1", context={})
    turn = [chat_call("refund_issue", SMALL, id=""), chat_call("refund_issue", SMALL, id="call_2")]
    with pytest.raises(UsageError, match="key"):
        tools.handle_all(turn)
    with pytest.raises(UsageError, match="key"):
        asyncio.run(tools.ahandle_all(turn))
    assert len(shop.did) == 1


def test_a_run_ends_with_words_and_keeps_the_conversation_and_the_answers(tools, client, model, shop):
    model.scripts["m"] = [calls(call("refund_issue", SMALL), call("order_show", {"order_id": "A-1"})), say("Done.")]
    run = tools.run(client, "m", ASKED, temperature=0)
    assert (run.text, run.finished) == ("Done.", True)
    assert [message["role"] for message in run.messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert [type(answer) for answer in run.answers] == [Done, Done]
    assert model.requests[0]["temperature"] == 0
    assert ASKED == [{"role": "user", "content": "please"}]


def test_a_run_by_responses_ends_with_words_and_can_be_continued(tools, client, model):
    model.scripts["m"] = [calls(call("refund_issue", SMALL)), say("Done."), say("You are welcome.")]
    run = tools.run_responses(client, "m", "please", store=False)
    assert (run.text, run.finished) == ("Done.", True)
    further = tools.run_responses(client, "m", [*run.messages, {"role": "user", "content": "thanks"}])
    assert further.text == "You are welcome."


def test_a_conversation_may_hold_what_the_client_answered(tools, client, model):
    model.scripts["m"] = [say("Hello."), say("Bye.")]
    message = client.chat.completions.create(model="m", messages=ASKED).choices[0].message
    run = tools.run(client, "m", [*ASKED, message, {"role": "user", "content": "thanks"}])
    assert (run.text, run.messages[1]) == ("Bye.", {"role": "assistant", "content": "Hello."})
    items = client.responses.create(model="m", input=ASKED, store=False).output
    assert tools.run_responses(client, "m", [*ASKED, *items, {"role": "user", "content": "thanks"}]).text == "Bye."


@pytest.mark.parametrize(
    "given, fix",
    [
        ({"stream": True}, "handle_all"),
        ({"background": True}, "handle_all"),
        ({"conversation": "conv_1"}, "a second time"),
        ({"tools": [{"type": "function", "function": {"name": "search"}}]}, "register what else"),
        ({"messages": {"role": "user", "content": "please"}}, "expected messages like"),
        ({"messages": None}, "expected messages like"),
        ({"messages": [7]}, "got int"),
    ],
)
def test_a_run_says_what_it_cannot_do_before_it_asks_the_model(tools, client, model, given, fix):
    with pytest.raises(UsageError, match=fix):
        tools.run(client, "m", **{"messages": ASKED, **given})
    with pytest.raises(UsageError, match=fix):
        tools.run_responses(client, "m", **{"input": given.pop("messages", ASKED), **given})
    assert model.requests == []


def test_a_client_of_the_other_kind_is_a_usage_error(tools, client, model):
    model.scripts["m"] = [say("Hello.")]
    waiting = openai.AsyncOpenAI(base_url=model.base_url, api_key=API_KEY)
    with pytest.raises(UsageError, match="use `arun`"):
        tools.run(waiting, "m", ASKED)
    with pytest.raises(UsageError, match="use `run`"):
        asyncio.run(tools.arun(client, "m", ASKED))


@pytest.mark.parametrize("interface", ["arun", "arun_responses"])
def test_an_asynchronous_run_is_the_same(tools, model, shop, interface):
    shop.together(2)
    turn = calls(call("refund_issue", SMALL), call("refund_issue", {**SMALL, "order_id": "A-2"}))
    model.scripts["m"] = [turn, tell("Both done.")]

    async def talk():
        async with openai.AsyncOpenAI(base_url=model.base_url, api_key=API_KEY, max_retries=0) as client:
            return await getattr(tools, interface)(client, "m", ASKED)

    run = asyncio.run(talk())
    assert (run.text, len(shop.did)) == ("Both done.", 2)


@pytest.mark.parametrize("interface", ["run", "run_responses"])
def test_a_model_that_never_stops_calling_is_stopped_with_every_call_answered(tools, client, model, interface):
    model.scripts["m"] = [calls(call("order_show", {"order_id": "A-1"}))] * 5
    run = getattr(tools, interface)(client, "m", ASKED, max_turns=3)
    assert (run.text, run.finished, len(run.answers)) == ("", False, 3)
    model.scripts["m"] = [*model.scripts["m"], say("enough")]
    assert "output" in run.messages[-1] or run.messages[-1]["role"] == "tool"


def test_a_turn_that_ran_into_the_length_limit_does_nothing(tools, client, model, shop):
    cut = Turn(calls=(ToolCall("refund_issue", json.dumps(SMALL)[:-10]),), cut=True)
    model.scripts["m"] = [cut, say("I could not.")]
    run = tools.run(client, "m", ASKED)
    assert run.answers[0].reason_code == "arguments_invalid"
    assert shop.did == []


def test_a_streamed_turn_is_handled_once_it_is_whole(tools, client, model, shop):
    model.scripts["m"] = [calls(call("refund_issue", SMALL))]
    with client.chat.completions.stream(model="m", messages=ASKED, tools=tools.chat_tools) as stream:
        messages = tools.handle_all(stream.get_final_completion())
    assert heard(messages[0])["status"] == "done"
    with client.responses.stream(model="m", input="please", tools=tools.response_tools) as stream:
        again = tools.handle_all(stream.get_final_response())
    assert heard(again[0])["status"] == "already_done"
    assert len(shop.did) == 1


def test_the_record_says_which_model_with_which_words_and_tools_acted(tools, client, model, shop):
    model.scripts["m"] = [calls(call("order_show", {"order_id": "A-1"})), say("Done.")]
    tools.run(client, "m", [{"role": "system", "content": "Be kind."}, *ASKED])
    actor = entries(shop, "decided")[-1]["actor"]
    assert actor["model"] == "m"
    assert len(actor["prompt_digest"]) == len(actor["tools_digest"]) == 64
    named = OpenAITools(
        shop.guard, agent=Actor("bot", model="own-name"), on_behalf_of="cus_1", context={"conversation": "c-2"}
    )
    named.run(client, "m", ASKED)
    assert entries(shop, "decided")[-1]["actor"]["model"] == "own-name"


def test_a_person_who_stops_the_agent_stops_its_tools(tools, shop):
    shop.guard.halt("agent:bot", by="lena", why="a drill")
    answer = heard(tools.handle(chat_call("refund_issue", SMALL)))
    assert (answer["executed"], answer["reason_code"]) == (False, "halted")


def test_agentguard_does_not_load_openai_until_somebody_else_does():
    code = "import sys, agentguard, agentguard.adapters.openai; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The scripted model server, as the real `openai` client sees it."""

import openai
import pytest

from agentguard.testing.model_server import API_KEY, ModelServer
from agentguard.testing.script import ToolCall, Turn, call, calls, say, tell

SCRIPT = [calls(call("show", {"id": "A-17"}), call("show", {"id": "A-18"})), tell()]
TOOL = {
    "type": "function",
    "function": {
        "name": "show",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"id": {"type": "string"}},
            "required": ["id"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def server():
    with ModelServer({"ana": SCRIPT}) as running:
        yield running


@pytest.fixture
def client(server):
    with openai.OpenAI(base_url=server.base_url, api_key=API_KEY, max_retries=0) as connected:
        yield connected


def test_a_chat_goes_through_its_turns_and_hears_the_tools(client):
    messages = [{"role": "user", "content": "where is it?"}]
    first = client.chat.completions.create(model="ana", messages=messages, tools=[TOOL]).choices[0]
    assert first.finish_reason == "tool_calls"
    assert [(one.id, one.function.arguments) for one in first.message.tool_calls] == [
        ("call_ana_1_1", '{"id": "A-17"}'),
        ("call_ana_1_2", '{"id": "A-18"}'),
    ]
    messages.append(first.message.model_dump(exclude_none=True))
    heard = '{"say_to_customer": "soon"}'
    messages += [{"role": "tool", "tool_call_id": one.id, "content": heard} for one in first.message.tool_calls]
    assert client.chat.completions.create(model="ana", messages=messages).choices[0].message.content == "soon"


@pytest.mark.parametrize("store", [True, False])
def test_a_response_goes_through_its_turns_and_hears_the_tools(client, store):
    first = client.responses.create(model="ana", input="where is it?", store=store)
    outputs = [
        {"type": "function_call_output", "call_id": one.call_id, "output": '{"say_to_customer": "soon"}'}
        for one in first.output
    ]
    if store:
        second = client.responses.create(model="ana", input=outputs, previous_response_id=first.id)
    else:
        history = [
            {"role": "user", "content": "where is it?"},
            *(one.model_dump(exclude_none=True) for one in first.output),
        ]
        second = client.responses.create(model="ana", input=[*history, *outputs], store=False)
    assert second.output_text == "soon"


def test_a_streamed_chat_is_the_same_turn_in_pieces(client):
    with client.chat.completions.stream(model="ana", messages=[{"role": "user", "content": "hi"}]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert [one.function.arguments for one in message.tool_calls] == ['{"id": "A-17"}', '{"id": "A-18"}']


def test_a_streamed_response_is_the_same_turn_in_pieces(client):
    with client.responses.stream(model="ana", input="hi") as stream:
        final = stream.get_final_response()
    assert [one.arguments for one in final.output] == ['{"id": "A-17"}', '{"id": "A-18"}']


def test_a_call_without_its_answer_is_refused_as_the_service_does(client):
    messages = [{"role": "user", "content": "hi"}]
    first = client.chat.completions.create(model="ana", messages=messages).choices[0].message
    answer = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "{}"}
    with pytest.raises(openai.BadRequestError, match="call_ana_1_2"):
        client.chat.completions.create(model="ana", messages=[*messages, first.model_dump(exclude_none=True), answer])
    first_call = client.responses.create(model="ana", input="hi").output[0].model_dump()
    with pytest.raises(openai.BadRequestError, match="No tool output found"):
        client.responses.create(model="ana", input=[first_call])


@pytest.mark.parametrize(
    "change",
    [
        {"name": "show.order"},
        {"parameters": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
        {"parameters": {**TOOL["function"]["parameters"], "required": []}},
    ],
)
def test_a_tool_that_is_not_strict_is_refused_as_the_service_does(client, change):
    tool = {"type": "function", "function": {**TOOL["function"], **change}}
    with pytest.raises(openai.BadRequestError, match=r"[Ii]nvalid"):
        client.chat.completions.create(model="ana", messages=[{"role": "user", "content": "hi"}], tools=[tool])


def test_what_is_not_scripted_is_an_error_and_not_an_answer(client, server):
    server.scripts["short"] = [say("one")]
    with pytest.raises(openai.BadRequestError, match="nobody"):
        client.chat.completions.create(model="nobody", messages=[])
    spoken = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "and?"},
    ]
    with pytest.raises(openai.BadRequestError, match="turn 2"):
        client.chat.completions.create(model="short", messages=spoken)


def test_a_turn_that_was_cut_short_says_so(client, server):
    server.scripts["cut"] = [Turn(calls=(ToolCall("show", '{"id": "A'),), cut=True)]
    assert client.chat.completions.create(model="cut", messages=[]).choices[0].finish_reason == "length"
    assert client.responses.create(model="cut", input="hi").status == "incomplete"

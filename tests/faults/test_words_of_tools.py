"""What a tool raised may name a customer; nobody prints it, asyncio's own log of forgotten errors included."""

import gc

from agentguard import InDoubt


def test_the_words_of_a_tool_that_failed_in_an_event_loop_reach_no_log(open_shop, caplog, capsys):
    shop = open_shop()

    def act(order_id, amount, key):
        raise ConnectionError("anna@mail.example did not answer")

    shop.acts = act
    answer = shop.aask()
    gc.collect()
    assert (type(answer), answer.error) == (InDoubt, "ConnectionError")
    printed = capsys.readouterr()
    assert "anna" not in caplog.text + printed.out + printed.err

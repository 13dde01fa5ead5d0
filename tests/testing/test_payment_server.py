"""The payment provider of the test kit: what it books is what happened, whatever the client was told."""

import pytest

from agentguard.core.money import Money
from agentguard.errors import NotDoneError
from agentguard.testing.payment_server import Mood, PaymentClient, PaymentServer

FORTY = Money.of("40.00", "USD")


@pytest.fixture
def server():
    with PaymentServer(patience=5) as running:
        yield running


@pytest.fixture
def client(server):
    return PaymentClient(server.port, timeout=0.2)


def test_a_key_is_booked_once_and_gives_the_same_receipt_again(server, client):
    assert client.refund("A-17", FORTY, "k1") == client.refund("A-17", FORTY, "k1")
    assert client.refund("A-17", FORTY, "k2").id == "re_2"
    assert [key for key, _ in server.books] == ["k1", "k2"]


def test_a_key_that_stands_for_another_refund_is_refused(server, client):
    client.refund("A-17", FORTY, "k1")
    with pytest.raises(NotDoneError, match="another refund"):
        client.refund("A-17", Money.of("41.00", "USD"), "k1")
    assert len(server.books) == 1


def test_a_refusal_books_nothing(server, client):
    server.mood = Mood.REFUSES
    with pytest.raises(NotDoneError, match="402"):
        client.refund("A-17", FORTY, "k1")
    assert server.books == []
    assert client.find("k1") is None


@pytest.mark.parametrize("mood", [Mood.ANSWERS_LATE, Mood.LOSES_ANSWER])
def test_an_answer_that_does_not_come_leaves_a_booked_refund_that_can_be_found(server, client, mood):
    server.moods["A-17"] = mood
    with pytest.raises(OSError):
        client.refund("A-17", FORTY, "key/with a slash")
    assert client.find("key/with a slash").amount == FORTY
    assert client.refund("A-18", FORTY, "k2").order_id == "A-18"


def test_a_lost_request_books_nothing(server, client):
    server.mood = Mood.LOSES_REQUEST
    with pytest.raises(OSError):
        client.refund("A-17", FORTY, "k1")
    assert client.find("k1") is None

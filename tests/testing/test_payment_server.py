"""The payment provider of the test kit: what it books is what happened, whatever the client was told."""

import time
from datetime import UTC, datetime

import pytest

from agentguard.core.money import Money
from agentguard.errors import NotDoneError
from agentguard.testing.payment_books import read_books
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
    assert [booking.key for booking in server.books] == ["k1", "k2"]


def test_a_key_that_stands_for_another_refund_is_refused(server, client):
    client.refund("A-17", FORTY, "k1")
    with pytest.raises(NotDoneError, match="another refund"):
        client.refund("A-17", Money.of("41.00", "USD"), "k1")
    assert len(server.books) == 1


def test_a_refusal_books_nothing(server, client):
    server.mood = Mood.REFUSES
    with pytest.raises(NotDoneError, match="402"):
        client.refund("A-17", FORTY, "k1")
    assert list(server.books) == []
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


def test_without_a_key_it_is_booked_each_time(server, client):
    client.refund("A-17", FORTY, None, {"job": "7"})
    client.refund("A-17", FORTY, None, {"job": "7"})
    assert [(booking.key, booking.metadata["job"]) for booking in server.books] == [(None, "7"), (None, "7")]


def test_a_failure_after_the_deed_leaves_it_booked(server, client):
    server.mood = Mood.FAILS_AFTER
    with pytest.raises(ConnectionError, match="500"):
        client.refund("A-17", FORTY, "k1")
    assert client.find("k1").amount == FORTY


def test_a_late_deed_happens_after_the_client_has_given_up():
    with PaymentServer(patience=0.3) as server:
        server.mood = Mood.ACTS_LATE
        client = PaymentClient(server.port, timeout=0.1)
        with pytest.raises(OSError):
            client.refund("A-17", FORTY, "k1")
        assert client.find("k1") is None
        deadline = time.monotonic() + 5
        while client.find("k1") is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert client.find("k1").amount == FORTY


def test_books_in_a_file_are_gone_on_with_by_the_next_server_on_the_same_port(tmp_path):
    with PaymentServer(books=tmp_path / "books") as server:
        port = server.port
        first = PaymentClient(port).refund("A-17", FORTY, "k1")
    with PaymentServer(books=tmp_path / "books", port=port):
        assert PaymentClient(port).refund("A-17", FORTY, "k1") == first
        assert PaymentClient(port).refund("A-17", FORTY, "k2").id == "re_2"
    assert [booking.key for booking in read_books(tmp_path / "books")] == ["k1", "k2"]


def test_moods_are_drawn_where_somebody_draws_them(tmp_path):
    moods = iter([Mood.REFUSES, Mood.WILLING])
    with PaymentServer(draw=lambda: next(moods)) as server:
        client = PaymentClient(server.port, timeout=5)
        with pytest.raises(NotDoneError):
            client.refund("A-17", FORTY, "k1")
        assert client.refund("A-17", FORTY, "k1").id == "re_1"


def test_a_refund_that_comes_too_late_is_refused(server, client):
    with pytest.raises(NotDoneError, match="410 too late"):
        client.refund("A-17", FORTY, "k1", not_after=datetime(2026, 1, 1, tzinfo=UTC))
    assert list(server.books) == []

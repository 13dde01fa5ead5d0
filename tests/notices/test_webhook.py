"""Webhooks as a receiver gets them: CloudEvents, signed, retried, never redirected, and without personal data."""

import base64
from datetime import timedelta

import pytest

from agentguard import ConfigurationError, Money, UndeliveredError
from agentguard.adapters.webhook import Webhook
from agentguard.testing.clock import START
from tests.notices.receiver import OTHER_SECRET, SECRET


def webhook(receiver, **more):
    return Webhook(receiver.url(), **{"secret": SECRET, "clock": lambda: START, **more})


def test_an_event_arrives_as_a_signed_cloud_event_without_personal_data(open_shop, receiver):
    shop = open_shop(notices=[webhook(receiver)])
    shop.orders["A-77"] = {"customer_id": "c-secret", "total": Money.of("1000", "USD")}
    asked = shop.ask("250.00", order_id="A-77", who="c-secret", agent="bot", context={"wants_person": True})
    assert shop.guard.work().channels[0].sent == 1
    (got,) = receiver.got
    event = got.event
    assert got.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert (event["specversion"], event["type"]) == ("1.0", "agentguard.escalation.opened")
    assert event["id"] == got.id
    assert event["source"] == f"urn:agentguard:{shop.guard.store.read(lambda reading: reading.log_name())}"
    assert (event["time"], event["subject"]) == ("2026-11-22T10:00:00.000000Z", asked.escalation.id)
    assert event["data"] == {
        "tenant": "default",
        "action": "refund.issue",
        "action_id": asked.decision_id,
        "state": "waiting",
        "escalation": asked.escalation.id,
        "routes": [{"id": "refunds/lead", "who": ["group:leads"], "people": 1, "due": "2026-11-22T14:00:00.000000Z"}],
        "to": ["group:leads"],
        "causes": ["refunds/medium"],
    }
    assert got.is_signed_with(SECRET)
    assert not got.is_signed_with(OTHER_SECRET)
    assert got.headers["webhook-timestamp"] == str(int(START.timestamp()))
    for personal in (b"c-secret", b"250.00", b"A-77", b"mail", b"talk-1"):
        assert personal not in got.body


def test_amounts_are_told_masked_and_only_where_that_was_asked_for(open_shop, receiver):
    shop = open_shop(notices=[webhook(receiver, details=True)])
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
    shop.ask("250.00")
    shop.guard.work()
    assert receiver.got[0].event["data"]["amounts"] == ["2xx.xx USD"]
    assert b"250.00" not in receiver.got[0].body


def test_while_a_secret_is_replaced_both_sign(open_shop, receiver):
    shop = open_shop(notices=[webhook(receiver, secret=[SECRET, OTHER_SECRET])])
    shop.ask("60")
    shop.guard.work()
    assert receiver.got[0].is_signed_with(SECRET)
    assert receiver.got[0].is_signed_with(OTHER_SECRET)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_is_the_receipt(open_shop, receiver, status):
    receiver.answers = [(status, {})]
    shop = open_shop(notices=[webhook(receiver)])
    shop.ask("60")
    assert shop.guard.work().channels[0].sent == 1


@pytest.mark.parametrize(
    "answer, error",
    [
        ((500, {}), "http_500"),
        ((404, {}), "http_404"),
        ((429, {"Retry-After": "7"}), "http_429"),
        ((503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), "http_503"),
        ((304, {}), "http_304"),
        (("drop", {}), "unreachable"),
    ],
)
def test_what_does_not_arrive_is_sent_again_with_the_same_id(open_shop, receiver, answer, error):
    receiver.answers = [answer]
    shop = open_shop(notices=[webhook(receiver)])
    shop.ask("60")
    assert shop.guard.work().channels[0].error == error
    shop.clock.advance(timedelta(seconds=8))
    assert shop.guard.work().channels[0].sent == 1
    first, second = receiver.got
    assert (first.id, first.body) == (second.id, second.body)


@pytest.mark.parametrize(
    "wish, pause",
    [
        ("90", timedelta(seconds=90)),
        ("Sun, 22 Nov 2026 10:02:00 GMT", timedelta(minutes=2)),
        ("Sun, 22 Nov 2026 09:00:00 GMT", timedelta(0)),
        ("Sun, 22 Nov 2026 10:02:00 -0000", timedelta(minutes=2)),
        ("soon", None),
        ("9999999", None),
        ("", None),
    ],
)
def test_a_receiver_may_ask_to_be_left_alone_for_seconds_or_until_a_date(receiver, wish, pause):
    receiver.answers = [(503, {"Retry-After": wish})]
    with pytest.raises(UndeliveredError) as raised:
        webhook(receiver).post("1", b"{}", "application/json")
    assert raised.value.retry_after == pause


def test_a_redirect_is_not_followed(open_shop, receiver):
    receiver.answers = [(307, {"Location": receiver.url("/elsewhere")}), (302, {"Location": receiver.url("/other")})]
    shop = open_shop(notices=[webhook(receiver)])
    shop.ask("60")
    assert shop.guard.work().channels[0].error == "http_307"
    shop.clock.advance(timedelta(minutes=1))
    assert shop.guard.work().channels[0].error == "http_302"
    assert [got.path for got in receiver.got] == ["/hook", "/hook"]


def test_a_receiver_that_took_it_and_answered_too_late_gets_it_twice_and_can_tell(open_shop, receiver):
    receiver.delay = 0.5
    shop = open_shop(notices=[webhook(receiver, timeout=timedelta(seconds=0.1))])
    shop.ask("60")
    assert shop.guard.work().channels[0].error == "timeout"
    receiver.delay = 0
    shop.clock.advance(timedelta(minutes=1))
    assert shop.guard.work().channels[0].sent == 1
    assert len({got.id for got in receiver.got}) == 1
    assert len(receiver.got) == 2


def test_a_receiver_that_is_gone_is_not_asked_again(open_shop, receiver):
    receiver.answers = [(410, {})]
    shop = open_shop(notices=[webhook(receiver)])
    shop.ask("60")
    assert shop.guard.work().channels[0].stopped
    shop.clock.advance(timedelta(days=1))
    assert shop.guard.work().channels[0].stopped
    assert len(receiver.got) == 1


def test_a_receiver_that_is_not_there_is_no_defect(open_shop, receiver):
    url = receiver.url()
    receiver.server.server_close()
    shop = open_shop(notices=[Webhook(url, secret=SECRET)])
    shop.ask("60")
    assert shop.guard.work().channels[0].error == "unreachable"


@pytest.mark.parametrize(
    "url", ["http://desk.example/hook", "ftp://desk.example", "file:///etc/passwd", "https://", "desk.example", ""]
)
def test_an_address_that_is_not_safe_is_refused_without_showing_what_may_be_secret_in_it(url):
    with pytest.raises(ConfigurationError, match="https://") as raised:
        Webhook(f"{url}?token=geheim", secret=SECRET)
    assert "geheim" not in str(raised.value)


def test_plain_http_elsewhere_has_to_be_asked_for():
    assert Webhook("http://desk.internal/hook", secret=SECRET, plain_http=True).name == "webhook:desk.internal/hook"


def written(size):
    return "whsec_" + base64.b64encode(bytes(size)).decode()


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", written(32)[6:], written(23), written(65), []])
def test_a_secret_that_is_none_is_refused_and_not_shown(secret):
    with pytest.raises(ConfigurationError) as raised:
        Webhook("https://desk.example/hook", secret=secret)
    assert not secret or len(secret) < 8 or secret not in str(raised.value)


@pytest.mark.parametrize("size", [24, 64])
def test_a_secret_may_be_as_short_or_long_as_the_standard_says(size):
    Webhook("https://desk.example/hook", secret=written(size))

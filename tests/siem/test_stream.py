"""A stream says every entry at least once, in order, under the same ids, and nothing that people wrote."""

import json
import os
import signal
import time
from contextlib import contextmanager

import pytest

from agentguard.engine.streaming import Follower
from agentguard.errors import UsageError
from agentguard.store import Store
from tests.forked import forked, typed
from tests.siem.conftest import CANARIES
from tests.siem.ocsf_walk import problems

FORMATS = ("ocsf", "cloudevents")


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def position(event):
    return int((event.get("id") or event["metadata"]["uid"]).rpartition("-")[2])


@pytest.mark.parametrize("form", FORMATS)
def test_the_whole_log_is_said_in_order_and_again_under_the_same_ids(shop, command, form):
    code, out, err = command("audit", "stream", "--format", form)
    assert (code, err) == (0, "")
    assert [position(event) for event in lines(out)] == list(range(1, len(lines(out)) + 1))
    assert command("audit", "stream", "--format", form)[1] == out


def test_every_event_of_a_real_log_fits_the_published_schema(shop, command):
    events = lines(command("audit", "stream")[1])
    assert {event["metadata"]["event_code"] for event in events} >= {
        "activated", "decided", "voted", "settled", "in_doubt", "halted", "resumed", "told",
    }  # fmt: skip
    assert [found for event in events for found in problems(event)] == []


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_that_a_person_wrote_or_a_customer_is_leaves_with_an_event(shop, command, form):
    out = command("audit", "stream", "--format", form)[1]
    assert [canary for canary in (*CANARIES, "cus_8812") if canary in out] == []
    assert "40.00 USD" not in out
    assert "4x.xx USD" in out


def test_an_entry_is_a_cloud_event_whose_sequence_sorts_as_text(shop, command):
    events = lines(command("audit", "stream", "--format", "cloudevents")[1])
    first = next(event for event in events if event["type"] == "agentguard.entry.decided")
    log = first["id"].rpartition("-")[0]
    assert first["specversion"] == "1.0"
    assert first["source"] == f"urn:agentguard:{log}:entries"
    assert first["subject"] == first["data"]["action_id"]
    assert first["time"].endswith("Z")
    assert [event["sequence"] for event in events] == sorted(event["sequence"] for event in events)
    assert all(name.isalnum() and name.islower() for event in events for name in event)


def test_a_stream_begins_behind_the_position_that_is_asked_for(shop, command):
    everything = command("audit", "stream")[1].splitlines()
    assert command("audit", "stream", "--after", "3")[1].splitlines() == everything[3:]
    assert command("audit", "stream", "--after", str(len(everything)))[1] == ""
    code, _, err = command("audit", "stream", "--after", str(len(everything) + 1))
    assert code == 2
    assert f"0 to {len(everything)}" in err


def test_a_cursor_goes_on_where_it_was_and_can_be_put_back(shop, command):
    everything = command("audit", "stream", "--cursor", "siem")[1]
    assert command("audit", "stream", "--cursor", "siem")[1] == ""
    assert command("audit", "stream", "--cursor", "other")[1] == everything
    assert command("audit", "stream", "--cursor", "siem", "--after", "0")[1] == everything


def test_an_unknown_format_and_a_name_that_is_none_are_refused(shop, command):
    assert command("audit", "stream", "--format", "cef")[0] == 2
    assert command("audit", "stream", "--cursor", "two\nlines")[0] == 2
    code, _, err = command("audit", "stream", "--out", "no/such/folder/events.jsonl")
    assert code == 2
    assert "No such file" in err


def test_whoever_follows_with_a_cursor_last_has_it(address):
    store = Store.open(address)
    store.transact(lambda transaction: transaction.append({"kind": "told", "tenant": "default"}))
    older, newer = Follower(store, cursor="siem"), Follower(store, cursor="siem")
    assert len(older.page()) == 1
    with pytest.raises(UsageError, match="somebody else follows"):
        older.done(1)
    newer.done(1)
    assert Follower(store, cursor="siem").position == 1


def test_a_cursor_stays_where_it_is_until_what_was_read_is_out_of_hands(address):
    store = Store.open(address)
    store.transact(lambda transaction: transaction.append({"kind": "told", "tenant": "default"}))
    assert [entry.pos for entry in Follower(store, cursor="siem").page()] == [1]
    assert [entry.pos for entry in Follower(store, cursor="siem").page()] == [1]


def test_a_line_that_was_torn_when_a_writer_died_comes_again_whole(shop, command):
    everything = command("audit", "stream")[1]
    out = shop / "events.jsonl"
    out.write_text(everything.splitlines()[0] + '\n{"torn', encoding="utf-8")
    assert command("audit", "stream", "--after", "1", "--out", out)[:2] == (0, "")
    assert out.read_text(encoding="utf-8") == everything


@contextmanager
def typing(words, folder):
    """Let somebody type a command; it has ended behind this."""
    process = forked(typed, words, str(folder), dict(os.environ), str(folder / "said.txt"))
    process.start()
    try:
        yield process
    except BaseException:
        process.kill()
        raise
    finally:
        process.join(60)


def soon(happened):
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def test_a_follower_that_is_killed_loses_nothing(shop):
    store = Store.open(f"sqlite:///{shop}/shop.db")
    wrote, out = store.read(lambda reading: reading.position()), shop / "events.jsonl"
    follow = ["audit", "stream", "--cursor", "siem", "--follow", "--every", "0.1", "--out", str(out)]
    with typing(follow, shop) as process:
        soon(lambda: out.exists() and out.stat().st_size > 0)
        for _ in range(40):
            store.transact(lambda transaction: transaction.append({"kind": "told", "tenant": "default"}))
            wrote += 1
        os.kill(process.pid, signal.SIGKILL)
    with typing(follow, shop) as process:
        soon(lambda: f'-{wrote}"' in out.read_text(encoding="utf-8"))
        os.kill(process.pid, signal.SIGTERM)
    assert process.exitcode == 0
    seen = [position(event) for event in lines(out.read_text(encoding="utf-8"))]
    assert set(seen) == set(range(1, wrote + 1))
    store.close()


def test_what_could_not_be_written_is_said_again(shop, command):
    code, _, err = command("audit", "stream", "--cursor", "siem", "--out", "/dev/full")
    assert code == 2
    assert "No space left" in err
    assert position(lines(command("audit", "stream", "--cursor", "siem")[1])[0]) == 1

"""`agentguard clock` and `agentguard recover`, as whoever is on duty uses them."""

import time

import pytest

from agentguard.store import ledger_clock
from tests.cli.shop import APPLICATION


@pytest.fixture
def jump(monkeypatch):
    """Set this machine's clock so many seconds forward."""
    real = time.time_ns

    def set_off(seconds):
        monkeypatch.setattr(time, "time_ns", lambda: real() + int(seconds * 1e9))
        monkeypatch.setattr(ledger_clock, "_is_simulated", lambda wall_us: False)

    return set_off


def test_a_clock_that_runs_on_is_shown_and_not_confirmed(shop, command):
    shown = command("clock", "show")
    assert shown.code == 0
    assert "ahead" not in shown.out
    assert command("clock", "show", "--json").json["relied_on"] is True
    confirmed = command("clock", "confirm", "--why", "it is right")
    assert confirmed.code == 0
    assert "nobody doubted the clock" in confirmed.out
    assert command("audit", "list", "--kind", "clock_confirmed", "--json").json == []


@pytest.mark.parametrize("seconds,words", [(3_600, "jumped 1:00:00 forward"), (-7_200, "jumped 2:00:00 back")])
def test_a_clock_that_jumped_is_doubted_until_it_is_confirmed_with_a_reason(shop, command, jump, seconds, words):
    jump(seconds)
    shown = command("clock", "show")
    assert shown.code == 1
    assert words in " ".join(shown.out.split())
    assert command("clock", "show", "--json").json["relied_on"] is False
    assert command("clock", "confirm").code == 2
    assert command("limits").code == 4, "what needs the time says why it cannot"
    assert command("audit", "list").code == command("actions", "list").code == command("audit", "verify").code == 0
    confirmed = command("clock", "confirm", "--why", "asked two time servers")
    assert confirmed.code == 0
    assert "relied on again" in confirmed.out
    assert ("the clock catches up in" in confirmed.out) is (seconds < 0)
    assert command("clock", "show").code == 0
    assert command("limits").code == 0
    (entry,) = command("audit", "list", "--kind", "clock_confirmed", "--json").json
    assert (entry["entry"]["by"], entry["entry"]["why"]) == ("mrossi", "asked two time servers")
    assert "asked two time servers" in command("audit", "show", str(entry["pos"])).out
    assert command("audit", "verify").code == 0


def test_a_stop_can_be_pressed_whatever_the_clock_says(shop, command, jump):
    jump(-86_400)
    assert command("halt", "--why", "the clock is wrong").code == 0
    assert "all" in command("halt", "--list").out


@pytest.mark.parametrize("effect", ["", "Unprotected()"])
def test_recovery_says_what_came_of_each_and_what_only_people_can_find_out(shop, command, effect):
    name = f"recovering_app_{len(effect)}"
    unprotected = """
from dataclasses import replace
from agentguard import Unprotected
tools = guard._parts.registry.tools
tools["refund.issue"] = replace(tools["refund.issue"], effect=Unprotected())
"""
    text = APPLICATION.format(folder=str(shop.folder)) + (unprotected if effect else "")
    (shop.folder / f"{name}.py").write_text(text)
    said = command("recover", "--app", f"{name}:guard")
    assert f"{shop.ids['doubt']}  refund.issue  in_doubt\n" in said.out
    assert "1 in_doubt\n" in said.out
    assert ("for a person" in said.out) is bool(effect)
    assert said.code == (1 if effect else 0)

"""The table of moves is the one that the design draws."""

from __future__ import annotations

import pytest

from agentguard.core.lifecycle import BEGINNINGS, FINAL, HOLDING, MOVES, State, diagram, may_move

DRAWN = {
    "proposed": "denied waiting ready executing",
    "waiting": "waiting ready executing denied",
    "ready": "executing denied",
    "executing": "settled released in_doubt",
    "in_doubt": "in_doubt executing settled released",
    "released": "settled",
    "settled": "",
    "denied": "",
}


@pytest.mark.parametrize("before", list(State))
def test_each_state_has_exactly_the_moves_that_are_drawn(before):
    assert {str(after) for after in State if may_move(before, after)} == set(DRAWN[before].split())


def test_what_holds_is_neither_final_nor_before_the_decision():
    assert not HOLDING & FINAL
    assert State.PROPOSED not in HOLDING


def test_a_final_state_is_left_only_by_a_late_truth():
    assert {(before, after) for before in FINAL for after in MOVES[before]} == {(State.RELEASED, State.SETTLED)}


def test_nothing_begins_released_or_in_doubt_and_what_was_done_elsewhere_begins_settled():
    assert {str(state) for state in BEGINNINGS} == {"proposed", "denied", "waiting", "ready", "executing", "settled"}
    assert not may_move(State.PROPOSED, State.SETTLED)


def test_the_diagram_has_every_move_once():
    lines = diagram().splitlines()
    assert len(lines) == len(set(lines))
    assert sum(" --> " in line for line in lines) == sum(len(moves) for moves in MOVES.values()) + 2 + len(FINAL)

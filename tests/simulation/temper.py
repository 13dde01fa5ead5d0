"""What tends to happen in one world."""

from tests.simulation.books import Mood
from tests.simulation.rules import LOOKING, PAYING

SPANS = (
    (1, 5, 20),
    (20, 60, 120, 300),
    (60, 600, 3600),
    (1, 20, 60, 600, 3600, 6 * 3600, 30 * 3600),
)


class Temper:
    """What tends to happen in one world: in some nobody ever halts anything, in others everything comes late."""

    def __init__(self, dice):
        self.kinds = [name for name, weight in WEIGHTS.items() for _ in range(weight * dice.choice((0, 1, 1, 3)))]
        self.kinds += [name for name, weight in ALWAYS.items() for _ in range(weight * dice.choice((1, 1, 2)))]
        self.moods = [Mood.WILLING] * dice.choice((1, 3, 6)) + dice.sample(list(Mood), 5)
        self.spans = dice.choice(SPANS)
        self.actions = dice.choice((*((action,) for action in PAYING), (*PAYING, *PAYING, LOOKING), (*PAYING, LOOKING)))
        self.turn = dice.choice(("any", "any", "newest", "oldest"))

    def next_of(self, waiting, dice):
        """Return whose turn it is: where the newest walk always goes first, the others stall for long."""
        if self.turn == "any" or dice.random() < 0.2:
            return dice.choice(waiting)
        return waiting[-1 if self.turn == "newest" else 0]


ALWAYS = {"ask": 16, "step": 60, "batch": 8, "fly": 20, "recover_one": 3, "recover": 2, "resume": 3, "time": 3}
WEIGHTS = {
    "undo": 4,
    "ask_again": 6,
    "ask_otherwise": 1,
    "crash_walk": 3,
    "crash_process": 1,
    "start": 2,
    "abandon": 2,
    "recover": 2,
    "recover_one": 4,
    "execute": 4,
    "vote": 8,
    "leave": 4,
    "resolve": 2,
    "mistake": 2,
    "pay_by_hand": 2,
    "record": 3,
    "halt": 1,
    "activate": 2,
    "change": 2,
    "lose_store": 1,
    "time": 4,
    "edge": 3,
    "step_clock": 3,
}

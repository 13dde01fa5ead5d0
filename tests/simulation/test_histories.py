"""A world of processes that crash, told from seeds: whatever happens in it, the laws hold at every commit.

`pytest tests/simulation --seeds 2000` tells more histories; `--first-seed` begins elsewhere.
"""

from collections import Counter
from pathlib import Path

import pytest

from tests.simulation.shrinking import report, shorten, tell

pytestmark = pytest.mark.no_cover  # what it runs again and again is run by other tests too

CASES = [
    line.partition(":")[::2]
    for line in (Path(__file__).parent / "cases.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.law(2, 3, 4, 5, 6, 7, 10, 14)
def test_the_laws_hold_at_every_commit_of_every_history(seeds):
    seen = Counter()
    for seed in seeds:
        history, error = tell(seed)
        if error is not None:
            pytest.fail(report(seed, shorten(seed, error)), pytrace=False)
        seen.update(history.laws.kinds)
    rare = {"sent_again", "passed_on", "voted", "late_report", "released", "refused", "expired", "counted", "canary"}
    missing = {"decided", "settled", "in_doubt", "activated", "halted", *(rare if len(seeds) >= 20 else ())} - set(seen)
    assert not missing, f"these seeds tell nothing of {missing}"


@pytest.mark.law(2, 3, 4, 5, 6, 7, 10, 14)
def test_both_engines_tell_the_same_histories(seeds, spare_database):
    for seed in seeds[:: len(seeds) // 3 or 1]:
        here, _ = tell(seed)
        there, error = tell(seed, address=spare_database.emptied())
        assert error is None, "\n".join(there.told)
        assert there.told == here.told


def test_what_once_broke_a_law_does_not_any_more():
    for seed, events in CASES:
        only = frozenset(int(number) for number in events.split()) or None
        _, error = tell(int(seed), only)
        assert error is None, report(int(seed), only)


def test_one_seed_tells_one_history():
    first, _ = tell(1)
    second, _ = tell(1)
    assert first.told == second.told
    assert len(first.told) > 50

"""Whoever reads the record beside a canary reads both versions: retention, packs, reviews, limits, simulations."""

import itertools
import subprocess
import sys
import zipfile
from datetime import timedelta

import pytest

from agentguard.engine.over import Search
from agentguard.engine.periods import first_asked
from agentguard.errors import UsageError
from tests.engine.given import REFUNDS, bundle, shop
from tests.pack.test_export import entries_of
from tests.rollout.trial import ALL_DAY, ANN, BIGGER, IN, IN_TOO, OUT, OUT_TOO, SALT, SECOND, ask, canary_of, opened

DAY = timedelta(days=1)
TRIAL = bundle(SECOND).digest


@pytest.fixture
def open_shop(tmp_path, closed_stores):
    return lambda **options: shop(f"sqlite:///{tmp_path / 'guard.db'}", **options)


def kept(text, years):
    return text.replace("names:\n", f"retention: {{otherwise: {years}}}\nnames:\n", 1)


def over(one):
    """Return how many records are over now."""
    return one.guard.store.read(lambda reading: len([*Search(one.guard._parts, reading, one.clock()).found()]))


@pytest.mark.parametrize("first, second", [("1 year", "2 years"), ("2 years", "1 year")])
def test_records_are_kept_for_the_longer_time_of_both_versions(open_shop, first, second):
    one = opened(open_shop, share="", text=kept(REFUNDS, first))
    canary_of(one, kept(BIGGER, second)).begin("10%", salt=SALT, **ANN)
    for who in (IN, OUT):
        ask(one, who)
    one.clock.advance(366 * DAY)
    assert over(one) == 0
    one.clock.advance(366 * DAY)
    assert over(one) == 2


def test_a_pack_brings_what_put_the_canarys_policies_into_force(open_shop, tmp_path):
    one = opened(open_shop)
    inside = ask(one, IN, "60.00")
    canary_of(one).abort(**ANN)
    made = one.guard.audit.export(tmp_path / "a.zip", action_id=inside.decision_id, by="ada", why="asked for")
    entries = [line["entry"] for line in entries_of(made.path)]
    assert [entry["canary"]["bundle"] for entry in entries if entry["kind"] == "activated"] == [bundle(SECOND).digest]


def test_reviews_that_only_the_canary_asks_for_are_known(open_shop):
    text = BIGGER.replace("segments:", "review: 2%, at least 5 a week, by agent\nsegments:", 1)
    one = opened(open_shop, share="")
    canary_of(one, text).begin("10%", salt=SALT, **ANN)
    assert list(one.guard.store.read(lambda reading: first_asked(one.guard._parts, reading))) == ["refunds"]


def test_limits_of_both_versions_are_shown(open_shop):
    one = opened(open_shop)
    ask(one, OUT)
    shown = {item.limit: item for item in one.guard.limits()}
    assert (shown["refunds/all-day"].settled, shown["refunds/all-day"].max) == (1000, 10000)
    assert "refunds/customer-30-days" in shown


def test_a_simulation_counts_what_only_a_canary_counted_from_the_first_entry_on(open_shop):
    one = opened(open_shop, share="", text=REFUNDS + ALL_DAY)
    for _, who in zip(range(2), itertools.cycle((IN, OUT)), strict=False):
        assert ask(one, who, "45.00").executed
    canary_of(one, BIGGER).begin("10%", salt=SALT, **ANN)
    assert ask(one, IN, "45.00").executed
    told = []
    one.guard.audit.simulate(bundle(REFUNDS.replace("version: 1", "version: 3") + ALL_DAY), tell=told.append)
    assert [str(case.new) for case in told] == ["deny"], "the third 45.00 of a day"


def test_the_two_groups_are_told_apart_with_verdicts_and_money(open_shop):
    one = opened(open_shop)
    for who, amount in (
        (IN, "60.00"),
        (IN, "20.00"),
        (OUT, "60.00"),
        (OUT_TOO, "10.00"),
        (IN_TOO, "600.00"),
        ("", "1.00"),
    ):
        ask(one, who, amount)
    both = one.guard.canary.groups()
    assert (both.trial.bundle, both.rest.bundle) == (bundle(SECOND).digest, bundle(REFUNDS).digest)
    said = [
        {verdict.name: (cell.count, cell.worth) for verdict, cell in group.verdicts.items() if cell.count}
        for group in (both.trial, both.rest)
    ]
    assert said == [
        {"ALLOW": (2, {"USD": 8000}), "DENY": (1, {"USD": 60000})},
        {"ALLOW": (1, {"USD": 1000}), "ESCALATE": (1, {"USD": 6000})},
    ]
    assert [len(group.customers) for group in (both.trial, both.rest)] == [2, 2]


def test_the_groups_are_of_the_last_canary_from_where_it_began_whatever_its_share(open_shop):
    one = opened(open_shop)
    ask(one, IN)
    canary_of(one).abort(**ANN)
    ask(one, IN)
    canary_of(one).begin("10%", salt=SALT, **ANN)
    ask(one, IN)
    canary_of(one).begin("20%", **ANN)
    ask(one, IN)
    canary_of(one).promote(**ANN)
    ask(one, IN)
    assert one.guard.canary.groups().trial.requests == 2


def test_without_a_canary_there_are_no_groups(open_shop):
    with pytest.raises(UsageError, match="expected a canary that runs or ran"):
        opened(open_shop, share="").guard.canary.groups()


def test_a_pack_of_nothing_but_the_beginning_of_a_canary_has_its_policies(open_shop, tmp_path):
    one = opened(open_shop)
    made = one.guard.audit.export(tmp_path / "a.zip", by="ada", why="asked for")
    with zipfile.ZipFile(made.path) as packed:
        assert f"bundles/{bundle(SECOND).digest}.txt" in packed.namelist()
        text = packed.read("verify.py")
        without = zipfile.ZipFile(tmp_path / "b.zip", "w")
        for name in packed.namelist():
            if TRIAL not in name:
                without.writestr(name, packed.read(name))
        without.close()
    (tmp_path / "verify.py").write_bytes(text)
    check = [sys.executable, "-I", "-S", "verify.py"]
    said = [
        subprocess.run([*check, name], cwd=tmp_path, capture_output=True, text=True, check=False)
        for name in ("a.zip", "b.zip")
    ]
    assert "missing" not in said[0].stdout
    assert f"{TRIAL}.txt: it is missing, and entry 2 names it" in said[1].stdout

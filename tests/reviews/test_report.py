"""What the report claims, and what it does not claim from too little, or from kinds that were not drawn alike."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from agentguard import UsageError
from agentguard.core.review_report import COLUMNS, Reviewed, review_report
from tests.reviews.conftest import refund

AT = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
RIGHT = (("right", None),)


def wrong(severity="major"):
    return (("wrong", severity),)


def cases(count, said=(), **more):
    given = {"policy": "refunds", "version": 1, "stratum": "", "how": "share", "took": HOUR if said else None, **more}
    return [Reviewed(f"rev_{number}", drawn_at=AT, said=said, **given) for number in range(count)]


def report(*groups, enough=30):
    return review_report([case for group in groups for case in group], None, None, enough)


def only(found):
    (policy,) = found.policies
    return policy


def test_a_rate_is_told_with_its_interval_from_enough_judged_cases_on_and_not_from_one_less():
    told = only(report(cases(28, RIGHT), cases(2, wrong()), cases(5))).whole
    assert (told.drawn, told.judged, told.wrong, told.rate) == (35, 30, 2, Decimal("0.0667"))
    assert (told.interval.low, told.interval.high) == (Decimal("0.0185"), Decimal("0.2132"))
    untold = only(report(cases(27, RIGHT), cases(2, wrong()), cases(5)))
    assert (untold.whole.judged, untold.whole.rate, untold.whole.interval) == (29, None, None)
    assert "not enough data (below 30 judged)" in report(cases(29, RIGHT)).as_text()


def test_where_kinds_were_topped_up_only_what_the_share_drew_speaks_for_all():
    common = cases(40, RIGHT, stratum="agent common")
    rare = cases(40, wrong(), stratum="agent rare", how="least")
    found = only(report(common, rare))
    assert (found.whole.judged, found.whole.rate) == (40, Decimal("0.0000"))
    assert [(name, rate.rate) for name, rate in found.strata] == [
        ("agent common", Decimal("0.0000")),
        ("agent rare", Decimal("1.0000")),
    ]
    assert [(version, rate.judged) for version, rate in found.versions] == [(1, 40)]
    alone = only(report(cases(10, RIGHT), cases(30, wrong(), how="least")))  # one kind: all of it was drawn alike
    assert (alone.whole.judged, alone.whole.rate) == (40, Decimal("0.7500"))


def test_the_gravest_that_was_said_counts_and_nothing_of_what_is_right_in_the_end():
    disputed = cases(1, (("wrong", "critical"), ("right", None), ("right", None)))
    grave = cases(1, (("wrong", "minor"), ("wrong", "critical")))
    found = only(report(disputed, grave, cases(3, wrong("minor")))).whole
    assert (found.judged, found.wrong) == (5, 4)
    assert found.severities == {"minor": 3, "major": 0, "critical": 1}


def test_second_opinions_are_held_against_the_first_ones():
    both, neither = (("wrong", "minor"), ("wrong", "major")), (("right", None), ("right", None))
    first, second = (("wrong", "minor"), ("right", None)), (("right", None), ("wrong", "minor"))
    pairs = [cases(20, both), cases(5, first), cases(10, second), cases(15, neither), cases(9, RIGHT)]
    found = only(report(*pairs)).second
    assert (found.cases, found.agreed, found.kappa) == (50, 35, Decimal("0.4000"))


def test_versions_and_policies_stand_apart_and_half_of_them_were_judged_within_the_median():
    found = report(
        cases(30, RIGHT, version=1, took=HOUR),
        cases(30, wrong(), version=2, took=3 * HOUR),
        cases(1, policy="orders"),
    )
    orders, refunds = found.policies
    assert (orders.policy, orders.whole.drawn, orders.median) == ("orders", 1, None)
    assert [(version, rate.rate) for version, rate in refunds.versions] == [
        (1, Decimal("0.0000")),
        (2, Decimal("1.0000")),
    ]
    assert refunds.median == 2 * HOUR
    assert "Half of them were judged within 2 h." in found.as_text()


def test_the_report_reads_as_text_as_json_and_as_rows():
    found = report(cases(29, RIGHT, stratum="agent bot"), cases(1, wrong("critical"), stratum="agent bot"))
    assert "[#.......................] in all: 3.33 % (0.59 % to 16.67 %); 1 wrong of 30 judged, 30 drawn; 1\n" in (
        found.as_text()
    )
    document = found.as_json()["policies"][0]
    assert document["all"] | {"rate": "0.0333", "low": "0.0059", "high": "0.1667"} == document["all"]
    assert document["second_opinions"] == {"cases": 0, "agreed": 0, "kappa": None}
    out = io.StringIO()
    csv.writer(out).writerows([COLUMNS, *found.rows()])
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [(row["group"], row["value"], row["wrong"], row["critical"]) for row in rows] == [
        ("all", "", "1", "1"),
        ("stratum", "agent bot", "1", "1"),
        ("version", "1", "1", "1"),
    ]
    assert "None was drawn." in report().as_text()


def test_the_report_of_a_guard_is_of_what_was_drawn_in_a_time_with_every_opinion_since(in_memory):
    shop = in_memory("100%, by agent")
    for number in range(3):
        refund(shop, number)
    later = shop.clock.advance(timedelta(days=1))
    refund(shop, 3, tenant="south")
    shop.clock.advance(timedelta(days=1))
    for case in shop.guard.reviews.list():
        shop.guard.reviews.judge(case.id, by="maria", should="allow", reason_code="within_policy")
    whole = only(shop.guard.reviews.report(enough=1))
    assert (whole.whole.drawn, whole.whole.judged, whole.whole.wrong) == (4, 4, 0)
    assert [name for name, _ in whole.strata] == ["agent bot"]
    assert only(shop.guard.reviews.report(since=later, enough=1)).whole.judged == 1
    assert only(shop.guard.reviews.report(until=later - HOUR, enough=1)).whole.judged == 3
    assert only(shop.guard.reviews.report(tenant="south", enough=1)).whole.judged == 1
    assert shop.guard.reviews.report(policy="other").policies == ()
    with pytest.raises(UsageError, match="`enough` as 1 or more"):
        shop.guard.reviews.report(enough=0)

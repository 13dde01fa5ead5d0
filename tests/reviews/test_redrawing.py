"""Every draw made again: what the database's owner took away or put in is found."""

from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from agentguard import StoreUnavailableError
from agentguard.core.reviews import draw
from agentguard.engine import machine
from agentguard.store import Vault
from tests.reviews.conftest import drawn, refund


@pytest.fixture
def shop(in_memory, tmp_path):
    return in_memory("50%, at least 3 a week, by agent", store=f"sqlite:///{tmp_path / 'guard.db'}")


def owner(tmp_path, *statements):
    """Do something as the owner of the database, with its triggers dropped."""
    with create_engine(f"sqlite:///{tmp_path / 'guard.db'}").begin() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in names:
            connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(text(statement))


def weeks(shop, count=8):
    for number in range(count):
        refund(shop, number, agent="bot" if number % 2 else "other-bot")
    shop.clock.advance(timedelta(days=8))
    shop.guard.work()
    assert shop.guard.reviews.verify()


def found(shop, **more):
    return [(item.code, item.how) for item in shop.guard.reviews.verify(**more).findings]


def test_what_was_drawn_as_it_must_be_is_told_in_numbers(shop):
    weeks(shop)
    checked = shop.guard.reviews.verify()
    assert (checked.decisions, checked.purged, checked.findings) == (8, 0, ())
    assert checked.cases == len(drawn(shop)) == len(shop.guard.reviews.list())


@pytest.mark.parametrize("review, how", [("100%", "share"), ("0%, at least 3 a week, by agent", "least")])
def test_a_case_whose_row_is_gone_or_is_another_one_is_missing(in_memory, tmp_path, review, how):
    shop = in_memory(review, store=f"sqlite:///{tmp_path / 'guard.db'}")
    weeks(shop)
    gone, other = shop.guard.reviews.list()[:2]
    owner(
        tmp_path,
        f"DELETE FROM agentguard_review WHERE id = '{gone.id}'",
        f"UPDATE agentguard_review SET entry = 1 WHERE id = '{other.id}'",
    )
    findings = shop.guard.reviews.verify().findings
    assert {(item.code, item.how, item.entry) for item in findings} == {
        ("missing", how, gone.entry),
        ("missing", how, other.entry),
    }


def test_a_case_that_is_put_aside_as_judged_by_nobody_is_missing(shop, tmp_path):
    weeks(shop)
    first, second = shop.guard.reviews.list()[:2]
    judged = shop.guard.reviews.judge(first.id, should="deny", by="ada", reason_code="policy", authenticated="os_login")
    assert shop.guard.reviews.verify()
    owner(tmp_path, "UPDATE agentguard_review SET verdict = 'right'")
    findings = shop.guard.reviews.verify().findings
    assert {first.entry, second.entry} <= {item.entry for item in findings}
    assert {item.code for item in findings} == {"missing"}
    assert judged.counts == "wrong"


def test_a_draw_that_the_log_does_not_tell_of_is_missing_and_one_that_nothing_draws_is_extra(shop, tmp_path):
    key = shop.guard._parts.vault.draw
    for number in range(24):
        refund(shop, number)
    hidden = shop.guard.audit.list(kind="review_drawn")[0]
    body = hidden.document
    not_drawn = next(
        item
        for item in shop.guard.audit.list(kind="decided", limit=100)
        if not draw(key, "refunds", item.action_id).takes(50_000)
    )
    moved = hidden.body.replace(
        f'"decision_entry":{body["decision_entry"]}'.encode(), f'"decision_entry":{not_drawn.pos}'.encode()
    )
    owner(tmp_path, f"UPDATE agentguard_entry SET body = x'{moved.hex()}' WHERE pos = {hidden.pos}")
    assert sorted(found(shop)) == [("extra", "share"), ("missing", "share")]


def test_a_time_is_looked_at_alone_and_what_is_outside_is_left_out(shop):
    weeks(shop)
    middle = shop.clock() - timedelta(days=1)
    for number in range(20, 24):
        refund(shop, number)
    later = shop.guard.reviews.verify(since=middle)
    assert (later.decisions, bool(later)) == (4, True)
    earlier = shop.guard.reviews.verify(until=middle)
    assert (earlier.decisions, bool(earlier)) == (8, True)


@pytest.mark.parametrize("half", [{"since": timedelta(hours=2)}, {"until": timedelta(hours=2)}])
def test_of_a_week_that_is_only_looked_at_in_part_nothing_false_is_told(in_memory, half):
    shop = in_memory("0%, at least 2 a week")
    began = shop.clock()
    for number in range(8):
        refund(shop, number)
        shop.clock.advance(timedelta(hours=1))
    shop.clock.advance(timedelta(days=8))
    shop.guard.work()
    (name, after), *_ = half.items()
    assert found(shop, **{name: began + after}) == []


def test_under_other_keys_no_draw_is_made_again(shop, in_memory, tmp_path):
    weeks(shop)
    other = in_memory(
        "50%, at least 3 a week, by agent",
        store=f"sqlite:///{tmp_path / 'guard.db'}",
        vault=Vault.open(None, machine.random_bytes),
        clock=shop.clock,
    )
    with pytest.raises(StoreUnavailableError, match="keys file"):
        other.guard.reviews.verify()

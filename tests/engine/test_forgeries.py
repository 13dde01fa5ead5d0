"""What the check of the log finds in rows that somebody changed who may write the database, beside what it means."""

import sqlite3
from datetime import timedelta

import orjson
import pytest

from agentguard import Money
from agentguard.core.request import Vote
from agentguard.store import rows

MINUTE = timedelta(minutes=1)


def lost(*_):
    raise RuntimeError("the answer was lost")


@pytest.fixture
def address(tmp_path):
    """A file: who may write the database is the same on a server."""
    return f"sqlite:///{tmp_path / 'guard.db'}"


@pytest.fixture
def busy(open_shop):
    """A shop where one refund is done, one waits, one was approved and done, one is in doubt, and one is ready."""
    shop = open_shop()
    shop.orders["A-3"] = {"customer_id": "c-2", "total": Money.of("100", "USD")}
    shop.ask("40.00", key="k-1")
    shop.waiting = shop.ask("60.00", key="k-2", order_id="A-2").escalation.id
    approved = shop.ask("60.00", key="k-3", order_id="A-3", who="c-2").escalation.id
    shop.guard.escalations.approve(approved, by="maria", note="she has waited long", reason_code="within_policy")
    assert shop.ask("60.00", key="k-3", order_id="A-3", who="c-2").executed
    shop.acts = lost
    shop.ask("20.00", key="k-4", order_id="A-4")
    shop.ask("20.00", key="k-5", order_id="A-5", run=shop.guard.propose)
    shop.guard.halt("action:order.place", by="ada", why="the warehouse burns")
    return shop


def change(shop, *statements):
    """Change rows as somebody who may write the database, and may drop triggers as well."""
    connection = sqlite3.connect(shop.guard.store.url.removeprefix("sqlite:///"), isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        assert connection.execute(*statement).rowcount
    connection.close()


def codes(shop):
    return {finding.code for finding in shop.guard.audit.verify().findings}


def test_a_shop_that_nobody_touched_is_sound(busy):
    assert busy.guard.audit.verify().findings == ()


@pytest.mark.law(3)
@pytest.mark.parametrize("column", ["key", "agent", "conversation", "tenant", "request_digest", "on_behalf_of"])
def test_an_action_whose_key_was_freed_for_a_second_time_is_found(busy, column):
    change(busy, (f"UPDATE agentguard_action SET {column} = 'other' WHERE key = 'k-1'",))
    assert codes(busy) == {"action"}


@pytest.mark.law(7)
def test_an_approval_that_nobody_gave_is_found(busy):
    record = busy.guard.escalations.show(busy.waiting).record
    forged = Vote(
        escalation=record.id,
        voter="maria",
        approve=True,
        groups=frozenset({"group:leads"}),
        authenticated="oidc",
        request_digest=record.request_digest,
        reasons=frozenset(record.reasons),
        voted_at=busy.clock() - MINUTE,
    )
    values = rows.vote_values(forged)
    places = ", ".join("?" * len(values))
    change(
        busy,
        (f"INSERT INTO agentguard_vote ({', '.join(values)}) VALUES ({places})", tuple(values.values())),
        ("UPDATE agentguard_escalation SET state = 'approved' WHERE id = ?", (record.id,)),
    )
    assert codes(busy) == {"vote", "escalation"}


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE agentguard_escalation SET state = 'approved' WHERE state = 'open'",
        "UPDATE agentguard_escalation SET state = 'open' WHERE state = 'used'",
        "UPDATE agentguard_escalation SET state = 'approved' WHERE state = 'used'",
        "UPDATE agentguard_escalation SET state = 'expired' WHERE state = 'open'",
        "UPDATE agentguard_escalation SET state = 'withdrawn' WHERE state = 'open'",
        "UPDATE agentguard_escalation SET routes = replace(routes, 'group:leads', 'group:none')",
        "UPDATE agentguard_escalation SET routes = replace(routes, '\"people\":1', '\"people\":0')",
        "UPDATE agentguard_escalation SET request_digest = 'other' WHERE state = 'used'",
    ],
)
def test_an_escalation_that_was_changed_is_found(busy, statement):
    change(busy, (statement,))
    assert codes(busy) == {"escalation"}


@pytest.mark.law(4)
@pytest.mark.parametrize("key", ["k-4", "k-5"])
def test_a_hold_that_was_made_smaller_together_with_its_accounts_is_found(busy, key):
    holds = "SELECT hold.value ->> 0 FROM agentguard_action, json_each(holds) AS hold"
    accounts = f"{holds} WHERE agentguard_action.key = '{key}'"
    change(
        busy,
        (f"UPDATE agentguard_account SET pending = pending - 1999 WHERE id IN ({accounts})",),
        (f"UPDATE agentguard_action SET holds = replace(holds, ',2000]', ',1]') WHERE key = '{key}'",),
    )
    assert codes(busy) == {"hold"}


@pytest.mark.law(4)
def test_a_posting_that_was_made_smaller_together_with_its_account_is_found(busy):
    last = "n = 1 AND account IN (SELECT account FROM agentguard_posting GROUP BY account HAVING count(*) = 1)"
    accounts = "SELECT account FROM agentguard_posting GROUP BY account HAVING count(*) = 1"
    change(
        busy,
        (f"UPDATE agentguard_account SET posted = 1 WHERE id IN ({accounts})",),
        (f"UPDATE agentguard_posting SET amount = 1, cum = 1 WHERE {last}",),
    )
    assert codes(busy) == {"posting"}


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM agentguard_halt", "INSERT INTO agentguard_halt VALUES ('all', 'mallory', 'because', 1)"],
)
def test_a_stop_that_was_lifted_or_set_past_the_log_is_found(busy, statement):
    change(busy, (statement,))
    assert codes(busy) == {"halt"}


def test_a_stop_that_was_lifted_by_a_person_is_sound(busy):
    busy.guard.resume("action:order.place", by="ada", why="it is out")
    assert codes(busy) == set()


def test_policies_that_were_put_into_force_past_the_log_are_found(busy):
    change(
        busy,
        (
            """INSERT INTO agentguard_activation (n, bundle, "by", why, at_us)
            SELECT n + 1, bundle, 'mallory', 'x', at_us FROM agentguard_activation""",
        ),
    )
    assert codes(busy) == {"activation"}


def test_a_vote_whose_words_were_changed_is_found(busy):
    (approved,) = busy.guard.escalations.list("used")
    (vote,) = busy.guard.escalations.show(approved.id).votes
    document = orjson.loads(rows.vote_values(vote)["document"]) | {"reason_code": "she_asked_nicely"}
    text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()
    change(busy, ("UPDATE agentguard_vote SET document = ?", (text,)))
    assert codes(busy) == {"vote"}

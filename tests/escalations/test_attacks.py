"""Attacks on what people decide: each is refused, and the log says who tried what."""

import contextlib
import os
import pwd
import threading
from datetime import UTC, datetime, timedelta

import pytest

from agentguard import Actor, Done, Guard, KeyConflictError, Money, UsageError, VoteRefusedError, Waiting, Waits
from agentguard.cli.app import run
from agentguard.cli.identity import login
from agentguard.engine.directory import Fixed
from agentguard.store import Vault
from tests.engine.given import REFUNDS, bundle
from tests.escalations.given import approve, bodies, notes, people, reject, staffed

ORDERS = {f"A-{n}": {"customer_id": f"c-{n}", "total": Money.of("1000", "USD")} for n in range(1, 30)}

FEES = """
agentguard: 1
policy: refunds
version: 1
owner: refunds@shop.example
timezone: Europe/Berlin
currency: USD
actions:
  refund.issue: {amount: money, fee: money}
escalations:
  lead: {who: "group:leads", within: 4 hours, if_late: deny}
names:
  net: amount - fee
rules:
  - {id: small, then: allow, when: amount <= 50}
  - {id: large, then: escalate to lead, when: amount > 50}
limits:
  - {id: all, sum: SUM, in: calendar day, max: 500, over: deny}
"""


@pytest.fixture
def shop(open_shop):
    made = staffed(open_shop(), people())
    made.orders = dict(ORDERS)
    return made


# an approval for something else


@pytest.mark.law(3)
@pytest.mark.law(7)
@pytest.mark.parametrize("other", [{"amount": "61"}, {"order_id": "A-2"}, {"who": "c-2"}], ids=str)
def test_an_approved_key_does_nothing_for_another_request_and_the_log_says_who_tried(open_both, other):
    shop = staffed(open_both(), people())
    shop.orders = ORDERS
    asked = shop.ask("60")
    approve(shop, asked)
    for _ in range(2):
        with pytest.raises(KeyConflictError):
            shop.ask(**{"amount": "60", **other}, agent=Actor("bot", operator="mallory"))
    assert shop.paid == []
    (tried,) = bodies(shop, "key_conflict")
    assert (tried["action_id"], tried["operator"]) == (asked.decision_id, "mallory")
    assert tried["tried"] != bodies(shop, "voted")[0]["request_digest"]
    assert (tried["tried_for"] == tried["on_behalf_of"]) == ("who" not in other)
    assert "state" not in tried
    assert isinstance(shop.ask("60"), Done)
    assert [str(amount) for _, amount, _ in shop.paid] == ["60.00 USD"]
    assert shop.guard.audit.verify().ok


def test_who_tries_many_requests_under_one_key_does_not_fill_the_log(shop):
    shop.ask("60")
    for cents in range(60):
        with pytest.raises(KeyConflictError):
            shop.ask(f"61.{cents:02}")
    assert len(bodies(shop, "key_conflict")) == 50


@pytest.mark.law(7)
@pytest.mark.parametrize(
    "other",
    [{"key": "k-2"}, {"amount": "61", "key": "k-2"}, {"agent": "other-bot"}, {"tenant": "other"},
     {"context": {"conversation": "talk-2"}}],
    ids=str,
)  # fmt: skip
def test_an_approval_is_for_one_action_and_the_next_one_waits_for_its_own(shop, other):
    approve(shop, shop.ask("60"))
    again = shop.ask(**{"amount": "60", **other})
    assert isinstance(again, Waiting)
    assert shop.paid == []
    assert shop.guard.escalations.show(again.escalation.id).votes == ()
    assert isinstance(shop.ask("60"), Done)
    assert isinstance(shop.ask(**{"amount": "60", **other}), Waiting)
    assert len(shop.paid) == 1


@pytest.mark.law(7)
def test_an_approval_is_used_once(shop):
    asked = shop.ask("60")
    approve(shop, asked)
    answers = [shop.ask("60"), shop.guard.execute(asked.decision_id), shop.ask("60")]
    shop.guard.work()
    assert [type(answer) for answer in answers] == [Done, Done, Done]
    assert len(shop.paid) == 1
    assert shop.guard.escalations.show(asked.escalation.id).record.state == "used"


def test_naming_an_approved_action_as_what_one_belongs_to_lends_no_approval(shop):
    asked = shop.ask("60")
    approve(shop, asked)
    assert isinstance(shop.ask("60", key="k-2", relates_to=asked.decision_id), Waiting)
    assert shop.paid == []


@pytest.mark.law(7)
def test_a_worker_of_other_records_leaves_what_was_approved_in_its_own(open_both):
    shop = staffed(open_both(waits=Waits(rounds=None)), people())
    other = staffed(open_both(tenant="other", clock=shop.clock, waits=Waits(rounds=None)), people())
    shop.orders = other.orders = ORDERS
    asked = shop.ask("60")
    approve(shop, asked)
    assert [answer.decision_id for answer in other.guard.work().answers] == [asked.decision_id]
    assert isinstance(other.ask("60"), Waiting)
    assert isinstance(shop.ask("60"), Done)
    assert len(shop.paid) + len(other.paid) == 1
    assert {entry.stream for entry in shop.guard.audit.of(asked.decision_id)} == {"default"}
    assert isinstance(other.ask("60"), Waiting)
    assert shop.guard.audit.verify().ok


# who votes


@pytest.mark.parametrize("operator", [" maria", "maria ", "\u00a0Maria", "ＭＡＲＩＡ"])
def test_a_blank_or_another_spelling_hides_nobody_from_their_own_request(shop, operator):
    asked = shop.ask("60", agent=Actor("bot", operator=operator.replace("\u00a0", " ")))
    with pytest.raises(VoteRefusedError) as raised:
        approve(shop, asked)
    assert raised.value.why == "own_request"


def test_another_operator_who_asks_again_does_not_free_the_first_one_to_decide(shop):
    asked = shop.ask("60", agent=Actor("bot", operator="maria"))
    approve(shop, asked, "tom")
    for n in range(2, 8):  # so much that the limit of the customer asks people too, which nobody was shown
        shop.orders[f"A-{n}"] = ORDERS["A-1"]
        shop.ask("50", key=f"k-{n}", order_id=f"A-{n}")
    again = shop.ask("60", agent=Actor("bot", operator="kim"))
    assert (isinstance(again, Waiting), again.escalation.id != asked.escalation.id) == (True, True)
    with pytest.raises(VoteRefusedError) as raised:
        approve(shop, again, "maria")
    assert raised.value.why == "own_request"


def test_without_the_keys_nobody_votes_on_what_may_be_their_own_request(open_shop):
    shop = open_shop(people=people())
    asked = shop.ask("60")
    keys, shop.guard._parts.vault = shop.guard._parts.vault, Vault.open(None, lambda count: b"7" * count)
    for decide in (approve, reject):
        with pytest.raises(VoteRefusedError, match="keys file") as raised:
            decide(shop, asked, "maria")
        assert raised.value.why == "customer_unknown"
    assert {body["why"] for body in bodies(shop, "vote_refused")} == {"customer_unknown"}
    shop.guard._parts.vault = keys
    assert approve(shop, asked, "maria").state == "approved"


def unknown():
    raise RuntimeError("the directory is down: password 1234")


@pytest.mark.parametrize("found, why", [(None, "no_people"), (unknown, "people_unavailable")])
def test_where_nobody_can_say_who_the_people_are_nobody_votes_and_the_log_says_so(shop, found, why):
    asked = shop.ask("60")
    if found:
        staffed(shop, found)
    else:
        shop.guard._parts.directory = Fixed(None)
    for tries in (approve, reject):
        with pytest.raises(VoteRefusedError) as raised:
            tries(shop, asked, "maria")
        assert raised.value.why == why
        assert "1234" not in str(raised.value)
    refused = bodies(shop, "vote_refused")
    assert [(body["tried"], body["voter"], body["why"]) for body in refused] == [
        ("approve", "maria", why),
        ("reject", "maria", why),
    ]
    assert shop.guard.escalations.show(asked.escalation.id).record.state == "open"


@pytest.mark.parametrize("doing", ["approve", "reject", "amend"])
def test_nobody_votes_without_a_reason_and_so_around_those_that_a_route_lists(open_shop, doing):
    text = REFUNDS.replace('lead: {who: "group:leads",', 'lead: {who: "group:leads", reason_codes: [goodwill],')
    shop = staffed(open_shop(text=text), people())
    asked = shop.ask("60")
    given = [asked.escalation.id, *([{"amount": "55"}] if doing == "amend" else [])]
    with pytest.raises(UsageError, match="reason code"):
        getattr(shop.guard.escalations, doing)(*given, by="maria", reason_code=None)
    assert bodies(shop, "voted") == []


@pytest.mark.parametrize(
    "more, says",
    [
        ({"note": "good\x1b[2K\rbad"}, "U\\+001B"),
        ({"note": "\x00"}, "U\\+0000"),
        ({"note": "\ud800"}, "U\\+D800"),
        ({"note": "refund \u202e001 only"}, "U\\+202E"),
        ({"viewed_at": "yesterday"}, "viewed_at"),
        ({"viewed_at": datetime(2026, 1, 1)}, "viewed_at"),
        ({"reason_code": "good\nwill"}, "reason code"),
    ],
    ids=str,
)
def test_a_note_that_hides_something_or_a_time_without_a_zone_is_refused(shop, more, says):
    asked = shop.ask("60")
    with pytest.raises(UsageError, match=says):
        approve(shop, asked, **more)
    assert bodies(shop, "voted") == []


def test_a_note_as_people_type_it_is_taken_on_both_engines(open_both):
    shop = staffed(open_both(), people())
    note = "A good customer:\r\n\tsince 2019, „sehr nett“ 👩‍💻\n" + "x" * 1_900
    asked = shop.ask("60")
    assert approve(shop, asked, note=note).state == "approved"
    assert notes(shop, asked.escalation.id) == [note]


def test_nobody_saw_it_later_than_they_voted(shop):
    approve(shop, shop.ask("60"), viewed_at=datetime(3000, 1, 1, tzinfo=UTC))
    vote = bodies(shop, "voted")[0]["vote"]
    assert vote["viewed_at"] == vote["voted_at"]


# amending


@pytest.mark.parametrize("by", ["ada", "stranger"])
def test_who_may_not_decide_may_not_ask_for_less_and_the_log_says_so(shop, by):
    asked = shop.ask("60")
    with pytest.raises(VoteRefusedError):
        shop.guard.escalations.amend(asked.escalation.id, {"amount": "55"}, by=by, reason_code="goodwill")
    (tried,) = bodies(shop, "vote_refused")
    assert (tried["tried"], tried["voter"], tried["why"]) == ("amend", by, "not_admitted")


def test_raising_is_refused_written_down_and_changes_nothing(shop):
    asked = shop.ask("60")
    for amount in ("60.01", "1000"):
        with pytest.raises(VoteRefusedError, match="raised"):
            shop.guard.escalations.amend(asked.escalation.id, {"amount": amount}, by="maria", reason_code="goodwill")
    assert [(body["tried"], body["why"]) for body in bodies(shop, "vote_refused")] == [("amend", "raises")]
    assert shop.guard.escalations.show(asked.escalation.id).record.state == "open"


def test_nobody_takes_the_key_of_what_an_approver_will_ask_for(shop):
    asked = shop.ask("60")
    shop.guard.escalations.amend(asked.escalation.id, {"amount": "55"}, by="maria", reason_code="goodwill")
    (proposed,) = bodies(shop, "proposed")
    assert asked.escalation.id not in proposed["key"]
    assert isinstance(shop.ask("55", key=proposed["key"], agent="mallory"), Waiting)
    assert isinstance(shop.ask("60"), Done)


@pytest.mark.parametrize("sum_", ["amount - fee", "amount + (-fee)", "net"])
def test_lowering_what_is_taken_off_is_raising_and_is_refused(open_shop, sum_):
    text = FEES.replace("SUM", sum_)
    guard = Guard(bundle(text), store="sqlite://", people=people(), activate=True, waits=Waits(rounds=None))
    guard.action("refund.issue")(lambda amount, fee: "done")
    with contextlib.closing(guard):
        given = {"amount": "80", "fee": "20"}
        asked = guard.run("refund.issue", given, agent="bot", on_behalf_of="c-1", key="k-1")
        with pytest.raises(VoteRefusedError, match="may be changed here \\(amount\\), got `fee`"):
            guard.escalations.amend(asked.escalation.id, {"fee": "1"}, by="maria", reason_code="goodwill")
        ballot = guard.escalations.amend(asked.escalation.id, {"amount": "60"}, by="maria", reason_code="goodwill")
        assert isinstance(guard.execute(ballot.action_id), Done)


# who says who they are


@pytest.mark.parametrize("name", ["LOGNAME", "USER", "LNAME", "USERNAME"])
def test_the_environment_makes_nobody_somebody_else(monkeypatch, name):
    monkeypatch.setenv(name, "maria")
    assert login() == pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.law(7)
def test_people_of_ones_own_making_decide_nothing_where_the_application_has_others(open_both):
    shop = staffed(open_both(), people())
    asked = shop.ask("60")
    forged = staffed(open_both(clock=shop.clock, waits=Waits(rounds=None)), people(names=("eve",), leads=("eve",)))
    assert approve(forged, asked, "eve").state == "approved"
    again = shop.ask("60")
    assert isinstance(again, Waiting)
    assert shop.paid == []
    (reopened,) = bodies(shop, "reopened")
    assert reopened["not_counted"] == [{"voter": "eve", "why": "not_admitted"}]
    assert approve(shop, asked).state == "approved"
    assert isinstance(shop.ask("60"), Done)


@pytest.mark.law(7)
def test_one_person_under_a_new_id_is_one_vote(shop):
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
    asked = shop.ask("600")
    approve(shop, asked, "ada")
    renamed = people(names=("ada.l", "kim", "maria", "tom"), finance=("ada.l", "kim"), logins=(("ada.l", ["ada"]),))
    staffed(shop, renamed)
    with pytest.raises(VoteRefusedError):
        approve(shop, asked, "ada")
    assert shop.guard.escalations.show(asked.escalation.id).record.state == "open"
    assert approve(shop, asked, "kim").state == "approved"


@pytest.mark.law(7)
def test_a_route_that_admits_others_now_is_not_met_by_those_who_were_admitted_then(open_both):
    shop = staffed(open_both(), people())
    asked = shop.ask("60")
    approve(shop, asked)
    changed = REFUNDS.replace("version: 1\n", "version: 2\n").replace(
        'lead: {who: "group:leads"', 'lead: {who: "group:finance"'
    )
    shop = staffed(open_both(text=changed, clock=shop.clock), people())
    again = shop.ask("60")
    assert isinstance(again, Waiting)
    assert again.escalation.id != asked.escalation.id
    assert shop.paid == []
    assert approve(shop, again, "ada").state == "approved"
    assert isinstance(shop.ask("60"), Done)


# what others read


def test_no_word_of_anybody_steers_the_terminal_of_whoever_reads_the_log(shop, tmp_path, capsys):
    asked = shop.ask("60")
    with pytest.raises(VoteRefusedError):
        approve(shop, asked, "[bold]maria[/bold]")
    why = "a mistake \x1b[2J\x1b]8;;http://evil\x07\u202e\r[red]nobody asked[/red]"
    shop.guard.escalations.withdraw(asked.escalation.id, by="tom", why=why)
    for words in (
        ["audit", "show", asked.decision_id],
        ["audit", "list"],
        ["escalations", "show", asked.escalation.id],
    ):
        run([*words, "--store", f"sqlite:///{tmp_path / 'guard.db'}"])
    said = capsys.readouterr().out
    assert "[red]nobody asked[/red]" in said
    assert "[bold]maria[/bold] may not approve it" in said
    assert {sign for sign in said if not sign.isprintable()} == {"\n"}


# racing the end


def raced(*works):
    """Let several do something at the same time; return what each came to."""
    ready, came_to = threading.Barrier(len(works)), [None] * len(works)

    def run(number):
        ready.wait()
        try:
            came_to[number] = works[number]()
        except UsageError as error:
            came_to[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return came_to


@pytest.mark.no_cover
@pytest.mark.law(5)
@pytest.mark.law(7)
def test_of_a_yes_and_the_end_of_its_time_one_wins_beside_two_workers_in_twenty_rounds(address, open_shop):
    text = REFUNDS.replace("if_late: finance", "if_late: deny")
    shop = staffed(open_shop(store=address, text=text, waits=Waits(rounds=None)), people())
    second = staffed(open_shop(store=address, text=text, waits=Waits(rounds=None), clock=shop.clock), people())
    shop.orders = second.orders = ORDERS
    ends = []
    for n in range(1, 21):
        asked = shop.ask("60", key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}")
        shop.clock.advance(timedelta(hours=4) - timedelta(microseconds=1 if n % 2 else 0))
        raced(
            lambda asked=asked: approve(second, asked),
            lambda: (shop.clock.advance(timedelta(microseconds=1)), shop.guard.work()),
            second.guard.work,
        )
        shop.guard.work()
        ends.append((shop.guard.escalations.show(asked.escalation.id).record.state, shop.state(asked)))
        kinds = shop.kinds(asked)
        assert ("voted" in kinds) + ("expired" in kinds) == 1
    assert set(ends) <= {("used", "settled"), ("expired", "denied")}
    assert len(shop.paid) + len(second.paid) == ends.count(("used", "settled"))
    assert shop.guard.audit.verify().ok


def test_of_a_yes_a_no_a_withdrawal_and_less_at_once_one_is_what_happens(open_both):
    shop = staffed(open_both(waits=Waits(rounds=None)), people())
    shop.orders = ORDERS
    for n in range(1, 9):
        asked = shop.ask("60", key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}")
        named = asked.escalation.id
        came_to = raced(
            lambda asked=asked: approve(shop, asked, "maria"),
            lambda asked=asked: reject(shop, asked, "tom"),
            lambda named=named: shop.guard.escalations.withdraw(named, by="kim", why="they called"),
            lambda named=named: shop.guard.escalations.amend(named, {"amount": "55"}, by="tom", reason_code="goodwill"),
        )
        won = [one for one in came_to if not isinstance(one, UsageError)]
        assert len(won) == 1
        assert shop.guard.escalations.show(named).record.state == won[0].state
    assert shop.paid == []
    assert shop.guard.audit.verify().ok


@pytest.mark.law(3)
def test_what_was_amended_is_done_once_however_many_go_on_with_it(open_both):
    shop = staffed(open_both(waits=Waits(rounds=None)), people())
    second = staffed(open_both(waits=Waits(rounds=None), clock=shop.clock), people())
    shop.orders = second.orders = ORDERS
    for n in range(1, 7):
        asked = shop.ask("60", key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}")
        ballot = shop.guard.escalations.amend(asked.escalation.id, {"amount": "40"}, by="maria", reason_code="goodwill")
        raced(
            shop.guard.work,
            second.guard.work,
            lambda n=n: second.ask("60", key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}"),
            lambda ballot=ballot: shop.guard.execute(ballot.action_id),
        )
        assert str(shop.guard.audit.action(ballot.action_id).state) == "settled"
        assert shop.state(asked) == "denied"
    assert sorted(order for order, *_ in shop.paid + second.paid) == [f"A-{n}" for n in range(1, 7)]
    assert shop.guard.audit.verify().ok


@pytest.mark.law(7)
def test_of_the_last_two_yes_at_once_both_count_and_it_is_approved_once(open_both):
    shop = staffed(open_both(waits=Waits(rounds=None)), people())
    shop.orders = ORDERS
    for n in range(1, 9):
        asked = shop.ask("600", key=f"k-{n}", order_id=f"A-{n}", who=f"c-{n}")
        raced(*(lambda asked=asked, by=by: approve(shop, asked, by) for by in ("ada", "kim")))
        assert shop.guard.escalations.show(asked.escalation.id).record.state == "approved"
        assert isinstance(shop.guard.execute(asked.decision_id), Done)
    assert len(shop.paid) == 8
    assert sorted(body["missing"] for body in bodies(shop, "voted")) == [0] * 8 + [1] * 8

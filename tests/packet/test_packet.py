"""The handoff packet: whoever decides starts where the conversation stands, and sees why it needs a person."""

from datetime import timedelta

import orjson
import pytest

from agentguard import Money, NotFoundError, UsageError
from agentguard.core.dossier import Alternative, Budget, Other
from agentguard.core.packet import bar
from agentguard.errors import StoreUnavailableError
from agentguard.store import Vault
from tests.engine.given import REFUNDS
from tests.engine.given import shop as open_shop_on
from tests.escalations.given import approve, people, staffed

SUMMARY = "Ann wrote three times about a parcel that never came.\nShe was promised a call."
CONTESTABLE = REFUNDS.replace("rules:\n", "contest: {to: lead, within: 5 days, open_for: 60 days}\nrules:\n", 1)
ROOM = {"customer_id": "c-1", "total": Money.of("900", "USD")}


def wait(shop, amount="250.00", **more):
    """Ask for a refund that needs a person, after three that did not."""
    for number in range(3):
        shop.ask("40.00", key=f"small-{number}", order_id=f"S-{number}", context={"conversation": "before"})
    shop.orders["A-9"] = ROOM
    context = {"summary": SUMMARY, "link": "https://desk.example/c/91", "channel": "chat", "language": "de"}
    return shop.ask(amount, key="large", order_id="A-9", context=context, **more)


def packet_of(shop, answer):
    return shop.guard.escalations.show(answer.escalation.id).packet


def opened(shop, answer):
    return shop.guard.escalations.view(answer.escalation.id, by="maria").packet


def test_every_cause_is_there_with_its_words_its_place_and_its_lines(open_shop):
    shop = open_shop()
    packet = packet_of(shop, wait(shop))
    rule, limit = packet.causes
    assert (rule.source, rule.kind, rule.place) == ("refunds/medium", "rule", "file0.yaml line 37")
    assert rule.because == (
        "the amount (250.00 USD) is more than 50.00 USD",
        "the amount (250.00 USD) is at most 500.00 USD",
    )
    assert (rule.text[0], rule.text[-1]) == ("- id: medium", "  when: amount > 50 and amount <= 500")
    assert (limit.source, limit.kind) == ("refunds/customer-30-days", "limit")
    assert limit.because == (
        "at most 300.00 USD in 30 days for each customer: 120.00 USD was used, and this adds 250.00 USD",
    )


def test_what_had_to_happen_first_and_what_could_not_be_evaluated_are_causes_too(open_shop):
    text = REFUNDS.replace("then: deny", "then: escalate to lead").replace("over: deny", "over: escalate to lead")
    text = text.replace("currency: USD\n", "currency: USD\non_error: escalate to finance\n", 1) + (
        "requires:\n  - {id: verified, on: [refund.issue], action: identity.verify, same: [on_behalf_of], "
        "within: 30 minutes, else: escalate to lead}\n"
    )
    shop = open_shop(text=text)
    shop.broken.add("order")
    packet = packet_of(shop, shop.ask("10.00"))
    causes = {cause.source: cause for cause in packet.causes}
    assert causes["refunds/verified"].because == (
        "`verify identity` for the same customer did not happen before within 30 min",
    )
    assert causes["refunds/on_error"].kind == "file"
    assert "order.customer_id" in causes["refunds/not-theirs"].because[0]
    assert "the max could not be worked out" in causes["refunds/order-refunds"].because[-1]
    assert "the lookup failed" in packet.as_text()


def test_what_is_personal_stays_closed_until_somebody_who_may_decide_opens_it(open_shop):
    shop = open_shop()
    asked = wait(shop)
    shop.guard.told(asked.decision_id, "A colleague will call you.", by="bot", channel="chat")
    closed = packet_of(shop, asked)
    text = closed.as_text() + orjson.dumps(closed.as_json()).decode()
    for word in ("Ann", "desk.example", "c-1@mail.example", "will call", "c-1"):
        assert word not in text.replace("order customer id  c-1", "").replace('"value":"c-1"', ""), word
    assert (closed.customer, closed.customer_id, closed.conversation.summary) == ("c…1", None, None)
    seen = opened(shop, asked)
    assert seen.closed == ()
    assert (seen.customer_id, seen.conversation.summary) == ("c-1", SUMMARY)
    assert (seen.told[-1].words, seen.told[-1].by, seen.told[-1].channel) == (
        "A colleague will call you.",
        "bot",
        "chat",
    )
    for words in (
        *SUMMARY.split("\n"),
        "https://desk.example/c/91",
        "c-1@mail.example",
        '"A colleague will call you."',
    ):
        assert words in seen.as_text(), words
    viewed = shop.guard.audit.list(kind="viewed")[0].document["personal"]
    assert set(viewed) == set(seen.opened) == set(closed.closed)
    assert {"context.summary", "context.link", "facts.customer.email"} < set(viewed)


def test_what_was_erased_is_named_as_erased(open_shop):
    shop = open_shop()
    asked = wait(shop)
    shop.guard._parts.vault.erase(shop.guard.audit.action(asked.decision_id).on_behalf_of)
    seen = opened(shop, asked)
    assert (seen.conversation.summary, seen.customer_id) == ("(erased)", None)
    assert "(erased)" in seen.as_text()


def test_without_the_keys_it_says_what_is_not_known_and_opens_nothing(open_shop):
    shop = open_shop()
    asked = wait(shop)
    shop.guard._parts.vault = Vault.open(None, lambda count: b"7" * count)
    packet = packet_of(shop, asked)
    assert not packet.explained
    assert packet.customer.startswith("p_")
    assert "it takes the keys file" in packet.as_text()
    assert packet.causes[0].text
    with pytest.raises(StoreUnavailableError, match="keys file"):
        opened(shop, asked)


def test_budgets_are_those_of_now_beside_what_was_used_when_it_was_asked(open_shop):
    shop = open_shop()
    asked = wait(shop)
    shop.ask("30.00", key="meanwhile", order_id="S-7")
    budgets = {item.limit: item for item in packet_of(shop, asked).budgets}
    month = budgets["refunds/customer-30-days"]
    assert (month.then, month.used, month.this, month.max, month.over) == (12_000, 15_000, 25_000, 30_000, 10_000)
    assert (month.window, month.unit) == ("30 days for each customer", "USD")
    shop.clock.advance(timedelta(hours=1))
    assert "100.00 USD too much" in packet_of(shop, asked).as_text(200)


def test_what_the_action_itself_holds_while_it_waits_is_not_counted_twice(open_shop):
    shop = open_shop(text=REFUNDS.replace("if_late: finance}", "if_late: finance, hold: yes}"))
    asked = shop.ask("60.00")
    assert shop.usage(asked)
    assert [(item.used, item.held, item.this) for item in packet_of(shop, asked).budgets] == [(0, 0, 6_000)] * 2


def test_a_second_escalation_of_the_same_action_has_the_causes_of_its_own_decision(open_shop):
    medium = "when: amount > 50 and amount <= 500\n"
    shop = open_shop(text=REFUNDS.replace(medium, f"{medium}    say: A colleague looks at it.\n"))
    shop.orders["A-9"] = ROOM
    asked = shop.ask("250.00", key="large", order_id="A-9")
    shop.clock.advance(timedelta(minutes=1))
    shop.guard.escalations.approve(asked.escalation.id, by="maria", reason_code="goodwill")
    shop.guard.told(asked.decision_id, "It has been approved.", by="bot")
    shop.clock.advance(timedelta(minutes=1))
    shop.ask("50.00", key="one", order_id="S-1")
    shop.ask("50.00", key="two", order_id="S-2")
    again = shop.guard.execute(asked.decision_id)
    assert [cause.source for cause in packet_of(shop, asked).causes] == ["refunds/medium"]
    packet = packet_of(shop, again)
    assert [cause.source for cause in packet.causes] == ["refunds/medium", "refunds/customer-30-days"]
    assert [said.by for said in packet.told] == ["bot", ""]


@pytest.mark.parametrize(
    "used, held, this, most, drawn",
    [
        (0, 0, 10, 100, "[==..................]"),
        (50, 20, 25, 100, "[######++++=====.....]"),
        (50, 0, 50, 100, "[##########==========]"),
        (50, 0, 51, 100, "[##########==========!"),
        (0, 0, 1, 1_000_000, "[=...................]"),
        (100, 0, 0, 100, "[####################]"),
        (5, 0, 5, 0, "[!                   !"),
        (5, 0, 5, None, "[?                   ]"),
    ],
)
def test_a_budget_is_drawn_with_used_held_this_one_and_what_is_left(used, held, this, most, drawn):
    assert bar(Budget("l", "w", "#", used, held, this, used, most), 20) == drawn


def test_earlier_actions_are_the_newest_ten_of_this_customer_with_what_came_of_them(open_shop):
    shop = open_shop()
    for number in range(12):
        shop.ask("1.00", key=f"k-{number}", order_id=f"S-{number}")
        shop.clock.advance(timedelta(seconds=1))
    shop.ask("2.00", key="other", who="c-2")
    shop.orders["T"] = {"customer_id": "c-9", "total": Money.of("9", "USD")}
    shop.ask("3.00", key="theirs", order_id="T")
    shop.clock.advance(timedelta(seconds=1))
    asked = shop.ask("60.00", key="large")
    shop.clock.advance(timedelta(seconds=1))
    shop.ask("4.00", key="later")
    packet = packet_of(shop, asked)
    assert [item.arguments for item in packet.later] == ["amount 4.00 USD, order id A-1, reason late"]
    assert "ASKED FOR THIS CUSTOMER SINCE" in packet.as_text()
    earlier = packet.earlier
    assert len(earlier) == 10
    assert isinstance(earlier[0], Other)
    assert (earlier[0].state, earlier[0].why) == ("denied", "rule matched")
    assert (earlier[1].state, earlier[1].arguments) == ("settled", "amount 1.00 USD, order id S-11, reason late")


def test_earlier_actions_and_budgets_are_found_on_both_engines(address):
    shop = open_shop_on(address)
    shop.ask("1.00", key="first")
    shop.clock.advance(timedelta(seconds=1))
    shop.ask("2.00", key="other", who="c-2")
    packet = packet_of(shop, shop.ask("60.00", key="large"))
    assert [item.arguments for item in packet.earlier] == ["amount 1.00 USD, order id A-1, reason late"]
    assert [item.used for item in packet.budgets] == [100, 100]
    shop.guard.close()


def test_what_would_have_been_automatic_is_said_and_what_an_approver_may_change(open_shop):
    text = (
        REFUNDS.replace("if_late: finance}", "if_late: finance, may_change: [amount, reason]}")
        .replace("when: amount <= 50", 'when: amount <= 50 or (reason == "damaged" and amount <= 260)')
        .replace("when: amount > 50 and amount <= 500", 'when: amount > 50 and amount <= 500 and reason != "damaged"')
    )
    shop = open_shop(text=text)
    shop.orders["A-9"] = ROOM
    packet = packet_of(shop, shop.ask("250.00", key="large", order_id="A-9"))
    assert packet.alternatives == (
        Alternative("amount", "50.00 USD", at_most=True),
        Alternative("reason", "damaged", at_most=False),
    )
    assert "the same with amount up to 50.00 USD" in packet.automatic
    assert "an approver may lower amount to 50.00 USD, and it is allowed" in packet.as_text()
    assert "an approver may change reason to damaged, and it is allowed" in packet.as_text()


def test_nothing_that_the_route_does_not_let_an_approver_change_is_suggested(open_shop):
    shop = open_shop(text=REFUNDS.replace("if_late: finance}", "if_late: finance, may_change: []}"))
    asked = shop.ask("60.00")
    packet = packet_of(shop, asked)
    assert (packet.alternatives, packet.changeable) == ((), ())
    assert packet.automatic
    assert "(amend)" not in packet.as_text()


def test_what_was_amended_is_told_apart_in_packets_and_letters(open_shop):
    shop = open_shop()
    shop.orders["A-9"] = ROOM
    asked = shop.ask("700.00", order_id="A-9")
    shop.clock.advance(timedelta(seconds=1))
    ballot = shop.guard.escalations.amend(asked.escalation.id, {"amount": "600.00"}, by="kim", reason_code="goodwill")
    assert f"{ballot.action_id} took its place" in packet_of(shop, asked).as_text(200)
    assert "another one" in " ".join(shop.guard.letter(asked.decision_id, "en").as_text().split()).lower()
    with pytest.raises(UsageError, match="nobody has decided yet"):
        shop.guard.letter(ballot.action_id)
    again = shop.guard.execute(ballot.action_id)
    packet = packet_of(shop, again)
    assert packet.relates_to == asked.decision_id
    assert (packet.earlier[0].state, packet.desks[0].missing) == ("denied", 1)
    assert f"belongs to the earlier action {asked.decision_id}" in packet.as_text(200)


def test_a_contest_has_why_it_was_refused_and_what_the_customer_says_against_it(open_shop):
    shop = open_shop(text=CONTESTABLE)
    denied = shop.ask("200.00")
    made = shop.guard.contest(denied.decision_id, "It was never delivered.", by="c-1", channel="mail")
    packet = shop.guard.escalations.show(made.escalation).packet
    assert [cause.source for cause in packet.causes] == ["refunds/more-than-left", "refunds/order-refunds"]
    assert (packet.contest.words, packet.contest.channel) == (None, "mail")
    seen = shop.guard.escalations.view(made.escalation, by="maria").packet
    assert seen.contest.words == "It was never delivered."
    text = seen.as_text()
    assert packet.ended == ""
    assert "left to people" not in text
    assert "WHAT THE CUSTOMER SAYS AGAINST IT" in text
    assert "WHY IT WAS REFUSED" in text


def test_a_contest_of_what_people_ended_says_that_they_did_and_not_that_a_rule_refused(open_shop):
    shop = open_shop(text=CONTESTABLE)

    def refused(asked):
        made = shop.guard.contest(asked.decision_id, "It was never delivered.", by="c-1")
        return shop.guard.escalations.show(made.escalation).packet

    rejected, late = shop.ask("60.00", key="no"), shop.ask("61.00", key="late", order_id="A-2")
    shop.guard.escalations.reject(rejected.escalation.id, by="maria", reason_code="fraud_suspected")
    packet = refused(rejected)
    assert packet.ended == "rejected"
    assert "WHY IT WAS REFUSED\nA person said no. What follows is why it was left to people.\n" in packet.as_text()
    for _ in range(2):
        shop.clock.advance(timedelta(days=3))
        shop.guard.recover()
    assert "Nobody decided it in time." in refused(late).as_text()


def test_who_may_decide_is_named_with_how_many_are_missing(open_shop):
    shop = open_shop()
    shop.orders["A-9"] = ROOM
    asked = shop.ask("600.00", key="large", order_id="A-9")
    assert "They may also ask for less, or for another choice (amend): amount." in packet_of(shop, asked).as_text(200)
    desk = packet_of(shop, asked).desks[0]
    assert (desk.route, desk.people, desk.needed, desk.missing) == ("refunds/finance", ("Ada", "Kim"), 2, 2)
    shop.guard.escalations.approve(asked.escalation.id, by="kim", reason_code="goodwill", note="once\nonly")
    packet = packet_of(shop, asked)
    assert packet.desks[0].missing == 1
    assert "1 more of 2 needed" in packet.as_text()
    said = "kim said yes (goodwill), known by their word alone (unverified)"
    assert f"{said} (personal)" in " ".join(packet.as_text().split())
    assert any(place.startswith("vote.note of entry ") for place in packet.closed)
    seen = shop.guard.escalations.view(asked.escalation.id, by="ada").packet
    assert f'{said} "once only"' in " ".join(seen.as_text().split())
    shop.guard._parts.vault.erase(shop.guard.audit.action(asked.decision_id).on_behalf_of)
    seen = shop.guard.escalations.view(asked.escalation.id, by="ada").packet
    assert seen.votes[0].note == "(erased)"
    with pytest.raises(UsageError, match="whose customer was erased"):
        shop.guard.escalations.approve(asked.escalation.id, by="ada", reason_code="goodwill", note="she called again")
    assert [vote.note for vote in packet_of(shop, asked).votes] == [None]


def test_who_still_can_vote_is_named_and_where_they_are_too_few_it_is_said(open_shop):
    shop = staffed(open_shop(), people(absent=("kim", "tom")))
    shop.orders["A-9"] = ROOM
    asked = shop.ask("600.00", key="large", order_id="A-9")
    assert packet_of(shop, asked).desks[0].people == ("Ada", "Tom")
    approve(shop, asked, "tom")
    packet = packet_of(shop, asked)
    assert (packet.desks[0].people, packet.votes[0].stands_for) == (("Ada",), "kim")
    assert "tom, for kim, said yes" in packet.as_text()
    assert "too few" not in packet.as_text()
    staffed(shop, people(absent=("kim", "maria")))  # kim's place has its vote, whoever stands for them now
    assert packet_of(shop, asked).desks[0].people == ("Ada",)
    staffed(shop, people(finance=("kim",), absent=("kim", "tom")))
    assert "none of them can still say yes, and that is too few" in packet_of(shop, asked).as_text(200)


def test_a_vote_that_does_not_count_any_more_says_why_and_unknown_people_are_said_to_be_unknown(open_shop):
    shop = staffed(open_shop(), people())
    shop.orders["A-9"] = ROOM
    asked = shop.ask("600.00", key="large", order_id="A-9")
    approve(shop, asked, "kim")
    staffed(shop, people(finance=("ada",)))
    packet = packet_of(shop, asked)
    assert (packet.votes[0].lost, packet.desks[0].missing, packet.desks[0].people) == ("not_admitted", 2, ("Ada",))
    text = packet.as_text(200)
    assert "that does not count now: no route admits them" in text
    assert "only 1 of them can still say yes, and that is too few" in text

    def gone():
        raise OSError

    staffed(shop, gone)
    packet = packet_of(shop, asked)
    assert packet.desks[0].people is None
    assert "Nothing tells who they are, so that nobody can vote now." in packet.as_text(200)


def test_the_reasons_that_a_route_takes_are_named(open_shop):
    shop = open_shop(
        text=REFUNDS.replace("if_late: finance}", "if_late: finance, reason_codes: [goodwill, our_fault]}")
    )
    packet = packet_of(shop, shop.ask("60.00"))
    assert packet.desks[0].reason_codes == ("goodwill", "our_fault")
    assert "It takes one of these reasons: goodwill, our_fault." in packet.as_text()


def test_an_escalation_that_took_over_has_the_whole_packet_too(open_shop):
    shop = open_shop()
    asked = wait(shop)
    shop.clock.advance(timedelta(hours=4))
    shop.guard.recover()
    later = shop.guard.escalations.list()[0]
    assert later.id != asked.escalation.id
    packet = shop.guard.escalations.show(later.id).packet
    assert [cause.source for cause in packet.causes] == ["refunds/medium", "refunds/customer-30-days"]
    assert packet.desks[0].route == "refunds/finance"


def test_what_ended_says_so(open_shop):
    shop = open_shop()
    asked = shop.ask("60.00")
    shop.guard.escalations.reject(asked.escalation.id, by="maria", reason_code="fraud_suspected")
    text = packet_of(shop, asked).as_text()
    assert "the escalation is rejected" in text
    assert "By now the action is denied." in text


def test_words_of_others_cannot_steer_a_terminal(open_shop):
    shop = open_shop()
    asked = shop.ask("60.00", context={"summary": "look \x1b[2Jhere\r\nand \u202ethere"})
    text = opened(shop, asked).as_text()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "look  [2Jhere" in text


@pytest.mark.parametrize("width", [40, 60, 100])
def test_no_line_is_wider_than_asked(open_shop, width):
    shop = open_shop()
    text = opened(shop, wait(shop)).as_text(width)
    assert max(map(len, text.splitlines())) <= width


def test_the_packet_is_json(open_shop):
    shop = open_shop()
    document = orjson.loads(orjson.dumps(packet_of(shop, wait(shop)).as_json()))
    assert document["budgets"][1]["max"] == 30_000
    assert document["asked_at"] == "2026-11-22T10:00:00.000000Z"
    assert document["arguments"][0] == {"name": "amount", "value": "250.00 USD"}


def test_an_escalation_that_is_not_there_has_no_packet(open_shop):
    with pytest.raises(NotFoundError, match="esc_none"):
        open_shop().guard.escalations.show("esc_none")

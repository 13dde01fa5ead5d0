"""What waits is listed by when it is due, a page at a time, and counted by how people decided."""

from datetime import timedelta

import pytest

from agentguard import Actor, Money, NotFoundError, UsageError, VoteRefusedError
from tests.engine.given import REFUNDS
from tests.escalations.given import approve, people, reject, staffed

QUICK = REFUNDS.replace("rules:\n", '  quick: {who: "group:leads", within: 1 hour}\nrules:\n', 1).replace(
    "then: escalate to lead\n    when: amount > 50 and amount <= 500",
    'then: escalate to lead\n    when: amount > 50 and amount <= 500 and reason == "late"\n'
    '  - id: hurry\n    on: [refund.issue]\n    then: escalate to quick\n    when: amount > 50 and reason == "other"',
)


def ask(shop, number, **more):
    return shop.ask("60", key=f"k-{number}", order_id=f"A-{number}", **more)


def test_what_is_due_first_is_listed_first_a_page_at_a_time(open_both):
    shop = open_both(text=QUICK)
    slow = [ask(shop, number) for number in range(3)]
    quick = [ask(shop, number, arguments={"reason": "other"}) for number in range(3, 5)]
    wanted = [*sorted(item.escalation.id for item in quick), *sorted(item.escalation.id for item in slow)]
    assert [record.id for record in shop.guard.escalations.list()] == wanted
    found, after = [], ""
    while page := shop.guard.escalations.list(limit=2, after=after):
        found += [record.id for record in page]
        after = page[-1].id
    assert found == wanted
    with pytest.raises(NotFoundError, match="got `esc_nothing`"):  # an empty page would read as if nothing waited
        shop.guard.escalations.list(None, after="esc_nothing")


def test_somebody_sees_what_they_can_decide_a_page_at_a_time_and_not_what_they_asked_for_or_voted_on(open_both):
    shop = staffed(open_both(), people(absent=("ada", "tom")))
    shop.orders["A-1"] = {"customer_id": "c-1", "total": Money.of("1000", "USD")}
    mine = [ask(shop, number) for number in range(3)]
    own = ask(shop, 3, agent=Actor("bot", operator="maria"))
    two = shop.ask("600", key="two", order_id="A-1")

    def of(name, **more):
        return {record.id for record in shop.guard.escalations.for_person(name, **more)}

    every = {item.escalation.id for item in (*mine, own, two)}
    assert of("maria") == {item.escalation.id for item in mine}
    assert (of("tom"), of("kim"), of("ada")) == (every, {two.escalation.id}, set())  # tom stands for ada, who is away
    approve(shop, two, "tom")
    assert of("TOM") == every - {two.escalation.id}
    (first,) = shop.guard.escalations.for_person("maria", limit=1)
    assert of("maria", after=first.id) == of("maria") - {first.id}
    approve(shop, mine[0], "maria")
    assert of("maria") == {item.escalation.id for item in mine[1:]}
    assert of("maria", tenant="else") == set()
    shop.clock.advance(timedelta(hours=4))
    assert of("maria") == set()  # they are late, and pass on to the next route
    with pytest.raises(NotFoundError):
        of("maria", after="esc_nothing")
    with pytest.raises(UsageError, match="whom the people file names"):
        of("eve")
    staffed(shop, lambda: None)
    with pytest.raises(VoteRefusedError, match="nobody may act"):
        of("maria")


def test_figures_count_each_end_by_route_and_by_person(open_both):
    shop = staffed(open_both(), people())
    waiting = [ask(shop, number) for number in range(6)]
    shop.clock.advance(timedelta(minutes=10))
    approve(shop, waiting[0])
    shop.clock.advance(timedelta(minutes=20))
    approve(shop, waiting[1], "tom")
    shop.ask("60", key="k-1", order_id="A-1")
    reject(shop, waiting[2])
    shop.guard.escalations.amend(waiting[3].escalation.id, {"amount": "40"}, by="tom", reason_code="goodwill")
    shop.guard.escalations.withdraw(waiting[4].escalation.id, by="maria", why="gone")
    shop.clock.advance(timedelta(hours=4))
    late = shop.clock()
    ask(shop, 5)
    found = shop.guard.escalations.stats()
    finance, lead = found.routes
    assert (finance.route, finance.open, finance.decided, finance.median) == ("refunds/finance", 1, 0, None)
    counts = (lead.open, lead.approved, lead.rejected, lead.amended, lead.withdrawn, lead.late, lead.decided)
    assert counts == (0, 2, 1, 1, 1, 1, 4)
    assert (lead.median, lead.slowest_twentieth) == (timedelta(minutes=30), timedelta(minutes=30))
    assert [(who.voter, who.approved, who.rejected, who.amended) for who in found.voters] == [
        ("maria", 1, 1, 0),
        ("tom", 1, 0, 1),
    ]
    assert found.voters[0].median == timedelta(minutes=20)
    assert [item.route for item in shop.guard.escalations.stats(since=late).routes] == ["refunds/finance"]


@pytest.mark.parametrize("state", ["used", "amended", "rejected", "withdrawn", "passed_on", "open"])
def test_each_end_has_a_state_of_its_own(open_shop, state):
    shop = staffed(open_shop(), people())
    asked = ask(shop, 1)
    match state:
        case "used":
            approve(shop, asked)
            ask(shop, 1)
        case "amended":
            shop.guard.escalations.amend(asked.escalation.id, {"amount": "40"}, by="tom", reason_code="goodwill")
        case "rejected":
            reject(shop, asked)
        case "withdrawn":
            shop.guard.escalations.withdraw(asked.escalation.id, by="maria", why="gone")
        case "passed_on":
            shop.clock.advance(timedelta(hours=4))
            shop.guard.recover()
    assert [record.id for record in shop.guard.escalations.list(state)] == [asked.escalation.id]
    assert shop.guard.audit.verify().ok


def test_a_state_that_there_is_not_is_an_error_and_no_empty_list(open_shop):
    with pytest.raises(UsageError, match=r"None or one of open, approved, .* as `state`, got `opne`"):
        open_shop().guard.escalations.list("opne")

"""What people decide beside a canary is decided by what decides for its customer: contests, changes, late routes."""

from datetime import timedelta

import pytest

from agentguard import UsageError
from agentguard.engine.directory import Asked
from tests.customers.test_contesting import CONTESTED, staff
from tests.engine.given import REFUNDS, bundle, shop
from tests.escalations.test_amend import CHANGEABLE, amend
from tests.rollout.trial import ANN, IN, OUT, SALT, ask, canary_of, decided, opened

CONTEST = "contest: {to: complaints, within: 5 days, open_for: 60 days}\n"


@pytest.fixture
def open_desk(tmp_path, closed_stores):
    def open_one(**options):
        one = shop(f"sqlite:///{tmp_path / 'guard.db'}", text=CONTESTED, **options)
        one.guard._parts.directory = Asked(staff)
        return one

    return lambda **options: opened(open_one, share="", **options)


@pytest.fixture
def open_both(tmp_path, closed_stores):
    return lambda **options: opened(lambda **more: shop(f"sqlite:///{tmp_path / 'guard.db'}", **more), "", **options)


def second(text, old, new):
    """Return the next version of a text, with one part of it exchanged."""
    assert text.count(old) == 1, old
    return text.replace("version: 1\n", "version: 2\n").replace(old, new)


def begin(one, text):
    canary_of(one, text).begin("10%", salt=SALT, **ANN)


def uphold(one, denied):
    """Let people uphold what its customer contests, and return which policies decide what is asked for then."""
    contest = one.guard.contest(denied.decision_id, "The parcel never came.", by="web-form")
    ballot = one.guard.escalations.approve(contest.escalation, by="zoe", reason_code="goodwill")
    return decided(one, one.guard.execute(ballot.action_id))["bundle"]


def test_only_the_version_of_its_customer_says_whether_a_denial_may_be_contested(open_desk):
    one = open_desk()
    denied = {who: ask(one, who, "50.00", arguments={"reason": "other"}) for who in (IN, OUT)}
    begin(one, second(CONTESTED, CONTEST, ""))
    with pytest.raises(UsageError, match="no policy says `contest`"):
        uphold(one, denied[IN])
    assert uphold(one, denied[OUT]) == bundle(CONTESTED).digest


def test_of_whoever_was_erased_the_version_that_decided_says_it(open_desk):
    one = open_desk()
    begin(one, second(CONTESTED, CONTEST, ""))
    denied = {who: ask(one, who, "50.00", arguments={"reason": "other"}) for who in (IN, OUT)}
    for who, words in ((IN, "no policy says `contest`"), (OUT, "whose customer was erased")):
        (erased,) = one.guard.privacy.erase(who, by="ada", why="asked for", authenticated="token")
        assert erased.status == "erased"
        with pytest.raises(UsageError, match=words):
            uphold(one, denied[who])


def test_what_a_person_changes_is_read_as_the_version_of_its_customer_declares_it(open_both):
    one = open_both(text=CHANGEABLE)
    waiting = {who: ask(one, who, "60.00") for who in (IN, OUT)}
    begin(one, second(CHANGEABLE, "[damaged, late, other]", "[damaged, late, other, goodwill]"))
    ballot = amend(one, waiting[IN], {"reason": "goodwill"})
    assert one.guard.audit.action(ballot.action_id).relates_to == waiting[IN].decision_id
    with pytest.raises(UsageError, match="reason"):
        amend(one, waiting[OUT], {"reason": "goodwill"})


def test_what_nobody_decided_in_time_goes_where_the_version_of_its_customer_sends_it(open_both):
    one = open_both()
    waiting = {who: ask(one, who, "60.00") for who in (IN, OUT)}
    begin(one, second(REFUNDS, "people: 2, within: 1 day", "people: 2, within: 2 days"))
    one.clock.advance(timedelta(hours=4))
    one.guard.work()
    due = {item.action_id: item.due_at - one.clock() for item in one.guard.escalations.list()}
    assert {who: due[answer.decision_id].days for who, answer in waiting.items()} == {IN: 2, OUT: 1}
    assert one.guard.audit.verify().ok

"""Erasing a customer: nothing of theirs can be opened, the log still holds, and no crash leaves it half done."""

import os
import signal
import sqlite3

import pytest

from agentguard import Guard
from agentguard.engine import erasing
from agentguard.engine.in_the_clear import Clear
from agentguard.errors import NotFoundError, PowerRefusedError
from agentguard.store import Vault
from tests.engine.given import shop
from tests.forked import forked
from tests.privacy.conftest import WHO, people

EMAIL = "very.personal@mail.example"
TOLD = "We have refunded you, dear Mrs Very Personal."


def customer(at, who="c-1", **more):
    """Return the answer to a refund of a customer who is personal in facts, words and result."""
    at.emails[who] = EMAIL
    answer = at.ask(who=who, **more)
    at.guard.told(answer.decision_id, TOLD, by="bot")
    return answer


def erase(at, who="c-1", **more):
    (found,) = at.guard.privacy.erase(who, **{**WHO, **more})
    return found


def recomputed(at, answer):
    return at.guard.audit.recompute(at.guard.audit.action(answer.decision_id).decision_entry)


def bodies(at, kind):
    return [entry.document for entry in at.guard.audit.list(kind=kind, limit=1000)]


def test_what_was_erased_cannot_be_opened_is_nowhere_on_disk_and_the_log_still_holds(opened, disk):
    at = opened()
    answer = customer(at)
    before = at.guard.audit.of(answer.decision_id)
    pseudonym = before[0].document["on_behalf_of"]
    sealed = disk.rows("agentguard_sealed")
    erased = erase(at)
    assert (erased.status, erased.actions, erased.values, erased.results) == ("erased", 1, 2, 1)
    assert disk.rows("agentguard_sealed") == sealed - 2
    assert disk.rows("agentguard_result") == 0
    assert at.guard.audit.of(answer.decision_id) == before
    assert at.guard._parts.vault.customer_of(pseudonym) is None
    checked = at.guard.audit.verify()
    assert checked.ok
    assert checked.erased == 2
    assert disk.has(EMAIL, TOLD) == set()


@pytest.mark.law(8)
def test_a_decision_about_the_erased_names_what_is_gone(opened):
    at = opened()
    answer = customer(at)
    assert recomputed(at, answer).same
    erase(at)
    again = recomputed(at, answer)
    assert {"facts.customer.email", "on_behalf_of"} <= set(again.erased)


def test_others_stay_as_they_are(opened_here):
    at = opened_here()
    customer(at)
    other = customer(at, who="c-2", key="k-2")
    erase(at)
    assert recomputed(at, other).erased == ()


def test_the_record_says_who_began_and_that_it_is_done(opened_here):
    at = opened_here()
    customer(at)
    erased = erase(at)
    (begun,), (done,) = bodies(at, "erasing"), bodies(at, "erased")
    assert (begun["by"], begun["why"], done["begun"]) == ("ada", "request 4711", erased.entry - 1)
    assert (done["values"], done["results"], done["actions"]) == (2, 1, 1)


def test_a_second_time_there_is_nothing_to_do(opened_here):
    at = opened_here()
    customer(at)
    first = erase(at)
    again = erase(at)
    assert (again.status, again.entry) == ("already", first.entry)
    assert len(bodies(at, "erasing")) == 1


def test_by_pseudonym_too_and_nobody_is_not_found(opened_here):
    at = opened_here()
    answer = customer(at)
    pseudonym = at.guard.audit.of(answer.decision_id)[0].document["on_behalf_of"]
    with pytest.raises(NotFoundError):
        erase(at, "c-nobody")
    assert erase(at, pseudonym).status == "erased"


def test_whoever_comes_back_is_remembered_again_and_can_be_erased_again(opened):
    at = opened()
    customer(at)
    first = erase(at)
    answer = customer(at, key="k-9", amount="1.00")
    assert recomputed(at, answer).erased == ()
    again = erase(at)
    assert again.status == "erased"
    assert again.entry > first.entry


@pytest.mark.law(4)
def test_limits_still_know_what_the_erased_have_used(opened_here):
    at = opened_here()
    answer = customer(at)
    before = at.usage(answer)
    erase(at)
    assert at.usage(answer) == before
    assert customer(at, key="k-2", amount="50.00").status == "done"
    denied = customer(at, key="k-3", amount="20.00")
    assert (denied.status, denied.reasons[0].source) == ("denied", "refunds/more-than-left")


@pytest.mark.parametrize("under_way", ["waiting", "ready", "in_doubt"])
def test_nothing_is_erased_while_something_is_under_way(opened_here, under_way):
    at = opened_here()

    def lost(*_):
        raise TimeoutError

    if under_way == "ready":
        answer = at.ask(run=at.guard.propose)
    else:
        at.acts = lost if under_way == "in_doubt" else None
        answer = at.ask("60.00" if under_way == "waiting" else "40.00")
    assert at.state(answer) == under_way
    deferred = erase(at)
    assert (deferred.status, deferred.under_way) == ("deferred", (answer.decision_id,))
    (body,) = bodies(at, "erasure_deferred")
    assert (body["because"], body["actions"]) == ("under_way", [answer.decision_id])
    assert recomputed(at, answer).erased == ()


@pytest.mark.parametrize("scope", ["customer", "action", "action_id"])
def test_nothing_is_erased_under_a_legal_hold_until_it_is_lifted(opened_here, scope):
    at = opened_here()
    answer = customer(at)
    named = {"customer": "c-1", "action": "refund.issue", "action_id": answer.decision_id}
    hold = at.guard.retention.hold(**{scope: named[scope]}, **WHO)
    deferred = erase(at)
    assert (deferred.status, deferred.holds) == ("deferred", (hold.id,))
    assert bodies(at, "erasure_deferred")[0]["holds"] == [hold.id]
    assert at.guard.retention.holds() == (hold,)
    at.guard.retention.lift(hold.id, **WHO)
    assert erase(at).status == "erased"
    assert bodies(at, "legal_hold_lifted")[0]["hold"] == hold.id


def test_a_hold_that_is_set_once_an_erasure_has_begun_still_keeps_the_keys(opened, monkeypatch):
    at = opened()
    answer = customer(at)
    held = []

    def meanwhile(known):
        held.append(at.guard.retention.hold(customer="c-1", **WHO).id)
        return Clear(known)

    monkeypatch.setattr(erasing, "Clear", meanwhile)
    deferred = erase(at)
    assert (deferred.status, deferred.holds) == ("deferred", (*held,))
    assert [body["holds"] for body in bodies(at, "erasure_deferred")] == [held]
    assert recomputed(at, answer).erased == ()
    assert at.guard.audit.verify().ok
    monkeypatch.undo()
    at.guard.retention.lift(held[0], **WHO)
    assert erase(at).status == "erased"


def test_a_hold_on_somebody_else_is_in_nobodys_way(opened_here):
    at = opened_here()
    customer(at)
    customer(at, who="c-2", key="k-2")
    at.guard.retention.hold(customer="c-2", **WHO)
    assert erase(at).status == "erased"


class CrashError(BaseException):
    """The process is gone."""


# Where it dies: the transactions of one erasure are its beginning, actions, confirmations and end.
@pytest.mark.parametrize("step", ["keys", 1, 2, 3, "scrub"])
def test_a_crash_at_any_point_is_made_good_by_asking_again(opened, disk, monkeypatch, step):
    at = opened()
    customer(at)
    store, count = at.guard.store, iter(range(100))
    transact = store.transact

    def dies(*_):
        raise CrashError

    def counted(work):
        return dies() if next(count) == step else transact(work)

    with monkeypatch.context() as patch:
        if step == "keys":
            patch.setattr(Vault, "erase", dies)
        elif step == "scrub":
            patch.setattr(store, "scrub", dies)
        else:
            patch.setattr(store, "transact", counted)
        with pytest.raises(CrashError):
            erase(at)
    assert len(bodies(at, "erasing")) == 1
    again = erase(at)
    assert again.status == ("already" if step == "scrub" else "erased")
    assert disk.rows("agentguard_result") == 0
    assert at.guard.audit.verify().ok
    assert disk.has(EMAIL, TOLD) == set()


def test_each_tenant_has_its_own_records_of_a_customer_and_one_can_be_erased_alone(opened):
    at = opened()
    customer(at)
    customer(at, tenant="branch")
    (one,) = at.guard.privacy.erase("c-1", tenant="branch", **WHO)
    assert one.subject.tenant == "branch"
    both = at.guard.privacy.erase("c-1", **WHO)
    assert {item.subject.tenant: item.status for item in both} == {"branch": "already", "default": "erased"}


def test_who_may_not_erases_nobody_and_where_it_takes_two_the_second_one_does(opened_here):
    at = opened_here(people(erase=({"ada", "kim"}, 2)))
    customer(at)
    with pytest.raises(PowerRefusedError):
        erase(at, by="eve")
    asked = erase(at)
    assert (asked.status, asked.missing) == ("asked", 1)
    assert erase(at, by="kim").status == "erased"
    assert bodies(at, "erasing")[0]["with"][0]["by"] == "ada"


def test_what_a_customer_said_yes_to_is_erased_with_them(opened, disk):
    at = opened()
    arguments = {"order_id": "A-1", "amount": "40.00", "reason": "late"}
    at.guard.confirm(
        "refund.issue",
        arguments,
        on_behalf_of="c-1",
        words="Yes, says Mrs Very Personal",
        by="form",
        context={"conversation": "talk-1"},
    )
    assert disk.rows("agentguard_sealed") == 1
    assert erase(at).values == 1
    assert disk.rows("agentguard_sealed") == 0
    assert bodies(at, "erased")[0]["kind"] == erasing.DONE


def test_the_wrapped_key_and_who_it_was_are_overwritten_in_the_keys_file(opened, tmp_path):
    at = opened()
    answer = customer(at)
    pseudonym = at.guard.audit.of(answer.decision_id)[0].document["on_behalf_of"]
    keys = tmp_path / "guard.db.keys"
    with sqlite3.connect(keys) as raw:
        secret = [
            *raw.execute("SELECT wrapped FROM subject_key WHERE subject = ?", [pseudonym]).fetchone(),
            *raw.execute("SELECT sealed FROM customer WHERE pseudonym = ?", [pseudonym]).fetchone(),
        ]
    assert all(value in keys.read_bytes() for value in secret)
    erase(at)
    lying_about = b"".join(path.read_bytes() for path in tmp_path.glob("guard.db.keys*"))
    assert not any(value in lying_about for value in secret)


def kill_in_the_middle(address):
    """Erase in a process that dies when the keys are gone and the ciphertexts are not."""
    at = shop(address, people=people())
    at.guard.store.transact = lambda work, real=at.guard.store.transact: (
        os.kill(os.getpid(), signal.SIGKILL) if at.guard._parts.vault.customer_of(seen_by(at)) is None else real(work)
    )
    erase(at)


def seen_by(at):
    return at.guard._parts.vault.name_of("default", "c-1")


def test_a_process_that_is_killed_with_the_keys_gone_leaves_the_rest_to_the_next_one(tmp_path, disk_of):
    address = f"sqlite:///{tmp_path / 'guard.db'}"
    at = shop(address, people=people())
    customer(at)
    at.guard.close()
    process = forked(kill_in_the_middle, address)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert disk_of(address).rows("agentguard_result") == 1
    at = shop(address, people=people())
    assert at.guard._parts.vault.customer_of(seen_by(at)) is None
    assert erase(at).status == "erased"
    assert disk_of(address).rows("agentguard_result") == 0
    assert [len(bodies(at, kind)) for kind in ("erasing", "erased")] == [2, 1]
    at.guard.close()


@pytest.mark.parametrize("marked, left", [("text", ("facts.order.customer_id",)), ("text, personal", ())])
def test_where_an_id_that_is_not_marked_personal_is_left_is_said_and_recorded(tmp_path, marked, left):
    policy = tmp_path / "refunds.yaml"
    policy.write_text(f"""
agentguard: 1
policy: refunds
version: 1
owner: o@shop.example
currency: EUR
actions:
  refund.issue: {{order_id: text, amount: money}}
facts:
  order.customer_id: {marked}
rules:
  - {{id: own, then: allow, when: order.customer_id == on_behalf_of}}
""")
    guard = Guard(policy, store=f"sqlite:///{tmp_path / 'shop.db'}", activate=True)
    guard.fact("order")(lambda order_id: {"customer_id": "cus_8812"})
    guard.action("refund.issue")(lambda order_id, amount: None)
    guard.run("refund.issue", {"order_id": "A-1", "amount": "4"}, agent="bot", on_behalf_of="cus_8812", key="k")
    (erased,) = guard.privacy.erase("cus_8812", by="maria", why="request")
    assert erased.in_the_clear == left
    assert guard.audit.show(erased.entry).document["in_the_clear"] == list(left)
    guard.close()

"""What a customer gets to read: what was decided, why, on what data, and what would have changed it."""

from datetime import timedelta

import orjson
import pytest

from agentguard import Deed, Money, NotDoneError, NotFoundError, UsageError
from agentguard.engine.language import LANGUAGES
from agentguard.errors import StoreUnavailableError
from agentguard.store import Vault
from tests.engine.given import REFUNDS

TITLES = {
    "en": ["What you asked for", "What was decided", "Why", "What we looked at", "What would have changed it"],
    "de": ["Worum Sie gebeten haben", "Was entschieden wurde", "Warum", "Was wir dafür angesehen haben"],
}


def part(letter, title):
    return next((item for item in letter.parts if item.title == title), None)


def sentences(letter, title):
    found = part(letter, title)
    return () if found is None else found.sentences


def test_a_denial_says_what_why_on_what_and_what_would_have_changed_it(open_shop):
    shop = open_shop()
    denied = shop.ask("200.00")
    letter = shop.guard.letter(denied.decision_id)
    assert (letter.language, letter.subject) == ("en", "Your request: issue refund")
    assert part(letter, "What you asked for").points == ("amount: 200.00 USD", "order id: A-1", "reason: late")
    assert sentences(letter, "What was decided") == (
        "We did not do it.",
        "The decision was made automatically, by rules that our company wrote.",
    )
    assert sentences(letter, "Why") == (
        "A rule of ours applies to it: “I can't refund that amount on this order.”",
        "It goes past a limit of ours.",
    )
    data = part(letter, "What we looked at").points
    assert "order total, from order, as it was on 22 November 2026" in data
    assert "your earlier requests of this kind (30 days)" in data
    assert not any("region" in point for point in data)  # kept for reports alone
    assert not any("from the conversation" in point for point in data)
    assert sentences(letter, "What would have changed it") == (
        "With amount up to 50.00 USD it would have been allowed automatically.",
        "It could have been decided differently if this had been different: amount, order refunded, order total.",
        "The limit counts everything that ever happened, so that waiting does not change it.",
    )
    assert "write to refunds@acme.example" in sentences(letter, "If you do not agree")[0]
    assert denied.decision_id in letter.reference


@pytest.mark.law(15)
def test_no_threshold_and_no_note_of_a_reviewer_stands_in_it_unless_the_policy_discloses_it(open_shop):
    text = REFUNDS.replace(
        "    when: amount > 50 and amount <= 500\n",
        "    when: amount > 50 and amount <= 500\n    because: More than 50 goes to a lead.\n",
    )
    shop = open_shop(text=text)
    asked = shop.ask("60.00")
    assert "More than 50" not in shop.guard.letter(asked.decision_id).as_text()
    shop.guard.escalations.reject(asked.escalation.id, by="maria", reason_code="fraud_suspected", note="looks odd")
    letter = shop.guard.letter(asked.decision_id).as_text()
    assert "More than 50" not in letter
    assert "looks odd" not in letter
    disclosing = text.replace("goes to a lead.\n", "goes to a lead.\n    disclose: threshold\n")
    open_one = open_shop(text=disclosing)
    asked = open_one.ask("60.00")
    assert "“More than 50 goes to a lead.”" in open_one.guard.letter(asked.decision_id).as_text()


def test_words_without_a_figure_stand_in_it_as_the_policys_own(open_shop):
    text = REFUNDS.replace(
        "    when: amount > 50 and amount <= 500\n",
        "    when: amount > 50 and amount <= 500\n    because: A lead decides larger refunds.\n    say: Wait.\n",
    )
    shop = open_shop(text=text)
    letter = shop.guard.letter(shop.ask("60.00").decision_id)
    assert sentences(letter, "Why") == ("A rule of ours applies to it: “A lead decides larger refunds.”",)


def test_what_was_said_while_it_waited_is_no_reason_after_people_decided(open_shop):
    shop = open_shop(text=REFUNDS.replace("amount <= 500\n", "amount <= 500\n    say: A colleague decides shortly.\n"))
    asked = shop.ask("60.00")
    assert "decides shortly" in sentences(shop.guard.letter(asked.decision_id), "Why")[0]
    shop.guard.escalations.reject(asked.escalation.id, by="maria", reason_code="not_entitled")
    assert sentences(shop.guard.letter(asked.decision_id), "Why") == ("A rule of ours applies to it.",)


def outcome(shop, answer):
    return sentences(shop.guard.letter(answer.decision_id), "What was decided")


def test_each_way_in_which_it_can_end_has_its_sentence(open_shop):
    shop = open_shop()
    waits = shop.ask("60.00", key="waits")
    assert outcome(shop, waits) == (
        "Nothing is decided yet. A person is to decide it by 22 November 2026.",
        "Our rules say that a person has to decide.",
    )
    shop.guard.escalations.approve(waits.escalation.id, by="maria", reason_code="goodwill")
    shop.ask("60.00", key="waits")
    assert outcome(shop, waits) == ("It was done.", "A person took part in the decision.")
    rejected = shop.ask("61.00", key="rejected", order_id="A-2")
    shop.guard.escalations.reject(rejected.escalation.id, by="tom", reason_code="not_entitled")
    assert outcome(shop, rejected)[0].startswith("A person looked at it and decided against it.")
    changed = shop.ask("63.00", key="changed", order_id="A-4")
    ballot = shop.guard.escalations.amend(changed.escalation.id, {"amount": "55.00"}, by="tom", reason_code="goodwill")
    assert f"took its place, under the reference {ballot.action_id}," in outcome(shop, changed)[0]
    late = shop.ask("62.00", key="late", order_id="A-3")
    shop.clock.advance(timedelta(days=3))
    shop.guard.recover()
    shop.clock.advance(timedelta(days=3))
    shop.guard.recover()
    assert outcome(shop, late)[0].startswith("Nobody decided about it in time")
    taken_back = shop.ask("64.00", key="taken back", order_id="A-5")
    shop.guard.escalations.withdraw(taken_back.escalation.id, by="tom", why="the customer called")
    assert outcome(shop, taken_back) == (
        "The request was taken back before anybody decided about it. We did not do it.",
    )
    titles = [part.title for part in shop.guard.letter(taken_back.decision_id).parts]
    assert titles == ["What you asked for", "What was decided", "What we looked at", "If you do not agree"]


def test_until_when_it_can_be_contested_is_said_and_then_what_became_of_that(open_shop):
    text = REFUNDS.replace("rules:\n", "contest: {to: lead, within: 5 days, open_for: 60 days}\nrules:\n", 1)
    shop = open_shop(text=text)
    denied = shop.ask("200.00")

    def contest(of=denied):
        return sentences(shop.guard.letter(of.decision_id), "If you do not agree")

    assert contest()[1:] == (
        "Until 21 January 2027 you may contest this. Then somebody decides about it who has not seen it before.",
    )
    shop.clock.advance(timedelta(days=1))
    made = shop.guard.contest(denied.decision_id, "It was never delivered.", by="c-1")
    assert contest()[:2] == (
        "You contested this on 23 November 2026.",
        "Somebody who has not seen it before is looking at it.",
    )
    assert len(contest()) == 3
    shop.guard.escalations.reject(made.escalation, by="maria", reason_code="within_policy")
    assert contest()[1] == "It was looked at anew, and it stays as it is."
    late, taken_back = (shop.ask("300.00", key=key) for key in ("late", "taken back"))
    shop.guard.contest(late.decision_id, "It was never delivered.", by="c-1")
    made = shop.guard.contest(taken_back.decision_id, "It was never delivered.", by="c-1")
    shop.guard.escalations.withdraw(made.escalation, by="maria", why="the customer called")
    assert contest(taken_back)[1] == "It was taken back before anybody looked at it anew, and it stays as it is."
    shop.clock.advance(timedelta(days=5))
    shop.guard.recover()
    assert contest(late)[1] == "Somebody who has not seen it before is looking at it."  # of the next route
    shop.clock.advance(timedelta(days=5))
    shop.guard.recover()
    assert contest(late)[1] == "Nobody looked at it anew in time, and it stays as it is."
    other = shop.ask("300.00", key="other")
    shop.clock.advance(timedelta(days=61))
    assert len(sentences(shop.guard.letter(other.decision_id), "If you do not agree")) == 1


def test_what_people_upheld_is_named_with_its_own_reference(open_shop):
    text = REFUNDS.replace("rules:\n", "contest: {to: lead, within: 5 days, open_for: 60 days}\nrules:\n", 1)
    shop = open_shop(text=text)
    denied = shop.ask("200.00")
    made = shop.guard.contest(denied.decision_id, "It was never delivered.", by="c-1")
    ballot = shop.guard.escalations.approve(made.escalation, by="maria", reason_code="goodwill")
    letter = shop.guard.letter(denied.decision_id)
    assert ballot.action_id != denied.decision_id
    assert ballot.action_id in sentences(letter, "If you do not agree")[1]


def test_what_could_not_be_done_and_what_nobody_knows_is_said_so(open_shop):
    shop = open_shop()

    def refuse(*_):
        raise NotDoneError("card expired")

    shop.acts = refuse
    assert outcome(shop, shop.ask("10.00", key="a"))[0] == (
        "It was allowed, but it could not be done. Nothing was changed."
    )

    def fail(*_):
        raise RuntimeError("timeout")

    shop.acts = fail
    doubt = shop.ask("10.00", key="b")
    assert outcome(shop, doubt)[0].startswith("It was allowed, but we do not know yet")


def test_what_was_allowed_gives_no_reasons_and_nothing_that_would_have_changed_it(open_shop):
    shop = open_shop()
    letter = shop.guard.letter(shop.ask("10.00").decision_id)
    assert [item.title for item in letter.parts] == [
        "What you asked for",
        "What was decided",
        "What we looked at",
        "If you do not agree",
    ]


def test_it_is_in_the_language_of_the_conversation_where_there_are_letters_in_it(open_shop):
    shop = open_shop()
    german = shop.ask("60.00", key="de", context={"language": "de-AT"})
    assert shop.guard.letter(german.decision_id).language == "de"
    assert shop.guard.letter(german.decision_id, "fr").language == "fr"
    other = shop.ask("60.00", key="pt", order_id="A-2", context={"language": "pt"})
    assert shop.guard.letter(other.decision_id).language == "en"
    with pytest.raises(UsageError, match="letters have no other"):
        shop.guard.letter(other.decision_id, "pt")


@pytest.mark.parametrize("tag", LANGUAGES)
def test_names_and_the_policys_words_are_in_the_customers_language_where_there_are_some(open_shop, tag):
    says = "{en: Not that much., de: Nicht so viel., es: No tanto., fr: Pas autant.}"
    shop = open_shop(text=REFUNDS.replace("say: I can't refund that amount on this order.", f"say: {says}"))
    denied = shop.ask("200.00")
    names = {"refund.issue": "REFUND", "amount": "AMOUNT", "order.total": "TOTAL", "late": "LATE"}
    text = " ".join(shop.guard.letter(denied.decision_id, tag, names).as_text().split())
    own = {"en": "Not that much.", "de": "Nicht so viel.", "es": "No tanto.", "fr": "Pas autant."}[tag]
    for word in (own, "REFUND", "AMOUNT", "TOTAL", "LATE"):
        assert word in text, word
    assert "issue refund" not in text
    assert "not that much" not in text.lower() or tag == "en"


def test_what_the_host_said_of_the_situation_is_named_as_data(open_shop):
    shop = open_shop()
    asked = shop.ask("60.00", context={"wants_person": True, "summary": "She asked twice."})
    data = part(shop.guard.letter(asked.decision_id), "What we looked at").points
    assert "wants person, from the conversation" in data
    assert not any("summary" in point for point in data)


def test_only_choices_are_called_otherwise_and_never_what_somebody_wrote(open_shop):
    shop = open_shop()
    asked = shop.ask("60.00", order_id="late")
    points = part(shop.guard.letter(asked.decision_id, names={"late": "too late"}), "What you asked for").points
    assert points == ("amount: 60.00 USD", "order id: late", "reason: too late")


def test_personal_arguments_are_not_repeated(open_shop):
    shop = open_shop()
    answer = shop.guard.run(
        "identity.verify",
        {"document": "my secret number"},
        agent="bot",
        on_behalf_of="c-1",
        context={"conversation": "t"},
        key="k",
    )
    letter = shop.guard.letter(answer.decision_id)
    assert part(letter, "What you asked for").points == ("document: as you told us",)
    assert "secret" not in orjson.dumps(letter.as_json()).decode()


def test_what_was_refused_before_any_rule_has_a_letter_too(open_shop):
    shop = open_shop()
    letter = shop.guard.letter(shop.ask("NaN").decision_id)
    assert sentences(letter, "Why") == ("Something in the request could not be understood.",)
    assert "name the reference" in sentences(letter, "If you do not agree")[0]


def test_a_lookup_that_failed_is_named_with_what_follows_from_it(open_shop):
    text = REFUNDS.replace("then: deny", "then: escalate to lead").replace("over: deny", "over: escalate to lead")
    shop = open_shop(text=text.replace("currency: USD\n", "currency: USD\non_error: escalate to lead\n"))
    shop.broken.add("order")
    letter = shop.guard.letter(shop.ask("10.00").decision_id)
    assert any("could not be checked" in sentence for sentence in sentences(letter, "Why"))
    assert (
        "order total, from order: it could not be read on 22 November 2026" in part(letter, "What we looked at").points
    )
    assert "if everything could have been checked" in sentences(letter, "What would have changed it")[-1]


def test_nobody_is_written_to_who_was_erased_or_whose_keys_are_not_here(open_shop):
    shop = open_shop()
    asked = shop.ask("60.00")
    vault = shop.guard._parts.vault
    shop.guard._parts.vault = Vault.open(None, lambda count: b"7" * count)
    with pytest.raises(StoreUnavailableError, match="keys file"):
        shop.guard.letter(asked.decision_id)
    shop.guard._parts.vault = vault
    vault.erase(shop.guard.audit.action(asked.decision_id).on_behalf_of)
    with pytest.raises(UsageError, match="erased"):
        shop.guard.letter(asked.decision_id)


def test_what_nobody_decided_here_has_no_letter(open_shop):
    shop = open_shop()
    deed = Deed(
        action="refund.issue",
        arguments={"order_id": "A-1", "amount": "5.00", "reason": "late"},
        by="maria",
        source="desk",
        happened_at=shop.clock(),
        key="d-1",
        on_behalf_of="c-1",
        context={"conversation": "t"},
    )
    recorded = shop.guard.record_all([deed])[0]
    with pytest.raises(UsageError, match="done elsewhere"):
        shop.guard.letter(recorded.action_id)
    with pytest.raises(NotFoundError, match="act_none"):
        shop.guard.letter("act_none")


def test_markdown_marks_nothing_up_that_others_wrote(open_shop):
    shop = open_shop()
    shop.orders["*<b>_[x](y)"] = {"customer_id": "c-1", "total": Money.of("900", "USD")}
    text = shop.guard.letter(shop.ask("60.00", order_id="*<b>_[x](y)").decision_id).as_markdown()
    assert "\\*\\<b\\>\\_\\[x\\](y)" in text
    assert text.startswith("# Your request: issue refund\n")


@pytest.mark.parametrize("tag", LANGUAGES)
def test_no_line_is_wider_than_asked_and_no_place_stayed_empty(open_shop, tag):
    shop = open_shop()
    text = shop.guard.letter(shop.ask("200.00").decision_id, tag).as_text(60)
    assert max(map(len, text.splitlines())) <= 60
    assert "{" not in text

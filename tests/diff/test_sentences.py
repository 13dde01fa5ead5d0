"""What a changed file says otherwise, sentence by sentence, and what each sentence does."""

import pytest

from agentguard.analysis.changes.difference import Concern, Effect
from agentguard.analysis.changes.policies import differences
from tests.diff.base import SENTENCES, TEXT, changed, loaded


@pytest.mark.parametrize("change", SENTENCES, ids=[item["after"].strip()[:50] for item in SENTENCES])
def test_a_change_is_said_in_words_with_what_it_does(change):
    found = differences(loaded(), loaded(changed((change["before"], change["after"]))))
    assert [f"{item.effect} {item}" for item in found] == change["said"]


@pytest.mark.parametrize(
    "before, after",
    [
        ("amount <= 50\n", "amount<=50   # still\n"),
        ('not (fee > 10) and during(now, "desk")', "'!(fee > 10) && during(now, \"desk\")'"),
        ("version: 3", "version: 4"),
        ("otherwise: deny\n", ""),
        ("    when:\n      - amount <= 50\n      - in_window\n", "    when: in_window and amount <= 50\n"),
    ],
)
def test_layout_order_and_spelling_are_no_difference(before, after):
    assert differences(loaded(), loaded(changed((before, after)))) == ()


def test_a_file_that_comes_or_goes_is_said_and_one_that_is_renamed_is_compared():
    other = TEXT.replace("policy: refunds", "policy: money")
    assert [str(item) for item in differences(loaded(), loaded(other))] == ["was called `refunds`"]
    nothing = loaded(TEXT.replace("refund.issue", "visit.book").replace("policy: refunds", "policy: visits"))
    said = [(item.policy, str(item)) for item in differences(loaded(), nothing)]
    contested = "a denial can be contested for 60 days"
    assert said == [
        ("refunds", "not in force any more: it governs fee.waive and refund.issue"),
        (
            "refunds",
            "guarantee `none-alone`: is promised no longer: never allow when the amount is more than 50.00 USD",
        ),
        ("refunds", f"a denial cannot be contested; was: {contested}, and finance decides within 5 days"),
        ("visits", "new: it governs fee.waive and visit.book"),
    ]


def test_what_a_file_in_shadow_mode_says_otherwise_loosens_nothing():
    shadow = changed(("otherwise: deny\non", "otherwise: deny\nmode: shadow\non"))
    found = differences(loaded(shadow), loaded(changed(("amount <= 50\n", "amount <= 75\n"), text=shadow)))
    assert [(item.effect, item.concern) for item in found] == [(Effect.NEITHER, Concern.DECISIONS)]


def test_a_line_names_where_it_stands_in_the_new_file():
    (found,) = differences(loaded(), loaded(changed(("amount <= 50\n", "amount <= 75\n"))))
    assert TEXT.splitlines()[found.line - 1] == "  - id: small"


NONE_ALONE = "never: allow, when: amount > 50"
TOTAL = "never_by_splitting: 300, sum: amount, per: on_behalf_of, in: 30 days"


@pytest.mark.parametrize(
    "before, after, effect",
    [
        (TOTAL, TOTAL.replace("300", "299.99"), Effect.NEITHER),
        (TOTAL, TOTAL.replace("300", "300.01"), Effect.LOOSENS),
        (TOTAL, TOTAL.replace("300", "299.99").replace("30 days", "29 days"), Effect.LOOSENS),
        (TOTAL, TOTAL.replace("per: on_behalf_of, ", ""), Effect.LOOSENS),
        (TOTAL, NONE_ALONE, Effect.LOOSENS),
        (NONE_ALONE, TOTAL, Effect.LOOSENS),
    ],
)
def test_a_promise_against_splitting_is_less_where_more_may_pass_or_something_else_is_summed(before, after, effect):
    old, new = (loaded(changed((NONE_ALONE, text))) for text in (before, after))
    (found,) = differences(old, new)
    assert (found.id, found.effect) == ("none-alone", effect)
    assert str(found).startswith("guarantee `none-alone`: promises never ")

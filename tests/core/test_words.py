"""The words of a decision: which language speaks, and how values read in a sentence."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agentguard.core.policy import Template
from agentguard.core.values import value_text
from agentguard.core.words import words_for
from tests.core.situations import decided, planned, policy

SAYS = {tag: Template(tag, (tag,)) for tag in ("en", "de", "pt-BR", "zh-Hant")}


@pytest.mark.parametrize(
    "wanted, tag",
    [
        ("de", "de"), ("DE", "de"), ("de_AT", "de"), (" de-at ", "de"), ("pt-br", "pt-BR"), ("pt_BR", "pt-BR"),
        ("pt", "pt-BR"), ("pt-PT", "pt-BR"), ("zh-Hant-TW", "zh-Hant"), ("fr", None), ("", None), ("-", None),
    ],
)  # fmt: skip
def test_words_are_found_however_a_language_is_spelled_or_where_it_is_spoken(wanted, tag):
    assert words_for(SAYS, wanted) == tag
    assert words_for({**SAYS, "": Template("", ())}, wanted) == (tag or "")


def test_values_read_as_a_policy_file_writes_them_and_instants_by_the_clocks_of_its_zone():
    berlin = ZoneInfo("Europe/Berlin")
    assert value_text(datetime(2026, 11, 30, 9, 30, tzinfo=UTC), berlin) == "2026-11-30 10:30"
    assert value_text(datetime(2026, 7, 31, 23, 30, 5, tzinfo=UTC), berlin) == "2026-08-01 01:30:05"
    assert value_text((date(2026, 11, 30), True), berlin) == "2026-11-30, yes"
    assert value_text(timedelta(days=35, hours=3), berlin) == "35 days 3 hours"


def test_who_decides_and_who_is_refused_read_the_time_of_the_place_and_not_that_of_the_machine():
    visits = planned(
        policy("""
actions: {visit.book: {slot: time}}
rules:
  - id: closed
    then: deny
    when: slot > asked_at
    because: We are closed at {slot}.
    say: {en: "There is nobody at {slot}.", de: "Um {slot} ist niemand da."}
"""),
        action="visit.book",
    )
    slot = datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
    refused = decided(visits, slot=slot, context={"language": "DE_at"})
    assert refused.say == "Um 2026-11-30 10:30 ist niemand da."
    assert refused.reasons[0].because == "We are closed at 2026-11-30 10:30."

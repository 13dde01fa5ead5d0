"""The languages of letters: each has every sentence, with the same places for values, and writes values its own way."""

import string
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agentguard import Money, UsageError
from agentguard.cli.letters import read_names
from agentguard.core.policy import Window, WindowKind
from agentguard.engine.language import LANGUAGES, _sentences, language_of
from agentguard.policyfile import load_text

POLICIES = Path(__file__).parents[2] / "policies"


def fields(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def flat(sentences):
    for part, found in sentences.items():
        if isinstance(found, dict):
            yield from ((f"{part}.{name}", sentence) for name, sentence in found.items())
        else:
            yield part, found


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_language_has_the_same_sentences_with_the_same_places(tag):
    english, other = dict(flat(_sentences("en"))), dict(flat(_sentences(tag)))
    assert list(other) == list(english)
    for place, sentence in english.items():
        if isinstance(sentence, str):
            assert fields(other[place]) == fields(sentence), place
            assert other[place].strip() == other[place] != "", place
    assert len(other["months"]) == len(set(other["months"])) == 12


@pytest.mark.parametrize("tag", LANGUAGES[1:])
def test_no_sentence_was_left_in_english(tag):
    english, other = dict(flat(_sentences("en"))), dict(flat(_sentences(tag)))
    the_same = {place for place in english if english[place] == other[place]}
    assert the_same <= {"decimal", "date", "no", "letter.pair", "reason.with_words", "window.minutes"}


@pytest.mark.parametrize(
    "tag, date, amount, yes",
    [
        ("en", "2 March 2026", "1250.50 USD", "yes"),
        ("de", "2. März 2026", "1250,50 USD", "ja"),
        ("es", "2 de marzo de 2026", "1250,50 USD", "sí"),
        ("fr", "2 mars 2026", "1250,50 USD", "oui"),
    ],
)
def test_dates_amounts_and_yes_are_written_as_the_language_does(tag, date, amount, yes):
    language = language_of(tag, {})
    assert language.date(datetime(2026, 3, 2, 12, tzinfo=UTC), UTC) == date
    assert language.value(Money.of("1250.50", "USD"), UTC) == amount
    assert language.value(True, UTC) == yes


def test_days_instants_and_decimals_are_written_as_the_language_does_by_the_clocks_of_the_zone():
    german, berlin = language_of("de", {}), ZoneInfo("Europe/Berlin")
    assert german.value(datetime(2026, 11, 30, 23, 30, tzinfo=UTC), berlin) == "1. Dezember 2026, 00:30"
    assert german.value(datetime(2026, 7, 1, 9, 0, 5, tzinfo=UTC), berlin) == "1. Juli 2026, 11:00:05"
    assert german.value(date(2026, 11, 30), berlin) == "30. November 2026"
    assert german.value((Decimal("2.5"), Decimal(1)), berlin) == "2,5, 1"


@pytest.mark.parametrize(
    "window, words",
    [
        (Window(WindowKind.SLIDING, timedelta(days=30)), "30 Tage"),
        (Window(WindowKind.SLIDING, timedelta(hours=36)), "36 Stunden"),
        (Window(WindowKind.SLIDING, timedelta(minutes=90)), "90 Minuten"),
        (Window(WindowKind.CALENDAR, unit="month"), "der Monat"),
        (Window(WindowKind.FOREVER), "die ganze Zeit"),
        (Window(WindowKind.CONVERSATION), "das Gespräch"),
    ],
)
def test_every_window_has_words(window, words):
    assert language_of("de", {}).window(window) == words


@pytest.mark.parametrize("wanted, tag", [("", "en"), ("de-AT", "de"), ("pt_BR", None), ("FR", "fr"), ("klingon", None)])
def test_a_language_is_found_by_its_first_part_or_refused(wanted, tag):
    if tag is None:
        with pytest.raises(UsageError, match="en, de, es, fr"):
            language_of(wanted, {})
    else:
        assert language_of(wanted, {}).tag == tag


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_refunds_pack_has_words_for_everything_that_a_letter_names(tag):
    names = read_names(POLICIES / f"names.{tag}.toml")
    policy = load_text((POLICIES / "refunds" / "refunds.yaml").read_text(encoding="utf-8"), "refunds.yaml")
    spec = policy.actions["refund.issue"]
    choices = spec.arguments["reason"].type.values
    facts = set(policy.facts) - set(policy.segments)
    needed = {"refund.issue", "identity.verify", *spec.arguments, *choices, *facts, *policy.context}
    needed |= {fact.partition(".")[0] for fact in facts}
    assert needed - names.keys() == {"context.conversation"}


def test_the_hosts_own_words_come_before_those_made_of_names():
    language = language_of("de", {"refund.issue": "eine Erstattung", "late": "zu spät"})
    assert (language.action("refund.issue"), language.action("order.cancel")) == ("eine Erstattung", "cancel order")
    assert (language.choice("late"), language.choice("other")) == ("zu spät", "other")
    assert language.value("late", UTC) == "late"
    assert language.name("on_behalf_of") == "wer anfragt"

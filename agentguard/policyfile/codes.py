"""Every code that a message about a policy, people or test file can carry, with what it says in a line.

`docs/policy-file.md` holds the same table; a test keeps the two equal. Codes of conditions come from the language.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Severity(enum.StrEnum):
    """How much a message weighs: an error keeps a file from loading, a warning is hardly meant so, a note informs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


CODES: Mapping[str, str] = {
    # the file as text and as YAML
    "unreadable": "the file cannot be read, or is not UTF-8",
    "file_too_large": "the file is larger than allowed",
    "file_empty": "the file is empty",
    "byte_order_mark": "the file starts with a byte-order mark",
    "control_character": "a control character, or a line break that editors do not show",
    "tab": "a tab where blanks are expected",
    "several_documents": "more than one document in a file",
    "directive": "a `%` directive",
    "not_yaml": "the text is not YAML",
    "duplicate_key": "a key is written twice",
    "tag": "a `!` tag",
    "anchor": "an anchor or an alias",
    "nested_too_deep": "nested too deeply",
    "key_not_text": "a key that is not a text",
    "comment_cuts_text": "an unquoted ` #` cuts the text",
    "torn_apart": "YAML tore a condition apart",
    "swallowed_list": "a list item where a text goes on",
    # the structure
    "unknown_key": "an unknown key",
    "missing_key": "a key is missing",
    "wrong_shape": "another shape is expected: a text, a list or a mapping",
    "reserved": "a word that is reserved for a later version",
    "keys_conflict": "keys that exclude each other, or one of several that is needed",
    "too_many": "too many entries, or none",
    "text_length": "a text that is empty or too long",
    # single values
    "format_unknown": "not a format that this version reads",
    "name_malformed": "not a name",
    "number_malformed": "not a whole number, or out of range",
    "word_unknown": "not one of the words accepted here",
    "date_malformed": "not a date or a time of day",
    "duration_malformed": "not a length of time",
    "zone_unknown": "an unknown time zone",
    "currency_unknown": "an unknown currency",
    "language_malformed": "not a language tag",
    "placeholder_malformed": "a placeholder that cannot be read",
    "personal_in_words": "words that show personal data",
    # what refers to something else
    "duplicate_id": "an id is used twice",
    "name_taken": "a name that is taken or reserved",
    "action_unknown": "an unknown action",
    "argument_unknown": "an unknown argument",
    "argument_unchangeable": "an argument that no approver can change: neither an amount nor a choice",
    "route_unknown": "an unknown route",
    "route_cycle": "routes that wait for each other",
    "calendar_unknown": "an unknown calendar",
    "fact_unknown": "an unknown fact or context value",
    "verdict_refused": "a verdict that is not accepted here",
    "name_cycle": "names that are made of each other",
    "name_unreadable": "a name that this cannot read",
    "limit_uncountable": "a limit that cannot be counted",
    "table_uneven": "a table with holes or uneven entries",
    "measure_missing": "a measure that does not cover the limit's actions",
    "currency_mismatch": "currencies that do not match",
    "review_malformed": "a `review` that cannot be read",
    "retention_too_short": "a `retention` that is shorter than it may be",
    "requirement_unmatched": "a requirement compares what one of the actions does not have",
    # files together
    "policy_twice": "two policies with the same name",
    "action_differs": "files declare the same action differently",
    "no_policy": "no policy file",
    # people.yaml
    "person_unknown": "an unknown person or group",
    "login_shared": "a login that two people share",
    "key_malformed": "a public key that cannot be read, or signs something else",
    "key_shared": "a key that two people share",
    "absence_malformed": "an absence that ends before it begins, overlaps another, or names its own person",
    # test files
    "not_formatted": "a file that cannot be laid out without changing what it says",
    "case_incomplete": "a test case without what it needs",
}

WARNINGS: Mapping[str, str] = {
    "allow_on_arguments": "an allow rests on arguments alone",
    "amount_unsummed": "a threshold on an amount that no limit sums",
    "limit_keyed_by_argument": "a limit is keyed by an argument",
    "deny_without_held": "a deny on a fact that the action itself changes, without `held`",
    "deny_without_say": "a deny without words for the customer",
    "no_owner": "no owner",
    "review_due": "a review date has passed",
    "expired": "an expiry date has passed",
    "route_without_people": "a route without people",
    "route_short_of_people": "a route that absences leave with too few people",
    "owner_decides": "a policy's owner decides what it escalates",
    "group_empty": "a group without people",
    "user_idle": "somebody in no group and with no power",
    "one_person_everywhere": "one person in every group",
    "powers_undeclared": "nothing says who may stop, let go or put policies into force",
    "power_without_people": "a power that too few people have",
    "unverified_allowed": "voters whom nobody checks",
    "absence_over": "an absence that is over",
    "delegate_away": "a delegate who is away too",
    "frees_itself": "a limit that the action which gives back counts on too, on the same account",
    "contest_in_vain": "a contest whose upheld request would meet the same refusal",
    "contest_short_of_people": "a contest for people who decided the case before",
    "review_of_nothing": "a review that draws nothing",
    "review_of_everything": "a review of every decision, after it was carried out",
    "retention_missing": "a file that says how long some of its records are kept, and not how long the others",
    "personal_unmarked": "a fact, argument or context value that looks personal and is not marked",
    "unused": "something declared is never used",
    "nothing_allows": "an action that nothing can allow",
    "action_undeclared": "a requirement for an action that no file declares",
    "otherwise_allows": "what no rule matches is allowed",
    "order_of_anybody": "an allow on something that nothing ties to the customer",
    "now_for_asked_at": "a deadline that runs out while a request waits for a person",
    # what takes the solver
    "rule_never_fires": "a rule whose conditions exclude each other",
    "rule_never_decides": "a rule that decides nothing, because others say the same or more whenever it matches",
    "band_gap": "a value between the thresholds of rules for which none of them speaks",
    "band_overlap": "a threshold that decides nothing, or a value on which two rules disagree",
    "all_of_maybe_empty": "an allow that rests on `all` over a list that may be empty",
    "limit_out_of_reach": "a limit that other limits and the rules keep from ever being reached",
}

NOTES: Mapping[str, str] = {
    "rule_can_fail": "a rule that cannot be evaluated for some known facts",
}

CONDITIONS: Mapping[str, str] = {
    "syntax": "not a condition: something is missing, or stands where nothing can",
    "operator": "a sign of other languages, with what to write instead",
    "chained_comparison": "`a < b < c`: write it as two comparisons",
    "number": "a number with too many digits, or written in another way",
    "text": "a text in quotes that is not closed or has an unknown escape",
    "duration": "a length of time that cannot be read",
    "too_long": "a condition or text that is too long",
    "too_deep": "a condition that nests too deeply",
    "too_large": "a condition that is too large with its names written out",
    "too_many_digits": "numbers multiplied too often to stay exact",
    "unknown_name": "a name that is not declared",
    "not_readable": "a name that is declared, and cannot be read here",
    "unknown_function": "a function that there is not",
    "unknown_value": "a value that an enumeration does not have",
    "arguments": "a function with other arguments than it takes",
    "wrong_type": "another type is expected",
    "optional_unguarded": "what may be missing is read without `has`",
    "currency": "two currencies, or a currency that the file does not have",
    "money": "an amount with too many digits",
    "unrounded": "an amount that may have parts of a cent",
    "date": "not a day",
    "time": "not an instant",
    "table_incomplete": "a table without an entry for every value",
    "table_malformed": "a table whose entries do not go together",
    "name_circle": "names that rest on themselves",
    "no_currency": "money in a file without a currency",
    "type_unknown": "not a type",
    "type_malformed": "a type that is written wrongly",
}
"""Codes that come from the condition language."""


def severity_of(code: str) -> Severity:
    """Return how much a message with this code weighs; one that is not known weighs as much as any."""
    if code in WARNINGS:
        return Severity.WARNING
    return Severity.NOTE if code in NOTES else Severity.ERROR


def meaning_of(code: str) -> str:
    """Return in a line what a code says; empty for one that is not known."""
    return next((found[code] for found in (CODES, CONDITIONS, WARNINGS, NOTES) if code in found), "")

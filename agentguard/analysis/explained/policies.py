"""A whole policy as a document: what the agent may do alone, what people decide, what is refused, and how much.

Made from the checked file, so that it says what is decided; the wording is the same whenever it is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentguard.analysis.explained.bands import bands_section
from agentguard.analysis.explained.clauses import (
    asked,
    capital,
    ends,
    heard,
    only_for,
    outcome,
    pairs,
    spoken,
)
from agentguard.analysis.explained.measures import limits_section, requirements_section
from agentguard.analysis.explained.surroundings import (
    after_section,
    calendars_section,
    inputs_section,
    people_section,
    promises_section,
    tables_section,
    terms_section,
)
from agentguard.core.documents.blocks import Block, Document, Item, Paragraph, Points, Section
from agentguard.core.english.values import date_words, list_words
from agentguard.core.policy import Policy, Rule, Template, Verdict
from agentguard.core.prose import action_words

_TITLES = {
    Verdict.ALLOW: "What the agent may do alone",
    Verdict.ESCALATE: "What people decide",
    Verdict.DENY: "What is refused",
    Verdict.ABSTAIN: "What this policy leaves to others",
}
_BEGINS = {
    Verdict.ALLOW: "The agent may do it alone",
    Verdict.DENY: "It is refused",
    Verdict.ABSTAIN: "This policy says nothing",
}


def policy_document(policy: Policy) -> Document:
    """Return everything that a policy says."""
    blocks: list[Block] = [*_about(policy), *_reading(policy)]
    blocks += bands_section(policy)
    for verdict in (Verdict.ALLOW, Verdict.ESCALATE, Verdict.DENY, Verdict.ABSTAIN):
        rules = [rule for rule in policy.rules if rule.then.verdict is verdict]
        if rules:
            blocks.append(Section(_TITLES[verdict], tuple(_rule(policy, rule) for rule in rules)))
    blocks += [
        *limits_section(policy),
        *requirements_section(policy),
        *people_section(policy),
        *terms_section(policy),
        *tables_section(policy),
        *calendars_section(policy),
        *promises_section(policy),
        *after_section(policy),
        *inputs_section(policy),
        *_colophon(policy),
    ]
    return Document("Policy for an autonomous agent", f"{policy.name}, version {policy.version}", tuple(blocks))


def _about(policy: Policy) -> Iterator[Block]:
    if policy.description:
        yield Paragraph(policy.description)
    owner = f"Answered for by {policy.owner}." if policy.owner else "Nobody is named who answers for it."
    actions = list_words(f"{action_words(name)} (`{name}`)" for name in policy.actions)
    yield Paragraph(f"{owner} It governs: {actions}.")
    if policy.shadow:
        yield Paragraph("In shadow mode: what it says is recorded beside what is decided, and changes nothing.")
    if policy.expires is not None:
        day = date_words(policy.expires)
        yield Paragraph(f"From {day} on, nothing in it lets the agent act alone any more; everything stricter stays.")
    if policy.review_by is not None:
        yield Paragraph(f"To be looked at again by {date_words(policy.review_by)}.")


def _reading(policy: Policy) -> Iterator[Section]:
    """Yield how the sentences below work together."""
    silent = Item(f"Where none of them applies, {outcome(policy.otherwise)}.", _heard(policy.say_otherwise))
    stricter = "" if policy.on_error.verdict is Verdict.DENY else ", or it is decided more strictly"
    failed = Item(
        f"Where something could not be looked up or worked out, {outcome(policy.on_error)}{stricter}.",
        _heard(policy.say_on_error),
    )
    strictest = Item(
        "Of all sentences below that apply, the strictest counts: what is refused stays refused, and what people "
        "decide the agent does not do alone, whatever else allows it."
    )
    yield Section("How it is read", (Points((strictest, silent, failed)),))


def _heard(say: Mapping[str, Template]) -> tuple[Item, ...]:
    return tuple(Item(f"{name} {words}") for name, words in heard(say))


def _rule(policy: Policy, rule: Rule) -> Section:
    begin = _BEGINS.get(rule.then.verdict, capital(outcome(rule.then)))
    only = only_for(policy, rule.on)
    notes = [*([("Only for:", only)] if only else []), *spoken(rule.words), *ends(rule)]
    return Section(rule.id, (*asked(begin, rule.when), *pairs(notes)), mark=str(rule.then.verdict))


def _colophon(policy: Policy) -> Iterator[Section]:
    money = f"Amounts are in {list_words(policy.currencies, 'or')}. " if policy.currencies else ""
    zone = f"{money}Days and hours are those of {policy.zone_name}."
    text = f"Made from version {policy.version} of the policy `{policy.name}`, SHA-256 `{policy.digest}`."
    yield Section("Which text this is", (Paragraph(capital(zone)), Paragraph(text)))

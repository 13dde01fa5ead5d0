"""Conditions, verdicts and words of a file as blocks of a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TypeAlias

from agentguard.core.documents.blocks import Block, Item, Paragraph, Points, Table
from agentguard.core.english.clause import Clause
from agentguard.core.english.parts import expression_words
from agentguard.core.english.speaker import condition
from agentguard.core.english.values import date_words, list_words
from agentguard.core.language import Expression
from agentguard.core.policy import Policy, Rule, Template, Then, Verdict, Words
from agentguard.core.prose import action_words

Pair: TypeAlias = tuple[str, str]
"""A name and what it stands for."""

DAY = timedelta(days=1)


def capital(text: str) -> str:
    """Return a text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def outcome(then: Then) -> str:
    """Return what becomes of a request, as a sentence's end: `people decide (support_lead)`."""
    match then.verdict:
        case Verdict.ALLOW:
            return "the agent does it alone"
        case Verdict.ESCALATE:
            return f"people decide (`{then.route}`)" if then.route else "people decide"
        case Verdict.DENY:
            return "it is refused"
        case _:
            return "this policy says nothing"


def asked(begin: str, when: Expression | None) -> Iterator[Block]:
    """Yield a condition: one sentence, or a list of everything that has to hold."""
    if when is None:
        yield Paragraph(f"{begin}, always.")
        return
    clause = condition(when)
    if clause.group is None:
        yield Paragraph(f"{begin} when {clause}.")
        return
    yield Paragraph(f"{begin} when {clause.group}:")
    yield Points(tuple(map(_item, clause.items)))


def _item(clause: Clause) -> Item:
    if len(clause.items) > 1:
        return Item(f"{clause.group}:", tuple(map(_item, clause.items)))
    return Item(str(clause))


def spoken(words: Words) -> Iterator[Pair]:
    """Yield why something is there, and what the customer hears."""
    if words.because is not None:
        yield "For the record:", template_words(words.because)
    yield from heard(words.say)


def heard(say: Mapping[str, Template]) -> Iterator[Pair]:
    """Yield what the customer hears, in each language."""
    for tag, template in say.items():
        yield f"The customer hears{f' ({tag})' if tag else ''}:", template_words(template)


def pairs(found: Iterable[Pair]) -> Iterator[Table]:
    """Yield names with their words beside them as one block, where there are any."""
    rows = tuple(found)
    if rows:
        yield Table(("", ""), rows)


def template_words(template: Template) -> str:
    """Return words with the places for values in brackets: `The refund of [the amount] is more than …`."""
    said = "".join(part if isinstance(part, str) else f"[{expression_words(part)}]" for part in template.parts)
    return " ".join(said.split())


def only_for(policy: Policy, on: frozenset[str]) -> str:
    """Return which actions something is about, where it is not about all of the file's."""
    return "" if on == frozenset(policy.actions) else list_words(map(action_words, sorted(on)))


def ends(rule: Rule) -> Iterator[Pair]:
    """Yield until when a rule speaks, and when it is to be looked at again."""
    if rule.expires is not None:
        last = date_words(rule.expires - DAY)
        stays = "" if rule.then.verdict is Verdict.ALLOW else "; it speaks on until somebody takes it out of the file"
        yield "Until:", f"the end of {last}{stays}"
    if rule.review_by is not None:
        yield "To be looked at again:", f"by {date_words(rule.review_by)}"

"""The limits of a policy, and what has to happen first, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentguard.analysis.explained.clauses import capital, only_for, outcome, spoken
from agentguard.core.documents.blocks import Block, Item, Paragraph, Points, Section, Table
from agentguard.core.english.parts import (
    ago_words,
    expression_words,
    measure_words,
    most_words,
    per_words,
    required_words,
    window_words,
)
from agentguard.core.policy import Limit, Policy, Requirement
from agentguard.core.prose import action_words


def limits_section(policy: Policy) -> Iterator[Section]:
    """Yield how much there may be of everything, with the words beside it."""
    if not policy.limits:
        return
    columns = ("limit", "at most", "of", "for each", "in", "beyond that")
    rows = tuple(_limit(limit) for limit in policy.limits)
    intro = (
        "Counted is what was done and what is being done, by everybody who acts under this policy. What was refused "
        "does not count, nor what waits for people, unless it keeps its place (see who decides)."
    )
    yield Section("Limits", (Paragraph(intro), Table(columns, rows), *_notes(policy, policy.limits)))


def _limit(limit: Limit) -> tuple[str, ...]:
    per = "everybody together" if not limit.per else per_words(limit).removeprefix("for each ")
    window = window_words(limit.window).removeprefix("in ")
    return f"`{limit.id}`", most_words(limit), measure_words(limit), per, window, outcome(limit.over)


def _notes(policy: Policy, items: Iterable[Limit | Requirement]) -> Iterator[Block]:
    """Yield what stands beside the rows: for what they count, why, and what the customer hears."""
    notes = [Item(f"`{item.id}`", said) for item in items if (said := tuple(_beside(policy, item)))]
    if notes:
        yield Points(tuple(notes))


def _beside(policy: Policy, item: Limit | Requirement) -> Iterator[Item]:
    if only := only_for(policy, item.on):
        yield Item(f"Only for: {only}")
    if item.when is not None:
        yield Item(f"Only when {expression_words(item.when)}")
    if isinstance(item, Limit):
        yield from _freed(item)
    yield from (Item(f"{name} {words}") for name, words in spoken(item.words))


def _freed(limit: Limit) -> Iterator[Item]:
    for name, amount in limit.freed_by.items():
        much = "all that an earlier one counted" if amount is None else f"at most {expression_words(amount)}"
        yield Item(f"Given back by {action_words(name)}: {much}")
    if limit.starts_now:
        yield Item("Begins empty when this version comes into force")


def requirements_section(policy: Policy) -> Iterator[Section]:
    """Yield what has to happen first."""
    if not policy.requires:
        return
    columns = ("requirement", "what has to be done", "how long before", "where it was not")
    rows = tuple(
        (f"`{item.id}`", capital(required_words(item)), ago_words(item), outcome(item.otherwise))
        for item in policy.requires
    )
    yield Section("What has to happen first", (Table(columns, rows), *_notes(policy, policy.requires)))

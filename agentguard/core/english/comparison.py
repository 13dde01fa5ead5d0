"""Comparisons with the values they saw, as sentences that say how they came out."""

from __future__ import annotations

from agentguard.core.english.speaker import Speaker
from agentguard.core.english.values import value_words
from agentguard.core.language import Comparison, Term

LONGEST_VALUE = 120


def comparison_words(comparison: Comparison) -> str:
    """Return how a comparison came out: `the amount (75.00 USD) is more than 50.00 USD`."""
    if comparison.result is None:
        return f"it is not known whether {Speaker().clause(comparison.term)}"

    def show(side: Term) -> str:
        return next((_value(item.value) for item in seen if item.term is side and item.value is not None), "")

    says_it = comparison.operator == ("==" if comparison.result else "!=")  # the other side is the value
    seen = [item for item in comparison.operands if not item.written and not says_it]
    return str(Speaker().clause(comparison.term, holds=comparison.result, show=show))


def _value(value: object) -> str:
    text = value_words(value)  # type: ignore[arg-type]
    return text if len(text) <= LONGEST_VALUE else ""

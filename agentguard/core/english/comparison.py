"""Comparisons with the values they saw, as sentences that say how they came out."""

from __future__ import annotations

from datetime import tzinfo

from agentguard.core.english.speaker import Speaker
from agentguard.core.english.values import at_home, value_words
from agentguard.core.language import Comparison, Term, Value

LONGEST_VALUE = 120


def comparison_words(comparison: Comparison, zone: tzinfo | None = None) -> str:
    """Return how a comparison came out: `the amount (75.00 USD) is more than 50.00 USD`.

    Args:
        comparison: With the values it saw.
        zone: For instants; UTC if left out.
    """
    if comparison.result is None:
        return f"it is not known whether {Speaker().clause(comparison.term)}"

    def show(side: Term) -> str:
        return next((_value(item.value, zone) for item in seen if item.term is side and item.value is not None), "")

    says_it = comparison.operator == ("==" if comparison.result else "!=")  # the other side is the value
    seen = [item for item in comparison.operands if not item.written and not says_it]
    return str(Speaker().clause(comparison.term, holds=comparison.result, show=show))


def _value(value: Value, zone: tzinfo | None) -> str:
    text = value_words(at_home(value, zone))
    return text if len(text) <= LONGEST_VALUE else ""

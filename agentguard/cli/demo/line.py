"""One line of what the demonstration shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    Attributes:
        tone: `good`, `stopped` or `open`: how it is coloured.
        rule: What decided: a rule, limit or requirement by its qualified id, or what was wrong.
        hears: What the customer hears; empty where the model goes on before it says anything.
    """

    customer: str
    asks: str
    decision: str
    tone: str
    rule: str
    hears: str

    def as_json(self) -> dict[str, str]:
        """Return the line for `--json`."""
        shown = {"customer": self.customer, "request": self.asks, "decision": self.decision}
        return {**shown, "rule": self.rule, "customer_hears": self.hears}

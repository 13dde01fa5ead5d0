"""Bands: where rules divide an amount, what happens from where to where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from agentguard.analysis.explained.clauses import capital, only_for, outcome
from agentguard.core.documents.blocks import Block, Paragraph, Section, Table
from agentguard.core.english.clause import Group, grouped
from agentguard.core.english.names import read_noun
from agentguard.core.english.speaker import Speaker
from agentguard.core.english.values import value_words
from agentguard.core.language import Expression, Term, Value, terms
from agentguard.core.money import Money
from agentguard.core.policy import Policy, Rule

FEWEST = 2
"""How many rules have to speak of an amount for its bands to be worth a table."""

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


@dataclass(frozen=True, slots=True)
class Bound:
    """A written value that an amount is compared with: `amount <= 50`."""

    name: str
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Band:
    """The values of an amount for which one rule speaks, if everything else that it asks for holds.

    Attributes:
        parts: What else it asks for.
    """

    rule: Rule
    least: Bound | None
    most: Bound | None
    parts: tuple[Term, ...]


def bands_section(policy: Policy) -> Iterator[Section]:
    """Yield a table for each amount that several rules divide."""
    parts = {rule.id: list(_parts(rule.when)) for rule in policy.rules}
    bounds = [bound for found in parts.values() for part in found if (bound := _bound(part)) is not None]
    blocks: list[Block] = []
    for name in dict.fromkeys(bound.name for bound in bounds):
        bands = [band for rule in policy.rules if (band := _band(rule, name, parts[rule.id])) is not None]
        if _divides(bands):
            blocks += _table(policy, name, sorted(bands, key=_order))
    if blocks:
        yield Section("Thresholds", tuple(blocks))


def _parts(expression: Expression | None) -> Iterator[Term]:
    """Yield what has to hold together, one after another; names that the file explains stay whole."""
    if expression is not None:
        yield from _flat(expression.tree)


def _flat(term: Term) -> Iterator[Term]:
    if isinstance(term, terms.Part) and term.name is None:
        yield from _flat(term.expression.tree)
    elif isinstance(term, terms.And):
        for item in term.items:
            yield from _flat(item)
    else:
        yield term


def _bound(term: Term) -> Bound | None:
    if not isinstance(term, terms.Compare) or term.operator not in _MIRRORED:
        return None
    left, right, operator = term.left, term.right, term.operator
    if isinstance(left, terms.Constant):
        left, right, operator = right, left, _MIRRORED[operator]
    if isinstance(left, terms.Read) and isinstance(right, terms.Constant) and _size(right.value) is not None:
        return Bound(left.name, operator, right.value)
    return None


def _size(value: Value) -> tuple[str, Decimal] | None:
    """Return what sizes can be compared with, and the size; None for what has none."""
    if isinstance(value, Money):
        return value.currency, Decimal(value.minor)
    if isinstance(value, timedelta):
        return "time", Decimal(value // timedelta(seconds=1))
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "number", Decimal(value)
    return None


def _band(rule: Rule, name: str, parts: list[Term]) -> Band | None:
    bounds = [bound for part in parts if (bound := _bound(part)) is not None and bound.name == name]
    if not bounds:
        return None
    below = [bound for bound in bounds if bound.operator in (">", ">=", "==")]
    above = [bound for bound in bounds if bound.operator in ("<", "<=", "==")]
    least = max(below, key=_strictest, default=None)
    most = min(above, key=_loosest, default=None)
    return Band(rule, least, most, tuple(part for part in parts if not _is_about(part, name)))


def _is_about(part: Term, name: str) -> bool:
    """Return whether a part says no more than from where to where an amount is, or that it is known."""
    if isinstance(part, terms.Has):
        return isinstance(part.of, terms.Read) and part.of.name == name
    bound = _bound(part)
    return bound is not None and bound.name == name


def _strictest(bound: Bound) -> tuple[Decimal, bool]:
    size = _size(bound.value)
    return (size[1] if size else Decimal(0)), bound.operator == ">"


def _loosest(bound: Bound) -> tuple[Decimal, bool]:
    size = _size(bound.value)
    return (size[1] if size else Decimal(0)), bound.operator != "<"


def _divides(bands: list[Band]) -> bool:
    """Return whether the bands speak of values of one kind, and not all of the same."""
    units = {size[0] for band in bands for bound in (band.least, band.most) if bound and (size := _size(bound.value))}
    return len(units) == 1 and len({(band.least, band.most) for band in bands}) >= FEWEST


def _order(band: Band) -> tuple[Decimal, Decimal]:
    least = _strictest(band.least)[0] if band.least else Decimal("-Infinity")
    return least, _loosest(band.most)[0] if band.most else Decimal("Infinity")


def _table(policy: Policy, name: str, bands: list[Band]) -> Iterator[Block]:
    kind = next(
        (spec.arguments[name] for spec in policy.actions.values() if name in spec.arguments), policy.facts.get(name)
    )
    noun = read_noun(name, kind.type).text if kind else name
    has_on = any(only_for(policy, band.rule.on) for band in bands)
    yield Paragraph(f"{capital(noun)}, and what happens where nothing stricter applies:")
    columns = ("from", "to", "what happens", "if also", "rule")
    rows = []
    for band in bands:
        also = grouped(Group.ALL, tuple(map(Speaker().clause, band.parts))) if band.parts else ""
        rows.append(
            (
                _edge(band.least, {">": "more than ", ">=": "", "==": ""}),
                _edge(band.most, {"<": "less than ", "<=": "", "==": ""}),
                outcome(band.rule.then),
                str(also) or "–",
                f"`{band.rule.id}`",
                *((only_for(policy, band.rule.on) or "all",) if has_on else ()),
            )
        )
    yield Table((*columns, *(("for",) if has_on else ())), tuple(rows))


def _edge(bound: Bound | None, words: dict[str, str]) -> str:
    return "–" if bound is None else f"{words[bound.operator]}{value_words(bound.value)}"

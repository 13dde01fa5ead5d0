"""Limits as a file writes them: what is counted, for whom, over which window, and how much of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from agentguard.core.language import (
    Duration,
    Expression,
    Integer,
    ListOf,
    Money,
    Record,
    Time,
    Type,
    parse_duration,
)
from agentguard.core.policy import Limit, Window, WindowKind
from agentguard.policyfile import bounds
from agentguard.policyfile.condition import check_condition, read_text
from agentguard.policyfile.model import STARTS, GuaranteeModel, LimitModel, PolicyModel
from agentguard.policyfile.node import Mapping, Node, Scalar, shape, shortened
from agentguard.policyfile.outline import Countable, Outline, counted_type
from agentguard.policyfile.problems import Problems, one_of, suggestion
from agentguard.policyfile.rules import Ids, read_actions, read_when
from agentguard.policyfile.spelling import texts, verdict, word
from agentguard.policyfile.words import read_words

UNITS = ("day", "week", "month", "year")
_WINDOW = re.compile(r"[0-9]+ +(minute|hour|day)s?")


class Draft:
    """A limit, or a total, after its measure is read: its type is needed by everything that reads `used`.

    Attributes:
        measure: By action: what is summed; None where actions are counted, or where it is wrong.
        type: Of what is counted; None where it is wrong.
    """

    def __init__(self, model: LimitModel | GuaranteeModel, what: str, outline: Outline, problems: Problems) -> None:
        self.model = model
        self.what = f"{what} `{shortened(model.id.text)}`"
        self.on = read_actions(model.on, outline, problems, self.what)
        self.measure: dict[str, Expression | None] = {}
        self.type: Type | None = None
        if model.sum is None and model.count is None and problems.is_mended(model.node):
            return  # the one that is there was told of
        if (model.sum is None) == (model.count is None):
            message = f"{self.what} must say either `sum` or `count: actions`"
            problems.add(
                model.id.place, "keys_conflict", f"{message}, got {'neither' if model.sum is None else 'both'}"
            )
        elif model.count is not None:
            if word(model.count, problems, f"{self.what}: `count`", ("actions",)):
                self.type = Integer()
                self.measure = dict.fromkeys(self.on)
        elif model.sum is not None:
            self._read_sum(model.sum, outline, problems)

    def _read_sum(self, node: Scalar | Mapping, outline: Outline, problems: Problems) -> None:
        """Read one expression, or one for each action."""
        if isinstance(node, Scalar):
            expression = self._expression(node, self.on, outline, problems)
            if expression is not None:
                self.measure = dict.fromkeys(self.on, expression)
                self.type = expression.type
            return
        for action, item in node.items.items():
            if action not in outline.actions:
                near = suggestion(action, outline.actions) or ": declare it under `actions`"
                message = f"{self.what}: `sum` names no action of this file, got `{shortened(action)}`{near}"
                problems.add(node.keys[action].place, "action_unknown", message)
            elif not isinstance(item, Scalar):
                problems.add(item.place, "wrong_shape", f"{self.what}: `sum` must be a text, got {shape(item)}")
            else:
                self._add_action(action, item, outline, problems)
        self._check_cover(node, problems)

    def _add_action(self, action: str, item: Scalar, outline: Outline, problems: Problems) -> None:
        expression = self._expression(item, frozenset({action}), outline, problems)
        self.measure[action] = expression
        if expression is None:
            return
        if self.type is not None and counted_type(self.type, ()) != counted_type(expression.type, ()):
            message = f"{self.what}: `sum` must be of one type for all actions, got {self.type} and {expression.type}"
            problems.add(item.place, "limit_uncountable", message)
        self.type = expression.type

    def _check_cover(self, node: Mapping, problems: Problems) -> None:
        """A sum by action says for itself which actions the limit is for, or covers those that `on` names."""
        if self.model.on is None:
            self.on = frozenset(self.measure)
        missing = sorted(self.on - set(self.measure))
        if missing:
            message = f"{self.what}: `sum` says nothing for {one_of(missing)}: add it, or say `on`"
            problems.add(node.place, "measure_missing", message)
            self.type = None
        extra = sorted(set(self.measure) - self.on)
        if extra:
            message = f"{self.what}: `sum` has {one_of(extra)}, and `on` does not: add it there, or remove it here"
            problems.add(node.keys[extra[0]].place, "measure_missing", message)
            self.type = None
        if any(expression is None for expression in self.measure.values()):
            self.type = None

    def _expression(
        self, node: Scalar, on: frozenset[str], outline: Outline, problems: Problems, key: str = "sum"
    ) -> Expression | None:
        condition = read_text(node, problems)
        if condition is None or not on:
            return None
        expression = check_condition(condition, outline.scope(on, "counting"), problems, None)
        if expression is None:
            return None
        kind = expression.type
        if isinstance(kind, Money) and not kind.rounded:
            message = (
                f'{self.what}: `{key}` must be whole minor units: write `rounded({shortened(node.text)}, "half_up")`'
            )
        elif isinstance(kind, Money | Integer):
            return expression
        else:
            message = (
                f"{self.what}: `{key}` must be money or a whole number, got {kind}: write `rounded(…)` or measure "
                "another"
            )
        problems.add(node.place, "limit_uncountable", message)
        return None

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that its sums can have."""
        return self.type.currencies if isinstance(self.type, Money) else ()


class LimitDraft(Draft):
    """A limit whose measure is read."""

    model: LimitModel

    def __init__(self, model: LimitModel, outline: Outline, problems: Problems) -> None:
        super().__init__(model, "limit", outline, problems)

    def amount_freed(self, node: Scalar, action: str, outline: Outline, problems: Problems) -> Expression | None:
        """Return how much one action gives back, in what the limit counts."""
        expression = self._expression(node, frozenset({action}), outline, problems, "freed_by")
        if expression is None or self.type is None:
            return None
        if counted_type(self.type, outline.currencies) != counted_type(expression.type, outline.currencies):
            counted, freed = _kind_words(self.type), _kind_words(expression.type)
            message = f"{self.what}: `freed_by` must be {counted}, which it counts, got {freed}"
            problems.add(node.place, "limit_uncountable", message)
            return None
        return expression


def _kind_words(kind: Type) -> str:
    """Return a type as a message names it, amounts with their currencies."""
    return f"{kind} in {one_of(kind.currencies)}" if isinstance(kind, Money) and kind.currencies else str(kind)


def draft_limits(model: PolicyModel, outline: Outline, problems: Problems) -> list[LimitDraft]:
    """Read what each limit measures, so that `used` and `held` of it have a type."""
    drafts = []
    for item in model.limits or ():
        draft = LimitDraft(item, outline, problems)
        drafts.append(draft)
        kind = counted_type(draft.type, outline.currencies) if draft.type is not None else None
        problems.limits.add(item.id.text)
        if kind is None:
            problems.broken.add(("limits", item.id.text))
        outline.limits.setdefault(item.id.text, Countable(draft.on, kind))
    return drafts


def read_limits(drafts: list[LimitDraft], outline: Outline, ids: Ids, problems: Problems) -> tuple[Limit, ...]:
    """Return the limits of a file."""
    return tuple(limit for draft in drafts if (limit := _limit(draft, outline, ids, problems)) is not None)


def _limit(draft: LimitDraft, outline: Outline, ids: Ids, problems: Problems) -> Limit | None:
    model, what, on = draft.model, draft.what, draft.on
    name = ids.take(model.id, "limit")
    over = verdict(model.over, problems, f"{what}: `over`", routes=outline.routes, refused=("allow", "abstain"))
    window = read_window(model.in_, outline, problems, what)
    when, sound = read_when(model.when, on, outline, problems, what, "counting")
    per = read_per(draft, outline, problems)
    most = read_most(draft, model.max, "max", outline, problems)
    starts = model.starts is None or word(model.starts, problems, f"{what}: `starts`", STARTS) is not None
    words = read_words(model, outline.scope(on), problems, what, [when] if when else []) if on and sound else None
    freed = _freed_by(draft, outline, problems)
    if name is None or over is None or window is None or per is None or most is None or words is None or not starts:
        return None
    if freed is None:
        return None
    return Limit(
        id=name,
        on=on,
        measure=draft.measure,
        currencies=draft.currencies,
        per=per,
        window=window,
        max=most,
        when=when,
        over=over,
        words=words,
        starts_now=model.starts is not None,
        freed_by=freed,
        place=model.id.place,
    )


def read_window(scalar: Scalar, outline: Outline, problems: Problems, what: str) -> Window | None:
    """Return the window that text such as `30 days` or `calendar month` says (SPEC P11.4)."""
    text = " ".join(scalar.text.split())
    if text == "forever":
        return Window(WindowKind.FOREVER)
    if text == "conversation":
        if "context.conversation" not in outline.context:
            message = f"{what}: `in: conversation` needs `conversation: text` under `context`: add it"
            problems.add(scalar.place, "fact_unknown", message)
            return None
        return Window(WindowKind.CONVERSATION)
    if text.startswith("calendar ") and text.removeprefix("calendar ") in UNITS:
        return Window(WindowKind.CALENDAR, unit=text.removeprefix("calendar "))
    size = parse_duration(text) if _WINDOW.fullmatch(text) else None
    if size is None or not timedelta(0) < size <= timedelta(days=bounds.DAYS):
        known = ["30 days", "1 hour", *(f"calendar {unit}" for unit in UNITS), "conversation", "forever"]
        near = suggestion(text, known) or f": expected {one_of(known)}"
        if size is not None and size > timedelta(days=bounds.DAYS):
            near = f": expected at most {bounds.DAYS:,} days, or `forever`"
        message = f"{what}: `in` must be a window of minutes, hours or days, or a calendar one, got `{shortened(text)}`"
        problems.add(scalar.place, "duration_malformed", f"{message}{near}")
        return None
    return Window(WindowKind.SLIDING, size=size)


def read_per(draft: Draft, outline: Outline, problems: Problems) -> tuple[Expression, ...] | None:
    """Return what shares an account, or what is summed up together; None where it is wrong."""
    node = draft.model.per
    if node is None:
        return ()
    scalars = texts(node, problems, f"{draft.what}: `per`")
    if not scalars or len(scalars) > bounds.PER:
        problems.add(node.place, "too_many", f"{draft.what}: `per` must be 1 to {bounds.PER} names, got {len(scalars)}")
    found: list[Expression] = []
    for scalar in scalars:
        condition = read_text(scalar, problems)
        if condition is None or not draft.on:
            return None
        expression = check_condition(condition, outline.scope(draft.on, "counting"), problems, None)
        if expression is None:
            return None
        if wrong := _no_key(expression, shortened(scalar.text)):
            problems.add(scalar.place, "limit_uncountable", f"{draft.what}: `per` {wrong}")
            return None
        found.append(expression)
    return tuple(found)


def _no_key(expression: Expression, written: str) -> str:
    """Return why an account cannot be picked by an expression, or empty."""
    match expression.type:
        case Record() | ListOf():
            return f"must be a single value, got a {expression.type}: name a part of it"
        case Money(rounded=False):
            return f'must be whole minor units: write `rounded({written}, "half_up")`'
        case Time() | Duration() if expression.reads & {"now", "asked_at"}:
            return f"must be the same for what counts together, got `{written}`: leave it out, and say when under `in`"
    return ""


def _freed_by(draft: LimitDraft, outline: Outline, problems: Problems) -> dict[str, Expression | None] | None:
    """Return the actions that give back what was counted, each with how much, or None for all of it (SPEC P11.9)."""
    node, what = draft.model.freed_by, f"{draft.what}: `freed_by`"
    if node is None:
        return {}
    named: list[tuple[Scalar, Node | None]]
    if isinstance(node, Mapping):
        named = [(node.keys[name], item) for name, item in node.items.items()]
    else:
        named = [(scalar, None) for scalar in texts(node, problems, what)]
    if not named:
        problems.add(node.place, "too_many", f"{what} must name at least one action: leave it out for none")
    found: dict[str, Expression | None] = {}
    for key, item in named:
        if key.text not in outline.actions:
            if not any(section == "actions" for section, _ in problems.broken):
                near = suggestion(key.text, outline.actions) or ": declare it under `actions`"
                message = f"{what} names no action of this file, got `{shortened(key.text)}`{near}"
                problems.add(key.place, "action_unknown", message)
        elif item is None:
            found[key.text] = None
        elif isinstance(item, Scalar):
            found[key.text] = draft.amount_freed(item, key.text, outline, problems)
        else:
            problems.add(item.place, "wrong_shape", f"{what} must be a text, got {shape(item)}")
    sound = len(found) == len(named) and (not isinstance(node, Mapping) or None not in found.values())
    return found if named and sound else None


def read_most(
    draft: Draft, node: Scalar | Mapping, key: str, outline: Outline, problems: Problems
) -> dict[str, Expression] | None:
    """Return the maxima by currency, or one under the empty key (SPEC P11.5)."""
    what = f"{draft.what}: `{key}`"
    if draft.type is None:
        if isinstance(node, Scalar):
            read_text(node, problems)
        return None
    currencies = draft.currencies
    if isinstance(node, Scalar):
        # one amount cannot bound several currencies; a fact can, since its value carries its own
        varies = len(currencies) <= 1 or any(character.isalpha() for character in node.text)
        expression = _bound(draft, node, currencies, outline, problems) if varies else None
        if not varies or (expression is not None and len(currencies) > 1 and not expression.reads):
            shown = ", ".join(f"{currency}: …" for currency in currencies)
            message = f"{what} must name each currency: write `{{{shown}}}`, got `{shortened(node.text)}`"
            problems.add(node.place, "currency_mismatch", message)
            return None
        return {"": expression} if expression is not None else None
    if set(node.items) != set(currencies):
        expected = one_of(currencies) if currencies else "a number"
        message = f"{what} must have exactly {expected}, got {one_of(node.items) if node.items else 'nothing'}"
        problems.add(node.place, "currency_mismatch", message)
        return None
    found: dict[str, Expression] = {}
    for currency, item in node.items.items():
        if not isinstance(item, Scalar):
            problems.add(item.place, "wrong_shape", f"{what} must be a text, got {shape(item)}")
            return None
        expression = _bound(draft, item, (currency,), outline, problems)
        if expression is None:
            return None
        found[currency] = expression
    return found


def _bound(
    draft: Draft, node: Scalar, currencies: tuple[str, ...], outline: Outline, problems: Problems
) -> Expression | None:
    condition = read_text(node, problems)
    if condition is None or not draft.on:
        return None
    kind: Type = Money(currencies, any_sign=True) if isinstance(draft.type, Money) else Integer()
    scope = outline.scope(draft.on, "bounding")
    if len(currencies) == 1:
        scope = replace(scope, currencies=currencies)  # a bare number beside `USD:` is an amount of it
    return check_condition(condition, scope, problems, kind)

"""A policy file with one small thing changed, in every way that still gives a policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from agentguard.core.language import Expression, Type, parse, tree, unparse
from agentguard.core.language.terms import AsMoney, Constant, Part
from agentguard.core.money import Money, format_minor
from agentguard.core.mutant import Mutant
from agentguard.core.policy import Place, Policy
from agentguard.errors import LanguageError, MoneyError, PolicyError
from agentguard.policyfile.build import load_node
from agentguard.policyfile.condition import BLOCKS
from agentguard.policyfile.node import Mapping, Node, Scalar, Sequence
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.read import read
from agentguard.policyfile.reading import expressions_of, terms_of
from agentguard.policyfile.variants import variants

SAYING = (("rules", "rule"), ("limits", "limit"), ("requires", "requirement"))
VERDICTS = ("then", "over", "else")
MEASURES = ("sum", "max")
OTHER_BLOCK = {"all": "any", "any": "all", "none": "any"}


@dataclass(frozen=True, slots=True)
class _Change:
    """A node of the file, and what would stand there; None where it is left out."""

    old: Node
    new: Node | None
    place: Place
    what: str
    was: str
    now: str


def mutants(policy: Policy) -> Iterator[Mutant]:
    """Yield every small change of a file that still gives a policy, in the order of the file.

    Comparisons are turned (`<=` to `<`), written numbers, amounts, lengths of time and dates moved by one step, parts
    of conditions left out or turned round, `and` and `or` exchanged, and verdicts and routes replaced. Guarantees stay:
    they are what the others are held to. Windows stay too, since a case says itself what was used in them.
    """
    root = read(policy.text, Problems(policy.file))
    if root is None:
        raise AssertionError("a policy was read from its text")
    changes = sorted(_Mutating(policy, root).changes(), key=lambda change: (change.place.line, change.place.column))
    for change in changes:
        try:
            made = load_node(_changed(root, change), policy.text, policy.file)
        except PolicyError:
            continue  # nobody could have written it
        yield Mutant(replace(made, shadow=policy.shadow), change.place, change.what, change.was, change.now)


def _changed(root: Mapping, change: _Change) -> Mapping:
    made = _replaced(root, change.old, change.new)
    if not isinstance(made, Mapping):
        raise AssertionError("the whole file is not replaced")
    return made


def _replaced(node: Node, old: Node, new: Node | None) -> Node | None:
    """Return a tree in which another node stands in place of one; what is the same stays the same object."""
    if node is old:
        return new
    if isinstance(node, Mapping):
        items = {name: _replaced(item, old, new) for name, item in node.items.items()}
        if all(items[name] is item for name, item in node.items.items()):
            return node
        return replace(node, items={name: item for name, item in items.items() if item is not None})
    if isinstance(node, Sequence):
        listed = [_replaced(item, old, new) for item in node.items]
        if all(one is other for one, other in zip(listed, node.items, strict=True)):
            return node
        return replace(node, items=[item for item in listed if item is not None])
    return node


class _Mutating:
    """One file, looked through for what can be changed."""

    def __init__(self, policy: Policy, root: Mapping) -> None:
        self.policy = policy
        self.root = root
        self.kinds = _kinds(policy)

    def changes(self) -> Iterator[_Change]:
        """Yield what can be changed; some of it gives no policy."""
        for name, item in self.root.section("names").items.items():
            is_condition = str(self.policy.names[name].type) == "yes_no" if name in self.policy.names else False
            yield from self._condition(item, f"name `{name}`", is_condition=is_condition)
        for name, item in self.root.section("tables").items.items():
            yield from _cells(item, f"table `{name}`")
        for section, kind in SAYING:
            listed = self.root.items.get(section)
            for said in listed.items if isinstance(listed, Sequence) else ():
                if isinstance(said, Mapping):
                    yield from self._said(said, kind)
        for name in ("otherwise", "on_error"):
            if name in self.root.items:
                yield from self._verdict(self.root.items[name], f"`{name}`")

    def _said(self, said: Mapping, kind: str) -> Iterator[_Change]:
        name = said.items.get("id")
        what = f"{kind} `{name.text}`" if isinstance(name, Scalar) else kind
        if "when" in said.items:
            yield from self._condition(said.items["when"], what, is_condition=True)
        for key in MEASURES:
            if key in said.items:
                yield from self._measure(said.items[key], what)
        for key in VERDICTS:
            if key in said.items:
                yield from self._verdict(said.items[key], what)

    def _measure(self, node: Node, what: str) -> Iterator[_Change]:
        if isinstance(node, Mapping):
            for item in node.items.values():
                yield from self._measure(item, what)
        else:
            yield from self._condition(node, what, is_condition=False)

    def _condition(self, node: Node, what: str, *, is_condition: bool) -> Iterator[_Change]:
        if isinstance(node, Scalar):
            yield from self._text(node, what, is_condition=is_condition)
        elif isinstance(node, Mapping):
            yield from self._blocks(node, what)
        else:
            for item in node.items:
                if len(node.items) > 1:
                    yield _Change(item, None, item.place, what, _written(item), "")
                yield from self._condition(item, what, is_condition=True)

    def _blocks(self, node: Mapping, what: str) -> Iterator[_Change]:
        for name, item in node.items.items():
            if name in BLOCKS and OTHER_BLOCK[name] not in node.items:
                other = OTHER_BLOCK[name]
                items = {other if key == name else key: inner for key, inner in node.items.items()}
                keys = {other if key == name else key: inner for key, inner in node.keys.items()}
                new = replace(node, items=items, keys=keys)
                yield _Change(node, new, node.keys[name].place, what, f"{name}:", f"{other}:")
            yield from self._condition(item, what, is_condition=True)

    def _text(self, scalar: Scalar, what: str, *, is_condition: bool) -> Iterator[_Change]:
        try:
            written = parse(scalar.text)
        except LanguageError:
            return  # not an expression, such as the word of a reserved key
        kinds = {(start, end): kind for (source, start, end), kind in self.kinds.items() if source == scalar.text}
        for variant in variants(written, kinds, is_condition=is_condition):
            new = replace(scalar, text=unparse(variant.tree), raw="")
            yield _Change(scalar, new, scalar.at(variant.start), what, variant.was, variant.now)

    def _verdict(self, node: Node, what: str) -> Iterator[_Change]:
        if not isinstance(node, Scalar):
            return
        text = " ".join(node.text.split())
        routes = [f"escalate to {name}" for name in self.policy.routes]
        after = routes[routes.index(text) + 1 :] + routes if text in routes else routes
        for other in dict.fromkeys(("allow", "deny", *after[:1])):
            if other != text:
                yield _Change(node, replace(node, text=other, raw=""), node.place, what, text, other)


def _written(node: Node) -> str:
    """Return a condition on one line."""
    if isinstance(node, Scalar):
        try:
            return unparse(parse(node.text))
        except LanguageError:
            return node.text
    if isinstance(node, Sequence):
        return " and ".join(_written(item) for item in node.items)
    return ", ".join(f"{name}: {_written(item)}" for name, item in node.items.items())


def _kinds(policy: Policy) -> dict[tuple[str, int, int], Type]:
    """Return the type of every written value of a file, by its text and where it stands in it."""
    found: dict[tuple[str, int, int], Type] = {}
    for expression in (*expressions_of(policy), *policy.names.values()):
        _collect(expression, found)
    return found


def _collect(expression: Expression, found: dict[tuple[str, int, int], Type]) -> None:
    for term in terms_of(expression):
        if isinstance(term, Part):
            _collect(term.expression, found)
        elif isinstance(term, Constant | AsMoney):
            found.setdefault((expression.source, term.start, term.end), term.type)


def _cells(node: Node, what: str) -> Iterator[_Change]:
    if isinstance(node, Mapping):
        for item in node.items.values():
            yield from _cells(item, what)
    elif isinstance(node, Scalar):
        for text in _steps(node.text):
            yield _Change(node, replace(node, text=text, raw=""), node.place, what, node.text, text)


def _steps(text: str) -> Iterator[str]:
    """Yield a table's entry one step down and up."""
    if text in ("yes", "no"):
        yield "no" if text == "yes" else "yes"
        return
    try:
        amount = Money.parse(text)
    except MoneyError:
        pass  # not an amount
    else:
        yield from (format_minor(minor, amount.currency) for minor in (amount.minor - 1, amount.minor + 1))
        return
    try:
        day = date.fromisoformat(text)
    except ValueError:
        pass  # not a date
    else:
        yield from ((day + timedelta(days=days)).isoformat() for days in (-1, 1))
        return
    try:
        written = parse(text)
    except LanguageError:
        return  # a word: nothing is a step away from it
    if isinstance(written, tree.NumberLiteral | tree.DurationLiteral):
        yield from (variant.now for variant in variants(written, {}, is_condition=False))

"""The type checker: a written tree and what can be read give a checked expression, or every problem at once.

It refuses whatever would only fail later: unknown names, mixed types and currencies, optional values read without
`has(...)`. Functions and macros are in `functions.py` and `methods.py`.
"""

# mypy: disable-error-code="func-returns-value"
# A problem leaves no term to return, and one line says both.

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import reduce

from agentguard.core.language import functions, methods, terms, tree, types
from agentguard.core.language.notation import UNITS
from agentguard.core.language.operands import Operands
from agentguard.core.language.presence import Paths, path_of, present_if, present_if_term
from agentguard.core.language.scope import MAX_DEPTH, MAX_DIGITS, MAX_SIZE, Scope, finished
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.language.terms import Expression, Term
from agentguard.core.language.tree import Node
from agentguard.core.language.types import Type
from agentguard.errors import LanguageError


def check(
    node: Node,
    scope: Scope,
    source: str,
    expect: Type | None = None,
    given: Sequence[Expression] = (),
) -> Expression:
    """Return the checked expression of a written tree (SPEC L3, L4, L5).

    Args:
        node: What `parse` made of `source`.
        scope: What can be read.
        source: The text, for explanations.
        expect: The type it must have; None for any.
        given: Conditions that hold wherever this one counts (the others of a list): what they ask with `has` is there.

    Raises:
        LanguageError: Every problem, with its offset in `source`.
    """
    checker = Checker(scope)
    known = reduce(frozenset.union, (present_if_term(other.tree, holds=True) for other in given), frozenset[str]())
    term = checker.term(node, known)
    if term is not None and expect is not None:
        term = checker.expected(term, expect)
    if term is None:
        raise LanguageError(checker.problems)
    if checker.problems:
        raise LanguageError(checker.problems)
    expression = finished(source, term)
    if expression.size > MAX_SIZE or expression.depth > MAX_DEPTH:
        raise LanguageError(
            [(0, "too_large", "with its names written out the condition is too large; simplify the names it uses")]
        )
    if sum(expression.digits) > MAX_DIGITS:
        raise LanguageError(
            [(0, "too_many_digits", "numbers are multiplied too often here to be kept exactly; multiply less")]
        )
    return expression


class Checker(Operands):
    """One pass over a written tree; a term that is None has had its problem reported."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.locals: dict[str, Type] = {}

    def term(self, node: Node, known: Paths) -> Term | None:  # noqa: C901 - one case for each kind of node
        """Return the checked term of a node; `known` are optional values that are certainly there."""
        start, end = node.start, node.end
        match node:
            case tree.TextLiteral(value):
                return terms.Constant(value, types.TEXT, start, end)
            case tree.NumberLiteral(value):
                return terms.Constant(value, types.INTEGER if isinstance(value, int) else types.DECIMAL, start, end)
            case tree.YesNoLiteral(value):
                return terms.Constant(value, types.YES_NO, start, end)
            case tree.DurationLiteral(count, unit):
                return terms.Constant(timedelta(seconds=count * UNITS[unit]), types.DURATION, start, end)
            case tree.Name() | tree.Member():
                found = self.resolve(node, known)
                return None if found is None else self.present(found, known)
            case tree.Not(of):
                inner = self.condition(of, known)
                return None if inner is None else terms.Not(inner, types.YES_NO, start, end)
            case tree.And() | tree.Or():
                return self.junction(node, known)
            case tree.Compare():
                return self.comparison(node, known)
            case tree.Arithmetic(operator, left, right):
                first, second = self.term(left, known), self.term(right, known)
                return None if first is None or second is None else self.arithmetic(operator, first, second, start, end)
            case tree.Negate(of):
                inner = self.term(of, known)
                return None if inner is None else self.negated(inner, start, end)
            case tree.ListLiteral(items):
                return self.written_list(node, items, known)
            case tree.Index():
                return self.lookup(node, known)
            case tree.Call():
                return functions.call(self, node, known)
            case tree.MethodCall():
                return methods.method(self, node, known)

    def condition(self, node: Node, known: Paths) -> Term | None:
        """Return the term of a node that must be yes or no; there is no truthiness (SPEC L3.1)."""
        term = self.term(node, known)
        return None if term is None else self.expected(term, types.YES_NO)

    def junction(self, node: tree.And | tree.Or, known: Paths) -> Term | None:
        """Check the items of `and` or `or`, each with what the others guarantee (SPEC L5.2)."""
        holds = isinstance(node, tree.And)
        guaranteed = [present_if(item, holds=holds, names=self.scope.names) for item in node.items]
        found: list[Term | None] = []
        for place, item in enumerate(node.items):
            others = (paths for other, paths in enumerate(guaranteed) if other != place)
            found.append(self.condition(item, reduce(frozenset.union, others, known)))
        items = tuple(item for item in found if item is not None)
        if len(items) < len(found):
            return None
        kind = terms.And if holds else terms.Or
        return kind(items, types.YES_NO, node.start, node.end)

    def comparison(self, node: tree.Compare, known: Paths) -> Term | None:
        """Check a comparison or `in`."""
        item = self.term(node.left, known)
        if node.operator == "in" and isinstance(node.right, tree.Name) and node.right.name in self.scope.tables:
            keys = self.scope.tables[node.right.name].entries
            start, end = node.right.start, node.right.end
            written = tuple(terms.Constant(key, types.TEXT, start, end) for key in keys)
            items: Term | None = terms.Items(written, types.ListOf(types.TEXT), start, end)
        else:
            items = self.term(node.right, known)
        if item is None or items is None:
            return None
        if node.operator == "in":
            return self.membership(item, items, node.start, node.end)
        return self.compared(node.operator, item, items, node.start, node.end)

    def written_list(self, node: Node, items: tuple[Node, ...], known: Paths) -> Term | None:
        """Check a list in brackets: at least one item, all of one type (SPEC L4.8)."""
        if not items:
            return self.problem(node, "wrong_type", "an empty list has no type here and nothing is in it; leave it out")
        if len(items) > types.MAX_LIST:
            return self.problem(node, "too_large", f"a list has at most {types.MAX_LIST:,} items, got {len(items):,}")
        found = [self.term(item, known) for item in items]
        checked = [item for item in found if item is not None]
        if len(checked) < len(found):
            return None
        adopted = self.same_type(checked, "items of a list")
        if adopted is None:
            return None
        kind = self.joint_type(adopted)
        if isinstance(kind, types.ListOf):
            return self.problem(node, "wrong_type", "a list of lists has no meaning here")
        return terms.Items(tuple(adopted), types.ListOf(kind), node.start, node.end)

    def resolve(self, node: tree.Name | tree.Member, known: Paths) -> Term | None:
        """Return what a dotted name means: a macro's variable, a value, a named expression, or a field of one."""
        chain: list[tree.Name | tree.Member] = [node]
        while isinstance(chain[0], tree.Member):
            of = chain[0].of
            if isinstance(of, tree.Index) and self.lookup(of, known) is None:
                return None
            if not isinstance(of, tree.Name | tree.Member):
                return self.problem(chain[0], "wrong_type", f"`.{chain[0].name}` needs a record before the point")
            chain.insert(0, of)
        parts = [link.name for link in chain]
        base: Term
        if parts[0] in self.locals:
            used = 1
            base = terms.Local(parts[0], self.locals[parts[0]], node.start, chain[0].end)
        elif (used := self.longest(parts)) > 0:
            name = ".".join(parts[:used])
            declared = self.scope.values[name]
            base = terms.Read(name, declared.optional, declared.type, node.start, chain[used - 1].end)
        elif parts[0] in self.scope.names:
            used = 1
            expression = self.scope.names[parts[0]]
            base = terms.Part(expression, parts[0], expression.type, node.start, chain[0].end)
        else:
            return self.unknown(node, ".".join(parts))
        return self.fields(base, chain[used:], known)

    def longest(self, parts: list[str]) -> int:
        """Return how many parts make the longest name that can be read, 0 for none."""
        return next((count for count in range(len(parts), 0, -1) if ".".join(parts[:count]) in self.scope.values), 0)

    def fields(self, base: Term, chain: Sequence[tree.Name | tree.Member], known: Paths) -> Term | None:
        """Return the field of a field … of a record; each step but the last must certainly be there."""
        for link in chain:
            there = self.present(base, known)
            if there is None:
                return None
            record = there.type
            if not isinstance(record, types.Record):
                return self.problem(
                    link, "unknown_name", f"`{link.name}` is not part of {record}; only records have fields"
                )
            declared = record.fields.get(link.name)
            if declared is None:
                hint = (
                    did_you_mean(link.name, record.fields)
                    or f"; it has {', '.join(f'`{name}`' for name in record.fields)}"
                )
                return self.problem(link, "unknown_name", f"{record.name} has no field `{link.name}`{hint}")
            base = terms.Field(there, link.name, declared.optional, declared.type, base.start, link.end)
        return base

    def present(self, term: Term, known: Paths) -> Term | None:
        """Return a term if its value is certainly there, else report how to ask first (SPEC L5.1)."""
        if isinstance(term, terms.Read | terms.Field) and term.optional:
            path = path_of(term)
            if path is not None and path not in known:
                return self.problem(
                    term, "optional_unguarded", f"`{path}` may be missing; write `has({path}) and ...` around this"
                )
        return term

    def unknown(self, node: Node, name: str) -> None:
        """Report a name that cannot be read, with what was probably meant."""
        scope = self.scope
        if name in scope.refused:
            self.problem(node, "not_readable", f"`{name}` cannot be read here: {scope.refused[name]}")
        elif (table := name.partition(".")[0]) in scope.tables:
            self.problem(node, "wrong_type", f"`{table}` is a table; look something up in it: `{table}[...]`")
        elif group := [known for known in scope.values if known.startswith(name + ".")]:
            shown = ", ".join(f"`{known}`" for known in group[:3])
            self.problem(node, "unknown_name", f"`{name}` is a group of values; say which, such as {shown}")
        else:
            known = [*scope.values, *scope.names, *scope.tables, *self.locals]
            hint = self.in_quotes(name) or did_you_mean(name, known)
            if not hint:
                nothing = "it is not an argument, a fact, a context value or a name of this file"
                hint = f"; {functions.INSTEAD.get(name, nothing)}"
            self.problem(node, "unknown_name", f"unknown name `{name}`{hint}")

    def in_quotes(self, name: str) -> str:
        """Return a hint if an unknown name is a value of some enumeration."""
        for full, declared in self.scope.values.items():
            if isinstance(declared.type, types.OneOf) and name in declared.type.values:
                return f'; a value of `{full}` is written in quotes: `"{name}"`'
        return ""

    def lookup(self, node: tree.Index, known: Paths) -> Term | None:
        """Check `table[key][key]`."""
        keys: list[Node] = []
        of: Node = node
        while isinstance(of, tree.Index):
            keys.insert(0, of.key)
            of = of.of
        if not isinstance(of, tree.Name) or of.name not in self.scope.tables:
            if isinstance(of, tree.Name) and of.name not in self.scope.values and of.name not in self.locals:
                hint = did_you_mean(of.name, self.scope.tables)
                return self.problem(of, "unknown_name", f"unknown table `{of.name}`{hint}")
            return self.problem(
                node, "wrong_type", "only tables are indexed; ask a list with `.exists(i, ...)` or `.all(i, ...)`"
            )
        table = self.scope.tables[of.name]
        found = [self.term(key, known) for key in keys]
        checked = [key for key in found if key is not None]
        if len(checked) < len(found):
            return None
        if len(keys) != table.levels:
            return self.problem(
                node, "wrong_type", f"the table `{table.name}` has {table.levels} keys, got {len(keys)}"
            )
        for key in checked:
            if not isinstance(key.type, types.Text | types.OneOf | types.Integer | types.YesNo):
                return self.problem(
                    key, "wrong_type", f"a key of a table is text, a whole number or yes/no, got {key.type}"
                )
        if not self.covered(table, checked):
            return None
        return terms.Lookup(table, tuple(checked), table.item, node.start, node.end)

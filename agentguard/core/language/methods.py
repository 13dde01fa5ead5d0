"""What comes after a point: text methods, and the macros that ask something of every item of a list."""

# mypy: disable-error-code="func-returns-value"
# A handler that reports a problem has no term to return, and says both in one line.

from __future__ import annotations

from agentguard.core.language import terms, tree, types
from agentguard.core.language.functions import FUNCTIONS, INSTEAD, MACROS, TEXT_METHODS, Checking, size, taken
from agentguard.core.language.presence import Paths
from agentguard.core.language.suggest import did_you_mean
from agentguard.core.language.terms import Term
from agentguard.core.language.types import Type


def method(checker: Checking, node: tree.MethodCall, known: Paths) -> Term | None:
    """Check `of.method(arguments)`, macros among them."""
    if node.method in MACROS:
        return _macro(checker, node, known)
    if node.method in TEXT_METHODS:
        return _text_method(checker, node, known)
    if node.method == "size":
        return size(checker, tree.Call("size", (node.of, *node.arguments), node.start, node.end), known)
    if node.method in FUNCTIONS:
        return checker.problem(node, "unknown_function", f"`{node.method}` comes first: `{node.method}(x)`")
    known_methods = [*TEXT_METHODS, *MACROS, "size"]
    hint = f"; {INSTEAD[node.method]}" if node.method in INSTEAD else did_you_mean(node.method, known_methods)
    return checker.problem(node, "unknown_function", f"there is no `.{node.method}(...)`{hint}")


def _text_method(checker: Checking, node: tree.MethodCall, known: Paths) -> Term | None:
    of = checker.term(node.of, known)
    as_call = tree.Call(node.method, node.arguments, node.start, node.end)
    arguments = taken(checker, as_call, known, 1, f'order.id.{node.method}("A-")')
    if of is None or arguments is None:
        return None
    if isinstance(of.type, types.ListOf):
        return checker.problem(of, "wrong_type", "to look into a list write `x in list` or `list.exists(i, ...)`")
    for term in (of, arguments[0]):
        if not types.is_textual(term.type):
            return checker.problem(term, "wrong_type", f"`{node.method}` needs text, got {term.type}")
    return terms.Apply(node.method, (of, arguments[0]), types.YES_NO, node.start, node.end)


def _macro(checker: Checking, node: tree.MethodCall, known: Paths) -> Term | None:
    over = checker.term(node.of, known)
    usage = f"order.items.{node.method}(i, i.price > 50)"
    if len(node.arguments) != 2 or not isinstance(node.arguments[0], tree.Name):
        return checker.problem(
            node, "arguments", f"`{node.method}` takes a new name and what to ask of it, as in `{usage}`"
        )
    variable = node.arguments[0].name
    if over is None or not _is_free(checker, node.arguments[0]):
        return None
    if not isinstance(over.type, types.ListOf):
        return checker.problem(over, "wrong_type", f"`{node.method}` needs a list, got {over.type}")
    checker.locals[variable] = over.type.item
    body = (
        checker.term(node.arguments[1], known) if node.method == "map" else checker.condition(node.arguments[1], known)
    )
    del checker.locals[variable]
    if body is None:
        return None
    kind: Type = types.YES_NO
    if node.method == "filter":
        kind = over.type
    elif node.method == "map":
        if isinstance(body.type, types.ListOf):
            return checker.problem(body, "wrong_type", "`map` to a list would make a list of lists; map to one value")
        kind = types.ListOf(body.type)
    return terms.Macro(node.method, over, variable, body, kind, node.start, node.end)


def _is_free(checker: Checking, node: tree.Name) -> bool:
    """Return whether a macro's variable hides nothing; report what it would hide."""
    scope, name = checker.scope, node.name
    groups = {full.partition(".")[0] for full in scope.values}
    if name in groups or name in scope.names or name in scope.tables or name in checker.locals:
        checker.problem(node, "name_taken", f"`{name}` already means something here; choose another name for the item")
        return False
    return True

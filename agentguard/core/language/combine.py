"""Expressions made of expressions: lists of conditions, and named ones in the order they need each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentguard.core.language import terms, tree, types
from agentguard.core.language.check import check
from agentguard.core.language.parse import children
from agentguard.core.language.scope import Scope, finished
from agentguard.core.language.terms import Expression
from agentguard.core.language.tree import Node
from agentguard.errors import LanguageError


def all_of(expressions: Sequence[Expression]) -> Expression:
    """Return the condition that all of these hold; no conditions at all are refused."""
    return _joined(terms.And, " and ", expressions)


def any_of(expressions: Sequence[Expression]) -> Expression:
    """Return the condition that any of these holds; no conditions at all are refused."""
    return _joined(terms.Or, " or ", expressions)


def none_of(expressions: Sequence[Expression]) -> Expression:
    """Return the condition that none of these holds; no conditions at all are refused."""
    inner = any_of(expressions)
    source = f"not ({inner.source})"
    part = terms.Part(inner, None, types.YES_NO, 0, len(source))
    return finished(source, terms.Not(part, types.YES_NO, 0, len(source)))


def _joined(kind: type[terms.And | terms.Or], word: str, expressions: Sequence[Expression]) -> Expression:
    """Join conditions; each stays a part with its own source, so that explanations quote what was written."""
    if not expressions:
        raise LanguageError([(0, "syntax", "a list of conditions needs at least one")])
    if len(expressions) == 1:
        return expressions[0]
    texts = [f"({item.source})" if isinstance(item.tree, terms.And | terms.Or) else item.source for item in expressions]
    source = word.join(texts)
    parts: list[terms.Term] = []
    place = 0
    for text, item in zip(texts, expressions, strict=True):
        parts.append(terms.Part(item, None, types.YES_NO, place, place + len(text)))
        place += len(text) + len(word)
    return finished(source, kind(tuple(parts), types.YES_NO, 0, len(source)))


def check_names(
    written: Mapping[str, tuple[Node, str]], scope: Scope
) -> tuple[dict[str, Expression], dict[str, LanguageError]]:
    """Check named expressions in the order they need each other, whatever the order they are written in.

    Args:
        written: By name: the tree and its source.
        scope: What they can read beside each other.

    Returns:
        The checked expressions, and the errors of those that are wrong or rest on each other in a circle. One that
        rests on a wrong one is in neither.
    """
    needs = {name: _names_in(node) & written.keys() for name, (node, _) in written.items()}
    checked: dict[str, Expression] = dict(scope.names)
    errors: dict[str, LanguageError] = {}
    waiting = list(written)
    while waiting:
        ready = [name for name in waiting if needs[name] <= checked.keys()]
        if not ready:
            break
        for name in ready:
            waiting.remove(name)
            node, source = written[name]
            try:
                checked[name] = check(node, replace(scope, names=dict(checked)), source)
            except LanguageError as error:
                errors[name] = error
    for name in waiting:
        if name in _reached(name, needs):
            message = f"the name `{name}` rests on itself; take it out of its own definition"
            errors[name] = LanguageError([(0, "name_circle", message)])
    return {name: checked[name] for name in written if name in checked}, errors


def _names_in(node: Node) -> set[str]:
    """Return every name that a written expression begins a value with."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tree.Name):
            found.add(part.name)
        waiting.extend(children(part))
    return found


def _reached(start: str, needs: Mapping[str, set[str]]) -> set[str]:
    """Return every name that a name rests on, directly or through others."""
    found: set[str] = set()
    waiting = list(needs[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(needs[name])
    return found

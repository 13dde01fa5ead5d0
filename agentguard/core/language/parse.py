"""The parser of conditions: text to syntax tree, by precedence, within bounds.

It knows no names and no types. Every message says what to write instead, since the readers are not programmers.
"""

from __future__ import annotations

from decimal import Decimal

from agentguard.core.language import tree
from agentguard.core.language.notation import MAX_DAYS, UNITS, duration_of, plural
from agentguard.core.language.tokens import KEYWORDS, Token, tokenize, wrong
from agentguard.core.language.tree import Node
from agentguard.core.money import EXPONENTS
from agentguard.errors import LanguageError

MAX_NESTING = 64

_OR, _AND, _NOT, _COMPARE, _ADD, _MULTIPLY, _UNARY = range(1, 8)
_SPELLINGS = {"&&": "and", "||": "or"}
_LEFT = {"or": _OR, "and": _AND, "+": _ADD, "-": _ADD, "*": _MULTIPLY} | dict.fromkeys(
    ("==", "!=", "<", "<=", ">", ">=", "in"), _COMPARE
)
_INSTEAD = {
    "is": "write `==`",
    "equals": "write `==`",
    "if": "a condition is one expression; say the case with `and`, or write another rule",
    "then": "a condition is one expression; say the case with `and`, or write another rule",
    "else": "a condition is one expression; say the case with `and`, or write another rule",
    "between": "write `x >= low and x <= high`",
    "like": "write `x.contains(...)`, `x.startsWith(...)` or `x.endsWith(...)`",
    "matches": "there are no regular expressions; write `x.contains(...)` or `x.startsWith(...)`",
    "xor": "write `a != b`",
    "null": "there is no `null`; write `has(x)` or `not has(x)`",
    "None": "there is no `None`; write `has(x)` or `not has(x)`",
}


def parse(text: str) -> Node:
    """Return the syntax tree of a condition (SPEC L1, L2).

    Raises:
        LanguageError: The text is not a condition; one problem, with its offset and the fix.
    """
    tokens = tokenize(text)
    if tokens[0].kind == "end":
        raise wrong(0, "syntax", "the condition is empty; write one such as `amount <= 50`")
    parser = _Parser(text, tokens)
    node = parser.expression(0, 0)
    parser.refuse_rest()
    _bound_depth(node)
    return node


def _bound_depth(root: Node) -> None:
    """Refuse trees deeper than the bound; long sums nest without brackets (SPEC L1.2)."""
    waiting: list[tuple[Node, int]] = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_NESTING:
            raise _too_deep(node.start)
        waiting.extend((child, depth + 1) for child in children(node))


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below a node, in the order they are written."""
    match node:
        case tree.ListLiteral(items) | tree.And(items) | tree.Or(items):
            return items
        case tree.Member(of) | tree.Negate(of) | tree.Not(of):
            return (of,)
        case tree.Index(of, key):
            return (of, key)
        case tree.Call(_, arguments):
            return arguments
        case tree.MethodCall(of, _, arguments):
            return (of, *arguments)
        case tree.Compare(_, left, right) | tree.Arithmetic(_, left, right):
            return (left, right)
        case _:
            return ()


def _too_deep(offset: int) -> LanguageError:
    return wrong(
        offset, "too_deep", f"a condition nests at most {MAX_NESTING} deep; give parts of it a name under `names`"
    )


class _Parser:
    """One pass over the tokens; `place` is the next one."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.place = 0

    def expression(self, binding: int, depth: int) -> Node:
        """Parse operators that bind tighter than `binding`."""
        if depth > MAX_NESTING:
            raise _too_deep(self.tokens[self.place].start)
        begin = self.tokens[self.place].start
        left = self.prefix(depth)
        while (found := self.operator()) is not None and _LEFT[found[0]] > binding:
            operator, negated = found
            start = self.tokens[self.place]
            self.place += 2 if negated else 1
            right = self.expression(_LEFT[operator], depth + 1)
            left = self.joined(operator, left, right, start, begin)
            if negated:
                left = tree.Not(left, left.start, left.end)
        return left

    def operator(self) -> tuple[str, bool] | None:
        """Return the operator that comes next, and whether it is `not in`."""
        token = self.tokens[self.place]
        if token.kind not in {"symbol", "word"}:
            return None
        name = str(token.value)
        if name == "not" and self.tokens[self.place + 1].value == "in":
            return "in", True
        name = _SPELLINGS.get(name, name)
        return (name, False) if name in _LEFT else None

    def joined(self, operator: str, left: Node, right: Node, token: Token, start: int) -> Node:
        """Return the node for two operands, brackets around them included; `and` and `or` are kept flat."""
        end = self.tokens[self.place - 1].end
        if operator in {"and", "or"}:
            kind = tree.And if operator == "and" else tree.Or
            items = (
                *(left.items if isinstance(left, kind) else (left,)),
                *(right.items if isinstance(right, kind) else (right,)),
            )
            return kind(items, start, end)
        if _LEFT[operator] == _COMPARE:
            following = self.operator()
            if following is not None and _LEFT[following[0]] == _COMPARE:
                raise self.chained(left, operator, right, following[0], token)
            return tree.Compare(operator, left, right, start, end)
        return tree.Arithmetic(operator, left, right, start, end)

    def chained(self, left: Node, first: str, right: Node, second: str, token: Token) -> LanguageError:
        """Return the error for `a < b < c`, with the two comparisons spelled out (SPEC L2.4)."""
        written_left, written_right = self.text[left.start : left.end], self.text[right.start : right.end]
        return wrong(
            token.start,
            "chained_comparison",
            "comparisons are not chained; "
            f"write `{written_left} {first} {written_right} and {written_right} {second} ...`",
        )

    def prefix(self, depth: int) -> Node:
        """Parse `not`, `!`, `-` or one operand with what follows it directly."""
        token = self.tokens[self.place]
        if token.kind in {"symbol", "word"} and token.value in {"not", "!", "-"}:
            self.place += 1
            of = self.expression(_NOT if token.value == "not" else _UNARY, depth + 1)
            end = self.tokens[self.place - 1].end
            return tree.Negate(of, token.start, end) if token.value == "-" else tree.Not(of, token.start, end)
        return self.postfix(self.operand(depth), token.start, depth)

    def operand(self, depth: int) -> Node:
        """Parse a literal, a name, a call, a list or something in brackets."""
        token = self.tokens[self.place]
        self.place += 1
        if token.kind == "number":
            return self.number(token)
        if token.kind == "text":
            return tree.TextLiteral(str(token.value), token.start, token.end)
        if token.kind == "word":
            return self.word(token, depth)
        if token.value == "(":
            inner = self.expression(0, depth + 1)
            self.close(")", token)
            return inner
        if token.value == "[":
            items, end = self.arguments("]", token, depth)
            return tree.ListLiteral(items, token.start, end)
        if token.kind == "end":
            raise wrong(token.start, "syntax", "the condition ends too early; expected a value, a name or `(`")
        raise wrong(token.start, "syntax", f"expected a value, a name or `(`, got `{token.value}`{self.doubled()}")

    def doubled(self) -> str:
        """Return a hint for `! =` and the like."""
        before = self.tokens[self.place - 2] if self.place >= 2 else None
        return f" after `{before.value}`" if before is not None and before.kind == "symbol" else ""

    def number(self, token: Token) -> Node:
        """Parse a number, or a duration if a unit of time follows."""
        assert not isinstance(token.value, str)  # noqa: S101 - the tokenizer gives numbers their value
        following = self.tokens[self.place]
        unit = plural(str(following.value)) if following.kind == "word" else None
        if following.kind == "word" and unit is None and following.value not in KEYWORDS:
            raise self.not_a_unit(token, following)
        if unit is None:
            return tree.NumberLiteral(token.value, token.start, token.end)
        self.place += 1
        if isinstance(token.value, Decimal):
            raise wrong(
                token.start, "duration", f"a duration counts whole {unit}, got `{token.value}`; use a smaller unit"
            )
        if duration_of(token.value, unit) is None:
            raise wrong(token.start, "duration", f"a duration is at most {MAX_DAYS:,} days")
        return tree.DurationLiteral(token.value, unit, token.start, following.end)

    def not_a_unit(self, number: Token, word: Token) -> LanguageError:
        """Return the error for a word after a number that is no unit of time."""
        name = str(word.value)
        if name.lower() in {"month", "months", "year", "years"}:
            message = f"a duration has no `{name}`, since they differ in length; write days, as in `30 days`"
        elif name.lower() in {"percent", "pct"}:
            message = f"write `percent(x, {number.value})` for a share of x"
        elif name.lower() in KEYWORDS:
            message = f"write `{name.lower()}` in small letters"
        elif name.upper() in EXPONENTS:
            message = f"write `{name.lower()}({number.value})`, or the number alone where the file has one currency"
        elif name in _INSTEAD:
            message = f"`{name}` has no meaning here; {_INSTEAD[name]}"
        else:
            units = ", ".join(UNITS)
            message = f"expected an operator after `{number.value}`, got `{name}`; units of time are {units}"
        return wrong(word.start, "syntax", message)

    def word(self, token: Token, depth: int) -> Node:
        """Parse a word that begins an operand: `yes`, a name or a call."""
        name = str(token.value)
        if name in {"yes", "true", "no", "false"}:
            return tree.YesNoLiteral(name in {"yes", "true"}, token.start, token.end)
        if name in KEYWORDS:
            raise wrong(token.start, "syntax", f"expected a value or a name, got `{name}`")
        if self.tokens[self.place].value == "(" and self.tokens[self.place].kind == "symbol":
            opened = self.tokens[self.place]
            self.place += 1
            arguments, end = self.arguments(")", opened, depth)
            return tree.Call(name, arguments, token.start, end)
        if name in _INSTEAD:
            raise wrong(token.start, "syntax", f"`{name}` has no meaning here; {_INSTEAD[name]}")
        return tree.Name(name, token.start, token.end)

    def postfix(self, left: Node, start: int, depth: int) -> Node:
        """Parse `.name`, `.method(...)` and `[key]` after an operand."""
        while True:
            token = self.tokens[self.place]
            if token.kind != "symbol" or token.value not in {".", "["}:
                return left
            self.place += 1
            if token.value == "[":
                key = self.expression(0, depth + 1)
                end = self.close("]", token)
                left = tree.Index(left, key, start, end)
                continue
            name = self.tokens[self.place]
            if name.kind != "word":
                raise wrong(name.start, "syntax", f"expected a name after `.`, got `{name.value or 'the end'}`")
            self.place += 1
            opened = self.tokens[self.place]
            if opened.kind == "symbol" and opened.value == "(":
                self.place += 1
                arguments, end = self.arguments(")", opened, depth)
                left = tree.MethodCall(left, str(name.value), arguments, start, end)
            else:
                left = tree.Member(left, str(name.value), start, name.end)

    def arguments(self, closing: str, opened: Token, depth: int) -> tuple[tuple[Node, ...], int]:
        """Parse expressions between commas up to the closing bracket; return them and where it ends."""
        items: list[Node] = []
        if self.at(closing):
            return (), self.close(closing, opened)
        while True:
            items.append(self.expression(0, depth + 1))
            if not self.at(","):
                return tuple(items), self.close(closing, opened)
            self.place += 1
            if self.at(closing):
                raise wrong(
                    self.tokens[self.place].start, "syntax", f"expected another item after `,`, got `{closing}`"
                )

    def at(self, symbol: str) -> bool:
        """Return whether this symbol comes next."""
        token = self.tokens[self.place]
        return token.kind == "symbol" and token.value == symbol

    def close(self, symbol: str, opened: Token) -> int:
        """Consume a closing bracket and return where it ends."""
        token = self.tokens[self.place]
        if not self.at(symbol):
            if token.kind == "end":
                raise wrong(opened.start, "syntax", f"the `{opened.value}` is never closed; expected `{symbol}`")
            raise wrong(
                token.start, "syntax", f"expected `{symbol}` or an operator, got {self.shown(token)}{self.hint(token)}"
            )
        self.place += 1
        return token.end

    def refuse_rest(self) -> None:
        """Raise if anything follows the condition."""
        token = self.tokens[self.place]
        if token.kind == "end":
            return
        if token.value == ",":
            raise wrong(token.start, "syntax", self.comma())
        if token.value in {")", "]"}:
            raise wrong(token.start, "syntax", f"`{token.value}` closes nothing")
        raise wrong(
            token.start,
            "syntax",
            f"expected `and`, `or` or another operator, got {self.shown(token)}{self.hint(token)}",
        )

    def comma(self) -> str:
        """Return what is wrong with a comma outside brackets: a list, or a number as much of Europe writes it."""
        before, after = self.tokens[self.place - 1], self.tokens[self.place + 1]
        if before.kind == after.kind == "number" and before.end + 1 == after.start:
            whole = self.text[before.start : before.end].replace(".", "")
            number = f"{whole}.{self.text[after.start : after.end]}"
            return f"a number has a point before its decimals, and nothing between its thousands; write `{number}`"
        return "`,` has no meaning between conditions; write `and`, or a list of conditions"

    def shown(self, token: Token) -> str:
        """Return a token as it was written."""
        return f"`{self.text[token.start : token.end][:40]}`"

    def hint(self, token: Token) -> str:
        """Return what to write instead of a word that other languages have here."""
        name = str(token.value)
        if token.kind == "word" and name in _INSTEAD:
            return f"; {_INSTEAD[name]}"
        if token.kind == "word" and name not in KEYWORDS and name.lower() in KEYWORDS:
            return f"; write `{name.lower()}` in small letters"
        if token.value == ",":
            return "; a list stands between `[` and `]`, and each key of a table in brackets of its own"
        before = self.tokens[self.place - 1]
        if before.kind == "word" and before.value != "not" and str(before.value).lower() == "not":
            return "; write `not` in small letters"
        return ""

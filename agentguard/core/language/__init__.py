"""The condition language: text to tree, tree to checked expression, expression to value.

`parse` reads, `check` resolves and types, `evaluate` walks the tree (the definition of meaning), `compile_conditions`
makes the fast path, `trace` explains. Pure: nothing here reads a file, a clock or a random number.
"""

from agentguard.core.language.check import check
from agentguard.core.language.combine import all_of, any_of, check_names, none_of
from agentguard.core.language.compile import compile_conditions, compile_expression
from agentguard.core.language.conform import conform
from agentguard.core.language.evaluate import evaluate
from agentguard.core.language.notation import parse_duration, parse_type
from agentguard.core.language.parse import parse
from agentguard.core.language.scope import Scope
from agentguard.core.language.table import Table, parse_table
from agentguard.core.language.terms import Expression, Term
from agentguard.core.language.trace import Comparison, trace
from agentguard.core.language.tree import Node
from agentguard.core.language.types import (
    UNKNOWN,
    Date,
    Decimal_,
    Declared,
    Duration,
    Environment,
    Integer,
    ListOf,
    Money,
    OneOf,
    Record,
    Text,
    Time,
    Type,
    Unknown,
    Value,
    YesNo,
)
from agentguard.core.language.unparse import unparse

__all__ = [
    "UNKNOWN",
    "Comparison",
    "Date",
    "Decimal_",
    "Declared",
    "Duration",
    "Environment",
    "Expression",
    "Integer",
    "ListOf",
    "Money",
    "Node",
    "OneOf",
    "Record",
    "Scope",
    "Table",
    "Term",
    "Text",
    "Time",
    "Type",
    "Unknown",
    "Value",
    "YesNo",
    "all_of",
    "any_of",
    "check",
    "check_names",
    "compile_conditions",
    "compile_expression",
    "conform",
    "evaluate",
    "none_of",
    "parse",
    "parse_duration",
    "parse_table",
    "parse_type",
    "trace",
    "unparse",
]

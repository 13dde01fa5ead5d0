"""Cases as text that can be put into a test file as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from agentguard.core.cases import Case, Written

_PLAIN = re.compile(r"-?[A-Za-z0-9][A-Za-z0-9_./-]*( [A-Za-z0-9][A-Za-z0-9_./-]*)*")
WIDE = 110
"""A mapping that does not fit on a line gets a line for each of its keys."""


def cases_text(cases: Iterable[Case]) -> str:
    """Return cases without tables as they stand under `cases` in a test file."""
    return "\n".join("\n".join(_case(case)) + "\n" for case in cases)


def _case(case: Case) -> Iterator[str]:
    situation, expected = case.situation, case.expectation
    yield f"  - name: {_scalar(case.name)}"
    yield f"    do: {_scalar(case.action)}"
    if situation.now is not None:
        yield f"    now: {_scalar(situation.now)}"
    for key, said in (("with", situation.values), ("used", situation.used), ("held", situation.held)):
        if said:
            yield from _mapping(key, said)
    for key, names in (("without", situation.without), ("failed", situation.failed)):
        if names:
            yield f"    {key}: {_flow(names)}"
    if situation.happened is not None:
        yield f"    happened: {_flow(situation.happened)}"
    if expected.verdict is not None:
        yield f"    expect: {_scalar(expected.verdict)}"
    if expected.by is not None:
        yield f"    by: {_flow(expected.by)}"


def _mapping(key: str, said: Mapping[str, Written]) -> Iterator[str]:
    line = f"    {key}: {_flow(said)}"
    if len(line) <= WIDE:
        yield line
        return
    yield f"    {key}:"
    yield from (f"      {name}: {_flow(item)}" for name, item in said.items())


def _flow(value: Written) -> str:
    if isinstance(value, str):
        return _scalar(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(item)}" for name, item in value.items()) + "}"
    return "[" + ", ".join(_flow(item) for item in value) + "]"


def _scalar(text: str) -> str:
    """Return a text as YAML, in quotes where it would not be read as it is."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)

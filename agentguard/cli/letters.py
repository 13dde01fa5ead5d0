"""`agentguard letter`: what a customer gets to read about a decision."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from agentguard.cli.opened import open_reading
from agentguard.cli.options import DEFAULT_POLICIES, DEFAULT_STORE, JsonOption, PoliciesOption, StoreOption
from agentguard.cli.output import print_json
from agentguard.engine.guard import Guard
from agentguard.errors import UsageError

LARGEST_FILE = 1 << 20


def letter(
    decision: Annotated[
        str, typer.Argument(help="The id of an action, or the position of an entry about it.", metavar="DECISION")
    ],
    language: Annotated[
        str | None, typer.Option("--language", help="`en`, `de`, `es` or `fr`; the conversation's when left out.")
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            "--names", help="What actions, facts and choices are called; `names.de.toml` beside the policies."
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown instead of plain text.")] = False,
    store: StoreOption = DEFAULT_STORE,
    policies: PoliciesOption = DEFAULT_POLICIES,
    json: JsonOption = False,
) -> None:
    """Write the customer's letter about a decision: why, on what data, what would have changed it, how to contest."""
    guard = open_reading(store)
    action = _action_of(guard, decision)
    written = guard.letter(action, language)
    file = names or _names_beside(policies, written.language)
    if file is not None:
        written = guard.letter(action, written.language, read_names(file))
    if json:
        print_json(written.as_json())
    else:
        typer.echo(written.as_markdown() if markdown else written.as_text(), nl=False)


def read_names(path: Path) -> dict[str, str]:
    """Return what names are called, from a file like `"refund.issue" = "eine Erstattung"`.

    Raises:
        UsageError: The file is not there, is no TOML, or holds something else than texts.
    """
    try:
        with path.open("rb") as file:
            found = tomllib.loads(file.read(LARGEST_FILE).decode())
    except (OSError, ValueError) as error:
        raise UsageError(f"expected names as TOML in `{path}`: {error}") from error
    wrong = next((name for name, words in found.items() if not isinstance(words, str) or not words.strip()), None)
    if wrong is not None:
        raise UsageError(f'expected `"{wrong}" = "…"` with words for a person in `{path}`; put dotted names in quotes')
    return found


def _names_beside(policies: Path, language: str) -> Path | None:
    file = (policies if policies.is_dir() else policies.parent) / f"names.{language}.toml"
    return file if file.is_file() else None


def _action_of(guard: Guard, decision: str) -> str:
    if not re.fullmatch(r"[0-9]{1,18}", decision):
        return decision
    found = guard.audit.show(int(decision))
    if found.action_id is None:
        raise UsageError(f"expected an entry about an action, got entry {decision} of kind `{found.kind}`")
    return found.action_id

"""`agentguard policy fmt | schema`: what editing policy files takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentguard import policyfile
from agentguard.cli import exits
from agentguard.cli.files import Paths, files_of
from agentguard.cli.options import JsonOption
from agentguard.cli.output import Output, count, print_json
from agentguard.errors import UsageError
from agentguard.policyfile.bundle import read_text
from agentguard.policyfile.schema import MODELS


def fmt(
    paths: Paths,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if something would change.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Put policy, test and people files into their one layout; comments and meaning stay."""
    files = [path for path, _ in files_of(paths)]
    changed: list[tuple[Path, str]] = []
    for path in files:
        text = read_text(path, str(path))
        laid_out = policyfile.format_text(text, str(path))
        if laid_out != text:
            changed.append((path, laid_out))
    for path, laid_out in () if check else changed:
        try:
            path.write_text(laid_out, encoding="utf-8", newline="\n")
        except OSError as error:
            raise UsageError(f"expected a file that can be written, got `{path}`: {error.strerror}") from error
    if json:
        print_json({"checked": check, "files": len(files), "changed": [str(path) for path, _ in changed]})
    else:
        output = Output()
        for path, _ in changed:
            output.line(f"{'would change' if check else 'changed'} {path}")
        output.line(f"{count(changed, 'file')} of {len(files)} {'would change' if check else 'changed'}")
    if check and changed:
        raise typer.Exit(exits.FOUND)


def print_schema(
    kind: Annotated[str, typer.Argument(help="`policy`, `cases` or `people`.")] = "policy",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it to this file.")] = None,
) -> None:
    """Print the JSON Schema that editors check policy files with."""
    if kind not in MODELS:
        raise UsageError(f"expected one of {', '.join(MODELS)}, got `{kind}`")
    found = policyfile.json_schema(kind)
    if output is None:
        print_json(found)
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            print_json(found, file)
    except OSError as error:
        raise UsageError(f"expected a file that can be written, got `{output}`: {error.strerror}") from error
    Output().line(f"written to {output}; the first line of a policy file names it:")
    Output().line(policyfile.modeline(str(output)))

"""`agentguard policy init`: a folder with a policy, its examples, people and what editors need."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from agentguard import policyfile
from agentguard.cli.options import JsonOption
from agentguard.cli.output import Output, print_json
from agentguard.cli.shipped import BLANK, TEMPLATES, policies_folder, templates
from agentguard.core.policy import Policy
from agentguard.errors import UsageError
from agentguard.policyfile.filenames import PEOPLE
from agentguard.policyfile.schema import MODELS

SCHEMAS = "schema"
ABOUT = "vouchers"
"""What the policy to begin with is about, and is called in every record unless its author says otherwise."""
EDITOR = ".vscode"
_NAME = re.compile("[A-Za-z][A-Za-z0-9_-]{0,63}")
_PEOPLE = "# These people are examples: put your own here.\n"


def init(
    folder: Annotated[Path, typer.Argument(help="Where to put it; made if it is not there.", metavar="FOLDER")],
    template: Annotated[
        str, typer.Option("--template", help="What to begin with: `blank`, or a pack like `refunds`.")
    ] = BLANK,
    name: Annotated[
        str | None, typer.Option("--name", help="What the policy is called; its pack, or `vouchers`, when left out.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Begin a folder of policies: a policy with its examples, the people who decide, and what editors need."""
    known = templates()
    if template not in known:
        raise UsageError(f"expected one of {', '.join(known)}, got `{template}`")
    name = name or (ABOUT if template == BLANK else template)
    if not _NAME.fullmatch(name) or name.endswith("_test") or name == "people":
        raise UsageError(f"expected a name like `vouchers`, of letters, digits, `-` and `_`, got `{name}`")
    planned = dict(_policy(known[template], template, name))
    there = [path for path in planned if (folder / path).exists()]
    if there:
        raise UsageError(f"`{folder / there[0]}` is there already and is left as it is: give another --name or folder")
    planned |= dict(_around())
    kept = [path for path in planned if (folder / path).exists()]
    written = [path for path in planned if path not in kept]
    for path in written:
        _write(folder, path, planned[path])
    if json:
        print_json({"folder": str(folder), "written": written, "kept": kept})
    else:
        _say(folder, written, kept)
        _say_missing(folder, policyfile.load_text(planned[f"{name}.yaml"], f"{name}.yaml"), known)


def _policy(pack: Path, template: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield a policy and its examples, under the name that they are given."""
    for kind, ending, key in (("policy", "", "policy"), ("cases", "_test", "test")):
        text = (pack / f"{template}{ending}.yaml").read_text(encoding="utf-8")
        renamed = re.sub(rf"(?m)^{key}: {template}$", f"{key}: {name}", text).replace(
            f"{template}.yaml", f"{name}.yaml"
        )
        yield f"{name}{ending}.yaml", _with_schema(kind, renamed)


def _around() -> Iterator[tuple[str, str]]:
    """Yield what every folder of policies has beside them."""
    people = (policies_folder() / PEOPLE).read_text(encoding="utf-8")
    yield PEOPLE, _with_schema("people", _PEOPLE + people)
    for kind in MODELS:
        yield f"{SCHEMAS}/{kind}.json", json.dumps(policyfile.json_schema(kind), indent=2, ensure_ascii=False) + "\n"
    for path in sorted((TEMPLATES / "vscode").iterdir()):
        yield f"{EDITOR}/{path.name}", path.read_text(encoding="utf-8")


def _with_schema(kind: str, text: str) -> str:
    return f"{policyfile.modeline(f'{SCHEMAS}/{kind}.json')}\n{text}"


def _write(folder: Path, name: str, text: str) -> None:
    """Write a file that is not there.

    Raises:
        UsageError: It cannot be written, or a link leads out of the folder.
    """
    path = folder / name
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"expected `{path.parent}` inside `{folder}`, got a link to `{path.parent.resolve()}`")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"expected to write `{path}`: {(error.strerror or str(error)).lower()}") from error


def _say(folder: Path, written: list[str], kept: list[str]) -> None:
    output = Output()
    about = {
        f"{SCHEMAS}/": "what editors know of every key",
        f"{EDITOR}/": "tasks for Visual Studio Code: open this folder in it",
        PEOPLE: "who decides what the agent may not: put your own people there",
    }
    output.line(f"written to {folder}:")
    rows: dict[str, str] = {}
    for path in written:
        top = path if "/" not in path else f"{path.partition('/')[0]}/"
        rows[top] = about.get(top, "examples of what must come out" if top.endswith("_test.yaml") else "the policy")
    output.pairs(rows.items(), indent=2)
    if kept:
        output.line(f"there already, and left as it is: {', '.join(kept)}", style="yellow")
    where = shlex.quote(str(folder))
    output.line()
    output.line("next:")
    output.pairs(
        (
            (f"agentguard policy explain {where}", "read what it says"),
            (f"agentguard policy watch {where}", "change it: with every save you see what is wrong, and what it means"),
            (f"agentguard policy test {where} --boundaries", "find what your examples do not notice"),
        ),
        indent=2,
    )


def _say_missing(folder: Path, policy: Policy, known: Mapping[str, Path]) -> None:
    """Say which actions have to be done first that belong to a pack which is not there.

    What only the application records is nobody's, and nothing is said of it.
    """
    output = Output()
    for requirement in policy.requires:
        packs = (name for name in known if requirement.action in _actions(known[name], name))
        pack = None if requirement.action in policy.actions else next(packs, None)
        if pack is not None and not (folder / f"{pack}.yaml").exists():
            wanted = f"`{requirement.id}` wants `{requirement.action}` done first, which is an action of `{pack}`"
            output.line()
            otherwise = "nothing else meets it: begin that one here too, or remove the requirement"
            output.sentence(f"{wanted}; {otherwise}", style="yellow")
            output.line(f"  agentguard policy init {shlex.quote(str(folder))} --template {pack}")


def _actions(folder: Path, name: str) -> Collection[str]:
    file = folder / f"{name}.yaml"
    return policyfile.load_text(file.read_text(encoding="utf-8"), str(file)).actions

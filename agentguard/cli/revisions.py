"""Policies as they are on disk, or as they were at a revision of a git repository, which nothing is checked out of."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

from agentguard import policyfile
from agentguard.core.policy import Bundle
from agentguard.errors import UsageError
from agentguard.policyfile import bounds
from agentguard.policyfile.filenames import is_hidden, is_policy
from agentguard.policyfile.read import decode

LONGEST_WAIT = 60
"""Seconds after which git does not answer any more."""


def bundle_at(version: str) -> Bundle:
    """Return the policies of a file or folder, or of one at a revision, like `main:policies`.

    Raises:
        UsageError: Neither is there.
        PolicyError: They do not load.
    """
    path = Path(version)
    if path.exists():
        return policyfile.load(path)
    revision, colon, inside = version.partition(":")
    if not colon:
        message = f"expected a file, a folder, or one at a git revision like `main:policies`, got `{version}`"
        raise UsageError(f"{message}, which is not there")
    return _bundle(Path.cwd(), revision, inside)


def bundle_before(path: Path, revision: str) -> Bundle:
    """Return the policies that a file or folder had at a revision of the repository that it is in.

    Raises:
        UsageError: It is not there now, or was not there then.
        PolicyError: They do not load.
    """
    if not path.exists():
        raise UsageError(f"expected a file or folder to compare with `{revision}`, got `{path}`, which is not there")
    folder = path if path.is_dir() else path.parent
    prefix = _git(folder, "rev-parse", "--show-prefix").decode(errors="replace").rstrip("\n")
    return _bundle(folder, revision, prefix if path.is_dir() else f"{prefix}{path.name}")


def _bundle(folder: Path, revision: str, inside: str) -> Bundle:
    """Return the policies below a path of a repository, which counts from its root."""
    if not revision or revision.startswith("-"):
        raise UsageError(f"expected a git revision like `main`, got `{revision}`")
    path = str(PurePosixPath(inside)) if inside.strip("/.") else ""
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", of=revision)
    name = commit.decode("ascii").strip()
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", "--full-tree", name, "--", *([path] if path else []))
    files = [item for item in listed.decode(errors="surrogateescape").split("\0") if item]
    files = [item for item in files if item == path or _is_policy(PurePosixPath(item), inside=PurePosixPath(path))]
    if not files:
        raise UsageError(f"expected policy files in `{inside or '.'}` at `{revision}`, got none")
    if len(files) > bounds.FILES:
        raise UsageError(f"expected at most {bounds.FILES} policy files at `{revision}`, got {len(files)}")
    policies = []
    for file in files:
        shown = f"{revision}:{file}"
        text = decode(_git(folder, "cat-file", "blob", f"{name}:{file}")[: bounds.FILE_BYTES + 1], shown)
        policies.append(policyfile.load_text(text, shown))
    return policyfile.bundle_of(policies)


def _is_policy(path: PurePosixPath, inside: PurePosixPath) -> bool:
    return is_policy(path) and not is_hidden(path.relative_to(inside))


def _git(folder: Path, *arguments: str, of: str = "") -> bytes:
    """Return what git answers.

    Args:
        folder: Where it is asked.
        arguments: What it is asked.
        of: The revision that is looked for, if that is what may be wrong.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a list, without a shell; revisions that look like options are refused
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - git is where the person has it
            capture_output=True,
            check=False,
            timeout=LONGEST_WAIT,
        )
    except FileNotFoundError as error:
        raise UsageError("expected git to read a revision with, got none: install it, or name two folders") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"expected an answer of git within {LONGEST_WAIT} seconds, got none") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if of and not said:
        raise UsageError(f"expected a revision that this repository has, got `{of}`")
    why = said[0].removeprefix("fatal: ") if said else "it does not say why"
    raise UsageError(f"git cannot read it: {why}; two files or folders can be compared without it")

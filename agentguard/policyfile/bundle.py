"""Policy files together: found in folders, read, and checked against each other."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from agentguard.core.language import Declared
from agentguard.core.language.meaning import rests_on
from agentguard.core.policy import ActionSpec, Bundle, Place, Policy
from agentguard.errors import PolicyError, Problem
from agentguard.policyfile import bounds
from agentguard.policyfile.build import load_text
from agentguard.policyfile.filenames import is_policy, yaml_inside
from agentguard.policyfile.read import decode


def load(paths: str | Path | Iterable[str | Path]) -> Bundle:
    """Read policy files, or every policy file in a folder and the folders below it.

    Raises:
        PolicyError: With every problem of every file.
    """
    return bundle_of(load_files(paths))


def load_files(paths: str | Path | Iterable[str | Path]) -> list[Policy]:
    """Read policy files without checking them against each other.

    Raises:
        PolicyError: With every problem of every file.
    """
    policies: list[Policy] = []
    problems: list[Problem] = []
    for path, name in policy_paths(paths):
        try:
            policies.append(load_text(read_text(path, name), name))
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(problems)
    return policies


def read_text(path: Path, name: str) -> str:
    """Return a file's text, exactly as it is.

    Raises:
        PolicyError: It cannot be read, is too large or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            return decode(file.read(bounds.FILE_BYTES + 1), name)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise PolicyError([Problem(name, 0, 0, "unreadable", f"the file cannot be read: {reason}")]) from error


def policy_paths(paths: str | Path | Iterable[str | Path]) -> list[tuple[Path, str]]:
    """Return the policy files that paths name, each with the name that messages give it, in a stable order.

    Raises:
        PolicyError: A path does not exist, or there is no policy file at all, or there are too many.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found: dict[Path, str] = {}
    for item in map(Path, given):
        if not item.exists():
            message = "no such file or folder: check the path"
            raise PolicyError([Problem(str(item), 0, 0, "unreadable", message)])
        if item.is_dir():
            found.update({path: str(path.relative_to(item)) for path in yaml_inside(item) if is_policy(path)})
        else:
            found[item] = str(item)
    if not found:
        where = ", ".join(str(item) for item in given) or "nothing"
        message = "expected at least one policy file, ending in `.yaml`: add one"
        raise PolicyError([Problem(where, 0, 0, "no_policy", message)])
    if len(found) > bounds.FILES:
        message = f"expected at most {bounds.FILES} policy files, got {len(found)}"
        raise PolicyError([Problem(str(given[0]), 0, 0, "too_many", message)])
    return list(found.items())


def bundle_of(policies: Iterable[Policy]) -> Bundle:
    """Return policies as the bundle they are together.

    Raises:
        PolicyError: Two have the same name, or declare an action differently, or there is none.
    """
    ordered = tuple(sorted(policies, key=lambda policy: policy.name))
    if not ordered:
        raise PolicyError([Problem("", 0, 0, "no_policy", "expected at least one policy file, got none")])
    problems = [*_same_names(ordered), *_different_actions(ordered)]
    if problems:
        raise PolicyError(problems)
    listed = "".join(f"{policy.name} {policy.digest}\n" for policy in ordered)
    return Bundle(ordered, hashlib.sha256(listed.encode()).hexdigest())


def _same_names(policies: Sequence[Policy]) -> Iterable[Problem]:
    for before, policy in itertools.pairwise(policies):
        if before.name == policy.name:
            message = f"policy `{policy.name}` is also in {before.file}: give one of them another name"
            yield Problem(policy.file, 1, 1, "policy_twice", message)


def _different_actions(policies: Sequence[Policy]) -> Iterable[Problem]:
    """Yield where files that govern the same action do not declare it alike (SPEC P15.2)."""
    first: dict[str, Policy] = {}
    for policy in policies:
        for action, spec in policy.actions.items():
            other = first.setdefault(action, policy)
            if other is not policy:
                yield from _differences(action, spec, policy, other)


def _differences(action: str, spec: ActionSpec, policy: Policy, other: Policy) -> Iterable[Problem]:
    where = f"action `{action}` is also in {other.file}"
    before = other.actions[action]
    if policy.currencies != other.currencies:
        yield _problem(spec.place, f"{where} with another currency")
        return  # every type with money in it differs then
    if _shape(spec.arguments) != _shape(before.arguments):
        yield _problem(spec.place, f"{where} with other arguments ({_shown(spec.arguments, before.arguments)})")
    for name in sorted(set(spec.computed) & set(before.computed)):
        if rests_on(spec.computed[name]) != rests_on(before.computed[name]):
            yield _problem(spec.place, f"{where} and computes `{name}` otherwise")
    for mine, theirs, kind in ((policy.facts, other.facts, "fact"), (policy.context, other.context, "context value")):
        for name in sorted(set(mine) & set(theirs)):
            if _key(mine[name]) != _key(theirs[name]):
                message = (
                    f"{where} and has the {kind} `{name}` with another type ({_difference(mine[name], theirs[name])})"
                )
                yield _problem(spec.place, message)


def _problem(place: Place, message: str) -> Problem:
    return Problem(place.file, place.line, place.column, "action_differs", f"{message}: declare it alike in both")


def _key(declared: Declared) -> tuple[object, ...]:
    fields = getattr(declared.type, "fields", None) or getattr(getattr(declared.type, "item", None), "fields", None)
    inner = tuple((name, _key(item)) for name, item in sorted(fields.items())) if fields else ()
    return declared.type, inner, declared.optional, declared.personal, declared.max_age, declared.computed


def _shape(arguments: Mapping[str, Declared]) -> dict[str, tuple[object, ...]]:
    return {name: _key(declared) for name, declared in arguments.items()}


def _shown(mine: Mapping[str, Declared], theirs: Mapping[str, Declared]) -> str:
    names = sorted({*mine, *theirs})
    odd = next(
        name for name in names if name not in mine or name not in theirs or _key(mine[name]) != _key(theirs[name])
    )
    if odd not in theirs or odd not in mine:
        return f"`{odd}` is in one of them only"
    return f"`{odd}`: {_difference(mine[odd], theirs[odd])}"


def _difference(mine: Declared, theirs: Declared) -> str:
    if str(mine.type) != str(theirs.type):
        return f"{mine.type} and {theirs.type}"
    return "`?`, `any sign`, `personal`, `max_age` or `computed as` differ"

"""Who the people are at this moment: asked anew each time, so that somebody who left can do nothing from then on.

What cannot be read lets nobody act: that a file broke or vanished is no reason to go on with the people of yesterday.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

from agentguard import policyfile
from agentguard.core.people import People
from agentguard.core.policy import Bundle
from agentguard.errors import ConfigurationError, PeopleUnavailableError, PolicyError, UsageError
from agentguard.policyfile.bundle import read_text

Given: TypeAlias = str | Path | People | Callable[[], People] | None
"""What a host says about its people: a file, the people themselves, or a function that is asked each time."""


class Directory(Protocol):
    """Knows who the people are now."""

    def people(self) -> People | None:
        """Return them, or None where nothing says who they are.

        Raises:
            PeopleUnavailableError: They cannot be told now; nobody may act.
        """
        ...


def directory(given: Given | object, policies: str | Path | Sequence[str | Path] | Bundle) -> Directory:
    """Return the directory that a guard uses; where nothing is given, the `people.yaml` beside its policies.

    Raises:
        ConfigurationError: What is given is none of these.
        PolicyError: The file is wrong.
        UsageError: Several folders of policies have one each.
    """
    if given is None and isinstance(policies, Bundle):
        return Fixed(None)
    if given is None or isinstance(given, str | Path):
        beside = policies if not isinstance(policies, Bundle) else ()
        return Filed((lambda: policyfile.people_beside(beside)) if given is None else (lambda: Path(given)))
    if isinstance(given, People):
        return Fixed(given)
    if inspect.iscoroutinefunction(given):
        raise ConfigurationError(["expected `people` to be a function that returns a `People`, not an `async def`"])
    if callable(given):
        return Asked(given)
    expected = "a file, a `People` or a function that returns one"
    raise ConfigurationError([f"expected `people` to be {expected}, got {type(given).__name__}"])


class Fixed:
    """People who were handed over once."""

    def __init__(self, people: People | None) -> None:
        self._people = people

    def people(self) -> People | None:
        """Return them."""
        return self._people


class Asked:
    """People whom a function of the host's tells."""

    def __init__(self, function: Callable[[], People]) -> None:
        self._function = function

    def people(self) -> People:
        """Ask the host.

        Raises:
            PeopleUnavailableError: The function raised, or returned something else.
        """
        try:
            found = self._function()
        except Exception as error:  # whatever the host's code raises: nobody may act
            raise PeopleUnavailableError(
                f"nobody may act: the host's function that tells who the people are raised {type(error).__name__}"
            ) from error
        if not isinstance(found, People):
            raise PeopleUnavailableError(
                f"nobody may act: expected a `People` from the host's function, got {type(found).__name__}"
            )
        return found


class Filed:
    """People of a file, which is read each time and understood again when its text has changed.

    Args:
        find: Returns the file, or None as long as there is none. Once there was one, it has to stay.

    Raises:
        PolicyError: The file is wrong.
    """

    def __init__(self, find: Callable[[], Path | None]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._known: tuple[str, People] | None = None
        self._path = find()
        if self._path is not None:
            self._read(self._path)

    def people(self) -> People | None:
        """Return the people of the file as it is now.

        Raises:
            PeopleUnavailableError: The file is wrong now, or not there any more.
        """
        with self._lock:
            try:
                self._path = self._path or self._find()
                return None if self._path is None else self._read(self._path)
            except (PolicyError, UsageError) as error:
                first = str(error).splitlines()[0]
                raise PeopleUnavailableError(f"nobody may act until `people.yaml` is repaired: {first}") from error

    def _read(self, path: Path) -> People:
        text = read_text(path, str(path))
        if self._known is None or self._known[0] != text:
            self._known = text, policyfile.load_people_text(text, str(path))
        return self._known[1]

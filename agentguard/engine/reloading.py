"""Policy files that change while agents work: a whole consistent set comes into force, or what was in force stays.

For development. A set is whole when nobody has written to any of its files for a moment, each ends with a line break,
all of them load together, the cases beside them pass, and what is registered fits them. Whatever is wrong is logged,
shown by `last`, and looked at again when a file changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from agentguard import policyfile
from agentguard.analysis.casetest import run_cases
from agentguard.core.policy import Bundle
from agentguard.engine.activation import activate_at_start, require_unsaid
from agentguard.engine.background import Background
from agentguard.engine.machine import monotonic, wall_clock
from agentguard.engine.parts import Parts
from agentguard.engine.starting import misfits
from agentguard.errors import AgentGuardError, PolicyError, StoreUnavailableError, UsageError
from agentguard.log import get_logger
from agentguard.policyfile.stamps import Stamps, is_hollow, stamps_of

log = get_logger("guard")

LOOK = 0.25
"""Seconds between two looks at the files; large folders are looked at less often."""
SHARE = 10
"""Looking takes at most one part in so many of the time."""
QUIET = 0.5
"""For so many seconds nobody may have written to them: editors save one file after the other."""
HOLLOW = 2.0
"""The same where a file is empty or gone, which it may be for a moment while somebody saves it."""
MOST_PROBLEMS = 20
WHY = "reload=True"


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of the last change of the files.

    Attributes:
        bundle: What this guard loaded last and put into force.
        problems: Why the files of now are not in force; empty if they are.
    """

    at: datetime
    bundle: str
    problems: tuple[str, ...] = ()


class Reloading:
    """The thread of one guard that looks at its policy files; in a forked process it begins anew when that one acts.

    Attributes:
        last: What came of the last change; None as long as there was none.
        loaded: What the guard loaded last and put into force.

    Args:
        parts: Of the guard.
        given: What the guard loaded; None if nothing is to be looked at.
        loaded: What it came to.
        tenant: In whose records it is written what comes into force.
        activates: Whether the guard puts into force what it loads.

    Raises:
        UsageError: There are no files to look at, or they would not be put into force.
    """

    def __init__(
        self,
        parts: Parts,
        given: str | Path | Sequence[str | Path] | Bundle | None,
        loaded: Bundle,
        tenant: str,
        *,
        activates: bool,
    ) -> None:
        if given is not None and (isinstance(given, Bundle) or not activates):
            got = "a bundle" if isinstance(given, Bundle) else "no `activate=True`"
            raise UsageError(f"expected the policies' files and `activate=True` with `reload=True`, got {got}")
        self.last: Reload | None = None
        self._parts = parts
        self._paths = [Path(path) for path in ([given] if isinstance(given, str | Path) else given or ())]
        self.loaded, self._tenant = loaded, tenant
        self._seen: Stamps = {}
        self._done: Stamps = {}
        self._since = 0.0
        self._pause = LOOK
        self._beside = Background("agentguard-reloading", self._run)

    def begin(self) -> None:
        """Start the thread, once, if there is anything to look at."""
        if self._paths:
            self._beside.begin()

    def stop(self) -> None:
        """End the thread, in a bounded time."""
        self._beside.stop()

    def look(self) -> None:
        """Look at the files once, and put them into force if they changed and are whole."""
        began = monotonic()
        found = stamps_of(self._paths)
        self._pause = max(LOOK, SHARE * (monotonic() - began))
        if found == self._done:
            return
        if found != self._seen:
            self._seen, self._since = found, monotonic()
        elif monotonic() - self._since >= (HOLLOW if is_hollow(self._done, found) else QUIET):
            self._take(found)

    def _run(self) -> None:
        while not (self._beside.is_ending or self._parts.store.is_closed):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the thread goes on whatever it was, and says so
                self._kept((f"{type(error).__name__} while the files were looked at",))
            self._beside.pause(self._pause)

    def _take(self, found: Stamps) -> None:
        try:
            bundle, problems = self._read()
            if found != stamps_of(self._paths):
                return  # somebody wrote while we read
            if bundle is not None and not problems:
                self._put_into_force(bundle)
        except StoreUnavailableError as error:
            self._kept((str(error),))
            return  # nothing is wrong with the files: it is tried again at the next look
        except AgentGuardError as error:
            problems = (str(error),)
        self._done = found
        if problems:
            self._kept(problems)

    def _read(self) -> tuple[Bundle | None, tuple[str, ...]]:
        """Return what the files come to, and what is wrong with them."""
        try:
            bundle = policyfile.load(self._paths)
            return bundle, tuple(islice(self._wrong(bundle), MOST_PROBLEMS))
        except PolicyError as error:
            return None, tuple(str(problem) for problem in error.problems[:MOST_PROBLEMS])

    def _put_into_force(self, bundle: Bundle) -> None:
        if bundle.digest != self.loaded.digest:
            self._parts.force.know(bundle)
            activate_at_start(self._parts, bundle, tenant=self._tenant, why=WHY)
            log.info("guard.reloaded", bundle=bundle.digest)
        elif self.last is None:
            require_unsaid(self._parts)  # whoever develops hears at once that no change of theirs would come into force
            return
        self.loaded = bundle
        self.last = Reload(wall_clock(), bundle.digest)

    def _kept(self, problems: tuple[str, ...]) -> None:
        """Keep what is in force, and say why, once."""
        if self.last is None or self.last.problems != problems:
            log.error("guard.not_reloaded", reason="; ".join(problems))
        self.last = Reload(wall_clock(), self.loaded.digest, problems)

    def _wrong(self, bundle: Bundle) -> Iterator[str]:
        """Yield what keeps policies that load from being put into force."""
        for policy in bundle.policies:
            if not policy.text.endswith("\n"):
                yield f"{policy.file}: expected a line break at its end, got half a line: is it being written?"
        yield from misfits(self._parts, bundle)
        for path in (path for path in self._seen if path.stem.endswith("_test")):
            for result in run_cases(bundle, policyfile.load_cases(path)).failed:
                where = f"{result.place.file}:{result.place.line}"
                yield f"{where} the case `{result.name}` fails: {result.failures[0]}"

"""One look at policies that somebody is editing: what is wrong, what does not hold, and what the change means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentguard import policyfile
from agentguard.analysis import CaseReport, run_cases
from agentguard.analysis.diffing import Whole, diff
from agentguard.analysis.solver import has_solver
from agentguard.cli.caseruns import case_files
from agentguard.cli.files import Kind, files_of
from agentguard.cli.lints import found_in
from agentguard.cli.revisions import bundle_before
from agentguard.core.policy import Bundle
from agentguard.errors import AgentGuardError, PolicyError, Problem, UsageError
from agentguard.policyfile.beside import policies_beside

if TYPE_CHECKING:
    from agentguard.analysis.proving import Proof

COMMITTED = "HEAD"


@dataclass(frozen=True, slots=True)
class Change:
    """What policies say now, held against what they said before."""

    before: Bundle
    now: Bundle
    whole: Whole
    compared_with: str


@dataclass(frozen=True, slots=True)
class Look:
    """What was found; examples and changes are looked at only in what loads.

    Attributes:
        found: What is wrong with them, and what is probably not meant.
        proofs: What became of each promise; none without the solver.
        failure: Why there is nothing to say about the files, if so.
    """

    files: tuple[Path, ...] = ()
    found: tuple[Problem, ...] = ()
    reports: tuple[CaseReport, ...] = ()
    proofs: tuple[Proof, ...] = ()
    change: Change | None = None
    failure: str = ""


class Desk:
    """The policies of a path while somebody edits them.

    They are compared with a revision of git: the one that is named, or else the last commit if it has them. Where there
    is none, they are compared with what loaded first.
    """

    def __init__(self, path: Path, people: Path | None, revision: str | None) -> None:
        self.path = path
        self._people = people
        self._revision = revision
        self._first: Bundle | None = None
        if revision is not None:
            bundle_before(path, revision)  # what is named has to be there

    def look(self) -> Look:
        """Look at everything, as it is now."""
        try:
            return self._look()
        except AgentGuardError as error:  # half of an edit may be anything: the next save is looked at again
            return Look(failure=str(error))

    def _look(self) -> Look:
        kinds = files_of([self.path])
        files = tuple(path for path, _ in kinds)
        problems, remarks = found_in(kinds, [self.path], self._people)
        if problems or not any(kind is Kind.POLICY for _, kind in kinds):
            return Look(files, (*problems, *remarks))
        now = policyfile.load(self.path)
        cases = case_files([self.path])
        reports = tuple(run_cases(policies_beside(path, case_file), case_file) for path, case_file in cases)
        before, name = self._before(now)
        return Look(files, remarks, reports, _proofs(now), Change(before, now, diff(before, now), name))

    def _before(self, now: Bundle) -> tuple[Bundle, str]:
        self._first = self._first or now
        try:
            return bundle_before(self.path, self._revision or COMMITTED), self._revision or "the last commit"
        except (UsageError, PolicyError):  # no git, or nothing of this was ever committed, or it did not load
            return self._first, "the start"


def _proofs(bundle: Bundle) -> tuple[Proof, ...]:
    if not has_solver():
        return ()
    from agentguard.analysis.proving import prove

    return tuple(prove(bundle))

"""The policies that a test file is about, found by where it stands."""

from __future__ import annotations

from pathlib import Path

from agentguard.core.cases import CaseFile
from agentguard.core.policy import Bundle, Policy
from agentguard.policyfile.bundle import load_files
from agentguard.policyfile.filenames import is_policy


def policies_beside(path: Path, cases: CaseFile) -> Bundle:
    """Return the policies that a test file may name: those in its folder, or in the folders beside it.

    Raises:
        PolicyError: With every problem of those policies.
    """
    policies: dict[str, Policy] = {}
    for folder in (path.parent, path.resolve().parent.parent):
        if set(cases.policies) <= set(policies):
            break
        inside = [
            item
            for pattern in ("*", "*/*")
            for item in sorted(folder.glob(pattern))
            if is_policy(item) and item.is_file()
        ]
        wanted = [item for item in inside if folder == path.parent or item.stem in cases.policies]
        for policy in load_files(wanted) if wanted else ():
            policies.setdefault(policy.name, policy)
    return Bundle(tuple(policies.values()), "")

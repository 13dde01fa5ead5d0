"""What lint finds among all the requests that there can be; needs the extra `prove`.

Beside what the sentences of a file show by themselves, for which `policyfile.lint` is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agentguard.analysis.bands import band_findings
from agentguard.analysis.empties import empty_lists
from agentguard.analysis.finding import Finding
from agentguard.analysis.owners import others_things
from agentguard.analysis.reach import limits_out_of_reach
from agentguard.analysis.ruling import failing_rules, idle_rules, searches_of
from agentguard.core.policy import Bundle
from agentguard.errors import Problem


def lint_deeply(bundle: Bundle) -> tuple[Problem, ...]:
    """Return the warnings and notes about some files together, in the order of their places.

    A file that is only tried (`mode: shadow`) is looked at by itself, as if it were enforced.
    """
    tried = (replace(policy, shadow=False) for policy in bundle.policies if policy.shadow)
    alone = (Bundle((policy,), bundle.digest) for policy in tried)
    return tuple(sorted({finding.problem for together in (bundle, *alone) for finding in _found(together)}))


def _found(bundle: Bundle) -> Iterator[Finding]:
    """Yield everything; a rule that does nothing at all is told of by that alone, and not by its thresholds too."""
    searches = searches_of(bundle)
    idle = list(idle_rules(bundle, searches))
    dead = {finding.place for finding in idle}
    found: list[Finding] = [*failing_rules(bundle, searches), *limits_out_of_reach(bundle, searches)]
    found += others_things(searches.values())
    for search in searches.values():
        found += [*band_findings(search), *empty_lists(search)]
    yield from (*idle, *(finding for finding in found if finding.place not in dead))

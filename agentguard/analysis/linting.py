"""What lint finds among all the requests that there can be; needs the extra `prove`.

Beside what the sentences of a file show by themselves, for which `policyfile.lint` is.
"""

from __future__ import annotations

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

    A rule that does nothing at all is told of by that alone, and not by what is wrong with its thresholds too.
    """
    searches = searches_of(bundle)
    idle = list(idle_rules(bundle, searches))
    dead = {finding.place for finding in idle}
    found: list[Finding] = [*failing_rules(bundle, searches), *limits_out_of_reach(bundle, searches)]
    found += others_things(searches.values())
    for search in searches.values():
        found += [*band_findings(search), *empty_lists(search)]
    return tuple(sorted({finding.problem for finding in (*idle, *(item for item in found if item.place not in dead))}))

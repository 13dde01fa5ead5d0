"""What can be learned from policies without running anything: cases, proofs, differences and replays.

Takes policies, cases and recorded requests as values; knows no file, no store and no YAML.
"""

from agentguard.analysis.casetest import run_cases
from agentguard.analysis.coverage import Coverage, Part, Spoke
from agentguard.analysis.promises import Promise
from agentguard.analysis.report import CaseReport
from agentguard.analysis.result import CaseResult

__all__ = ["CaseReport", "CaseResult", "Coverage", "Part", "Promise", "Spoke", "run_cases"]

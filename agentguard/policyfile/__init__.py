"""Policy files: text in, checked policies or errors with line and column out; the only place that knows YAML."""

from agentguard.policyfile.build import load_promise, load_text
from agentguard.policyfile.bundle import bundle_of, load, load_files, policy_paths
from agentguard.policyfile.cases import load_cases, load_cases_text
from agentguard.policyfile.layout import format_text
from agentguard.policyfile.linting import lint
from agentguard.policyfile.people import load_people, load_people_text, people_beside
from agentguard.policyfile.schema import json_schema, modeline
from agentguard.policyfile.staffing import lint_people

__all__ = [
    "bundle_of",
    "format_text",
    "json_schema",
    "lint",
    "lint_people",
    "load",
    "load_cases",
    "load_cases_text",
    "load_files",
    "load_people",
    "load_people_text",
    "load_promise",
    "load_text",
    "modeline",
    "people_beside",
    "policy_paths",
]

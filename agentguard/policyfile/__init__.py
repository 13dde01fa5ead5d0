"""Policy files: text in, checked policies or errors with line and column out; the only place that knows YAML."""

from agentguard.policyfile.build import load_text
from agentguard.policyfile.bundle import bundle_of, load, load_files, policy_paths

__all__ = ["bundle_of", "load", "load_files", "load_text", "policy_paths"]

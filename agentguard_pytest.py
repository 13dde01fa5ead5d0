"""Policy test files as tests of a developer's own suite: pytest's ini names their folders in `agentguard_policies`.

Stands beside the package: pytest loads it everywhere, and agentguard only where there are policy tests to collect.
"""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDERS = "agentguard_policies"
ENDINGS = ("_test.yaml", "_test.yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let pytest's ini say where policies with their tests are."""
    parser.addini(FOLDERS, "folders with agentguard policies, whose *_test.yaml files are collected", type="paths")


def pytest_configure(config: pytest.Config) -> None:
    """Collect the folders too where nobody said what to collect and `testpaths` does not hold them.

    Raises:
        UsageError: A folder is not there: its tests would be passed by in silence.
    """
    for folder in config.getini(FOLDERS):
        if not folder.exists():
            raise pytest.UsageError(f"`{FOLDERS}` in pytest's configuration names `{folder}`, which is not there")
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args += [str(folder) for folder in config.getini(FOLDERS)]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a policy test file below one of the folders."""
    if not file_path.name.endswith(ENDINGS):
        return None
    if not any(file_path.is_relative_to(folder) for folder in parent.config.getini(FOLDERS)):
        return None
    from agentguard.testing.pytest_cases import PolicyTests  # noqa: PLC0415 - not before there is something to do

    return PolicyTests.from_parent(parent, path=file_path)

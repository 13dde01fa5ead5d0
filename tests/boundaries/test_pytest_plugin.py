"""Policy tests in a developer's own suite, in a pytest of its own."""

import subprocess
import sys

import pytest

from tests.boundaries.test_boundaries import CASES, POLICY


@pytest.fixture
def project(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "policies" / "tips.yaml").write_text(POLICY)
    (tmp_path / "policies" / "tips_test.yaml").write_text(CASES)
    (tmp_path / "tests" / "test_own.py").write_text(
        "import sys\n\ndef test_quick():\n    assert 'agentguard' not in sys.modules\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests\nagentguard_policies = policies\n")
    return tmp_path


def pytest_in(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "-q", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_each_case_is_a_test_with_its_place_and_what_does_not_load_is_an_error_with_its_own(project):
    path = project / "policies" / "tips_test.yaml"
    path.write_text(CASES.replace("amount: 20, expect: allow", "amount: 20, expect: deny"))
    (project / "pytest.ini").write_text("[pytest]\ntestpaths = tests\nagentguard_policies = policies broken\n")
    (project / "broken").mkdir()
    (project / "broken" / "tips.yaml").write_text(POLICY.replace("amount <= 50", "amonut <= 50"))
    (project / "broken" / "tips_test.yaml").write_text(CASES)
    said = pytest_in(project, "--continue-on-collection-errors", "--deselect", "tests/test_own.py::test_quick")
    assert said.returncode == 1
    assert "1 failed, 2 passed, 1 deselected, 1 error" in said.stdout
    assert "FAILED policies/tips_test.yaml::small ones: amount 20" in said.stdout
    assert "tips_test.yaml:8\nexpected deny, got allow by `small`" in said.stdout
    assert "tips.yaml:17:11 unknown_name" in said.stdout
    assert "Traceback" not in said.stdout


def test_nothing_is_collected_or_loaded_where_no_folder_is_named(project):
    (project / "pytest.ini").write_text("[pytest]\n")
    said = pytest_in(project)
    assert said.returncode == 0
    assert "1 passed" in said.stdout


def test_a_folder_that_is_not_there_is_said_and_nothing_passes_in_silence(project):
    (project / "pytest.ini").write_text("[pytest]\nagentguard_policies = polcies\n")
    said = pytest_in(project)
    assert said.returncode == pytest.ExitCode.USAGE_ERROR
    where = f"`{project / 'polcies'}`, which is not there"
    assert f"ERROR: `agentguard_policies` in pytest's configuration names {where}" in said.stderr

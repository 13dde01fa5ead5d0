"""The auditor's path: a pack, an empty folder, and a Python without any packages."""

import ast
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from agentguard.evidence import verify
from tests.pack.conftest import KEY

SOURCE = Path(verify.__file__)


@pytest.fixture
def machine(shop, tmp_path):
    """Run verify.py as it comes out of the pack, isolated and without site packages, in an otherwise empty folder."""
    shutil.copy(shop.pack, tmp_path / "pack.zip")
    with zipfile.ZipFile(shop.pack) as packed:
        (tmp_path / "verify.py").write_bytes(packed.read("verify.py"))

    def run(*words, key=KEY):
        options = ["--key", key.key.text] if key else []
        command = [sys.executable, "-I", "-S", "verify.py", "pack.zip", *options, *words]
        return subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="no pipe of this system breaks so")
def test_whoever_reads_only_the_first_lines_is_told_of_no_error(shop):
    command = [sys.executable, "-I", "-S", str(SOURCE), str(shop.pack), "--key", KEY.key.text, "list"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    running.stdout.close()
    assert running.stderr.read() == b""
    assert running.wait(60) == -signal.SIGPIPE
    running.stderr.close()


@pytest.mark.parametrize(
    "words, said",
    [
        (["--key", "nonsense"], "expected a key like `name+hhhhhhhh+base64`"),
        (["--checkpoint", "verify.py"], "verify.py: expected"),
        (["--checkpoint", "nowhere"], "No such file"),
    ],
)
def test_whoever_slips_is_told_what_was_expected_and_not_that_the_pack_is_broken(machine, words, said):
    done = machine(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_auditor_verifies_finds_a_refused_refund_names_the_rule_and_reads_the_policy_of_that_day(shop, machine):
    checked = machine()
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "proven: these entries are in the log that was signed" in checked.stdout

    found = machine("list", "decided", "deny", "refund.issue")
    (line,) = found.stdout.splitlines()
    assert "refunds/month:limit_exceeded" in line
    position = line.split()[0]

    shown = machine("show", position)
    assert "because    refunds/month says deny (limit_exceeded)" in shown.stdout
    said = "limit      refunds/month: 143.00 USD used, 180.00 USD asked, of 300.00 USD: DOES NOT FIT"
    assert said in shown.stdout

    policy = machine("policy", position)
    marked = [text for text in policy.stdout.splitlines() if text.startswith(">>")]
    assert any("{id: month, sum: amount" in text for text in marked)
    assert not any("id: order," in text for text in marked)
    assert "policy: refunds" in policy.stdout

    whole = machine("show", shop.ids["approved"])
    assert "vote       maria: yes, known by os_login" in whole.stdout
    assert "email" not in whole.stdout or "(personal)" in whole.stdout


def test_an_auditor_without_a_key_is_told_that_nothing_is_proven(machine):
    checked = machine(key=None)
    assert checked.returncode == 3
    assert "UNPROVEN no --key was given: nothing outside the pack vouches for it" in checked.stdout
    assert "not broken, not proven" in checked.stdout
    assert machine("list", key=None).stdout.startswith("UNPROVEN")


def test_a_pack_that_is_broken_shows_nothing_of_itself(machine, tmp_path, files):
    from tests.pack.conftest import zipped

    name = next(each for each in files if each.startswith("policies/"))
    zipped(tmp_path / "pack.zip", {**files, name: files[name] + b"#"}, consistent=True)
    for words in (["list"], ["show", "2"], ["policy", "2"]):
        done = machine(*words)
        assert done.returncode == 1
        assert all(line.startswith("BROKEN") for line in done.stdout.splitlines()), words


def test_a_mistyped_key_and_an_absent_file_are_wrong_usage(machine, tmp_path):
    (tmp_path / "pack.zip").rename(tmp_path / "other.zip")
    assert machine().returncode == 2
    assert machine("--witness", "not-a-key").returncode == 2


@pytest.mark.parametrize("words", [("show", "99999"), ("policy", "act_0"), ("list", "no-such-word"), ("show",)])
def test_what_is_not_in_the_pack_is_said_and_not_left_silent(machine, words):
    asked = machine(*words)
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "no such entry" in asked.stderr


def test_verify_py_runs_on_python_3_9_with_the_standard_library_alone():
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert imported <= sys.stdlib_module_names | {"__future__"}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"eval", "exec", "compile", "__import__", "open"}
    extracting = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not extracting & {"extract", "extractall", "system", "popen", "run", "urlopen"}


def test_what_python_3_9_does_not_have_is_not_used():
    text = SOURCE.read_text(encoding="utf-8")
    newer = (
        "slots=True",
        "strict=True",
        "datetime.UTC",
        "from datetime import UTC",
        "kw_only",
        "pairwise",
        "ExceptionGroup",
    )
    assert [word for word in newer if word in text] == []
    assert "from __future__ import annotations" in text

"""`policy watch`: what a person sees while editing, save by save."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from itertools import chain
from pathlib import Path

import pytest

from agentguard.cli import watching
from agentguard.cli.shipped import TEMPLATES, policies_folder
from tests.forked import forked, typed

RAISED = [("amount <= 20", "amount <= 30"), ("late and amount > 20", "late and amount > 30")]
HEADER = re.compile(r"(?m)^\d\d:\d\d:\d\d (.*)$")


@pytest.fixture
def shop(elsewhere):
    """A folder with the blank policy in it."""
    folder = Path("shop")
    folder.mkdir()
    for name in ("blank.yaml", "blank_test.yaml"):
        shutil.copy(TEMPLATES / name, folder)
    shutil.copy(policies_folder() / "people.yaml", folder)
    return folder


def edit(path, *changes):
    """Return the edit that puts one text for another in a file."""

    def done():
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        return path

    return done


def written(path, text):
    """Return the edit that writes a file anew."""

    def done():
        path.write_text(text, encoding="utf-8")
        return path

    return done


@pytest.fixture
def watched(command, monkeypatch):
    """Watch a path while somebody makes these edits; returns what was said at the start and after each of them."""

    def said(*edits, words=(), of="shop"):
        monkeypatch.setattr(watching, "saves", lambda path, stop: chain([[]], ([step()] for step in edits)))
        found = command("policy", "watch", of, *words)
        assert (found.code, found.err) == (0, "")
        if "--json" in words:
            return [json.loads(line) for line in found.out.splitlines()]
        assert found.out.startswith(f"watching {of}: ")
        assert found.out.endswith("\nstopped\n")
        return HEADER.split(found.out)[2::2]

    return said


def test_a_raised_limit_is_told_in_words_with_the_examples_that_fail(shop, watched):
    start, raised = watched(edit(shop / "blank.yaml", *RAISED))
    same = "7 of 7 examples passed; 2 of 2 promises kept; an agent does the same as at the start"
    assert start == f"\n0 problems, 0 warnings in 3 files; {same}\n"
    assert "looser: an agent does more by itself than before\n" in raised
    assert "the largest automatic amount of voucher.give rises from 20.00 USD to 30.00 USD" in raised
    assert "  loosens   rule `small`: " in raised
    assert "shop/blank_test.yaml:16 up to twenty the agent gives alone: amount 20.01" in raised
    assert "blank/never-large-alone (voucher.give): never: allow when amount > 20\n" in raised
    assert "  broken: agentguard policy prove shop\n" in raised
    assert "6 of 7 examples passed; 1 of 2 promises kept; looser than at the start\n" in raised


def test_a_slip_of_the_pen_is_shown_with_its_line_and_the_next_save_is_right_again(shop, watched):
    slip, right = ("- amount <= 20", "- amonut <= 20"), ("- amonut <= 20", "- amount <= 20")
    _, wrong, mended = watched(edit(shop / "blank.yaml", slip), edit(shop / "blank.yaml", right))
    assert "shop/blank.yaml:28:9 unknown_name unknown name `amonut`; did you mean `amount`?\n" in wrong
    assert wrong.endswith("\n1 problem, 0 warnings in 3 files\n")
    assert mended.startswith("\n0 problems, 0 warnings in 3 files; 7 of 7 examples passed")


def test_the_same_change_is_told_once(shop, watched):
    remark = ("# A first policy", "# My first policy")
    _, first, second = watched(edit(shop / "blank.yaml", *RAISED), edit(shop / "blank.yaml", remark))
    assert "loosens" in first
    assert "loosens" not in second
    assert "looser than at the start" in second


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "shop/blank.yaml:1:1 file_empty "),
        ("agentguard: [1\n", "shop/blank.yaml:2:1 torn_apart "),
        ("\x00\x01", "shop/blank.yaml:1:1 control_character "),
    ],
)
def test_a_file_that_is_broken_altogether_is_said_and_watched_on(shop, watched, text, said):
    path, whole = shop / "blank.yaml", (shop / "blank.yaml").read_text()
    _, broken, mended = watched(written(path, text), written(path, whole))
    assert said in broken
    assert broken.endswith("\n1 problem, 0 warnings in 3 files\n")
    assert mended.startswith("\n0 problems, 0 warnings in 3 files; 7 of 7 examples passed")


def test_a_folder_whose_last_file_goes_is_said_and_watched_on(shop, watched):
    def removed():
        shutil.move(shop, shop.parent / "away")
        return shop / "blank.yaml"

    def back():
        shutil.move(shop.parent / "away", shop)
        return shop / "blank.yaml"

    _, gone, again = watched(removed, back)
    assert "error: expected a file or folder, got `shop`, which is not there\n" in gone
    assert again.startswith("\n0 problems, 0 warnings in 3 files; 7 of 7 examples passed")


def test_much_that_is_wrong_is_not_a_flood(shop, watched):
    cases = "".join(f"  - {{name: c{number}, do: voucher.give, expect: deny}}\n" for number in range(30))
    path = shop / "blank_test.yaml"
    rules = "".join(f"  - {{id: r{number}, then: deny, when: amount > {number + 20}}}\n" for number in range(30))
    _, failing, warned = watched(
        written(path, path.read_text() + cases), edit(shop / "blank.yaml", ("rules:", f"rules:\n{rules}#"))
    )
    assert failing.count(" c") == 10
    assert "  and more: agentguard policy test shop\n" in failing
    assert "7 of 37 examples passed" in failing
    assert warned.count(" deny_without_say ") <= 10
    assert "  and more: agentguard policy lint shop\n" in warned
    assert len(warned.splitlines()) < 80


def test_programs_get_one_document_a_line(shop, watched):
    start, raised, wrong = watched(
        edit(shop / "blank.yaml", *RAISED), edit(shop / "blank.yaml", ("then: deny", "then: dney")), words=["--json"]
    )
    assert (start["saved"], len(start["files"]), start["examples"], start["change"]["differs"]) == ([], 3, 7, False)
    assert raised["saved"] == ["shop/blank.yaml"]
    assert raised["change"]["direction"] == "looser"
    assert [(item["file"], item["line"]) for item in raised["failed"]] == [("shop/blank_test.yaml", 16)]
    broken = {"promise": "blank/never-large-alone", "action": "voucher.give", "outcome": "broken"}
    assert (raised["promises"], raised["broken"]) == (2, [broken])
    assert wrong["problems"][0]["line"] == 39
    assert wrong["change"] is None


def test_without_the_solver_it_says_once_what_it_does_not_look_for(shop, command, monkeypatch):
    monkeypatch.setattr("agentguard.cli.lints.has_solver", lambda: False)
    monkeypatch.setattr("agentguard.analysis.diffing.has_solver", lambda: False)
    raised = edit(shop / "blank.yaml", *RAISED)
    monkeypatch.setattr(watching, "saves", lambda path, stop: chain([[]], ([step()] for step in (raised,))))
    said = command("policy", "watch", "shop")
    assert (said.code, said.err.count("z3")) == (0, 1)
    assert "loosens   rule `small`: " in said.out


def git(folder, *words):
    settings = ("-c", "user.name=Ann", "-c", "user.email=ann@shop.example", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def committed(shop):
    git(shop, "init", "--quiet", "--initial-branch", "main")
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "--message", "first")
    return shop


def test_in_a_repository_it_is_compared_with_the_last_commit_and_a_new_commit_counts(committed, watched):
    edit(committed / "blank.yaml", *RAISED)()

    def commit():
        git(committed, "commit", "--all", "--quiet", "--message", "second")
        return edit(committed / "blank.yaml", ("# A first", "# My first"))()

    start, after = watched(commit)
    assert "looser than at the last commit" in start
    assert "an agent does the same as at the last commit" in after


def test_it_can_be_compared_with_any_revision(committed, watched, command):
    git(committed, "tag", "v1")
    edit(committed / "blank.yaml", *RAISED)()
    git(committed, "commit", "--all", "--quiet", "--message", "second")
    (start,) = watched(words=["--rev", "v1"])
    assert "looser than at v1" in start
    said = command("policy", "watch", "shop", "--rev", "v7")
    assert said.code == 2
    assert "v7" in said.err


def test_what_is_not_there_at_the_start_is_an_error(elsewhere, command):
    said = command("policy", "watch", "shop")
    assert (said.code, said.err) == (2, "error: expected a file or folder, got `shop`, which is not there\n")


def test_a_real_watch_sees_a_real_save_and_ends_cleanly_when_somebody_presses_ctrl_c(elsewhere, shop, tmp_path):
    printed = tmp_path / "printed"
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb"}
    process = forked(typed, ["policy", "watch", "shop"], str(elsewhere), environment, str(printed))
    process.start()
    try:
        wait_for(printed, "as at the start\n")
        temporary = shop / "blank.yaml.tmp"
        temporary.write_text((shop / "blank.yaml").read_text().replace("amount <= 20", "amonut <= 20"))
        temporary.replace(shop / "blank.yaml")
        wait_for(printed, "1 problem, 0 warnings in 3 files\n")
        os.kill(process.pid, signal.SIGINT)
        process.join(20)
    finally:
        process.kill()
    said = printed.read_text()
    assert process.exitcode == 0
    assert said.endswith("in 3 files\nstopped\n")
    assert "Traceback" not in said
    assert HEADER.findall(said) == ["as it is", "blank.yaml"]


def wait_for(path: Path, text: str) -> None:
    end = time.monotonic() + 60
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < end, path.read_text() if path.exists() else "nothing was printed"
        time.sleep(0.05)

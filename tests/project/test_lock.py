"""The lock file and what it promises."""

import re
import tomllib

from tests.project.tree import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def name_of(requirement):
    return re.split(r"[\[<>=!~; ]", requirement)[0].replace(".", "-").replace("_", "-").lower()


def test_every_locked_file_has_a_hash_and_no_index_is_named():
    entries = re.split(r"\n(?=[a-z0-9])", LOCK.split("\n", 2)[2])
    assert len(entries) > 50
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in LOCK
    assert "--index" not in LOCK
    assert "--find-links" not in LOCK


def test_every_declared_dependency_is_locked():
    declared = [
        *PROJECT["project"]["dependencies"],
        *(name for extra in PROJECT["project"].get("optional-dependencies", {}).values() for name in extra),
        *PROJECT["dependency-groups"]["dev"],
    ]
    locked = set(re.findall(r"(?m)^([a-z0-9-]+)(?:\[[a-z,]+\])?==", LOCK))
    assert {name_of(requirement) for requirement in declared} - locked == set()


def test_every_dependency_says_the_oldest_version_that_was_tried():
    for requirement in PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]:
        assert ">=" in requirement, requirement

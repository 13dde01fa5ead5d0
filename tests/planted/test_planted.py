"""Every planted defect is found, by what it says that finds it; and the packs without them are clean of all of that."""

from dataclasses import replace
from datetime import date
from functools import cache
from itertools import islice

import pytest

from agentguard import policyfile
from agentguard.analysis import run_cases
from agentguard.analysis.boundaries import boundaries
from agentguard.analysis.changes.difference import Direction
from agentguard.analysis.diffing import diff
from agentguard.analysis.linting import lint_deeply
from agentguard.analysis.proving import prove
from agentguard.core.policy import Bundle
from agentguard.errors import PolicyError
from agentguard.policyfile import bundle_of, load_cases, load_cases_text, load_promise, load_text
from agentguard.policyfile.codes import Severity, severity_of
from agentguard.policyfile.mutants import mutants
from tests.planted.defects import DEFECTS
from tests.project.tree import ROOT

POLICIES = ROOT / "policies"
PACKS = sorted(path.name for path in POLICIES.iterdir() if path.is_dir())
TODAY = date(2026, 11, 22)
DECLARATIONS = ("types", "actions", "facts", "context")


@cache
def texts(pack):
    folder = POLICIES / pack
    return (folder / f"{pack}.yaml").read_text(), (folder / f"{pack}_test.yaml").read_text()


@cache
def people():
    return policyfile.load_people(POLICIES / "people.yaml")


@cache
def clean(pack):
    return bundle_of([load_text(texts(pack)[0], f"{pack}.yaml")])


def everyone(pack):
    """The packs' other files, for what they declare: an identity is proved under `account`."""
    return [clean(name).policies[0] for name in PACKS if name not in (pack, "retail")]


def changed(text, changes):
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def beside(defect):
    """Another file about the same action, which declares it alike."""
    kept, wanted = [], False
    for line in texts(defect.pack)[0].splitlines():
        if line and not line.startswith((" ", "#", "-")):
            wanted = line.partition(":")[0] in DECLARATIONS
        kept += [line] * wanted
    head = "agentguard: 1\npolicy: beside\nversion: 1\nowner: other@acme.example\ncurrency: USD\n"
    return load_text(head + "\n".join(kept) + "\n" + defect.more, "beside.yaml")


def planted(defect):
    policy = load_text(changed(texts(defect.pack)[0], defect.changes), f"{defect.pack}.yaml")
    return bundle_of([policy, *([beside(defect)] if defect.more else [])])


def lint(bundle, pack):
    """What lint says of the policies, in the company of the other packs."""
    all_of_them = Bundle((*bundle.policies, *everyone(pack)), bundle.digest)
    own = {policy.file for policy in bundle.policies}
    said = (*policyfile.lint(all_of_them, people(), TODAY), *lint_deeply(bundle))
    return [problem for problem in said if problem.file in own]


@cache
def lint_of_clean(pack):
    return lint(clean(pack), pack)


def found_by_load(defect):
    with pytest.raises(PolicyError) as raised:
        planted(defect)
    return [(problem.code, problem.message) for problem in raised.value.problems]


def found_by_lint(defect):
    said = [(problem.code, problem.message) for problem in lint(planted(defect), defect.pack)]
    before = {(problem.code, problem.message) for problem in lint_of_clean(defect.pack)}
    return [item for item in said if item not in before]


def found_by_prove(defect):
    return [(proof.id, "") for proof in prove(planted(defect)) if not proof.kept]


def found_by_promise(defect):
    [text] = defect.says
    for bundle, kept in ((clean(defect.pack), True), (planted(defect), False)):
        [policy] = bundle.policies
        promised = replace(policy, guarantees=(load_promise(policy, text),))
        assert [proof.kept for proof in prove(bundle_of([promised]))] == [kept]
    return [(text, "")]


def found_by_tests(defect):
    report = run_cases(planted(defect), load_cases(POLICIES / defect.pack / f"{defect.pack}_test.yaml"))
    return [("", result.name) for result in report.results if not result.passed]


def found_by_boundaries(defect):
    bundle = clean(defect.pack)
    cases = load_cases_text(changed(texts(defect.pack)[1], defect.changes), "x_test.yaml")
    wanted = islice((item for item in mutants(bundle.policies[0]) if defect.says[0] in item.was), 3)
    return [(survivor.mutant.was, "") for survivor in boundaries(bundle, cases, wanted).survivors]


def found_by_diff(defect):
    whole = diff(clean(defect.pack), planted(defect))
    assert whole.direction in (Direction.LOOSER, Direction.MIXED)
    return [(item.id, str(item)) for item in whole.said]


FINDERS = {
    "load": found_by_load,
    "lint": found_by_lint,
    "prove": found_by_prove,
    "promise": found_by_promise,
    "tests": found_by_tests,
    "boundaries": found_by_boundaries,
    "diff": found_by_diff,
}


@pytest.mark.parametrize("defect", DEFECTS, ids=[defect.name for defect in DEFECTS])
def test_a_planted_defect_is_found(defect):
    found = FINDERS[defect.by](defect)
    code, *about = defect.says
    wanted = code if defect.by != "prove" or "/" in code else f"{defect.pack}/{code}"
    assert any(wanted in said and all(part in message for part in about) for said, message in found), found


def test_there_are_at_least_forty_and_each_has_its_own_name():
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= 40
    assert {defect.by for defect in DEFECTS} >= {"lint", "prove", "promise", "boundaries"}


@pytest.mark.parametrize("pack", PACKS)
def test_the_packs_are_clean_of_all_that_finds_planted_defects(pack):
    assert [str(item) for item in lint_of_clean(pack) if severity_of(item.code) is not Severity.NOTE] == []

"""The manual's table of kinds is the table of the code."""

import re

from agentguard.adapters.ocsf_kinds import KINDS
from agentguard.core.people import POWERS
from tests.project.tree import ROOT

ASKED = {f"{power}_asked" for power in POWERS}


def said(kind, item):
    cells = [f"`{kind}`", *(word.name.capitalize() for word in (item.activity, item.disposition, item.status))]
    return [*cells, item.severity.name.capitalize(), "yes" if item.alert else ""]


def test_every_kind_of_entry_stands_in_the_manual_as_it_is_sent():
    page = (ROOT / "docs" / "siem.md").read_text(encoding="utf-8")
    table = [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in re.findall(r"(?m)^\| `[*a-z_]+` \|.*\|.*\|.*\|.*\|.*\|$", page)
    ]
    assert table == [
        *(said(kind, item) for kind, item in KINDS.items() if kind not in ASKED and before_asked(kind)),
        said("*power*_asked", KINDS["resume_asked"]),
        *(said(kind, item) for kind, item in KINDS.items() if kind not in ASKED and not before_asked(kind)),
    ]
    assert len({str(KINDS[kind]) for kind in ASKED}) == 1


def before_asked(kind):
    kinds = list(KINDS)
    return kinds.index(kind) < min(kinds.index(asked) for asked in ASKED)

"""The results of policy cases as JUnit XML, which continuous integration reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from agentguard.analysis import CaseReport, CaseResult
from agentguard.errors import UsageError

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot say at all."""


def write_junit(path: Path, reports: Sequence[CaseReport]) -> None:
    """Write the results of test files, one suite each.

    Raises:
        UsageError: The file cannot be written.
    """
    tree = ET.ElementTree(junit(reports))
    ET.indent(tree)
    try:
        tree.write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {(error.strerror or type(error).__name__).lower()}") from error


def junit(reports: Sequence[CaseReport]) -> ET.Element:
    """Return the results of test files, one suite each."""
    root = ET.Element("testsuites", _counts([result for report in reports for result in report.results]))
    for report in reports:
        suite = ET.SubElement(root, "testsuite", {"name": _text(report.file), **_counts(report.results)})
        for result in report.results:
            suite.append(_case(result))
    return root


def _counts(results: Sequence[CaseResult]) -> dict[str, str]:
    failed = sum(not result.passed for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0", "skipped": "0", "time": "0"}


def _case(result: CaseResult) -> ET.Element:
    place = result.place
    named = {"name": _text(result.name), "classname": _text(result.action), "file": _text(place.file)}
    case = ET.Element("testcase", {**named, "line": str(place.line), "time": "0"})
    if not result.passed:
        failure = ET.SubElement(case, "failure", {"message": _text(result.failures[0]), "type": "case"})
        failure.text = _text("\n".join([f"{place.file}:{place.line} {result.name}", *result.failures]))
    return case


def _text(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)

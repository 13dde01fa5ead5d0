"""What reviews found: how often a policy decides wrongly, how sure that is, how bad it was, whether people agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from agentguard.core.digest import time_text
from agentguard.core.estimates import Interval, kappa, wilson
from agentguard.core.packet import BAR, WIDTH
from agentguard.core.prose import moment, span
from agentguard.core.reviews import LEAST, SEVERITIES, SHARE, WRONG, opinion
from agentguard.core.sheet import Sheet

ENOUGH = 30
"""Below so many judged cases a rate is not told."""

ALL = "all"
COLUMNS = (
    "policy", "group", "value", "drawn", "judged", "wrong", "rate", "low", "high", "minor", "major", "critical",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A case as the log has it, with every opinion on it.

    Attributes:
        stratum: What its kind is, as words: `agent support-bot`; empty where all are one.
        took: How long it waited for its first opinion.
        said: Each opinion, `right` or `wrong`, with its severity; the first one first.
    """

    id: str
    policy: str
    version: int
    stratum: str
    how: str
    drawn_at: datetime
    took: timedelta | None = None
    said: tuple[tuple[str, str | None], ...] = ()

    @property
    def verdict(self) -> str | None:
        """What counts of the opinions; None before the first."""
        return opinion([verdict for verdict, _ in self.said])

    @property
    def severity(self) -> str | None:
        """The gravest of those who found it wrong; None where it is right."""
        given = [severity for verdict, severity in self.said if verdict == WRONG and severity is not None]
        return max(given, key=SEVERITIES.index, default=None) if self.verdict == WRONG else None


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of a group of cases were wrong.

    Attributes:
        interval: Where the rate of all decisions lies, in 95 of 100 samples; None where too few were judged.
        severities: How many of the wrong ones were how bad.
    """

    drawn: int
    judged: int
    wrong: int
    interval: Interval | None
    severities: Mapping[str, int]

    @property
    def rate(self) -> Decimal | None:
        """The share that was wrong, to hundredths of a percent; None where too few were judged."""
        if self.interval is None:
            return None
        return (Decimal(self.wrong) / Decimal(self.judged)).quantize(Decimal("0.0001"))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far first and second opinions agree: kappa is None where it cannot be told."""

    cases: int
    agreed: int
    kappa: Decimal | None


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """What reviews found about one policy.

    Attributes:
        whole: Of all decisions, and `versions` by version of the policy: where there are several kinds of which some
            were topped up, of those alone that the share drew, since only they are drawn alike everywhere.
        strata: By kind, of all that were drawn.
        median: How long cases waited for their first opinion.
    """

    policy: str
    whole: Rate
    strata: tuple[tuple[str, Rate], ...]
    versions: tuple[tuple[int, Rate], ...]
    second: Agreement
    median: timedelta | None


@dataclass(frozen=True, slots=True)
class ReviewReport:
    """What reviews found about what was drawn in a time."""

    since: datetime | None
    until: datetime | None
    enough: int
    policies: tuple[PolicyReport, ...]

    def as_text(self, width: int = WIDTH) -> str:
        """Return the report as text for a person."""
        sheet = Sheet(width)
        when = [f"from {moment(self.since)}"] if self.since else []
        when += [f"to {moment(self.until)}"] if self.until else []
        sheet.prose(f"Decisions that were drawn {' '.join(when) or 'so far'} (UTC), and how often they were wrong.")
        if not self.policies:
            sheet.prose("None was drawn.")
        for policy in self.policies:
            _policy(sheet, policy, self.enough)
        return str(sheet)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON; rates are text with four decimals."""
        return {
            "since": None if self.since is None else time_text(self.since),
            "until": None if self.until is None else time_text(self.until),
            "enough": self.enough,
            "policies": [
                {
                    "policy": item.policy,
                    "all": _rate_json(item.whole),
                    "strata": {name: _rate_json(rate) for name, rate in item.strata},
                    "versions": {str(version): _rate_json(rate) for version, rate in item.versions},
                    "second_opinions": {
                        "cases": item.second.cases,
                        "agreed": item.second.agreed,
                        "kappa": None if item.second.kappa is None else str(item.second.kappa),
                    },
                    "median_seconds": None if item.median is None else int(item.median.total_seconds()),
                }
                for item in self.policies
            ],
        }

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the report as rows of `COLUMNS`; what is not known is empty."""
        for item in self.policies:
            groups = [(ALL, "", item.whole)]
            groups += [("stratum", name, rate) for name, rate in item.strata]
            groups += [("version", str(version), rate) for version, rate in item.versions]
            for group, value, rate in groups:
                shown = _rate_json(rate)
                figures = [str(shown[name]) for name in ("drawn", "judged", "wrong")]
                figures += ["" if shown[name] is None else str(shown[name]) for name in ("rate", "low", "high")]
                yield item.policy, group, value, *figures, *(str(rate.severities[name]) for name in SEVERITIES)


def review_report(
    cases: Iterable[Reviewed], since: datetime | None, until: datetime | None, enough: int = ENOUGH
) -> ReviewReport:
    """Return what reviews found, from cases in any order; below `enough` judged ones a rate is not told."""
    policies: dict[str, list[Reviewed]] = {}
    for case in cases:
        policies.setdefault(case.policy, []).append(case)
    found = tuple(_report(name, items, enough) for name, items in sorted(policies.items()))
    return ReviewReport(since, until, enough, found)


def _report(policy: str, cases: Sequence[Reviewed], enough: int) -> PolicyReport:
    strata = _grouped((case.stratum, case) for case in cases)
    uneven = len(strata) > 1 and any(case.how == LEAST for case in cases)
    alike = [case for case in cases if case.how == SHARE] if uneven else cases
    versions = _grouped((case.version, case) for case in alike)
    waits = [case.took for case in cases if case.took is not None]
    return PolicyReport(
        policy=policy,
        whole=_rate(alike, enough),
        strata=tuple((name, _rate(items, enough)) for name, items in sorted(strata.items()) if name),
        versions=tuple((version, _rate(items, enough)) for version, items in sorted(versions.items())),
        second=_agreement(cases),
        median=timedelta(seconds=median(int(took.total_seconds()) for took in waits)) if waits else None,
    )


def _grouped(pairs: Iterable[tuple[Any, Reviewed]]) -> dict[Any, list[Reviewed]]:
    groups: dict[Any, list[Reviewed]] = {}
    for name, case in pairs:
        groups.setdefault(name, []).append(case)
    return groups


def _rate(cases: Sequence[Reviewed], enough: int) -> Rate:
    judged = [case for case in cases if case.verdict is not None]
    wrong = [case for case in judged if case.verdict == WRONG]
    interval = wilson(len(wrong), len(judged)) if len(judged) >= enough else None
    severities = {name: sum(case.severity == name for case in wrong) for name in SEVERITIES}
    return Rate(len(cases), len(judged), len(wrong), interval, severities)


def _agreement(cases: Iterable[Reviewed]) -> Agreement:
    pairs = [(case.said[0][0] == WRONG, case.said[1][0] == WRONG) for case in cases if len(case.said) > 1]
    both, neither = pairs.count((True, True)), pairs.count((False, False))
    found = kappa(both, pairs.count((True, False)), pairs.count((False, True)), neither)
    return Agreement(len(pairs), both + neither, found)


def _policy(sheet: Sheet, item: PolicyReport, enough: int) -> None:
    sheet.heading(item.policy)
    sheet.prose("# wrong, . right")
    _line(sheet, "in all", item.whole, enough)
    for name, rate in item.strata:
        _line(sheet, name, rate, enough)
    for version, rate in item.versions if len(item.versions) > 1 else ():
        _line(sheet, f"version {version}", rate, enough)
    if item.median is not None:
        sheet.prose(f"Half of them were judged within {span(item.median.total_seconds())}.")
    if item.second.cases:
        agreed = f"Second opinions: {item.second.agreed} of {item.second.cases} agree"
        sheet.prose(f"{agreed}, kappa {'not known' if item.second.kappa is None else item.second.kappa}.")


def _line(sheet: Sheet, name: str, rate: Rate, enough: int) -> None:
    full = 0 if not rate.judged else round(BAR * rate.wrong / rate.judged)
    drawn = "#" * max(full, 1 if rate.wrong else 0)
    counted = f"{rate.wrong} wrong of {rate.judged} judged, {rate.drawn} drawn"
    if rate.interval is None or rate.rate is None:
        told = f"not enough data (below {enough} judged)"
    else:
        told = f"{_percent(rate.rate)} ({_percent(rate.interval.low)} to {_percent(rate.interval.high)})"
    bad = ", ".join(f"{rate.severities[severity]} {severity}" for severity in SEVERITIES if rate.severities[severity])
    shown = drawn.ljust(BAR, "." if rate.judged else " ")
    sheet.prose(f"[{shown}] {name}: {told}; {counted}{f'; {bad}' if bad else ''}", hang=BAR + 3)


def _percent(share: Decimal) -> str:
    return f"{(share * 100).quantize(Decimal('0.01'))} %"


def _rate_json(rate: Rate) -> dict[str, Any]:
    interval = rate.interval
    return {
        "drawn": rate.drawn,
        "judged": rate.judged,
        "wrong": rate.wrong,
        "rate": None if rate.rate is None else str(rate.rate),
        "low": None if interval is None else str(interval.low),
        "high": None if interval is None else str(interval.high),
        "severities": dict(rate.severities),
    }

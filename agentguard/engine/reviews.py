"""Reviews as people and programs use them: what was drawn, what was known then, what was said, what it comes to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Unpack

from agentguard.core.casefile import CaseFile
from agentguard.core.people import UNVERIFIED
from agentguard.core.review_report import ENOUGH, Reviewed, ReviewReport, review_report
from agentguard.core.reviews import DRAWN, REVIEWED, ReviewCase
from agentguard.engine import judging, powers
from agentguard.engine.admission import Try
from agentguard.engine.casefiles import case_file
from agentguard.engine.judging import Judgement, Opinion
from agentguard.engine.parts import Parts
from agentguard.engine.powers import Permit, Person, Use
from agentguard.engine.privacy import Look, personal_read
from agentguard.engine.redrawing import Redrawn, redrawn
from agentguard.errors import UsageError
from agentguard.store import Reading, Transaction, draws
from agentguard.store.records import Entry, EntryFilter

PAGE = 500


class Reviews:
    """The decisions of one guard's store that people look at afterwards."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def list(
        self,
        state: str | None = draws.WAITING,
        *,
        policy: str | None = None,
        tenant: str | None = None,
        limit: int = 100,
        after: str = "",
    ) -> tuple[ReviewCase, ...]:
        """Return cases, those first that were drawn first, a page at a time; `state` None for all, `after` an id.

        Raises:
            NotFoundError: No case has the id `after`.
            UsageError: There is no such state.
        """
        if state is not None and state not in draws.STATES:
            raise UsageError(f"expected None or one of {', '.join(draws.STATES)} as `state`, got `{state!s:.100}`")

        def read(reading: Reading) -> tuple[ReviewCase, ...]:
            """Return one page."""
            last = judging.found(reading, after)[0] if after else None
            return draws.cases(reading, state, policy=policy, tenant=tenant, limit=limit, after=last)

        return self._parts.store.read(read)

    def show(self, case_id: str) -> CaseFile:
        """Return a case as somebody sees it who is to judge it: without what was decided, and nothing personal.

        Raises:
            NotFoundError: No case has this id.
        """
        return self._parts.store.read(lambda reading: case_file(self._parts, reading, case_id))

    def view(
        self, case_id: str, *, outcome: bool = False, personal: bool = False, **person: Unpack[Person]
    ) -> CaseFile:
        """Return a case with more than `show` does, and record who saw it.

        Args:
            case_id: What was drawn.
            outcome: With what was decided and said of it; whoever saw that judges it no more without knowing.
            personal: With personal values in the clear; it takes the power to read them as well.
            person: Who looks (`by`), why (`why`) and how they are known (`authenticated`).

        Raises:
            NotFoundError: No case has this id.
            PowerRefusedError: They may not, or had a part in the action; the log says so.
        """
        parts = self._parts
        action = parts.store.read(lambda reading: judging.found(reading, case_id)[1])

        def work(transaction: Transaction, permit: Permit) -> None:
            """Write down that this person sees what was decided, once."""
            case, record = judging.found(transaction, case_id)
            judging.require_stranger(parts, record, permit.by)
            if outcome and not judging.has_opened(transaction, case, permit.by):
                transaction.append(
                    {
                        "tenant": record.tenant,
                        "kind": judging.OPENED,
                        "action_id": record.id,
                        "action": record.action,
                        "on_behalf_of": record.on_behalf_of,
                        "review": case.id,
                        **permit.recorded(),
                    }
                )

        powers.used(parts, Use(judging.POWER, case_id, action.tenant, **person), work)
        if personal:
            closed = parts.store.read(lambda reading: case_file(parts, reading, case_id, outcome=outcome)).closed
            about = (action.on_behalf_of,)
            personal_read(parts, Look("review", about, ("on_behalf_of", *closed), action.tenant, action.id), **person)
        return parts.store.read(lambda reading: case_file(parts, reading, case_id, outcome=outcome, personal=personal))

    def judge(
        self,
        case_id: str,
        *,
        by: str,
        reason_code: str,
        should: str | None = None,
        verdict: str | None = None,
        severity: str = "major",
        note: str = "",
        authenticated: str = UNVERIFIED,
    ) -> Judgement:
        """Say what would have been right; somebody else's opinion on the same case is a second one.

        Args:
            case_id: What was drawn.
            by: Who judges, by id or login; they need the power `review` and had no part in the action.
            reason_code: A word for why, like `within_policy`.
            should: `allow`, `escalate` or `deny`: what would have been right.
            verdict: `right` or `wrong` in place of it, by somebody who knows what was decided.
            severity: How bad it is if it was decided otherwise: `minor`, `major` or `critical`.
            note: Words for the record, sealed under the customer's key.
            authenticated: How whoever judges is known: `os_login`, `token`, `oidc`, or `unverified`.

        Raises:
            NotFoundError: No case has this id.
            PowerRefusedError: They may not, had a part in the action, or have judged it; the log says so.
            UsageError: Something of it is not what it must be, or the record of the decision was purged.
        """
        said = Try("judge", by, authenticated, reason_code, note)
        return judging.judge(self._parts, case_id, Opinion(should, verdict, severity, said))

    def report(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        policy: str | None = None,
        tenant: str | None = None,
        enough: int = ENOUGH,
    ) -> ReviewReport:
        """Return how often what was drawn in a time was wrong; below `enough` judged cases no rate is told."""
        if enough < 1:
            raise UsageError(f"expected `enough` as 1 or more, got {enough}")

        def read(reading: Reading) -> ReviewReport:
            """Count the cases, with every opinion so far."""
            found = _reviewed(reading, since, until, policy, tenant)
            return review_report(found, since, until, enough)

        return self._parts.store.read(read)

    def verify(self, *, since: datetime | None = None, until: datetime | None = None) -> Redrawn:
        """Make every draw again, and return which cases are missing and which nobody drew.

        Raises:
            StoreUnavailableError: The keys are not those of this database.
        """
        return self._parts.store.read(lambda reading: redrawn(self._parts, reading, since, until))


def _reviewed(
    reading: Reading, since: datetime | None, until: datetime | None, policy: str | None, tenant: str | None
) -> Iterator[Reviewed]:
    """Yield the cases that were drawn in a time, with every opinion on them."""
    said: dict[str, list[Entry]] = {}
    for item in _entries(reading, EntryFilter(stream=tenant, kind=REVIEWED, since=since)):
        if "review" in item.document:
            said.setdefault(item.document["review"], []).append(item)
    for item in _entries(reading, EntryFilter(stream=tenant, kind=DRAWN, since=since, until=until)):
        body = item.document
        if "review" not in body or policy not in (None, body["policy"]):
            continue
        opinions = said.get(body["review"], [])
        yield Reviewed(
            id=body["review"],
            policy=body["policy"],
            version=body["version"],
            stratum=_words(body["stratum"]),
            how=body["how"],
            drawn_at=item.at,
            took=_took(item, opinions),
            said=tuple((opinion.document["verdict"], opinion.document["severity"]) for opinion in opinions),
        )


def _took(drawn: Entry, opinions: list[Entry]) -> timedelta | None:
    return opinions[0].at - drawn.at if opinions else None


def _words(stratum: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value or 'not named'}" for name, value in stratum.items())


def _entries(reading: Reading, wanted: EntryFilter) -> Iterator[Entry]:
    after = 0
    while page := reading.entries(after, PAGE, wanted):
        yield from page
        after = page[-1].pos

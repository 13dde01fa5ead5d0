"""A policy's test file, as frozen values: what `*_test.yaml` says before anything is typed.

Read from text by `agentguard.policyfile.cases`, run by `agentguard.analysis.cases`. Values stay the text that was
written, because only the policy under test knows their types. Nothing here evaluates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentguard.core.policy import Place

Written = str | tuple["Written", ...] | Mapping[str, "Written"]
"""A value as the file has it: a text, a list, or a mapping (a record)."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a test file, a case or one row of a case's table says about the world; the later wins, name by name.

    Attributes:
        now: The moment of the decision: civil time in the policy's zone unless it names an offset; None if not said.
        values: By the name a rule would read: arguments (`amount`), facts (`order.total`), `context.…`, `on_behalf_of`,
            `agent.id`, `agent.version`, `tenant`, `asked_at`.
        without: Names to take away: optional arguments and context, or facts that are known to be absent.
        failed: Facts whose lookup failed, so that nobody knows them.
        used: By limit id, in major units of the currency or as a number: held and settled together.
        held: By limit id: the part of `used` that other actions hold at this moment.
        happened: Ids of the requirements that are fulfilled; None if not said.
    """

    now: str | None = None
    values: Mapping[str, Written] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    used: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)
    happened: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must come out; None where the case does not say.

    Attributes:
        verdict: `allow`, `deny`, or `escalate to ROUTE`, as written.
        by: Short ids of exactly the rules, limits and requirements that decide; also `otherwise` and `on_error`.
        say: The customer's words in the language of the case's `context.language`, or in the file's first language.
    """

    verdict: str | None = None
    by: tuple[str, ...] | None = None
    say: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a case's `each` table: what differs, and what then must come out."""

    situation: Situation
    expectation: Expectation
    place: Place


@dataclass(frozen=True, slots=True)
class Case:
    """One named example; with `rows` it is run once a row, each on top of the case's own situation."""

    name: str
    action: str
    situation: Situation
    expectation: Expectation
    rows: tuple[Row, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One test file.

    Attributes:
        policies: Names of the policy files under test together, usually one.
        given: The ordinary request; each case says only what it is about.
    """

    policies: tuple[str, ...]
    given: Situation
    cases: tuple[Case, ...]
    file: str

"""What a policy says, as frozen values: the one form that every reader of a policy shares.

Made by `agentguard.policyfile` from text, read by `decide`, `needs`, `explain`, the analyses and the audit. Nothing
here knows YAML, and nothing here evaluates.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

from agentguard.core.calendar import Calendar
from agentguard.core.language import Declared, Expression, Record, Table
from agentguard.core.retention import Period, Retention
from agentguard.core.reviews import Sampling


class Verdict(enum.IntEnum):
    """What a rule or a decision says; the larger is the stricter, and the strictest wins."""

    ABSTAIN = 0
    ALLOW = 1
    ESCALATE = 2
    DENY = 3

    def __str__(self) -> str:
        return _SAID[self]


_SAID = tuple(verdict.name.lower() for verdict in Verdict)


class Disclose(enum.StrEnum):
    """How much of a reason the model may hear (law 15)."""

    CODE = "code"
    THRESHOLD = "threshold"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a policy file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Then:
    """A verdict with the route it escalates to, by the route's short id (None unless it escalates)."""

    verdict: Verdict
    route: str | None = None

    def __str__(self) -> str:
        return f"escalate to {self.route}" if self.route else str(self.verdict)


@dataclass(frozen=True, slots=True)
class Template:
    """Words with values in them: literal text and expressions in turn, as `because` and `say` are written."""

    source: str
    parts: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """A time to decide in: plain, or counted in a calendar's opening hours."""

    duration: timedelta
    calendar: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Who decides an escalation, how many of them, and in what time.

    Attributes:
        id: Short id, unique in its file; `strength` orders the routes of one file, weakest 0.
        who: `group:…` and `user:…`, any of which may vote.
        people: How many different people must approve.
        if_late: Short id of the next route, or None for deny.
        hold: While it waits, the action holds on the limits with `per` that it fits (law 10).
        remind: So long before the deadline those who may decide are reminded; None for not at all.
        reason_codes: What a vote may give as its reason; empty for any.
        may_change: Arguments that an approver may change; None for amounts alone, which may be lowered.
    """

    id: str
    who: tuple[str, ...]
    people: int
    within: Within
    if_late: str | None
    strength: int
    place: Place
    hold: bool = False
    remind: Within | None = None
    reason_codes: tuple[str, ...] = ()
    may_change: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Contest:
    """Where a customer whose request was denied gets a person who has not seen the case.

    Attributes:
        to: Short id of the route.
        within: In place of the route's; None for the route's own.
        open_for: How long after its end an action may be contested.
    """

    to: str
    within: Within | None
    open_for: timedelta
    place: Place


@dataclass(frozen=True, slots=True)
class Words:
    """What a rule, limit or requirement says for itself: to the record, to the customer, to the model.

    Attributes:
        because: For the record and the reviewer.
        say: For the customer, by language tag; the key `""` is for every language not named.
        disclose: What the model may hear.
    """

    because: Template | None = None
    say: Mapping[str, Template] = field(default_factory=dict)
    disclose: Disclose = Disclose.CODE


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence of a policy: when its condition holds, its verdict speaks.

    Attributes:
        id: Short id; `policy/id` is unique in a bundle.
        on: The actions it applies to.
        when: None for always. `any:` and `none:` blocks are already joined into one expression.
        expires: From the start of this civil day (the policy's zone) an allow rule is silent; others keep speaking.
    """

    id: str
    on: frozenset[str]
    then: Then
    when: Expression | None
    words: Words
    expires: date | None
    review_by: date | None
    place: Place


class WindowKind(enum.StrEnum):
    """How a limit's window moves."""

    SLIDING = "sliding"
    CALENDAR = "calendar"
    CONVERSATION = "conversation"
    FOREVER = "forever"


@dataclass(frozen=True, slots=True)
class Window:
    """The time over which a limit counts.

    Attributes:
        size: For `sliding`: the window is `(now − size, now]`.
        unit: For `calendar`: `day`, `week`, `month` or `year`, civil time in the policy's zone.
    """

    kind: WindowKind
    size: timedelta | None = None
    unit: str | None = None

    def __str__(self) -> str:
        if self.kind is WindowKind.CALENDAR:
            return f"calendar {self.unit}"
        if self.kind is WindowKind.SLIDING and self.size is not None:
            for seconds, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
                if self.size.total_seconds() % seconds == 0:
                    return f"{int(self.size.total_seconds() // seconds)} {name}"
        return str(self.kind)


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap on what is used per key and window.

    Attributes:
        measure: By action: the expression summed, or None where actions are counted.
        currencies: The currencies its sums can have; empty for counts and plain numbers. Each has its own account.
        per: What shares an account, in order; empty means everybody.
        max: An expression; by currency (key) where the file gives a table, else under the key `""`.
        when: Narrows which requests count; None for all.
        starts_now: A changed account begins empty instead of being filled from the log.
        freed_by: By action that gives back what an earlier one counted: how much, or None for all of it.
    """

    id: str
    on: frozenset[str]
    measure: Mapping[str, Expression | None]
    currencies: tuple[str, ...]
    per: tuple[Expression, ...]
    window: Window
    max: Mapping[str, Expression]
    when: Expression | None
    over: Then
    words: Words
    starts_now: bool
    freed_by: Mapping[str, Expression | None]
    place: Place


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something that must have happened first: a settled action with the same values, or the customer's own yes.

    Attributes:
        action: The action that must be settled; None where the customer must have said yes to exactly this request.
        same: Full names whose values must be equal in both (`on_behalf_of`, `context.…`, or an argument of both).
        within: How long ago at most, before now, or for a yes before the request was first made; None for ever.
        otherwise: The verdict where no such action is found.
    """

    id: str
    on: frozenset[str]
    action: str | None
    same: tuple[str, ...]
    within: timedelta | None
    otherwise: Then
    when: Expression | None
    words: Words
    place: Place


@dataclass(frozen=True, slots=True)
class Total:
    """What allowed requests may come to together, counted as a limit counts: per key and window.

    Attributes:
        measure: By action: the expression summed, or None where actions are counted.
        currencies: The currencies its sums can have; empty for counts and plain numbers.
        per: What is summed up together, in order; empty means everybody.
        max: The most that it may be, by currency or under the key `""`.
    """

    measure: Mapping[str, Expression | None]
    currencies: tuple[str, ...]
    per: tuple[Expression, ...]
    window: Window
    max: Mapping[str, Expression]


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A promise about the file, to be proved for every possible request, or for every sequence of them.

    Attributes:
        never: Verdicts that must not come out when the condition holds; empty for any other promise.
        possible: A verdict that some request with this condition must get.
        total: What no sequence of requests with this condition, each allowed without a person, may pass.
    """

    id: str
    on: frozenset[str]
    never: frozenset[Verdict]
    possible: Verdict | None
    when: Expression | None
    place: Place
    total: Total | None = None


@dataclass(frozen=True, slots=True)
class Witnessed:
    """Which requests are carried out only after a witness has seen the entry that says they are about to happen.

    Attributes:
        when: The condition under which it takes a witness; what cannot be evaluated takes one.
    """

    on: frozenset[str]
    when: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One action as a file declares it.

    Attributes:
        arguments: Type of each argument that the agent gives, by short name.
        computed: Arguments that the policy fills in: name to expression; they have a type in `arguments` too.
    """

    name: str
    arguments: Mapping[str, Declared]
    computed: Mapping[str, Expression]
    place: Place


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file, parsed and checked.

    Attributes:
        values: Type of everything readable by full name: arguments per action are in `actions`, not here.
        facts, context: Type by full name (`order.total`, `context.conversation`).
        segments: Fact names recorded for fairness reports; no rule can read them.
        names: Named expressions, already inlined in what uses them; kept for explanations.
        routes: By short id, weakest first.
        text, digest: The exact text and its SHA-256 in hex.
        shadow: Decided and recorded beside the others, changes nothing.
        contest: None where a denial stands.
        review: None where nobody looks at what was decided automatically.
        witness: None where no effect waits for a witness.
        retention: None where the file does not say how long records are kept.
    """

    name: str
    version: int
    owner: str
    description: str
    zone_name: str
    zone: tzinfo
    currencies: tuple[str, ...]
    shadow: bool
    otherwise: Then
    on_error: Then
    say_otherwise: Mapping[str, Template]
    say_on_error: Mapping[str, Template]
    records: Mapping[str, Record]
    actions: Mapping[str, ActionSpec]
    facts: Mapping[str, Declared]
    context: Mapping[str, Declared]
    segments: tuple[str, ...]
    names: Mapping[str, Expression]
    tables: Mapping[str, Table]
    calendars: Mapping[str, Calendar]
    routes: Mapping[str, Route]
    rules: tuple[Rule, ...]
    limits: tuple[Limit, ...]
    requires: tuple[Requirement, ...]
    guarantees: tuple[Guarantee, ...]
    expires: date | None
    review_by: date | None
    text: str
    digest: str
    file: str
    contest: Contest | None = None
    review: Sampling | None = None
    witness: Witnessed | None = None
    retention: Retention | None = None

    def qualified(self, short: str) -> str:
        """Return the id that is unique in a bundle."""
        return f"{self.name}/{short}"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The policy files that are in force together; `digest` covers their names and digests in order of name."""

    policies: tuple[Policy, ...]
    digest: str

    def governing(self, action: str) -> tuple[Policy, ...]:
        """Return the files that declare this action, shadow ones included, in order of name."""
        return tuple(policy for policy in self.policies if action in policy.actions)

    def kept_for(self, action: str, now: datetime) -> Period | None:
        """Return the longest time that the enforced files say for records of an action; None where none says any."""
        said = [
            period
            for policy in self.governing(action)
            if not policy.shadow and policy.retention is not None
            if (period := policy.retention.of(action)) is not None
        ]
        return min(said, key=lambda period: period.before(now), default=None)

    def actions(self) -> tuple[str, ...]:
        """Return every action that some file declares, sorted."""
        return tuple(sorted({name for policy in self.policies for name in policy.actions}))

"""The structure of a policy file as strict models: which keys there are, of which shape, and what each is for.

Editors' JSON Schema is made from these (`schema`), and so are the messages about unknown and missing keys. What the
texts in them mean, and whether they agree with each other, is not checked here.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from agentguard.policyfile import leaf
from agentguard.policyfile.leaf import (
    Actions,
    Calendar,
    Condition,
    Day,
    Entries,
    Freeing,
    Identifier,
    Items,
    Leaf,
    Measure,
    Most,
    Number,
    OneOrMore,
    Span,
    Table,
    Text,
    TypeNotation,
    Verdict,
    When,
    Words,
    Years,
    word_of,
    wrong_shape,
)
from agentguard.policyfile.node import Mapping, Scalar, Sequence

RESERVED = {
    "policy": ("pilot", "alarms", "report_by"),
    "rule": ("review",),
    "route": (),
    "limit": (),
    "requirement": (),
    "guarantee": (),
    "calendar": (),
}
"""Keys that format 1 refuses as `not yet`, by what they would stand in."""

MODES = ("enforce", "shadow")
REVIEW = "^[0-9]{1,3}([.][0-9]{1,3})? *%( *, *at least [0-9]+ (a|per|each|every) (week|day))?( *, *by [a-z ]+)?$"
DISCLOSE = ("code", "threshold")
STARTS = ("now",)
CONFIRMED = ("this request",)


class Closed(BaseModel):
    """A mapping that accepts only its own keys, and remembers where it was written."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", arbitrary_types_allowed=True)
    _node: Mapping = PrivateAttr()

    @model_validator(mode="wrap")
    @classmethod
    def _remember(cls, node: Any, handler: ModelWrapValidatorHandler[Closed]) -> Closed:
        if not isinstance(node, Mapping):
            raise wrong_shape("`key: value` pairs", node)
        made = handler(dict(node.items))
        made._node = node  # noqa: SLF001 - it is our own
        return made

    @property
    def node(self) -> Mapping:
        """The node this was read from."""
        return self._node

    def key(self, name: str) -> Scalar:
        """Return the key of this name as it was written."""
        return self._node.keys[name]


class RouteModel(Closed):
    """Who decides an escalation, how many of them, and by when."""

    who: Annotated[
        Scalar | Sequence,
        Leaf(leaf.either(leaf.TEXT, leaf.list_of(leaf.TEXT)), (Scalar, Sequence)),
        Field(description='Who may decide: "group:…" or "user:…", one or a list.'),
    ]
    people: Annotated[Number | None, Field(description="How many different people must approve; 1 when left out.")] = (
        None
    )
    within: Annotated[Span, Field(description="How long they have: 4 hours, 1 day, or 4 hours of a calendar.")]
    if_late: Annotated[
        Identifier | None, Field(description="What happens after that: deny (when left out), or the next route.")
    ] = None
    remind: Annotated[
        Span | None, Field(description="So long before the end of that time they are reminded: 30 minutes.")
    ] = None
    hold: Annotated[
        Scalar | None,
        word_of("yes", "no"),
        Field(description="yes: what waits holds its place on limits with `per`; no when left out."),
    ] = None
    reason_codes: Annotated[
        Items[Text] | None, Field(description="What a vote may give as its reason; any word when left out.")
    ] = None
    may_change: Annotated[
        Items[Text] | None,
        Field(description="Arguments that an approver may change; amounts, downwards, when left out."),
    ] = None


class ContestModel(Closed):
    """What a customer whose request was denied may do about it."""

    to: Annotated[Identifier, Field(description="The route whose people look at it anew.")]
    within: Annotated[Span | None, Field(description="How long they have; as the route says when left out.")] = None
    open_for: Annotated[Span, Field(description="How long after the denial it may be contested: 60 days.")]


class WitnessModel(Closed):
    """What is carried out only after a witness outside the database has seen that it is about to happen."""

    before_effect: Annotated[When, Field(description="For which requests: amount > 500; what is not known counts.")]
    on: Annotated[Actions | None, Field(description="The actions it is for; all of the file when left out.")] = None


class Spoken(Closed):
    """What a rule, limit or requirement says for itself."""

    because: Annotated[Text | None, Field(description="For the record and the reviewer; {amount} shows a value.")] = (
        None
    )
    say: Annotated[
        Words | None, Field(description="Words for the customer: one text, or one per language such as en and de.")
    ] = None
    disclose: Annotated[
        Scalar | None,
        word_of(*DISCLOSE),
        Field(description="What the model may hear: code (when left out) or threshold."),
    ] = None


class RuleModel(Spoken):
    """A sentence of the policy: when its condition holds, its verdict speaks."""

    id: Annotated[Identifier, Field(description="Name of the rule, unique in the file.")]
    then: Annotated[Verdict, Field(description="allow, escalate to a route, or deny.")]
    when: Annotated[
        When | None, Field(description="The condition; a list means all of them; any: and none: are there too.")
    ] = None
    on: Annotated[Actions | None, Field(description="The actions it is for; all of the file when left out.")] = None
    expires: Annotated[Day | None, Field(description="From this day on an allow rule is silent.")] = None
    review_by: Annotated[Day | None, Field(description="From this day on lint asks for a review.")] = None


class LimitModel(Spoken):
    """A cap on what is used per key and window."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["sum"]}, {"required": ["count"]}]})

    id: Annotated[Identifier, Field(description="Name of the limit, unique in the file.")]
    sum: Annotated[Measure | None, Field(description="What is added up: an expression, or one per action.")] = None
    count: Annotated[Scalar | None, word_of("actions"), Field(description="`actions` counts requests.")] = None
    per: Annotated[OneOrMore | None, Field(description="What shares a budget; everybody together when left out.")] = (
        None
    )
    in_: Annotated[Text, Field(alias="in", description="The window: 30 days, calendar month, conversation or forever.")]
    max: Annotated[Most, Field(description="The most: a number, an expression over facts, or one per currency.")]
    over: Annotated[Verdict, Field(description="What happens above it: deny, or escalate to a route.")]
    when: Annotated[When | None, Field(description="Which requests count; all when left out.")] = None
    on: Annotated[Actions | None, Field(description="The actions it is for; all of the file when left out.")] = None
    starts: Annotated[
        Scalar | None, word_of(*STARTS), Field(description="`now`: begin empty instead of being filled from the log.")
    ] = None
    freed_by: Annotated[
        Freeing | None,
        Field(description="Actions that give back what an earlier one counted: all of it, or an amount per action."),
    ] = None


class RequirementModel(Spoken):
    """Something that must have happened first: another action, or the customer's yes."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["action", "same"]}, {"required": ["confirmed"]}]}
    )

    id: Annotated[Identifier, Field(description="Name of the requirement, unique in the file.")]
    action: Annotated[Text | None, Field(description="The action that must be settled before.")] = None
    same: Annotated[
        Items[Text] | None,
        Field(description="What must be equal in both, such as on_behalf_of or context.conversation."),
    ] = None
    confirmed: Annotated[
        Scalar | None,
        word_of(*CONFIRMED),
        Field(description="`this request`: the customer must have said yes to exactly this, once for each action."),
    ] = None
    within: Annotated[Span | None, Field(description="How long ago at most; for ever when left out.")] = None
    else_: Annotated[Verdict, Field(alias="else", description="What happens otherwise: deny, or escalate to a route.")]
    when: Annotated[When | None, Field(description="Which requests need it; all when left out.")] = None
    on: Annotated[Actions | None, Field(description="The actions it is for; all of the file when left out.")] = None


class GuaranteeModel(Closed):
    """A promise about the file, proved for every possible request."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["never"]},
                {"required": ["possible"]},
                {
                    "required": ["never_by_splitting", "in"],
                    "oneOf": [{"required": ["sum"]}, {"required": ["count"]}],
                },
            ],
            "dependencies": {name: ["never_by_splitting"] for name in ("sum", "count", "per", "in")},
        }
    )

    id: Annotated[Identifier, Field(description="Name of the guarantee, unique in the file.")]
    never: Annotated[
        Scalar | Sequence | None,
        Leaf(leaf.either(leaf.OUTCOME, leaf.list_of(leaf.OUTCOME)), (Scalar, Sequence)),
        Field(description="Verdicts that must not come out: allow, escalate, deny, one or a list."),
    ] = None
    possible: Annotated[
        Scalar | None, Leaf(leaf.OUTCOME), Field(description="A verdict that some such request must get.")
    ] = None
    never_by_splitting: Annotated[
        Most | None,
        Field(description="The most that requests allowed without a person may come to, however many there are."),
    ] = None
    sum: Annotated[Measure | None, Field(description="What is added up then: an expression, or one per action.")] = None
    count: Annotated[Scalar | None, word_of("actions"), Field(description="`actions` counts requests instead.")] = None
    per: Annotated[
        OneOrMore | None, Field(description="What is added up together: on_behalf_of; all of it when left out.")
    ] = None
    in_: Annotated[
        Text | None, Field(alias="in", description="Over which time: 30 days, calendar month, conversation or forever.")
    ] = None
    when: Annotated[When | None, Field(description="The requests it speaks of; all when left out.")] = None
    on: Annotated[Actions | None, Field(description="The actions it is for; all of the file when left out.")] = None


class PolicyModel(Closed):
    """A policy file: what an agent may do, in rules, limits and requirements."""

    agentguard: Annotated[Number, Field(description="The version of this format: 1.")]
    policy: Annotated[Identifier, Field(description="Name of the policy; rules are called policy/id.")]
    version: Annotated[Number, Field(description="Counts up with every change: a whole number from 1.")]
    owner: Annotated[Text | None, Field(description="Who answers for this policy.")] = None
    description: Annotated[Text | None, Field(description="What this policy is for, in a sentence.")] = None
    timezone: Annotated[
        Text | None, Field(description="Where days begin, such as Europe/Berlin; UTC when left out.")
    ] = None
    currency: Annotated[
        Scalar | Sequence | None,
        Leaf(leaf.either(leaf.TEXT, leaf.list_of(leaf.TEXT)), (Scalar, Sequence)),
        Field(description="What money is in: USD, or a list of currencies."),
    ] = None
    mode: Annotated[
        Scalar | None,
        word_of(*MODES),
        Field(description="enforce (when left out), or shadow: recorded, changes nothing."),
    ] = None
    otherwise: Annotated[Verdict | None, Field(description="When no rule matches; deny when left out.")] = None
    on_error: Annotated[
        Verdict | None, Field(description="Joins when something cannot be evaluated; deny when left out, never allow.")
    ] = None
    say_otherwise: Annotated[Words | None, Field(description="Words for the customer when no rule matched.")] = None
    say_on_error: Annotated[Words | None, Field(description="Words for the customer when something failed.")] = None
    expires: Annotated[Day | None, Field(description="From this day on the file's allow rules are silent.")] = None
    review_by: Annotated[Day | None, Field(description="From this day on lint asks for a review.")] = None
    types: Annotated[
        Entries[Entries[TypeNotation]] | None, Field(description="Records: their fields with their types.")
    ] = None
    actions: Annotated[
        Entries[Entries[TypeNotation]],
        Field(description="What the agent may ask for, with the arguments it gives: never trusted by themselves."),
    ]
    facts: Annotated[
        Entries[TypeNotation] | None, Field(description="What our systems know; ? marks what may be missing.")
    ] = None
    context: Annotated[Entries[TypeNotation] | None, Field(description="What the host says about the situation.")] = (
        None
    )
    segments: Annotated[
        Items[Text] | None, Field(description="Facts recorded for fairness reports, unreadable by rules.")
    ] = None
    names: Annotated[Entries[Condition] | None, Field(description="Said once, used by name below.")] = None
    tables: Annotated[Entries[Table] | None, Field(description="Lookups: free_bags[customer.tier].")] = None
    calendars: Annotated[
        Entries[Calendar] | None,
        Field(description='Opening hours, closed days, spans: during(time, "name").'),
    ] = None
    escalations: Annotated[Entries[RouteModel] | None, Field(description="Routes to people, weakest first.")] = None
    contest: Annotated[
        ContestModel | None,
        Field(description="Who looks at it anew when the customer contests a denial; a denial stands when left out."),
    ] = None
    witness: Annotated[
        WitnessModel | None,
        Field(description="What waits for a witness before it is carried out; nothing when left out."),
    ] = None
    review: Annotated[
        Scalar | None,
        Leaf(leaf.spelled(REVIEW, "a share like 2%, or 2%, at least 5 a week, by agent")),
        Field(description="What people look at afterwards: 2%, at least 5 a week, by agent; nothing when left out."),
    ] = None
    retention: Annotated[
        Entries[Years] | None,
        Field(description="How long records are kept, by action, `otherwise`, and at `least`; for ever when left out."),
    ] = None
    rules: Annotated[
        Items[RuleModel] | None, Field(description="Their order never matters: deny, then escalate, then allow.")
    ] = None
    limits: Annotated[
        Items[LimitModel] | None, Field(description="Held while the action runs; given back if it fails.")
    ] = None
    requires: Annotated[Items[RequirementModel] | None, Field(description="What must have happened before.")] = None
    guarantees: Annotated[
        Items[GuaranteeModel] | None, Field(description="Promises that are proved for every possible request.")
    ] = None

"""Defects as people make them, each one small change of a pack, with what finds it.

`refunds("…", old, new)` and its like plant a defect in that pack; `found_by` says who finds it and what they say:

    load        the file does not load: the code
    lint        `policy lint`: the code, and the id of what it is about
    prove       a guarantee of the file that is broken, or no longer shown possible
    promise     the guarantee that stands first, given to `policy prove --promise`
    tests       a case of the pack that fails
    boundaries  the pack's cases, without one row, no longer notice a changed threshold; `--boundaries` prints one
    diff        what is said of the change, in words: that it loosens, though no verdict is another
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Defect:
    """One planted defect.

    Attributes:
        pack: Where it is planted.
        changes: Old and new text, in the policy; for `boundaries` in its test file.
        by: Who finds it.
        says: What they say: a code with an id, a guarantee, a case, or a changed condition.
        more: Another file that is in force beside it; `{base}` in its text is the pack's own head.
    """

    name: str
    pack: str
    changes: tuple[tuple[str, str], ...]
    by: str
    says: tuple[str, ...]
    more: str = field(default="")


DEFECTS: list[Defect] = []


def plant(
    name: str, pack: str, old: str, new: str, by: str, *says: str, also: tuple[tuple[str, str], ...] = ()
) -> None:
    """Add a defect."""
    DEFECTS.append(Defect(name, pack, ((old, new), *also), by, says))


# thresholds
plant(
    "a threshold a cent too high",
    "refunds",
    "      - amount <= 50\n",
    "      - amount <= 50.01\n",
    "lint",
    "band_overlap",
    "small-refund",
)
plant(
    "a threshold a cent too low, and a gap",
    "refunds",
    "      - amount <= 50\n",
    "      - amount <= 49.99\n",
    "lint",
    "band_gap",
    "small-refund",
)
plant(
    "a comparison without its equal sign",
    "refunds",
    "      - amount <= 50\n",
    "      - amount < 50\n",
    "lint",
    "band_gap",
    "small-refund",
)
plant(
    "a comparison the wrong way round",
    "refunds",
    "      - amount <= 50\n",
    "      - amount >= 50\n",
    "tests",
    "",
    "small refunds are made at once",
)
plant(
    "both thresholds moved and the promise forgotten",
    "refunds",
    "      - amount <= 50\n",
    "      - amount <= 75\n",
    "prove",
    "no-big-money-alone",
    also=(("when: amount > 50 and amount <= 500", "when: amount > 75 and amount <= 500"),),
)
plant(
    "bands that overlap",
    "refunds",
    "when: amount > 500\n",
    "when: amount > 400\n",
    "lint",
    "band_overlap",
    "large-refund",
)
plant(
    "a gap between bands",
    "refunds",
    "when: amount > 500\n",
    "when: amount > 600\n",
    "lint",
    "band_gap",
    "medium-refund",
)
plant(
    "a zero too much in a score",
    "refunds",
    "customer.fraud_score >= 40\n    because",
    "customer.fraud_score >= 400\n    because",
    "prove",
    "fraud-never-alone",
)
plant(
    "a score that is off by one",
    "refunds",
    "customer.fraud_score >= 40\n    because",
    "customer.fraud_score > 40\n    because",
    "prove",
    "fraud-never-alone",
)
plant(
    "a window a day too long",
    "returns",
    "return_days: {standard: 30, gold: 60}",
    "return_days: {standard: 31, gold: 60}",
    "tests",
    "",
)
plant(
    "an age that is off by one",
    "appointments",
    "minor: patient.age < 18",
    "minor: patient.age < 17",
    "prove",
    "minors-only-with-consent",
)
plant(
    "a day that is taken for an hour",
    "appointments",
    "appointment.starts_at - now < 24 hours",
    "appointment.starts_at - now < 24 minutes",
    "tests",
    "",
)
plant(
    "a row that tried a threshold is gone",
    "account",
    "      - {identity.failed_attempts: 4, expect: allow, by: [verify]}\n",
    "",
    "boundaries",
    "identity.failed_attempts >= 5",
)

# rules that do nothing, or the wrong thing
plant(
    "a rule made dead by another",
    "refunds",
    "customer.fraud_score >= 80 and agent.kind",
    "customer.fraud_score >= 30 and customer.fraud_score < 30 and agent.kind",
    "lint",
    "rule_never_fires",
    "fraud",
)
plant(
    "a denial that swallows an escalation",
    "refunds",
    "when: order.items.exists(i, i.final_sale)\n",
    "when: order.items.exists(i, i.final_sale) and order.customer_id != on_behalf_of\n",
    "lint",
    "rule_never_decides",
    "final-sale",
)
plant(
    "conditions that exclude each other",
    "returns",
    '- condition != "used"\n      - our_fault',
    '- condition == "used"\n      - condition != "used"\n      - our_fault',
    "lint",
    "rule_never_fires",
    "our-mistake",
)
plant(
    "and for or",
    "returns",
    'our_fault: reason == "faulty" or reason',
    'our_fault: reason == "faulty" and reason',
    "lint",
    "rule_never_fires",
    "our-mistake",
)
plant(
    "or for and",
    "outreach",
    'when: purpose == "offer" and not customer.agreed_to_offers\n    because',
    'when: purpose == "offer" or not customer.agreed_to_offers\n    because',
    "prove",
    "offers-are-possible",
)
plant(
    "a forgotten not",
    "orders",
    "    when: not context.customer_confirmed\n    because",
    "    when: context.customer_confirmed\n    because",
    "prove",
    "nothing-without-a-yes",
    also=(("      - context.customer_confirmed\n", ""),),
)
plant(
    "a rule on the wrong action",
    "account",
    '    on: [payout.change]\n    then: escalate to fraud_desk\n    when: account.status == "active"',
    '    on: [address.change]\n    then: escalate to fraud_desk\n    when: account.status == "active"',
    "lint",
    "rule_never_decides",
    "change-address",
)
plant(
    "an allow where a person should confirm",
    "account",
    '    on: [payout.change]\n    then: escalate to fraud_desk\n    when: account.status == "active"',
    '    on: [payout.change]\n    then: allow\n    when: account.status == "active"',
    "prove",
    "bank-accounts-need-a-person",
)
plant(
    "an escalation where nothing may be done",
    "orders",
    "  - id: wrong-price\n    on: [quote.show]\n    then: deny",
    "  - id: wrong-price\n    on: [quote.show]\n    then: escalate to sales_desk",
    "tests",
    "",
)
plant(
    "what no rule matches is allowed",
    "refunds",
    "otherwise: deny\n",
    "otherwise: allow\n",
    "lint",
    "otherwise_allows",
    "otherwise",
)
plant(
    "what cannot be evaluated is allowed",
    "refunds",
    "on_error: escalate to support_lead",
    "on_error: allow",
    "load",
    "verdict_refused",
)
plant(
    "a rule that expired",
    "refunds",
    "  - id: small-refund\n    then: allow\n",
    "  - id: small-refund\n    then: allow\n    expires: 2026-01-01\n",
    "lint",
    "expired",
    "small-refund",
)
plant(
    "a review that is due",
    "refunds",
    "owner: refunds-product@acme.example\n",
    "owner: refunds-product@acme.example\nreview_by: 2026-01-01\n",
    "lint",
    "review_due",
    "",
)
plant("a file that nobody answers for", "refunds", "owner: refunds-product@acme.example\n", "", "lint", "no_owner", "")
plant(
    "a denial without words",
    "refunds",
    "    say: I can't find that order in your account.\n",
    "",
    "lint",
    "deny_without_say",
    "not-their-order",
)

# limits
plant(
    "a cap that forgets the refund in hand",
    "refunds",
    "    max: 300\n",
    "    max: 3000\n",
    "prove",
    "month-cap",
    also=(
        (
            "  - id: more-than-is-left\n",
            "  - {id: full, then: deny, when: 'used(\"customer-30-days\") > 300'}\n  - id: more-than-is-left\n",
        ),
    ),
)
plant(
    "a limit that another one keeps out of reach",
    "account",
    "    in: 72 hours\n    max: 1\n",
    "    in: 72 hours\n    max: 5\n",
    "lint",
    "limit_out_of_reach",
    "contact-changes",
)
plant(
    "a limit that lets one more pass",
    "account",
    "    in: 72 hours\n    max: 1\n",
    "    in: 72 hours\n    max: 2\n",
    "prove",
    "one-contact-change-alone",
)
plant(
    "a threshold that can be split",
    "refunds",
    "    sum: amount\n    per: on_behalf_of\n    in: 30 days\n    max: 300\n",
    "    sum: order.total\n    per: on_behalf_of\n    in: 30 days\n    max: 300\n",
    "promise",
    "never_by_splitting 160 sum amount per on_behalf_of in 30 days",
    also=(("    max: 3\n", "    max: 4\n"),),
)
plant(
    "a count that lets too much pass in small parts",
    "refunds",
    "    max: 3\n",
    "    max: 4\n",
    "promise",
    "never_by_splitting 150 sum amount per on_behalf_of in 30 days",
)
plant(
    "a window that begins anew too soon",
    "refunds",
    "    count: actions\n    per: on_behalf_of\n    in: 30 days\n",
    "    count: actions\n    per: on_behalf_of\n    in: 3 days\n",
    "promise",
    "never_by_splitting 150 sum amount per on_behalf_of in 30 days",
)
plant(
    "an amount that no limit sums",
    "refunds",
    "    sum: amount\n    per: order.id\n",
    "    sum: order.total\n    per: order.id\n",
    "lint",
    "amount_unsummed",
    "small-refund",
    also=(
        ("    sum: amount\n    per: on_behalf_of\n", "    sum: order.total\n    per: on_behalf_of\n"),
        ("    sum: amount\n    in: calendar day\n", "    sum: order.total\n    in: calendar day\n"),
    ),
)
plant(
    "a limit keyed by what the agent says",
    "refunds",
    "    per: order.id\n",
    "    per: order_id\n",
    "lint",
    "limit_keyed_by_argument",
    "order-refunds",
)
plant("a limit in another currency", "refunds", "    max: 300\n", "    max: 300 EUR\n", "load", "syntax")
plant("an amount of another currency", "refunds", "    max: 300\n", "    max: eur(300)\n", "load", "currency")
plant(
    "a max that the agent gives itself",
    "refunds",
    "    max: order.total\n",
    "    max: amount\n",
    "load",
    "not_readable",
)
plant(
    "a budget that is not held while it is used",
    "refunds",
    'order.total - order.refunded - held("order-refunds")',
    "order.total - order.refunded",
    "lint",
    "deny_without_held",
    "more-than-is-left",
)
plant(
    "a limit that its own action gives back",
    "appointments",
    "    per: [slot.practitioner, visit_day]\n",
    "",
    "lint",
    "frees_itself",
    "practitioner-day",
)

# what may be missing, whose it is, and when
plant(
    "a dropped has",
    "refunds",
    "has(customer.fraud_score) and customer.fraud_score >= 40\n    because",
    "customer.fraud_score >= 40\n    because",
    "load",
    "optional_unguarded",
)
plant(
    "an absent day that passes for a day just now",
    "account",
    "new_phone_number: has(account.phone_changed_at) and now",
    "new_phone_number: not has(account.phone_changed_at) or now",
    "tests",
    "",
)
plant(
    "all of an empty list",
    "refunds",
    "      - in_window\n    because",
    "      - in_window\n      - order.items.all(i, not i.final_sale)\n    because",
    "lint",
    "all_of_maybe_empty",
    "small-refund",
)
plant(
    "an order of anybody",
    "refunds",
    "    when: order.customer_id != on_behalf_of\n    because",
    "    when: amount > 10000\n    because",
    "prove",
    "only-their-own-orders",
)
plant(
    "an order of anybody, and no promise about it",
    "orders",
    "    when: order.customer_id != on_behalf_of\n",
    '    when: order.customer_id == "nobody"\n',
    "lint",
    "order_of_anybody",
    "cancel",
)
plant(
    "an allow on what the agent says alone",
    "returns",
    '      - in_time\n      - condition != "used"\n      - not our_fault\n',
    '      - condition != "used"\n      - not our_fault\n',
    "lint",
    "allow_on_arguments",
    "ordinary-return",
)
plant(
    "now for asked_at",
    "refunds",
    "in_window: has(order.delivered_at) and asked_at -",
    "in_window: has(order.delivered_at) and now -",
    "lint",
    "now_for_asked_at",
    "",
)
plant(
    "a calendar that a fact names and the file has not",
    "refunds",
    'during(now, "year_end_close")',
    "during(now, order.id)",
    "lint",
    "rule_can_fail",
    "year-end-close",
)
plant(
    "a table without one of its values",
    "returns",
    "percent_back: {unopened: 100, opened: 90, used: 50}",
    "percent_back: {unopened: 100, used: 50}",
    "load",
    "table_incomplete",
)

# people
plant(
    "a route without people",
    "refunds",
    'who: "group:complaints", within',
    'who: "group:complains", within',
    "lint",
    "route_without_people",
    "complaints",
)
plant(
    "more people than the group has",
    "refunds",
    "people: 2, within: 1 day",
    "people: 4, within: 1 day",
    "lint",
    "route_without_people",
    "needs 4 people",
)
plant("a quorum lowered", "refunds", "people: 2, within: 1 day", "people: 1, within: 1 day", "diff", "finance")
plant(
    "routes that wait for each other",
    "refunds",
    "people: 2, within: 1 day, if_late: deny",
    "people: 2, within: 1 day, if_late: support_lead",
    "load",
    "route_cycle",
)
plant(
    "a route that is not there",
    "refunds",
    "then: escalate to finance\n    when: amount > 500",
    "then: escalate to finanze\n    when: amount > 500",
    "load",
    "route_unknown",
)
plant(
    "a step for identity that does not bind to the conversation",
    "account",
    "    same: [on_behalf_of, context.conversation]\n",
    "    same: [on_behalf_of]\n",
    "diff",
    "identity-first",
)
plant(
    "identity that no file lets anybody prove",
    "refunds",
    "    action: identity.verify\n",
    "    action: identity.verfy\n",
    "lint",
    "action_undeclared",
    "identity-first",
)

# two files together
DEFECTS.append(
    Defect(
        "a promise that another file breaks",
        "refunds",
        (),
        "prove",
        ("refunds/still-useful",),
        more="rules:\n  - {id: nobody, then: deny, when: amount >= 50, say: no}\notherwise: abstain\n",
    )
)
DEFECTS.append(
    Defect(
        "a rule that another file makes idle",
        "refunds",
        (),
        "lint",
        ("rule_never_decides", "large-refund"),
        more="rules:\n  - {id: nothing-large, then: deny, when: amount > 100, say: no}\notherwise: abstain\n",
    )
)

"""Broken policy files as data: each says with `«` where its problems stand, and with which codes.

`edited` takes the good file below and changes pieces of it; `whole` is a file of its own. The messages themselves are
in `broken_messages.txt`; `python -m tests.policyfile.broken` prints what they are now.
"""

BASE = """agentguard: 1
policy: shop
version: 3
owner: shop@acme.example
timezone: Europe/Berlin
currency: USD
otherwise: deny
on_error: deny
types:
  item: {category: text, price: money}
actions:
  refund.issue:
    order_id: text
    amount: money
    reason: [late, damaged]
  fee.waive:
    booking: text
facts:
  order.id: text
  order.total: money
  order.delivered_at: time?
  order.items: list of item
  customer.tier: [standard, gold]
  customer.region: text
  customer.balance: money, any sign
context:
  conversation: text
segments: [customer.region]
names:
  in_window: has(order.delivered_at) and now - order.delivered_at <= 30 days
  small: amount <= 50
tables:
  most: {standard: 50, gold: 100}
calendars:
  desk:
    mon-fri: 08:00-18:00
    closed: [2026-12-25]
escalations:
  lead: {who: "group:leads", within: 4 hours of desk, if_late: finance}
  finance: {who: "group:finance", people: 2, within: 1 day}
rules:
  - id: small-refund
    on: [refund.issue]
    then: allow
    when: small and in_window
    because: Small refund of {amount}.
  - id: too-much
    on: [refund.issue]
    then: deny
    when: amount > order.total - held("per-order")
    say: I can't do that.
  - id: waive
    on: [fee.waive]
    then: escalate to lead
limits:
  - {id: per-order, on: [refund.issue], sum: amount, per: order.id, in: forever, max: order.total, over: deny}
  - id: count
    count: actions
    in: 30 days
    max: 3
    over: escalate to finance
requires:
  - {id: first, action: identity.verify, same: [on_behalf_of], within: 30 minutes, else: deny}
guarantees:
  - {id: safe, on: [refund.issue], never: allow, when: amount > 50}
"""
SHORT = "agentguard: 1\npolicy: p\nversion: 1\nactions:\n  a.b: {n: integer}\n"
CURRENCIES = """agentguard: 1
policy: p
version: 1
currency: [USD, EUR]
actions: {{fee.waive: {{fee: money}}}}
limits:
  - {{id: l, sum: fee, in: 1 day, max: {{USD: 1, EUR: 1}}, over: deny{more}}}
"""
CASES = []


def edited(name, codes, *pairs):
    t = BASE
    for old, new in pairs:
        assert t.count(old) >= 1, (name, old)
        t = t.replace(old, new, 1)
    CASES.append((name, codes.split(), t))


def whole(name, codes, text):
    CASES.append((name, codes.split(), text))


# --- reading
whole("empty", "file_empty", "«")
whole("only-a-comment", "file_empty", "«# nothing here\n")
whole("only-dashes", "file_empty", "«---\n")
whole("a-text", "wrong_shape", "«just words\n")
whole("a-list", "wrong_shape", "«- agentguard: 1\n")
whole("byte-order-mark", "byte_order_mark", "«\ufeffagentguard: 1\n")
whole("nul", "control_character", "agentguard: 1\npolicy: a«\x00b\n")
whole("escape-character", "control_character", "agentguard: 1\npolicy: «\x1b[31mred\n")
whole("next-line-character", "control_character", "agentguard: 1\npolicy: a«\x85b\n")
whole("line-separator", "control_character", "agentguard: 1\npolicy: a«\u2028b\n")
whole("carriage-return-alone", "control_character", "agentguard: 1«\rpolicy: a\n")
whole("tab-before-a-key", "tab", "agentguard: 1\nactions:\n«\ta.b: {n: integer}\n")
whole("tab-before-a-dash", "tab", "agentguard: 1\nrules:\n«\t- id: x\n")
edited("tab-in-a-rule", "tab", ("    then: allow\n", "«\tthen: allow\n"))
whole("two-documents", "several_documents", "agentguard: 1\n«---\npolicy: a\n")
whole("directive", "directive", "«%YAML 1.2\n---\nagentguard: 1\n")
edited("unclosed-quote", "not_yaml", ("say: I can't do that.", 'say: «"I cannot do that.'))
edited("no-blank-after-the-colon", "not_yaml", ("version: 3", "«version:3"))
edited("no-colon-after-the-key", "not_yaml", ("    because: Small refund", "    «because Small refund"))
edited("text-after-a-quote", "not_yaml", ("say: I can't do that.", 'say: "No" «to that.'))
edited("condition-beginning-with-a-quote", "not_yaml", ("when: small and in_window", 'when: "gold" «== customer.tier'))
edited("at-sign", "not_yaml", ("owner: shop@acme.example", "owner: «@shop"))
edited("backtick", "not_yaml", ("owner: shop@acme.example", "owner: «`shop`"))
edited("percent", "not_yaml", ("when: small and in_window", "when: «%amount <= 5"))
edited("colon-in-a-plain-text", "not_yaml", ("because: Small refund of {amount}.", "because: Refund«: small"))
edited("colon-in-a-condition", "not_yaml", ("when: small and in_window", "when: small «: in_window"))
edited("bad-indentation", "not_yaml", ("    then: allow\n", "  «then: allow\n"))
edited(
    "unclosed-bracket",
    "torn_apart",
    ("segments: [customer.region]\n", "segments: [customer.region\n"),
    ("names:", "names«:"),
)
edited(
    "closing-the-wrong-bracket",
    "torn_apart",
    ('{who: "group:finance", people: 2, within: 1 day}', '{who: "group:finance", people: 2, within: 1 day«]'),
)
edited(
    "brackets-in-a-flow-list",
    "torn_apart",
    ("    when: small and in_window\n", '    when: [customer.tier in «["gold"], in_window]\n'),
)
edited(
    "comma-in-a-flow-list",
    "torn_apart",
    ("    when: small and in_window\n", "    when: [«max(amount, 3) <= 50, in_window]\n"),
)
edited(
    "macro-in-a-flow-list",
    "torn_apart",
    ("    when: small and in_window\n", "    when: [small, «order.items.exists(i, i.price > 5)]\n"),
)
edited(
    "quote-in-a-flow-list",
    "torn_apart",
    ("    when: small and in_window\n", '    when: [«customer.tier == "gold, silver"]\n'),
)
edited(
    "comma-in-a-flow-mapping", "torn_apart", ("max: order.total, over: deny}", "max: «min(order.total, 5), over: deny}")
)
edited(
    "type-with-a-comma-in-a-flow-mapping",
    "torn_apart",
    ("item: {category: text, price: money}", "item: {category: text, price: money, «any sign}"),
)
edited("optional-list-of-values", "not_yaml", ("reason: [late, damaged]", "reason: [late, damaged]«?"))
edited("personal-list-of-values", "not_yaml", ("reason: [late, damaged]", "reason: [late, damaged]«, personal  # why"))
edited("sum-torn-apart", "torn_apart", ("sum: amount, per", "sum: «min(amount, 5), per"))
edited("sum-with-a-slip", "unknown_key", ("sum: amount, per", "«smu: amount, per"), ('held("per-order")', "amount"))
edited("never-with-a-slip", "unknown_key", (" never: allow,", " «nevr: allow,"))
edited("percent-of-nothing-in-brackets", "operator", ("max: order.total, over", "max: 10«%, over"))
edited("window-too-long", "duration_malformed", ("    in: 30 days", "    in: «4000 days"))
edited(
    "personal-in-a-flow-mapping",
    "torn_apart",
    ("context:\n  conversation: text\n", "context: {conversation: text, mail: text, «personal}\n"),
)
edited("unknown-escape", "not_yaml", ("say: I can't do that.", 'say: "a \\«q"'))
edited("duplicate-top-key", "duplicate_key", ("otherwise: deny\n", "otherwise: deny\n«otherwise: allow\n"))
edited("duplicate-rule-key", "duplicate_key", ("    then: allow\n", "    then: allow\n    «then: deny\n"))
edited("duplicate-fact", "duplicate_key", ("  order.total: money\n", "  order.total: money\n  «order.total: text\n"))
edited(
    "duplicate-flow-key",
    "duplicate_key",
    ("{category: text, price: money}", "{category: text, price: money, «category: integer}"),
)
edited("tag-for-not", "tag", ("when: small and in_window", "when: «!small and in_window"))
edited("python-tag", "tag", ("owner: shop@acme.example", "owner: «!!python/object:os.system x"))
edited("binary-tag", "tag", ("version: 3", "version: «!!int 3"))
edited("anchor", "anchor", ('{who: "group:finance", people: 2', '{who: «&f "group:finance", people: 2'))
whole("alias-bomb", "anchor anchor anchor anchor anchor", "agentguard: 1\na: «&a [x, x]\nb: «&b [«*a, «*a, «*a]\n")
edited("alias-as-a-condition", "anchor", ("when: small and in_window", "when: «*small"))
edited("and-sign-first", "anchor", ("when: small and in_window", "when: «&small"))
whole("deep-nesting", "nested_too_deep", "agentguard: 1\nrules: " + "[" * 64 + "«[" + "\n")
whole("complex-key", "key_not_text", "agentguard: 1\n«[a, b]: c\n")
whole("braces-as-key", "key_not_text", SHORT + "rules:\n  - id: x\n    then: deny\n    when: {«{n}: 1}\n")
edited(
    "hash-in-a-sentence",
    "comment_cuts_text",
    ("because: Small refund of {amount}.", "because: Small refund« #12 is fine"),
)
edited("hash-with-one-blank", "comment_cuts_text", ("say: I can't do that.", "say: Call line« # 12 please"))
edited("hash-in-the-owner", "comment_cuts_text", ("owner: shop@acme.example", "owner: team« #5"))
edited("hash-in-a-condition", "comment_cuts_text", ("when: small and in_window", 'when: order.id == "A« #5"'))
edited(
    "hash-without-a-blank-after-a-condition",
    "comment_cuts_text",
    ("when: small and in_window", "when: small« #and in_window"),
)
edited(
    "list-swallowed-by-a-text",
    "swallowed_list",
    ("    when: small and in_window\n", "    when: small\n      «- in_window\n"),
)
# --- structure
edited("unknown-top-key", "unknown_key", ("segments:", "«segmnts:"))
edited("unknown-rule-key", "unknown_key", ("    because: Small refund", "    «becuase: Small refund"))
edited("unknown-limit-key", "unknown_key", ("    max: 3", "    max: 3\n    «window: 3"))
edited("unknown-route-key", "unknown_key", ("people: 2, within: 1 day", "«persons: 2, within: 1 day"))
edited("unknown-requirement-key", "unknown_key", ("within: 30 minutes", "«withn: 30 minutes"))
edited("unknown-guarantee-key", "unknown_key", ("never: allow, when", "never: allow, «says: no, when"))
edited("unknown-block-of-when", "unknown_key", ("when: small and in_window", "when: {«some: [small]}"))
edited("condition-in-braces", "unknown_key", ("when: small and in_window", "when: {«small and in_window}"))
edited("key-in-capitals", "unknown_key", ("owner:", "«Owner:"))
edited("key-with-a-dash", "unknown_key", ("on_error: deny", "«on-error: deny"))
whole("missing-policy", "missing_key", "«agentguard: 1\nversion: 1\nactions: {a.b: {n: integer}}\n")
whole("missing-version", "missing_key", "«agentguard: 1\npolicy: p\nactions: {a.b: {n: integer}}\n")
whole("missing-format", "missing_key", "«policy: p\nversion: 1\nactions: {a.b: {n: integer}}\n")
whole("missing-actions", "missing_key", "«agentguard: 1\npolicy: p\nversion: 1\n")
edited(
    "rule-without-then",
    "missing_key",
    ("  - id: waive\n    on: [fee.waive]\n    then: escalate to lead\n", "  - «id: waive\n    on: [fee.waive]\n"),
)
edited("rule-without-id", "missing_key", ("  - id: waive\n    on:", "  - «on:"))
edited(
    "limit-without-over", "missing_key", ("    over: escalate to finance\n", ""), ("  - id: count", "  - «id: count")
)
edited("limit-without-in", "missing_key", ("    in: 30 days\n", ""), ("  - id: count", "  - «id: count"))
edited("limit-without-max", "missing_key", ("    max: 3\n", ""), ("  - id: count", "  - «id: count"))
edited("route-without-who", "missing_key", ('{who: "group:finance", people: 2,', "«{people: 2,"))
edited(
    "route-without-within",
    "missing_key",
    ('{who: "group:finance", people: 2, within: 1 day}', '«{who: "group:finance", people: 2}'),
)
edited(
    "requirement-without-else",
    "missing_key",
    ("  - {id: first,", "  - «{id: first,"),
    (", within: 30 minutes, else: deny}", ", within: 30 minutes}"),
)
edited(
    "rules-as-a-mapping",
    "wrong_shape",
    (
        "requires:\n  - {id: first, action: identity.verify, same: [on_behalf_of], within: 30 minutes, else: deny}",
        "requires:\n  «first: {action: identity.verify}",
    ),
)
edited(
    "rules-as-a-text",
    "wrong_shape",
    ("guarantees:\n  - {id: safe, on: [refund.issue], never: allow, when: amount > 50}", "guarantees: «none"),
)
edited(
    "a-rule-as-a-text",
    "wrong_shape",
    ("  - id: waive\n    on: [fee.waive]\n    then: escalate to lead\n", "  - «waive\n"),
)
edited("facts-as-a-list", "wrong_shape", ("context:\n  conversation: text", "context: «[conversation]"))
edited("actions-of-old", "wrong_shape", ("  fee.waive:\n    booking: text\n", "  fee.waive: «text\n"))
edited("key-without-value", "wrong_shape", ("    then: allow\n", "    then:«\n"))
edited("empty-condition", "wrong_shape", ("    when: small and in_window\n", "    when:«\n"))
edited("empty-list-of-conditions", "wrong_shape", ("    when: small and in_window\n", "    when: «[]\n"))
edited("empty-any", "wrong_shape", ("    when: small and in_window\n", "    when: {any: «[]}\n"))
edited("then-as-a-list", "wrong_shape", ("    then: allow\n", "    then: «[allow]\n"))
edited("names-as-a-list", "wrong_shape", ("  small: amount <= 50", "  small: «[amount <= 50]"))
edited("say-as-a-list", "wrong_shape", ("say: I can't do that.", "say: «[no]"))
edited("review-of-no-share", "review_malformed", ("segments:", "review: «yearly\nsegments:"))
edited("review-each-month", "word_unknown", ("segments:", "review: «2%, at least 5 a month\nsegments:"))
edited("review-by-nothing-known", "word_unknown", ("segments:", "review: «2%, by agnt\nsegments:"))
edited("review-of-too-many", "number_malformed", ("segments:", "review: «2%, at least 10001 a week\nsegments:"))
for word in ("pilot: 10%", "alarms: []", "report_by: x"):
    edited("reserved-" + word.partition(":")[0], "reserved", ("segments:", f"«{word}\nsegments:"))
edited("confirmed-otherwise", "word_unknown", ("action: identity.verify, same: [on_behalf_of]", "confirmed: «yes"))
edited(
    "confirmed-beside-action", "keys_conflict", ("within: 30 minutes", "«confirmed: this request, within: 30 minutes")
)
for name, code, written in (
    ("as-a-text", "wrong_shape", "witness: «x"),
    ("without-a-condition", "missing_key", "witness: «{on: [refund.issue]}"),
    ("that-reads-what-is-not-there", "unknown_name", "witness: {before_effect: «amont > 500}"),
    ("that-is-no-condition", "not_readable", "witness: {before_effect: «amount}"),
    ("on-no-action", "action_unknown", "witness: {before_effect: amount > 500, on: [«refund.isue]}"),
):
    edited(f"witness-{name}", code, ("segments:", f"{written}\nsegments:"))
edited("contest-in-a-rule", "unknown_key", ("    because: Small", "    «contest: yes\n    because: Small"))
for name, code, written in (
    ("to-no-route", "route_unknown", "{to: «complaints, open_for: 60 days}"),
    ("to-a-misspelt-route", "route_unknown", "{to: «laed, open_for: 60 days}"),
    ("without-a-route", "missing_key", "«{open_for: 60 days}"),
    ("without-an-end", "missing_key", "«{to: lead, within: 5 days}"),
    ("open-for-ever", "duration_malformed", "{to: lead, open_for: «forever}"),
    ("open-for-a-calendar", "duration_malformed", "{to: lead, open_for: «60 days of desk}"),
    ("within-nothing", "duration_malformed", "{to: lead, within: «0 days, open_for: 60 days}"),
    ("within-no-calendar", "calendar_unknown", "{to: lead, within: 5 days of «dsk, open_for: 60 days}"),
    ("with-people", "unknown_key", "{to: lead, open_for: 60 days, «people: 2}"),
    ("as-a-word", "wrong_shape", "«lead"),
):
    edited(f"contest-{name}", code, ("rules:\n", f"contest: {written}\nrules:\n"))
for name, code, written in (
    ("as-a-text", "wrong_shape", "«7 years"),
    ("of-an-unknown-action", "action_unknown", "{«refund.isue: 7 years}"),
    ("in-hours", "duration_malformed", "{otherwise: «9000 hours}"),
    ("of-nothing", "duration_malformed", "{otherwise: «0 years}"),
    ("for-too-long", "duration_malformed", "{otherwise: «101 years}"),
    ("a-day-too-short", "retention_too_short", "{otherwise: «182 days}"),
    ("with-a-floor-too-low", "retention_too_short", "{least: «182 days, otherwise: 1 year}"),
    ("below-its-own-floor", "retention_too_short", "{least: 2 years, refund.issue: «729 days, otherwise: 730 days}"),
):
    edited(f"retention-{name}", code, ("rules:\n", f"retention: {written}\nrules:\n"))
edited("sum-and-count", "keys_conflict", ("  - id: count\n", "  - id: «count\n    sum: amount\n"))
edited("neither-sum-nor-count", "keys_conflict", ("  - id: count\n    count: actions\n", "  - id: «count\n"))
edited("never-and-possible", "keys_conflict", ("{id: safe,", "{id: «safe, possible: deny,"))
edited("neither-never-nor-possible", "keys_conflict", ("{id: safe,", "{id: «safe,"), (" never: allow,", ""))
edited("too-long-sentence", "text_length", ("say: I can't do that.", "say: «" + "no " * 700))
edited("empty-sentence", "text_length", ("say: I can't do that.", 'say: «""'))
whole("no-actions", "too_many", "agentguard: 1\npolicy: p\nversion: 1\nactions: «{}\n")
edited("empty-on", "too_many", ("    on: [fee.waive]", "    on: «[]"))
edited("empty-who", "too_many", ('who: "group:finance"', "who: «[]"))
edited("empty-say", "too_many", ("say: I can't do that.", "say: «{}"))
edited(
    "empty-calendar",
    "too_many",
    ("  desk:\n    mon-fri: 08:00-18:00\n    closed: [2026-12-25]\n", "  desk: «{closed: [2026-12-25]}\n"),
)
edited("empty-same", "too_many", ("same: [on_behalf_of]", "same: «[]"))
edited("empty-per", "too_many", ("per: order.id", "per: «[]"))
edited(
    "too-many-conditions",
    "too_many",
    ("    when: small and in_window\n", "    when:\n      «- " + "\n      - ".join(["small"] * 101) + "\n"),
)
edited(
    "empty-type",
    "too_many",
    ("  item: {category: text, price: money}", "  item: {category: text, price: money}\n  «nothing: {}"),
)
# --- values
edited("format-2", "format_unknown", ("agentguard: 1", "agentguard: «2"))
edited("format-as-a-word", "format_unknown", ("agentguard: 1", "agentguard: «one"))
edited("policy-with-a-blank", "name_malformed", ("policy: shop", "policy: «my shop"))
edited("rule-id-with-a-blank", "name_malformed", ("id: waive", "id: «waive it"))
edited("rule-id-in-an-alphabet-we-refuse", "name_malformed", ("id: waive", "id: «größe"))
edited("fact-without-a-dot", "name_malformed", ("  order.id: text", "  «order_number: text\n  order.id: text"))
edited("action-without-a-dot", "name_malformed", ("  fee.waive:", "  «waive:"), ("on: [fee.waive]", "on: [waive]"))
edited("argument-with-a-dash", "name_malformed", ("    booking: text", "    «booking-id: text"))
edited(
    "name-with-a-dot",
    "name_malformed",
    ("  small: amount", "  «is.small: amount"),
    ("when: small and in_window", "when: in_window"),
)
edited("who-without-a-kind", "name_malformed", ('who: "group:finance"', "who: «finance"))
edited("context-with-a-dot", "name_malformed", ("  conversation: text", "  conversation: text\n  «a.b: text"))
edited("version-zero", "number_malformed", ("version: 3", "version: «0"))
edited("version-with-a-point", "number_malformed", ("version: 3", "version: «1.2"))
edited("version-below-zero", "number_malformed", ("version: 3", "version: «-1"))
edited("people-as-a-word", "number_malformed", ("people: 2", "people: «two"))
edited("people-too-many", "number_malformed", ("people: 2", "people: «21"))
edited("people-zero", "number_malformed", ("people: 2", "people: «0"))
edited("mode-unknown", "word_unknown", ("otherwise: deny", "mode: «enforced\notherwise: deny"))
edited("verdict-misspelled", "word_unknown", ("    then: allow", "    then: «alow"))
edited("verdict-in-capitals", "word_unknown", ("    then: allow", "    then: «ALLOW"))
edited("verdict-of-another-engine", "word_unknown", ("    then: allow", "    then: «permit"))
edited("escalate-without-a-route", "word_unknown", ("then: escalate to lead", "then: «escalate"))
edited("approve", "word_unknown", ("then: allow", "then: «approve"))
edited("escalate-without-to", "word_unknown", ("then: escalate to lead", "then: «escalate lead"))
edited("escalate-to-nobody-known", "word_unknown", ("then: escalate to lead", "then: «escalate chief"))
edited("comma-for-a-point", "syntax", ("small: amount <= 50", "small: amount <= 50«,00"))
edited("escalate-by", "word_unknown", ("then: escalate to lead", "then: «escalate by lead"))
edited("count-unknown", "word_unknown", ("count: actions", "count: «requests"))
edited("disclose-unknown", "word_unknown", ("    because: Small", "    disclose: «all\n    because: Small"))
edited("starts-unknown", "word_unknown", ("    max: 3", "    max: 3\n    starts: «later"))
edited("never-unknown", "word_unknown", ("never: allow", "never: «alow"))
edited("never-with-a-route", "word_unknown", ("never: allow", "never: «escalate to lead"))
edited("possible-unknown", "word_unknown", ("never: allow", "possible: «maybe"))
edited("expires-not-a-day", "date_malformed", ("    because: Small", "    expires: «tomorrow\n    because: Small"))
edited("expires-in-another-order", "date_malformed", ("otherwise: deny", "expires: «31.12.2026\notherwise: deny"))
edited("review-on-a-day-that-is-not", "date_malformed", ("otherwise: deny", "review_by: «2026-02-30\notherwise: deny"))
edited("closed-not-a-day", "date_malformed", ("closed: [2026-12-25]", "closed: [«christmas]"))
edited("hours-with-a-dot", "date_malformed", ("mon-fri: 08:00-18:00", "mon-fri: «8.00-18.00"))
edited("hours-without-zero", "date_malformed", ("mon-fri: 08:00-18:00", "mon-fri: «8:00-18:00"))
edited("hours-past-midnight", "date_malformed", ("mon-fri: 08:00-18:00", "mon-fri: «08:00-25:00"))
edited("hours-of-no-length", "date_malformed", ("mon-fri: 08:00-18:00", "mon-fri: «08:00-08:00"))
edited(
    "span-backwards", "date_malformed", ("    closed:", "    spans: [{from: 2026-12-31, to: «2026-12-30}]\n    closed:")
)
edited(
    "span-not-a-moment",
    "date_malformed",
    ("    closed:", "    spans: [{from: «new year, to: 2026-12-30}]\n    closed:"),
)
edited("span-without-to", "missing_key", ("    closed:", "    spans: [«{from: 2026-12-31}]\n    closed:"))
edited("weekday-twice", "duplicate_key", ("    closed:", "    «mon: 08:00-12:00\n    closed:"))
edited("weekday-unknown", "unknown_key", ("mon-fri:", "«monday:"))
edited("within-in-months", "duration_malformed", ("within: 1 day", "within: «1 month"))
edited("within-without-a-unit", "duration_malformed", ("within: 1 day", "within: «4"))
edited("within-zero", "duration_malformed", ("within: 1 day", "within: «0 hours"))
edited("within-too-long", "duration_malformed", ("within: 1 day", "within: «5000 days"))
edited("requirement-within-a-calendar", "duration_malformed", ("within: 30 minutes", "within: «30 minutes of desk"))
edited("window-in-seconds", "duration_malformed", ("in: 30 days", "in: «30 seconds"))
edited("window-of-another-calendar-unit", "duration_malformed", ("in: 30 days", "in: «calendar quarter"))
edited("window-misspelled", "duration_malformed", ("in: forever", "in: «for ever"))
edited("window-one-word", "duration_malformed", ("in: 30 days", "in: «daily"))
edited("zone-unknown", "zone_unknown", ("Europe/Berlin", "«Europe/Berln"))
edited("zone-as-an-offset", "zone_unknown", ("timezone: Europe/Berlin", "timezone: «+02:00"))
edited("calendar-zone-unknown", "zone_unknown", ("    closed:", "    timezone: «Mars/Base\n    closed:"))
edited("currency-unknown", "currency_unknown", ("currency: USD", "currency: «USDD"))
edited("currency-in-small-letters", "currency_unknown", ("currency: USD", "currency: «usd"))
edited("currency-sign", "currency_unknown", ("currency: USD", "currency: «€"))
edited("currency-twice", "duplicate_id", ("currency: USD", "currency: [USD, «USD]"))
edited("language-unknown", "language_malformed", ("say: I can't do that.", "say: {«english: No}"))
edited("placeholder-empty", "placeholder_malformed", ("refund of {amount}.", "refund of {«}."))
edited("placeholder-open", "placeholder_malformed", ("refund of {amount}.", "refund of «{amount."))
edited(
    "personal-in-words",
    "personal_in_words",
    ("customer.region: text\n", "customer.region: text\n  customer.email: text, personal\n"),
    ("refund of {amount}.", "refund for {«customer.email}."),
)
edited("customer-in-words", "personal_in_words", ("refund of {amount}.", "refund for {«on_behalf_of}."))
edited("placeholder-closed", "placeholder_malformed", ("refund of {amount}.", "refund of amount«}."))
edited("placeholder-of-a-list", "placeholder_malformed", ("refund of {amount}.", "refund of {«order.items}."))
edited("placeholder-unknown", "unknown_name", ("refund of {amount}.", "refund of {«amont}."))
edited("placeholder-optional", "optional_unguarded", ("I can't do that.", "Delivered {«order.delivered_at}"))
edited("placeholder-syntax", "syntax", ("refund of {amount}.", "refund of {amount «amount}."))
# --- references
edited("rule-id-twice", "duplicate_id", ("  - id: waive", "  - id: «too-much"))
edited("limit-and-rule-share-an-id", "duplicate_id", ("  - id: count\n", "  - id: «waive\n"))
edited("guarantee-of-no-verdict", "too_many", ("never: allow, when: amount > 50", "never: «[], when: amount > 50"))
edited("guarantee-and-rule-share-an-id", "duplicate_id", ("{id: safe,", "{id: «waive,"))
edited("rule-called-otherwise", "name_taken", ("  - id: waive", "  - id: «otherwise"))
edited("argument-called-key", "name_taken", ("    booking: text", "    «key: text"))
edited("argument-called-deadline", "name_taken", ("    booking: text", "    «deadline: time"))
edited("argument-called-now", "name_taken", ("    booking: text", "    «now: time"))
edited("name-like-an-argument", "name_taken", ("  small: amount <= 50", "  small: amount <= 50\n  «booking: 5 > 3"))
edited(
    "table-like-a-name",
    "name_taken",
    ("  most: {standard", "  most: {standard: 1}\n  small: {standard"),
    ("  small: amount", "  «small: amount"),
)
edited("argument-like-a-fact", "name_taken", ("    booking: text", "    «order: text"))
edited("fact-in-the-agent", "name_taken", ("  order.id: text", "  «agent.id: text\n  order.id: text"))
edited(
    "fact-inside-a-fact",
    "name_taken",
    ("  order.items: list of item", "  order.items: list of item\n  «order.items.count: integer"),
)
edited("name-like-a-keyword", "name_taken", ("  small: amount <= 50", "  small: amount <= 50\n  «yes: amount > 5"))
edited(
    "route-called-deny", "name_taken", ("  finance: {who", '  «deny: {who: "group:x", within: 1 day}\n  finance: {who')
)
edited("on-an-unknown-action", "action_unknown", ("on: [fee.waive]", "on: [«fee.wave]"))
edited(
    "sum-of-an-unknown-action",
    "action_unknown",
    ("on: [refund.issue], sum: amount", "sum: {refund.issue: amount, «fee.wave: amount}"),
)
edited("unknown-route", "route_unknown", ("then: escalate to lead", "then: escalate to «leed"))
edited("unknown-route-on-error", "route_unknown", ("on_error: deny", "on_error: escalate to «nobody"))
edited("unknown-route-over", "route_unknown", ("over: escalate to finance", "over: escalate to «finances"))
edited("unknown-next-route", "route_unknown", ("if_late: finance", "if_late: «finanse"))
edited("routes-in-a-circle", "route_cycle", ("within: 1 day}", "within: 1 day, if_late: «lead}"))
edited("reminded-too-early", "duration_malformed", ("within: 1 day}", "within: 1 day, remind: «2 days}"))
edited("reminded-by-no-calendar", "calendar_unknown", ("within: 1 day}", "within: 1 day, remind: 1 hour of «nights}"))
edited("holds-perhaps", "word_unknown", ("within: 1 day}", "within: 1 day, hold: «perhaps}"))
edited("no-reason-codes", "too_many", ("within: 1 day}", "within: 1 day, «reason_codes: []}"))
edited("reason-code-in-words", "name_malformed", ("within: 1 day}", "within: 1 day, reason_codes: [«Good will]}"))
edited("unknown-argument-to-change", "argument_unknown", ("within: 1 day}", "within: 1 day, may_change: [«amont]}"))
edited("text-to-change", "argument_unchangeable", ("within: 1 day}", "within: 1 day, may_change: [«order_id]}"))
edited("route-after-itself", "route_cycle", ("within: 1 day}", "within: 1 day, if_late: «finance}"))
edited("within-an-unknown-calendar", "calendar_unknown", ("4 hours of desk", "4 hours of «dask"))
edited("unknown-segment", "fact_unknown", ("[customer.region]", "[«customer.regoin]"))
edited("segment-twice", "duplicate_id", ("[customer.region]", "[customer.region, «customer.region]"))
edited("segment-of-a-list", "fact_unknown", ("[customer.region]", "[customer.region, «order.items]"))
edited(
    "conversation-window-without-context",
    "fact_unknown",
    ("context:\n  conversation: text\n", ""),
    ("in: 30 days", "in: «conversation"),
)
edited("on-error-allow", "verdict_refused", ("on_error: deny", "on_error: «allow"))
edited("over-allow", "verdict_refused", ("over: escalate to finance", "over: «allow"))
edited("else-allow", "verdict_refused", ("else: deny", "else: «allow"))
edited("rule-abstains", "verdict_refused", ("then: allow", "then: «abstain"))
edited("names-in-a-circle", "name_cycle", ("  small: amount <= 50", "  «small: big\n  big: not small"))
edited("name-of-itself", "name_cycle", ("  small: amount <= 50", "  «small: small or amount <= 50"))
edited(
    "argument-of-another-action",
    "not_readable",
    (
        "    on: [fee.waive]\n    then: escalate to lead",
        "    on: [fee.waive]\n    then: escalate to lead\n    when: «amount > 5",
    ),
)
edited(
    "name-of-another-action",
    "not_readable",
    (
        "    on: [fee.waive]\n    then: escalate to lead",
        "    on: [fee.waive]\n    then: escalate to lead\n    when: not «small",
    ),
)
edited(
    "segment-in-a-rule", "not_readable", ("when: small and in_window", 'when: small and «customer.region == "north"')
)
edited("max-over-an-argument", "not_readable", ("max: order.total, over", "max: «amount, over"))
edited("computed-as-nothing", "name_unreadable", ("    amount: money", "    amount: money, computed as «due"))
edited("limit-of-decimals", "limit_uncountable", ("sum: amount, per", "sum: «amount * 1.5, per"))
edited("limit-of-text", "limit_uncountable", ("sum: amount, per", "sum: «order_id, per"))
edited("freed-by-nothing", "too_many", ("    max: 3", "    freed_by: «[]\n    max: 3"))
edited("freed-by-unknown", "action_unknown", ("    max: 3", "    freed_by: [«fee.wave]\n    max: 3"))
edited("freed-by-unknown-amount", "action_unknown", ("    max: 3", "    freed_by: {«fee.wave: 1}\n    max: 3"))
edited("freed-by-of-text", "limit_uncountable", ("    max: 3", "    freed_by: {refund.issue: «order_id}\n    max: 3"))
edited("freed-by-in-money", "limit_uncountable", ("    max: 3", "    freed_by: {refund.issue: «amount}\n    max: 3"))
whole("freed-by-in-another-currency", "limit_uncountable", CURRENCIES.format(more=", freed_by: {fee.waive: «usd(5)}"))
edited("freed-by-a-list-each", "wrong_shape", ("    max: 3", "    freed_by: {fee.waive: «[1]}\n    max: 3"))
edited("per-parts-of-a-cent", "limit_uncountable", ("per: order.id", "per: «'percent(amount, 10)'"))
edited("per-the-present", "limit_uncountable", ("per: order.id", "per: «now"))
edited("per-a-time-until", "limit_uncountable", ("per: order.id", "per: «now - asked_at"))
edited("per-a-list", "limit_uncountable", ("per: order.id", "per: «order.items"))
edited("max-of-another-type", "unknown_name", ("    max: 3\n", '    max: "«three"\n'))
edited("count-with-a-point", "wrong_type", ("    max: 3\n", "    max: «3.5\n"))
edited("max-with-a-third-digit", "money", ("max: order.total, over", "max: «300.005, over"))
edited(
    "sum-misses-an-action",
    "measure_missing",
    ("on: [refund.issue], sum: amount", "on: [refund.issue, fee.waive], sum: «{refund.issue: amount}"),
)
edited(
    "sum-has-one-action-more",
    "measure_missing",
    ("on: [refund.issue], sum: amount", "on: [fee.waive], sum: {«refund.issue: amount, fee.waive: order.total}"),
)
edited(
    "max-without-currencies",
    "currency_mismatch",
    ("currency: USD", "currency: [USD, EUR]"),
    ("max: order.total", "max: «500"),
    ("  small: amount <= 50", "  small: amount <= usd(50)"),
    ("when: amount > 50", "when: amount > usd(50)"),
)
edited(
    "max-of-a-constant",
    "currency_mismatch",
    ("currency: USD", "currency: [USD, EUR]"),
    ("max: order.total", "max: «usd(500)"),
    ("  small: amount <= 50", "  small: amount <= usd(50)"),
    ("when: amount > 50", "when: amount > usd(50)"),
)
edited(
    "max-of-one-currency",
    "currency_mismatch",
    ("currency: USD", "currency: [USD, EUR]"),
    ("max: order.total", "max: «{USD: 5}"),
    ("  small: amount <= 50", "  small: amount <= usd(50)"),
    ("when: amount > 50", "when: amount > usd(50)"),
)
whole("max-of-a-list-in-a-currency", "wrong_shape", CURRENCIES.format(more="").replace("USD: 1", "USD: «[1]"))
edited("max-by-currency-of-a-count", "currency_mismatch", ("    max: 3\n", "    max: «{USD: 3}\n"))
edited("same-as-a-fact", "requirement_unmatched", ("same: [on_behalf_of]", "same: [«order.id]"))
edited("same-as-nothing", "fact_unknown", ("same: [on_behalf_of]", "same: [«on_behalf]"))
edited("same-as-one-action-has", "requirement_unmatched", ("same: [on_behalf_of]", "same: [«amount]"))
edited("table-uneven", "table_uneven", ("most: {standard: 50, gold: 100}", "most: {standard: 50, gold: {a: «1}}"))
edited("table-empty", "table_uneven", ("most: {standard: 50, gold: 100}", "most: «{}"))
edited("table-of-lists", "table_uneven", ("most: {standard: 50, gold: 100}", "most: {standard: «[50]}"))
edited("table-mixed", "table_malformed", ("most: {standard: 50, gold: 100}", "most: {standard: 50, gold: «much}"))
edited(
    "table-with-a-hole",
    "table_incomplete",
    ("most: {standard: 50, gold: 100}", "most: {standard: 50}"),
    ("when: small and in_window", "when: amount <= most[«customer.tier]"),
)
# --- types and conditions
edited("type-unknown", "type_unknown", ("  order.id: text", "  order.id: «string"))
edited("type-misspelled", "type_unknown", ("  order.total: money", "  order.total: «mony"))
edited("type-without-a-comma", "type_unknown", ("money, any sign", "«money any sign"))
edited("type-option-unknown", "type_malformed", ("money, any sign", "money, «any signs"))
edited("list-of-lists", "type_malformed", ("list of item", "list of «list of item"))
edited("fact-computed", "type_malformed", ("  order.id: text", "  order.id: «text, computed as small"))
edited("argument-aged", "type_malformed", ("    booking: text", "    booking: «text, max_age 1 hour"))
edited(
    "field-personal",
    "type_malformed",
    ("{category: text, price: money}", '{category: «"text, personal", price: money}'),
)
edited(
    "money-without-a-currency",
    "no_currency",
    ("currency: USD\n", ""),
    ("price: money", "price: «money"),
    (
        BASE.partition("limits:\n")[2].partition("  - id: count")[0],
        "",
    ),
    ('order.total - held("per-order")', "order.total"),
)
edited("unknown-name", "unknown_name", ("when: small and in_window", "when: small and «in_windw"))
edited("value-without-quotes", "unknown_name", ("when: small and in_window", "when: reason == «late"))
edited("currency-in-words", "currency_unknown", ("currency: USD", "currency: «dollars"))
edited("unknown-fact", "unknown_name", ("when: amount > order.total", "when: amount > «order.totl"))
edited("unknown-limit", "unknown_name", ('held("per-order")', 'held(«"per-orders")'))
edited(
    "limit-of-other-actions",
    "unknown_name",
    (
        "    on: [fee.waive]\n    then: escalate to lead",
        '    on: [fee.waive]\n    then: escalate to lead\n    when: used(«"per-order") > 5',
    ),
)
edited(
    "unknown-calendar-in-during", "unknown_name", ("when: small and in_window", 'when: small and during(now, «"dask")')
)
edited("unknown-function", "unknown_function", ("when: small and in_window", "when: «abs(amount) < 5"))
edited("single-equals", "operator", ("when: small and in_window", 'when: customer.tier «= "gold"'))
edited("chained", "chained_comparison", ("when: small and in_window", "when: 5 «< amount < 50"))
edited("division", "operator", ("when: small and in_window", "when: amount «/ 2 < 50"))
edited("enum-value-unknown", "unknown_value", ("when: small and in_window", 'when: customer.tier == «"silver"'))
edited("money-with-text", "wrong_type", ("when: small and in_window", 'when: amount == «"50"'))
edited("not-a-condition", "wrong_type", ("when: small and in_window", "when: «amount"))
edited(
    "optional-unguarded",
    "optional_unguarded",
    ("when: small and in_window", "when: now - «order.delivered_at < 3 days"),
)
edited(
    "error-in-a-list",
    "unknown_name",
    ("    when: small and in_window\n", "    when:\n      - small\n      - in_window\n      - «smal\n"),
)
edited(
    "error-in-any",
    "unknown_name",
    ("    when: small and in_window\n", "    when:\n      any:\n        - small\n        - all: [in_window, «smal]\n"),
)
edited(
    "error-in-folded-text",
    "unknown_name",
    ("    when: small and in_window\n", "    when: >\n      small and\n      in_window and\n        «smal\n"),
)
edited(
    "error-in-literal-text",
    "unknown_name",
    ("    when: small and in_window\n", "    when: |\n      small and\n      in_window and «smal\n"),
)
edited(
    "error-in-single-quotes",
    "unknown_name",
    ("    when: small and in_window\n", "    when: 'small and order.id != ''A'' and «smal'\n"),
)
edited(
    "error-in-double-quotes",
    "unknown_name",
    ("    when: small and in_window\n", '    when: "small and order.id != \\"A\\" and «smal"\n'),
)
edited(
    "error-in-a-plain-text-over-lines",
    "unknown_name",
    ("    when: small and in_window\n", "    when: small and\n      in_window and\n      «smal\n"),
)
edited(
    "error-in-a-quoted-text-over-lines",
    "unknown_name",
    ("    when: small and in_window\n", '    when: "small and\n      in_window and \\\n      «smal"\n'),
)
SAFE = "never: allow, when: amount > 50"
edited(
    "a-total-without-a-window",
    "missing_key",
    (f"id: safe, on: [refund.issue], {SAFE}", "id: «safe, never_by_splitting: 9, sum: amount, on: [refund.issue]"),
)
edited(
    "a-total-of-nothing",
    "keys_conflict",
    (f"id: safe, on: [refund.issue], {SAFE}", "id: «safe, never_by_splitting: 9, in: 9 days"),
)
edited(
    "a-total-beside-never",
    "keys_conflict",
    (
        f"id: safe, on: [refund.issue], {SAFE}",
        "id: «safe, never: allow, never_by_splitting: 9, sum: amount, on: [refund.issue], in: 9 days",
    ),
)
edited("a-sum-beside-never", "keys_conflict", (SAFE, f"{SAFE}, «sum: amount"))
edited("an-argument-bounds-a-total", "not_readable", (SAFE, "never_by_splitting: «amount, sum: amount, in: 9 days"))
edited("error-in-a-guarantee", "unknown_name", ("never: allow, when: amount > 50", "never: allow, when: «amunt > 50"))
edited("error-in-a-name", "unknown_name", ("  small: amount <= 50", "  small: «amout <= 50"))
edited(
    "two-errors-in-a-condition", "unknown_name unknown_name", ("when: small and in_window", "when: «smal and «in_windo")
)
edited(
    "three-errors-in-a-file",
    "word_unknown unknown_name unknown_key",
    ("otherwise: deny", "otherwise: «denied"),
    ("when: small and in_window", "when: small and «in_windw"),
    ("never: allow, when", "never: allow, «wen: 1, when"),
)
edited("a-broken-route-is-told-once", "duration_malformed", ("within: 4 hours of desk", "within: «soon"))
edited(
    "a-broken-type-is-told-once", "type_unknown", ("{category: text, price: money}", "{category: text, price: «mony}")
)
edited("a-broken-name-is-told-once", "operator", ("  small: amount <= 50", "  small: amount «=< 50"))
edited("a-broken-calendar-is-told-once", "date_malformed", ("mon-fri: 08:00-18:00", "mon-fri: «always"))
edited("a-broken-fact-is-told-once", "type_unknown", ("  order.total: money", "  order.total: «mony"))
edited(
    "a-broken-currency-is-told-once",
    "currency_unknown",
    ("currency: USD", "currency: «dollars"),
    ("  - id: waive\n", "  - id: waive\n    because: For an order of {order.total}.\n"),
)
edited("a-broken-argument-is-told-once", "type_unknown", ("    amount: money", "    amount: «mony"))
edited("a-broken-limit-is-told-once", "unknown_name", ("sum: amount, per: order.id", "sum: «amont, per: order.id"))
edited(
    "rule-reads-used-of-a-limit-in-a-limit",
    "unknown_name",
    ("max: order.total, over", 'max: order.total - used(«"count"), over'),
)
edited("list-with-a-date", "torn_apart", ("    when: small and in_window\n", "    when: [small, now >« ]\n"))
edited("unsure", "syntax", ("    when: small and in_window\n", "    when: small and«\n"))
edited("windows-line-ends", "unknown_name", ("when: small and in_window", "when: small and «in_windw"))
CASES[-1] = (CASES[-1][0], CASES[-1][1], CASES[-1][2].replace("\n", "\r\n"))


def marked(text):
    """Return a text without its marks, and where they stood."""
    places = []
    while "«" in text:
        index = text.index("«")
        before = text[:index].replace("\r\n", "\n")
        places.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
        text = text[:index] + text[index + 1 :]
    return text, places


if __name__ == "__main__":
    from agentguard.errors import PolicyError
    from agentguard.policyfile import load_text
    from agentguard.policyfile.codes import CODES

    for name, _, text in CASES:
        try:
            load_text(marked(text)[0], name)
        except PolicyError as error:
            for problem in error.problems:
                if problem.code in CODES:
                    print(problem)

"""A small policy in versions that let an agent do more, less, and the same."""

from tests.engine.given import bundle

BEGIN = """
agentguard: 1
policy: refunds
version: 1
owner: refunds@acme.example
timezone: UTC
currency: USD
actions:
  refund.issue: {order_id: text, amount: money}
escalations:
  lead: {who: "group:leads", within: 4 hours, if_late: deny}
rules:
  - {id: small, then: allow, when: amount <= 50}
  - {id: large, then: escalate to lead, when: amount > 50}
limits:
  - {id: month, sum: amount, per: on_behalf_of, in: 30 days, max: 300, over: deny, say: No more this month.}
guarantees:
  - {id: never-large, never: allow, when: amount > 100}
"""


def version(number, *changes, text=BEGIN):
    """Return a later version of the policy, with some parts of its text exchanged."""
    for old, new in (("version: 1\n", f"version: {number}\n"), *changes):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


LOOSER = version(2, ("allow, when: amount <= 50}", "allow, when: amount <= 60}"), ("amount > 50}", "amount > 60}"))
TIGHTER = version(3, ("allow, when: amount <= 50}", "allow, when: amount <= 40}"), ("amount > 50}", "amount > 40}"))
SAME = version(4, ("owner: refunds@acme.example", "owner: desk@acme.example"))
BROKEN = version(5, ("allow, when: amount <= 50}", "allow, when: amount <= 200}"), ("amount > 50}", "amount > 200}"))

CASES = """
test: refunds
given: {order_id: A, amount: 10, on_behalf_of: cus_1}
cases:
  - {name: fifty, do: refund.issue, with: {amount: 50}, expect: allow, by: [small]}
"""


def make(guard, by, text=None, why="as agreed", authenticated="os_login", **more):
    """Put the guard's policies, or others, into force for somebody."""
    meant = guard.bundle if text is None else bundle(text)
    return guard.changes.make(meant, by=by, why=why, authenticated=authenticated, **more)


def in_force(guard):
    return guard.store.read(lambda reading: reading.digest_in_force())


def entries(guard, kind):
    return [entry.document for entry in guard.audit.list(kind=kind, limit=1000)]


def refused(guard):
    return [(said["by"], said["refused"]) for said in entries(guard, "power_refused")]

"""What must hold at every commit, counted a second time from lists in plain Python.

It knows what was asked, what the provider's books say and what people voted, and reads the log as anybody could. It
asks the engine nothing.
"""

from datetime import datetime

from agentguard.core.digest import encode
from tests.simulation.ledger import HOLDING, Known, Ledger
from tests.simulation.rules import ORDERS, PAYING, PEOPLE, TOTALS, VERSIONS, bundle

MOVES = {
    "proposed": {"denied", "waiting", "ready", "executing"},
    "waiting": {"waiting", "ready", "executing", "denied"},
    "ready": {"executing", "denied"},
    "executing": {"settled", "released", "in_doubt"},
    "in_doubt": {"executing", "settled", "released"},
    "released": {"settled"},
}
REMARKS = {"late_report", "voted", "viewed", "told", "refused", "taken_up", "in_doubt"}
FINAL = {"denied", "settled", "released"}
BY_DIGEST = {bundle(number).digest: number for number in range(len(VERSIONS))}


class LawBrokenError(AssertionError):
    """What was promised did not hold."""


class Laws:
    """The checks; `committed` after every commit, `sent` and `acted` when something goes out and happens."""

    def __init__(self, observer, books):
        self.asked = {}
        self.ledger = Ledger()
        self.actions = self.ledger.actions
        self.accounts = {}
        self.broken = None
        self.halts = set()
        self.votes = set()
        self.gone = frozenset()
        self.results = {}
        self.position = 0
        self.last_us = 0
        self.kinds = {}
        self._observer = observer
        self._books = books
        self._digests = {}

    def require(self, holds, law, words):
        if not holds:
            self.broken = self.broken or LawBrokenError(f"law {law}: {words}")
            raise self.broken

    def keep(self):
        """Raise what was found while somebody was at work who survives every error, as a guard does its tools'."""
        if self.broken is not None:
            raise self.broken

    # what the log says

    def committed(self):
        """Read what was committed and hold everything against it."""
        touched = {}
        for entry in self._observer.entries(self.position):
            self._apply(entry)
            touched |= self._touched(entry.document)
        self._rows_agree(self._observer.actions())
        self._accounts_agree(touched)

    def _apply(self, entry):
        body, kind = entry.document, entry.kind
        self.require(entry.pos == self.position + 1, 5, f"entry {entry.pos} after {self.position}")
        self.require(entry.ts_us >= self.last_us, 4, f"entry {entry.pos} is older than the one before it")
        self.position, self.last_us = entry.pos, entry.ts_us
        self._seen(kind)
        if body.get("freed"):
            self._seen("freed")
        if kind == "activated":
            canary = body["canary"]
            trial = None if canary is None else BY_DIGEST[canary["bundle"]]
            self._seen("canary" if canary else "promoted" if body["canary_before"] else "for all")
            self.ledger.activate(BY_DIGEST[body["bundle"]], trial, canary["share"] if canary else 0)
        elif kind == "halted":
            self.halts.add(body["target"])
        elif kind == "resumed":
            self.halts.discard(body["target"])
        self._learn_accounts(body)
        if "state" in body:
            self._moved(entry, body)

    def _seen(self, kind):
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def _moved(self, entry, body):
        known = self.actions.get(body["action_id"])
        if known is None:
            known = self.actions[body["action_id"]] = Known(body["action_id"], self.asked[body["key"]])
        before, after = known.state, body["state"]
        if entry.kind == "recorded":
            self._recorded(known, entry, body)
            return
        if entry.kind == "decided":
            self._decided(known, entry, body)
        if entry.kind == "voted":
            self._voted(known, body)
        self.require(body["fence"] >= known.fence, 3, f"{known.id}: its fence went back")
        known.fence = body["fence"]
        if entry.kind in REMARKS and after == before:
            return
        self.require(after in MOVES.get(before, ()), 5, f"{known.id} went from {before} to {after} ({entry.kind})")
        known.state = after
        known.undone &= after == "settled"
        if after in HOLDING and (before not in HOLDING or entry.kind == "decided"):
            self.ledger.hold(known)  # what is decided again holds what counts it then
        elif after == "waiting":
            known.approvals = set()
            # `lead` holds; `boss`, whom it is passed on to, does not.
            if entry.kind != "reopened":
                known.holds = known.fitting if entry.kind == "decided" else {}
        elif after == "settled":
            if before == "released":
                self._seen("late truth")
            if known.undone:
                self._seen("undone in doubt")
            self._settled(known, entry.at)
        elif after in FINAL:
            self.ledger.release(known)

    def _decided(self, known, entry, body):
        asked = known.asked
        version = self.ledger.deciding(asked.customer)
        self.require(BY_DIGEST[body["bundle"]] == version, 7, f"{known.id} was decided under another bundle")
        self._told_as_asked(known, body)
        runs = body["state"] in ("ready", "executing")
        self.require(not runs or not self.halted(asked.action), 2, f"{known.id} was let through while it was halted")
        own = asked.accounts()
        said = body["facts"].get("order.total", {}).get("value")
        total = next((item for item in TOTALS[asked.order_id] if encode(item) == said), None)
        self.require(not runs or total or known.harmless, 9, f"{known.id} was let through without its facts")
        known.fitting = dict(own)
        for key in own:
            if all(limit.account != key[0] for limit in VERSIONS[version]):
                del known.fitting[key]
        for limit in VERSIONS[version]:
            if asked.action not in limit.on:
                continue
            key = next(key for key in own if key[0] == limit.account)
            held, settled = self.ledger.used(key, limit, entry.at, known)
            said = body["usage"][f"shop/{limit.id}"]
            exact = said == {"held": held, "settled": settled}
            self.require(exact, 4, f"`{limit.id}` had {held} held, {settled} settled; decided on {said}")
            most = (total.minor if total else 0) if limit.maxima is None else limit.maxima[key[1]]
            fits = held + settled + own[key] <= most
            if limit.per == "all" or not fits:
                known.fitting.pop(key, None)
            fits = fits or (limit.lifted and self._approved(known))
            self.require(
                not runs or fits, 4, f"{known.id} holds {own[key]} of `{limit.id}`, {held + settled} of {most} used"
            )
        if runs and asked.action in PAYING:
            owner, _ = ORDERS[asked.order_id]
            small = asked.amount.minor * 2 <= total.minor
            self.require(owner == asked.customer, 9, f"{known.id} is about somebody else's order")
            self.require(small or self._approved(known), 7, f"{known.id} is large and nobody approved it who is there")

    def _voted(self, known, body):
        escalation, vote = body["escalation"], body["vote"]
        cast = (escalation, vote["voter"], vote["approve"])
        self.require(cast in self.votes, 7, f"nobody voted {cast}")
        self.require(vote["voter"] not in self.gone, 7, f"{vote['voter']} voted and is gone")
        if body["escalation_state"] == "approved":
            known.approvals = {voter for of, voter, approves in self.votes if of == escalation and approves}
            self.require(self._approved(known), 7, f"{escalation} was approved by {known.approvals}")

    def _approved(self, known):
        """Return whether enough of those who approved it are there: one of the first route, or two of the later one."""
        there = known.approvals - self.gone
        leads, bosses = (len(there & PEOPLE.groups[group]) for group in ("leads", "bosses"))
        return leads >= 1 or bosses >= 2

    def _settled(self, known, at):
        receipt = self._books.receipt(known.deed)
        self.require(receipt or known.harmless, 6, f"{known.id} was settled and never happened")
        self.ledger.settle(known, receipt and receipt.amount, at)

    def _recorded(self, known, entry, body):
        """What was done elsewhere, when it was done; it opens and settles in one entry."""
        self.require(known.asked.elsewhere and known.state == "proposed", 5, f"{known.id} was recorded again")
        self._told_as_asked(known, body)
        happened = datetime.fromisoformat(body["happened_at"])
        known.state, known.fence = "settled", body["fence"]
        self.ledger.record(known, self._books.receipt(known.deed).amount, min(happened, entry.at))

    def _told_as_asked(self, known, body):
        told = {name: encode(value) for name, value in known.asked.arguments.items()}
        self.require(body["arguments"] == told, 3, f"{known.id} is about {body['arguments']}, not about {told}")

    def _learn_accounts(self, body):
        """Remember which digest stands for which account, and that it never stands for another one."""
        said = [*(body.get("limits") or ()), *(body.get("held") or ()), *(body.get("posted") or ())]
        if not isinstance(body.get("limits"), list):
            said = [*(body.get("held") or ()), *(body.get("posted") or ())]
        for item in said:
            if not isinstance(item, dict) or not item.get("account"):
                continue
            name = item["limit"].removeprefix("shop/")
            account = next(limit.account for version in VERSIONS for limit in version if limit.id == name)
            key = next(key for key in self.asked[body["key"]].accounts() if key[0] == account)
            known = self.accounts.setdefault(key, item["account"])
            self.require(known == item["account"], 4, f"{key} is counted on two accounts")
            self.require(self._digests.setdefault(known, key) == key, 4, f"{key} shares an account")

    def _touched(self, body):
        if "action_id" not in body or body["action_id"] not in self.actions:
            return {} if body["kind"] != "activated" else dict(self.accounts)
        asked = self.actions[body["action_id"]].asked
        related = self.actions.get(asked.relates_to)
        keys = [*asked.accounts(), *(related.asked.accounts() if related else ())]
        return {key: self.accounts[key] for key in keys if key in self.accounts}

    # what the tables say

    def _rows_agree(self, rows):
        told = {known.id: (known.state, known.fence) for known in self.actions.values()}
        differing = sorted(set(rows.items()) ^ set(told.items()))
        self.require(not differing, 5, f"rows and entries differ: {differing}")

    def _accounts_agree(self, touched):
        if not touched:
            return
        said = self._observer.accounts(list(touched.values()))
        for key, name in touched.items():
            there, counted = said.get(name, (0, 0)), self.ledger.totals(key)
            self.require(there == counted, 10, f"account {key} says {there}, counted were {counted}")

    # what goes out and happens

    def halted(self, action):
        return bool({"all", f"action:{action}", "agent:agent"} & self.halts)

    def sent(self, action_id, fence):
        """Check that a call may go out now: its intent is on record, under its fence, and nobody stopped it."""
        known = self.actions.get(action_id)
        self.require(known is not None, 2, f"{action_id} was called with no entry that says so")
        intended = known.state == "executing" and (fence is None or known.fence == fence)
        self.require(intended, 2, f"{action_id} was called under fence {fence}: {known.state}, {known.fence}")
        self.require(not self.halted(known.asked.action), 2, f"{action_id} was called while it was halted")

    def acted(self, deed):
        """Check that what happened just now happened once, and is held for."""
        known = self.actions.get(deed.key)
        self.require(known is not None, 2, f"{deed.key} happened with no entry that says so")
        self.require(len(self._books.of(deed.key)) == 1, 3, f"{deed.key} happened twice")
        covered = known.state in ("executing", "in_doubt") and bool(known.holds)
        self.require(covered or known.mistaken, 6, f"{deed.key} happened while it was {known.state}: nothing is held")
        total = ORDERS[deed.order_id][1].minor
        paid = self._books.paid_back(deed.order_id)
        elsewhere = any(asked.elsewhere and asked.order_id == deed.order_id for asked in self.asked.values())
        self.require(paid <= total or elsewhere, 4, f"{paid} of {total} were paid back on {deed.order_id}")

    def answered(self, answer):
        """Check that an answer is true."""
        happened = bool(self._books.of(answer.decision_id))
        known = self.actions.get(answer.decision_id)
        if answer.executed:
            first = self.results.get(answer.decision_id) or answer.result
            self.results[answer.decision_id] = first
            self.require(answer.result in (first, None), 3, f"{answer.decision_id} gave {first}, then {answer.result}")
            harmless = known is not None and known.harmless
            self.require(happened or harmless, 6, f"{answer.decision_id} was said to be done")
        elif answer.status in ("denied", "not_done"):
            self.require(not happened or known.mistaken, 6, f"{answer.decision_id} was said not to be done, and was")

    def heard_late(self, action_id):
        """Check that a late truth was posted, unless another attempt is under way and will tell."""
        known = self.actions[action_id]
        self.require(
            known.state in ("settled", "executing"), 4, f"{action_id} was done, told late, and is {known.state}"
        )

    def told_of_commit(self, answer):
        """Check that nobody hears "not stored" of a commit that went through, though its connection was cut."""
        lost = answer.reason_code == "store" or getattr(answer, "error", "") == "store_unavailable"
        self.require(not lost, 14, f"{answer.decision_id} was committed, and said not to be")

    # at the end

    def at_rest(self):
        """Check that nothing is stuck, and that the accounts say what the provider's books say."""
        for known in self.actions.values():
            approved = known.state == "waiting" and known.approvals  # and nobody came for it
            self.require(known.state in FINAL or approved, 6, f"{known.id} is stuck: {known.state}")
            deeds = self._books.of(known.deed)
            right = (known.state == "settled") == bool(deeds) or (known.mistaken and known.state == "released")
            self.require(right or known.harmless, 6, f"{known.id} is {known.state}: {deeds}")
        self._accounts_agree(self.accounts)

"""Audit entries in words: what happened, why, by which rule of which file, and what it meant for the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from agentguard.core.canary import share_text
from agentguard.core.entry import is_observed
from agentguard.core.narration import announcements, completeness, custody, escalated, interventions, reviewed
from agentguard.core.narration.told import Details, Told, by
from agentguard.core.policy import Bundle, Place
from agentguard.core.prose import amount_text, known_by, moment, plain, span
from agentguard.errors import TamperedError

UNNAMED = "-: unknown"
"""How the fault of an argument stands in an entry that nobody declared: its name is the model's own text."""

REASONS = {
    "rule_matched": "its condition held",
    "no_rule_matched": "no rule matched",
    "limit_exceeded": "the limit would be passed",
    "requirement_missing": "what had to happen first did not",
    "not_confirmed": "the customer has not said yes to exactly this",
    "cannot_evaluate": "it could not be evaluated, and counts against the request",
    "arguments_invalid": "the arguments are not what the action declares",
    "action_unknown": "no policy governs this action",
    "all_abstained": "every policy that governs it abstained",
    "rejected": "a person said no",
    "expired": "nobody decided in time",
    "withdrawn": "it was taken back",
    "amended": "an approver put another action in its place",
    "halted": "a person stopped it",
}
STATES = {"executing": ", sent to the tool", "ready": ", held and not begun", "waiting": ", waits for people"}


class Narrator:
    """Tells entries of one store; it has to see those of an action together, so that accounts have names.

    Args:
        bodies: The entries that are told together.
        bundle: From a digest to the policies in force then; it may raise a `TamperedError`.
        customer: From the pseudonym of a record to how the customer is called here.
    """

    def __init__(
        self,
        bodies: Iterable[Mapping[str, Any]],
        bundle: Callable[[str], Bundle],
        customer: Callable[[str], str],
    ) -> None:
        self._bundle, self._customer = bundle, customer
        self._places_of: dict[str, tuple[Mapping[str, Place], str]] = {}
        self._accounts: dict[str, tuple[str, str]] = {}
        for body in bodies:
            for check in _checks(body):
                if check["account"]:
                    self._accounts[check["account"]] = check["limit"], check["unit"]
        self._tellers: dict[str, Callable[[dict[str, Any]], Told]] = {
            "decided": self._decided,
            "recorded": self._recorded,
            "refused": self._refused,
            "settled": self._settled,
            "released": _released,
            "in_doubt": _in_doubt,
            "sent_again": _sent_again,
            "taken_up": _taken_up,
            "late_report": _late_report,
            "counted": self._counted,
            "undone": _undone,
            "viewed": _viewed,
            "told": _told,
            "confirmed": _confirmed,
            "voted": _voted,
            "passed_on": _passed_on,
            "rejected": _ended,
            "expired": _ended,
            "withdrawn": _ended,
            **interventions.TELLERS,
            **custody.TELLERS,
            **completeness.TELLERS,
            **announcements.TELLERS,
            **escalated.TELLERS,
            **reviewed.TELLERS,
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of entry that there are words for."""
        return tuple(self._tellers)

    def tell(self, body: dict[str, Any]) -> Told:
        """Return one entry in words; a kind that is not known here is told by its name."""
        kind = str(body["kind"])
        if body.get("purged"):
            return Told(f"{kind}: its text was purged, as its time was over; that it was there is proved", "", [])
        teller = self._tellers.get(kind)
        return Told(kind, "", by(body)) if teller is None else teller(body)

    def _decided(self, body: dict[str, Any]) -> Told:
        verdict = body["verdict"]
        words = {"allow": "allowed", "deny": "denied"}.get(verdict, "escalated")
        if body["approved"]:
            words = "escalated, approved by votes"
        observed = is_observed(body)
        details = [
            *self._reasons(body),
            *(("fact", fact_text(name, fact, body["now"])) for name, fact in body["facts"].items()),
            *(("limit", limit_text(check)) for check in body["limits"]),
            *(("requires", f"{name}: {_met(entry)}") for name, entry in body["requirements"].items()),
            *(("vote", vote_text(vote)) for vote in body["votes"]),
            *self._waits(body),
            *([("witness", "one has to see this before the tool is called")] if body.get("witness") else []),
            *([("would be said", body["say"])] if observed and body["say"] else _said(body)),
            *([("enforced", "nothing: the guard only observed")] if observed else []),
            *_shadow(body),
            *_canary(body),
            ("policies", ", ".join(f"{name} version {item['version']}" for name, item in body["policies"].items())),
        ]
        state = STATES.get(body.get("state", ""), "")
        words = f"observed only, it would have been {words}" if observed else words
        return Told(f"{words}{state}", "allow" if body["approved"] else verdict, details)

    def _reasons(self, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
        places, missing = self._places(body.get("bundle", ""))
        for reason in body["reasons"]:
            place = places.get(reason["source"])
            where = f" ({place.file} line {place.line})" if place is not None else ""
            label = "because" if reason["verdict"] == body["verdict"] else "also"
            yield label, f"{reason['source']}{where}: {reason_text(reason)}"
        if missing:
            yield "policies", missing

    def _places(self, bundle: str) -> tuple[Mapping[str, Place], str]:
        if not bundle:
            return {}, ""
        if bundle not in self._places_of:
            try:
                self._places_of[bundle] = places_of(self._bundle(bundle)), ""
            except TamperedError as error:
                self._places_of[bundle] = {}, f"the texts cannot be shown: {error}"
        return self._places_of[bundle]

    def place(self, bundle: str, source: str) -> Place | None:
        """Return where a rule, limit or requirement of a bundle stands; None if that cannot be told."""
        return self._places(bundle)[0].get(source)

    def _waits(self, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
        if body.get("escalation"):
            yield "escalation", body["escalation"]
        for route in body["routes"]:
            yield "route", route_text(route)

    def _refused(self, body: dict[str, Any]) -> Told:
        return Told("refused before any rule was asked", "deny", [*self._reasons(body), *_said(body)])

    def _settled(self, body: dict[str, Any]) -> Told:
        details = by(body)
        if body["external_reference"]:
            details.append(("reference", body["external_reference"]))
        for account, amount in body["settled"].items():
            limit, unit = self._accounts.get(account, (f"account {account}", "#"))
            details.append(("counted", f"{amount_text(int(amount), unit)} on {limit}"))
        details += [*_freed(body), *(("problem", problem) for problem in body["problems"])]
        if body["alarm"] and not body["problems"]:
            details.append(("alarm", "it was done after it had been given up: the amount counts all the same"))
        return Told("done and settled", "settled", details)

    def _recorded(self, body: dict[str, Any]) -> Told:
        happened = f"{moment(body['happened_at'])} UTC"
        details = [("by", f"{body['by_kind']} {body['by']}"), ("told by", body["source"]), ("happened", happened)]
        details += [("reference", body["external_reference"])] if body["external_reference"] else []
        details += [("relates to", body["relates_to"])] if body["relates_to"] else []
        details += [("fact", fact_text(name, fact, body["happened_at"])) for name, fact in body["facts"].items()]
        details += [("limit", standing_text(item)) for item in body["limits"]]
        details += [("not counted", f"{limit}: {why}") for limit, why in body["uncounted"].items()]
        return Told("done elsewhere and recorded: nobody decided it here", "settled", [*details, *_freed(body)])

    def _counted(self, body: dict[str, Any]) -> Told:
        details = [
            (how, f"{amount_text(item['amount'], item['unit'])} on {item['limit']}")
            for how in ("posted", "held")
            for item in body.get(how, ())
        ]
        lost = body.get("uncounted", {})
        details += [("not counted", f"{limit}: {why}") for limit, why in lost.items()]
        if not details:
            title = "what it undid is counted now, and given back"
        elif "uncounted" in body:
            title = "counted by the other version of a canary as well"
        else:
            title = "counted by limits that came into force"
        return Told(title, "", [*details, *_freed(body), ("bundle", body["bundle"])])

    def who(self, body: dict[str, Any]) -> str:
        """Return who acts for whom, the customer masked."""
        actor = body.get("actor")
        if actor is None:
            return "–"
        model = f" ({actor['model']})" if actor["model"] else ""
        return f"{actor['kind']} {actor['id']}{model} for {self._customer(body.get('on_behalf_of') or '')}"


def places_of(bundle: Bundle) -> dict[str, Place]:
    """Return where every rule, limit and requirement of a bundle stands, by qualified id."""
    return {
        policy.qualified(item.id): item.place
        for policy in bundle.policies
        for items in (policy.rules, policy.limits, policy.requires)
        for item in items
    }


def reason_text(reason: Mapping[str, Any]) -> str:
    """Return a recorded reason's own words, or what its code means; what could not be evaluated is named."""
    words = reason["because"] or REASONS.get(reason["code"], reason["code"])
    detail = str(reason["detail"] or "").replace(UNNAMED, "one that it does not declare, whose name is not kept")
    return f"{words} ({detail})" if detail else str(words)


def _checks(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what an entry says of accounts: those of its decision, and those of limits that came later."""
    names = {"decided": ("limits",), "recorded": ("limits",), "counted": ("posted", "held")}
    for name in names.get(body["kind"], ()):
        yield from body.get(name, ())


def limit_text(check: Mapping[str, Any]) -> str:
    """Return a recorded limit check as a sentence."""
    unit = check["unit"]
    used, amount = amount_text(int(check["used"]), unit), amount_text(int(check["amount"]), unit)
    if check["max"] is None:
        return f"{check['limit']}: {used} used, {amount} asked, the max could not be worked out"
    held = f" ({amount_text(int(check['held']), unit)} of it held)" if check["held"] else ""
    verdict = "fits" if check["fits"] else "does not fit"
    return f"{check['limit']}: {used} used{held}, {amount} asked, of {amount_text(int(check['max']), unit)}: {verdict}"


def standing_text(item: Mapping[str, Any]) -> str:
    """Return where a limit stands after something was recorded, as a sentence."""
    unit, after = item["unit"], int(item["after"])
    counted = f"{item['limit']}: {amount_text(int(item['amount']), unit)} counted, {amount_text(after, unit)} used then"
    if item["max"] is None:
        return f"{counted}, the max could not be worked out"
    most = int(item["max"])
    over = f": {amount_text(after - most, unit)} over" if after > most else ""
    return f"{counted}, of {amount_text(most, unit)}{over}"


def _freed(body: Mapping[str, Any]) -> Details:
    return [
        ("given back", f"{amount_text(item['amount'], item['unit'])} on {item['limit']}, of action {item['action_id']}")
        for item in body.get("freed") or ()
    ]


def fact_text(name: str, fact: Mapping[str, Any], now: str) -> str:
    """Return a recorded fact with where it came from, and how old it was if it was older than a second."""
    age = fact_age(fact, now)
    old = f", {span(age)} old" if age >= 1 else ""
    source = f" (from {fact['source']}{old})" if fact["source"] else ""
    return f"{name}: {fact_value(fact)}{source}"


def fact_value(fact: Mapping[str, Any]) -> str:
    """Return what a lookup gave."""
    return {"value": plain(fact.get("value")), "absent": "there is none"}.get(fact["status"], "lookup failed")


def fact_age(fact: Mapping[str, Any], now: str) -> float:
    """Return how many seconds before a moment a fact was read."""
    read_at = fact["read_at"]
    return (datetime.fromisoformat(now) - datetime.fromisoformat(read_at)).total_seconds() if read_at else 0


def route_text(route: Mapping[str, Any]) -> str:
    """Return who decides an escalation, how many of them, and in what time."""
    people = "1 person" if route["people"] == 1 else f"{route['people']} people"
    hours = f" of {route['calendar']}" if route["calendar"] else ""
    late = f"then {route['if_late']}" if route["if_late"] else "then denied"
    return f"{', '.join(route['who'])}: {people} within {span(route['within_seconds'])}{hours}, {late}"


def vote_text(vote: Mapping[str, Any]) -> str:
    """Return a recorded vote in words."""
    word = "yes" if vote["approve"] else "no"
    reason = f" ({vote['reason_code']})" if vote["reason_code"] else ""
    place = f" in the place of {vote['stands_for']}" if vote["stands_for"] else ""
    return f"{vote['voter']}{place} {word}{reason}, known by {known_by(vote['authenticated'])}"


def _met(entry: int | None) -> str:
    return "it did not happen" if entry is None else f"entry {entry}"


def _said(body: Mapping[str, Any]) -> Details:
    return [("to customer", body["say"])] if body.get("say") else []


def _canary(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    canary = body.get("canary")
    if canary is not None:
        whose = "the canary's policies" if body["bundle"] == canary["bundle"] else "the policies in force"
        drawn = "for nobody in particular" if canary["number"] is None else f"number {canary['number']}"
        yield "canary", f"decided by {whose}, {drawn}; the canary has {share_text(canary['share'])} of the customers"


def _shadow(body: Mapping[str, Any]) -> Details:
    shadow = body["shadow"]
    return [] if shadow is None else [("in shadow", f"would be {shadow['verdict']}")]


def _error(body: Mapping[str, Any]) -> Details:
    return [("error", body["error"])] if body.get("error") else []


def _released(body: dict[str, Any]) -> Told:
    return Told("not done: what was held is given back", "", [*_error(body), *by(body)])


def _in_doubt(body: dict[str, Any]) -> Told:
    title = "in doubt: nobody knows whether it was done; what is held stays held"
    return Told(title, "in_doubt", [*_error(body), *by(body)])


def _sent_again(body: dict[str, Any]) -> Told:
    return Told(f"sent to the tool again, attempt {body['attempt']}", "", [])


def _taken_up(body: dict[str, Any]) -> Told:
    return Told(f"taken up: the other system is asked, under fence {body['fence']}", "in_doubt", [])


def _late_report(body: dict[str, Any]) -> Told:
    details = [("outcome", body["outcome"]), *_error(body), *by(body)]
    return Told("a worker reported late; an older attempt cannot change the state", "in_doubt", details)


def _undone(body: dict[str, Any]) -> Told:
    details = [
        ("gives back", f"{_most_text(item)} on {item['limit']}, if it turns out to have been done")
        for item in body["gives_back"]
    ]
    return Told("undone while it was in doubt", "in_doubt", [("by action", body["undone_by"]), *details])


def _most_text(item: Mapping[str, Any]) -> str:
    return "all" if item["most"] is None else amount_text(item["most"], item["unit"])


def _viewed(body: dict[str, Any]) -> Told:
    personal = ", ".join(body["personal"]) or "none"
    details = [
        ("known by", known_by(body["authenticated"])),
        ("escalation", body["escalation"]),
        ("personal", personal),
    ]
    return Told(f"{body['voter']} looked at it", "", details)


def _told(body: dict[str, Any]) -> Told:
    details = [("by", f"{body['by_kind']} {body['by']}")]
    details += [("channel", body["channel"])] if body["channel"] else []
    return Told("the customer was told something about it", "", [*details, ("words", "(personal)")])


def _confirmed(body: dict[str, Any]) -> Told:
    where = [("channel", body["channel"])] if body["channel"] else []
    return Told(f"the customer said yes to {body['action']}", "", [*where, *by(body)])


def _voted(body: dict[str, Any]) -> Told:
    vote = body["vote"]
    details = [
        ("known by", known_by(vote["authenticated"])),
        ("groups", ", ".join(vote["groups"]) or "none"),
        ("escalation", f"{body['escalation']} is {body['escalation_state']}"),
        *(("shown", reason.split(":", 2)[1]) for reason in vote["reasons"]),
        ("personal", f"seen {moment(vote['viewed_at'])} UTC" if vote["viewed_at"] else "not looked at"),
    ]
    more = ("reason", vote["reason_code"]), ("note", body["note"] and "sealed"), ("in place of", vote["stands_for"])
    details += [(name, said) for name, said in more if said]
    word = "approved" if vote["approve"] else "rejected"
    if body["escalation_state"] == "amended":
        word = "amended"
    return Told(f"{vote['voter']} {word} it", word, details)


def _passed_on(body: dict[str, Any]) -> Told:
    details = [("late", body["late"]), ("escalation", body["escalation"])]
    return Told("late: passed on", "waiting", details + [("route", route_text(item)) for item in body["routes"]])


def _ended(body: dict[str, Any]) -> Told:
    details = by(body)
    if body.get("escalation"):
        details.append(("escalation", body["escalation"]))
    return Told(f"denied: {REASONS[body['kind']]}", "deny", details)

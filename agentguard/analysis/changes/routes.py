"""How those who decide escalations differ between two versions of a file: who, how many, and in what time."""

from __future__ import annotations

from collections.abc import Iterator

from agentguard.analysis.changes.difference import Concern, Difference, Effect
from agentguard.analysis.changes.rules import Pair
from agentguard.core.english.parts import late_words, route_words
from agentguard.core.english.values import list_words, within_words
from agentguard.core.policy import Route


def route_differences(pair: Pair) -> Iterator[Difference]:
    """Yield what the routes say otherwise."""
    for name in sorted({*pair.old.routes, *pair.new.routes}):
        old, new = pair.old.routes.get(name), pair.new.routes.get(name)
        if old is None or new is None:
            route = new or old
            assert route is not None  # noqa: S101 - the name is of one of them
            text = f"{'new' if old is None else 'removed'}: {route_words(route)}"
            yield pair.told("route", route, text, Effect.NEITHER, Concern.CARE)
        else:
            for text, effect in _changed(pair, old, new):
                yield pair.told("route", new, text, effect, Concern.CARE)
    yield from _order(pair)


def _changed(pair: Pair, old: Route, new: Route) -> Iterator[tuple[str, Effect]]:
    if set(old.who) != set(new.who):
        wider, narrower = set(old.who) < set(new.who), set(new.who) < set(old.who)
        effect = Effect.LOOSENS if wider else Effect.TIGHTENS if narrower else Effect.EITHER
        yield f"{list_words(new.who, 'or')} may decide, was {list_words(old.who, 'or')}", effect
    if old.people != new.people:
        effect = Effect.TIGHTENS if new.people > old.people else Effect.LOOSENS
        yield f"takes {new.people} of them, was {old.people}", effect
    falls_lower = _falls_lower(pair, old) or _falls_lower(pair, new)
    if old.within != new.within:
        text = f"has {within_words(new.within)}, was {within_words(old.within)}"
        yield text, Effect.EITHER if falls_lower else Effect.NEITHER
    elif falls_lower and _is_counted_otherwise(pair, new):
        yield f"has {within_words(new.within)}, which are other hours now", Effect.EITHER
    if old.if_late != new.if_late:
        text = f"when it is late: {late_words(new)}, was {late_words(old)}"
        effect = Effect.TIGHTENS if new.if_late is None else Effect.LOOSENS if old.if_late is None else Effect.EITHER
        yield text, effect
    if old.hold != new.hold:
        text = f"what waits {'holds' if new.hold else 'no longer holds'} its place in the limits"
        yield text, Effect.TIGHTENS if new.hold else Effect.LOOSENS
    if old.remind != new.remind:
        said = [f"{within_words(item.remind)} before" if item.remind else "not at all" for item in (old, new)]
        yield f"reminds {said[1]}, was {said[0]}", Effect.NEITHER
    if old.reason_codes != new.reason_codes:
        said = [list_words(item.reason_codes, "or") if item.reason_codes else "any" for item in (old, new)]
        yield f"takes as a reason {said[1]}, was {said[0]}", Effect.NEITHER
    if old.may_change != new.may_change:
        said = ["lower amounts" if item.may_change is None else list_words(item.may_change) for item in (old, new)]
        yield f"who decides may change {said[1]}, was {said[0]}", Effect.EITHER


def _is_counted_otherwise(pair: Pair, route: Route) -> bool:
    """Return whether a route's time passes while a calendar is open that is open at other times now."""
    name = route.within.calendar
    if name is None:
        return False
    zones = pair.old.zone_name != pair.new.zone_name
    return zones or pair.old.calendars.get(name) != pair.new.calendars.get(name)


def _falls_lower(pair: Pair, route: Route) -> bool:
    """Return whether a weaker route decides what this one is late with, as either version orders them."""
    late = route.if_late
    versions = (pair.old.routes, pair.new.routes)
    return late is not None and any(
        routes[late].strength < routes[route.id].strength
        for routes in versions
        if late in routes and route.id in routes
    )


def _order(pair: Pair) -> Iterator[Difference]:
    """Yield that the routes which stand in both are in another order: the strongest that is asked for decides."""
    was, now = (
        [name for name in routes if name in pair.old.routes and name in pair.new.routes]
        for routes in (pair.old.routes, pair.new.routes)
    )
    if was != now:
        text = f"routes, weakest first, are {list_words(now)}, was {list_words(was)}"
        yield pair.said("policy", "", text, Effect.EITHER)

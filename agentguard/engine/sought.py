"""Which entries somebody looks for by what stands inside them: action, verdict, rule, limit, person, policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentguard.core.narration.narrator import Narrator
from agentguard.engine import recorded
from agentguard.errors import TamperedError, UsageError

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What an entry has to say; what is None does not narrow.

    Attributes:
        rule: A rule, limit or requirement that decided or matched: `refunds/large`, or `large` in any policy.
        full: A limit that would have been passed, named in the same way.
        by: A person who voted, approved or acted.
        policy: A policy in force, `refunds`, or one version of it, `refunds@14`.
    """

    action: str | None = None
    verdict: str | None = None
    rule: str | None = None
    full: str | None = None
    by: str | None = None
    policy: str | None = None

    def __post_init__(self) -> None:
        if self.verdict is not None and self.verdict not in recorded.VERDICTS:
            expected = ", ".join(recorded.VERDICTS)
            raise UsageError(f"expected a verdict of {expected}, got `{self.verdict!s:.100}`")
        if self.policy is not None and self._version and not self._version.isdecimal():
            raise UsageError(f"expected a policy like `refunds` or `refunds@14`, got `{self.policy:.100}`")

    @property
    def narrows(self) -> bool:
        """Whether entries have to be read to find those that are meant."""
        wanted = (self.action, self.verdict, self.rule, self.full, self.by, self.policy)
        return any(value is not None for value in wanted)

    @property
    def _version(self) -> str:
        return (self.policy or "").partition("@")[2]

    def fits(self, body: Body) -> bool:
        """Return whether an entry is one of those that are meant."""
        return (
            self.action in (None, body.get("action"))
            and self.verdict in (None, body.get("verdict"))
            and (self.rule is None or any(_is(name, self.rule) for name in _deciding(body)))
            and (self.full is None or any(_is(name, self.full) for name in _full(body)))
            and (self.by is None or self.by in _people(body))
            and (self.policy is None or self._has_policy(body))
        )

    def _has_policy(self, body: Body) -> bool:
        named = body.get("policies")
        found = named.get((self.policy or "").partition("@")[0]) if isinstance(named, Mapping) else None
        return isinstance(found, Mapping) and self._version in ("", str(found.get("version")))


def require_kind(kind: str) -> None:
    """Raise if there is no such kind of entry: an empty list would say that nothing of the kind ever happened.

    Raises:
        UsageError: There is none.
    """
    kinds = Narrator((), _no_bundle, str).kinds
    if kind not in kinds:
        raise UsageError(f"expected one of {', '.join(kinds)} as a kind of entry, got `{kind:.100}`, which none is")


def _no_bundle(digest: str) -> Any:
    raise TamperedError(f"expected no policies to be asked for, got `{digest}`")


def _is(name: str, wanted: str) -> bool:
    return name == wanted or ("/" not in wanted and name.rpartition("/")[2] == wanted)


def _deciding(body: Body) -> Iterator[str]:
    """Yield what had a part in a decision."""
    yield from (str(reason.get("source", "")) for reason in body.get("reasons") or ())
    yield from map(str, body.get("matched") or ())


def _full(body: Body) -> Iterator[str]:
    for check in body.get("limits") or ():
        if isinstance(check, Mapping) and check.get("fits") is False:
            yield str(check.get("limit", ""))


def _people(body: Body) -> Iterator[str]:
    """Yield who voted, approved or acted."""
    votes = [body.get("vote"), *(body.get("votes") or ())]
    yield from (str(vote.get("voter")) for vote in votes if isinstance(vote, Mapping))
    yield from (body[name] for name in ("by", "voter") if isinstance(body.get(name), str))
    yield from (str(person) for person in body.get("with") or () if isinstance(person, str))

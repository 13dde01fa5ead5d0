"""`review: 2%, at least 5 a week, by agent`: how much of what a policy decides people look at afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from agentguard.core.policy import Place, Policy
from agentguard.core.reviews import STRATA, WHOLE, Sampling
from agentguard.policyfile import bounds
from agentguard.policyfile.model import PolicyModel
from agentguard.policyfile.node import Scalar, shortened
from agentguard.policyfile.problems import Problems, one_of, suggestion
from agentguard.policyfile.read import read

EXAMPLE = "`2%`, `2%, at least 5 a week` or `0.5%, at least 5 a week, by agent and action`"
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?) *%")
_LEAST = re.compile(r"at least ([0-9]{1,9}) (?:a|per|each|every) (\w+)")
_BY = re.compile(r"by (.+)")
_PERIODS = ("day", "week")


def read_review(model: PolicyModel, problems: Problems) -> Sampling | None:
    """Return what a file asks to be looked at; None where it asks for nothing, or cannot be read."""
    scalar = model.review
    if scalar is None:
        return None
    first, *more = [" ".join(part.split()) for part in scalar.text.split(",")]
    share = _share(first, scalar, problems)
    least: tuple[int, str] | None = None
    by: tuple[str, ...] | None = None
    for part in more:
        if least is None and by is None and (found := _LEAST.fullmatch(part)):
            least = _least(found, scalar, problems)
        elif by is None and (found := _BY.fullmatch(part)):
            by = _by(found[1], scalar, problems)
        else:
            _malformed(scalar, f"got `{shortened(part)}` in it", problems)
            return None
        if least is None and by is None:
            return None
    if share is None or by == ():
        return None
    number, period = least or (0, "week")
    return Sampling(scalar.text, share, number, period, by or ())


def check_review(policy: Policy) -> Iterator[tuple[Place, str, str]]:
    """Yield what is probably not meant."""
    sampling = policy.review
    if sampling is None:
        return
    root = read(policy.text, Problems(policy.file))
    key = root.keys.get("review") if root is not None else None
    place = Place(policy.file, 1, 1) if key is None else key.place
    if sampling.share == 0 and not sampling.least:
        yield place, "review_of_nothing", "`review: 0%` draws nothing: give a share, or say `at least 5 a week`"
    if sampling.share == WHOLE:
        message = "`review: 100%` has a person look at every decision after it was carried out: where a person has to"
        yield place, "review_of_everything", f"{message} decide anyway, write `escalate` and they do it before"


def _share(text: str, scalar: Scalar, problems: Problems) -> int | None:
    found = _SHARE.fullmatch(text)
    share = None if found is None else int(Decimal(found[1]) * 1_000)
    if share is None or share > WHOLE:
        fix = "a share from 0% to 100% with up to three decimals comes first"
        _malformed(scalar, f"got `{shortened(text)}`: {fix}", problems)
        return None
    return share


def _least(found: re.Match[str], scalar: Scalar, problems: Problems) -> tuple[int, str] | None:
    number, period = int(found[1]), found[2]
    if period not in _PERIODS:
        got = f"got `{shortened(period)}`{suggestion(period, _PERIODS)}"
        problems.add(scalar.place, "word_unknown", f"`review`: expected {one_of(_PERIODS)} behind the number, {got}")
        return None
    if not 1 <= number <= bounds.REVIEWS:
        message = f"`review`: expected at least 1 to {bounds.REVIEWS:,} of a kind, got {number:,}"
        problems.add(scalar.place, "number_malformed", message)
        return None
    return number, period


def _by(text: str, scalar: Scalar, problems: Problems) -> tuple[str, ...]:
    names = tuple(text.split(" and "))
    for name in names:
        if name not in STRATA:
            got = f"got `{shortened(name)}`{suggestion(name, STRATA)}"
            message = f"`review`: expected {one_of(STRATA)} behind `by`, joined with `and`, {got}"
            problems.add(scalar.place, "word_unknown", message)
            return ()
    if len(set(names)) < len(names):
        _malformed(scalar, f"got `by {shortened(text)}` with a word twice", problems)
        return ()
    return names


def _malformed(scalar: Scalar, got: str, problems: Problems) -> None:
    problems.add(scalar.place, "review_malformed", f"`review` must be like {EXAMPLE}, {got}")

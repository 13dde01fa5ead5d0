"""A policy file's text to a checked policy, or every problem that it has."""

from __future__ import annotations

import hashlib
import zoneinfo
from collections.abc import Sequence
from datetime import UTC

from agentguard.core.policy import Guarantee, Place, Policy, Then, Verdict
from agentguard.errors import PolicyError, Problem
from agentguard.policyfile.calendars import read_calendars
from agentguard.policyfile.declarations import action_specs, check_names, declare, read_names
from agentguard.policyfile.guarantees import promise_lines, read_guarantees
from agentguard.policyfile.limits import draft_limits, read_limits
from agentguard.policyfile.model import MODES, GuaranteeModel, PolicyModel
from agentguard.policyfile.node import Mapping, Scalar, shortened
from agentguard.policyfile.outline import Outline
from agentguard.policyfile.problems import Problems
from agentguard.policyfile.read import read
from agentguard.policyfile.requirements import read_requirements
from agentguard.policyfile.retention import read_retention
from agentguard.policyfile.reviews import read_review
from agentguard.policyfile.routes import read_contest, read_routes
from agentguard.policyfile.rules import Ids, read_rules, read_witness
from agentguard.policyfile.spelling import currencies, day, identifier, sentence, verdict, whole_number, word, zone
from agentguard.policyfile.structure import checked
from agentguard.policyfile.tables import read_tables
from agentguard.policyfile.torn import mended
from agentguard.policyfile.words import read_say

FORMAT = 1
DENY = Then(Verdict.DENY)  # SPEC P2.8, P2.9: what is left out is the strict thing


def load_text(text: str, file: str) -> Policy:
    """Return the policy that a text says.

    Raises:
        PolicyError: With every problem of the text, each with its line and column.
    """
    problems = Problems(file)
    root = read(text, problems)
    return _loaded(root, text, problems)


def load_node(root: Mapping, text: str, file: str) -> Policy:
    """Return the policy that a tree says which was read from a text, or made from one that was.

    Raises:
        PolicyError: With every problem of the tree, each with its line and column.
    """
    return _loaded(root, text, Problems(file))


def _loaded(root: Mapping | None, text: str, problems: Problems) -> Policy:
    model = _model(root, problems) if root is not None else None
    problems_of_model = bool(problems)
    policy = _built(model, text, problems) if model is not None else None
    problems.raise_if_any()
    if policy is None or problems_of_model:
        raise AssertionError("a file without problems gives a policy")
    return policy


def load_promise(policy: Policy, text: str) -> Guarantee:
    """Return a promise about a file that is not in it, as people write it: `never allow when amount > 50`.

    It is about every action of the file that has what it reads.

    Raises:
        PolicyError: With every problem of the promise.
    """
    problems = Problems("the promise")
    lines = promise_lines(text.strip())
    if lines is None:
        message = (
            "expected a promise like `never allow when amount > 50`, or "
            f"`never_by_splitting 300 sum amount per on_behalf_of in 30 days`, got `{shortened(text)}`"
        )
        problems.add(Place(problems.file, 1, 1), "wrong_shape", message)
        problems.raise_if_any()
        raise AssertionError("a problem was added")
    says_for_itself = any(line.startswith("sum: {") for line in lines)  # for which actions it is
    guarantee, reasons = _promise(policy, lines, [] if says_for_itself else sorted(policy.actions))
    if guarantee is None:
        alone = [(name, made) for name in sorted(policy.actions) if (made := _promise(policy, lines, [name])[0])]
        together = _promise(policy, lines, [name for name, _ in alone])[0] if len(alone) > 1 else None
        guarantee = together or next((made for _, made in alone), None)
    if guarantee is None:
        raise PolicyError(list(reasons))
    return guarantee


def _promise(policy: Policy, lines: Sequence[str], actions: list[str]) -> tuple[Guarantee | None, Sequence[Problem]]:
    problems, quiet = Problems("the promise"), Problems(policy.file)
    on = [f"on: [{', '.join(actions)}]"] if actions else []
    root = read("\n".join(["id: asked", *on, *lines]) + "\n", problems)
    promised = checked(GuaranteeModel, root, problems) if root is not None else None
    model = read_model(policy.text, quiet)
    if promised is None or model is None:
        return None, problems.sorted()
    built = _built(model.model_copy(update={"guarantees": [promised]}), policy.text, problems)
    return next(iter(built.guarantees), None) if not problems else None, problems.sorted()


def read_model(text: str, problems: Problems) -> PolicyModel | None:
    """Return the structure of a text without its wrong parts, or None if there is nothing to look at."""
    root = read(text, problems)
    return None if root is None else _model(root, problems)


def _model(root: Mapping, problems: Problems) -> PolicyModel | None:
    version = root.items.get("agentguard")
    if isinstance(version, Scalar) and version.text != str(FORMAT):
        message = (
            f"expected `agentguard: {FORMAT}`, got `{shortened(version.text)}`: this version reads format {FORMAT}"
        )
        problems.add(version.place, "format_unknown", message)
        return None
    whole = mended(root, problems)
    return checked(PolicyModel, whole, problems) if isinstance(whole, Mapping) else None


def _built(model: PolicyModel, text: str, problems: Problems) -> Policy:
    """Return the policy of a model; where something is wrong it is left out, and the problems say so."""
    name = identifier(model.policy, problems, "the name of a policy") or "unnamed"
    outline = Outline(problems, policy=name, currencies=currencies(model.currency, problems))
    zone_found = zone(model.timezone, problems) if model.timezone is not None else None
    outline.zone = zone_found or UTC
    read_calendars(model, outline, problems)
    read_tables(model, outline, problems)
    declare(model, outline, problems)
    read_names(model, outline, problems)
    read_routes(model, outline, problems)
    drafts = draft_limits(model, outline, problems)
    names = check_names(outline, problems)
    ids = Ids(problems)
    everywhere = outline.scope(outline.actions) if outline.actions else outline.scope(frozenset())
    rules = read_rules(model, outline, ids, problems)
    limits = read_limits(drafts, outline, ids, problems)
    requires = read_requirements(model, outline, ids, problems)
    return Policy(
        name=name,
        version=whole_number(model.version, problems, "`version`") or 1,
        owner=_text(model.owner, problems, "`owner`"),
        description=_text(model.description, problems, "`description`"),
        zone_name=zone_found.key if isinstance(zone_found, zoneinfo.ZoneInfo) else "UTC",
        zone=outline.zone,
        currencies=outline.currencies,
        shadow=model.mode is not None and word(model.mode, problems, "`mode`", MODES) == "shadow",
        otherwise=_verdict(model.otherwise, outline, problems, "`otherwise`", ()),
        on_error=_verdict(model.on_error, outline, problems, "`on_error`", ("allow", "abstain")),
        say_otherwise=read_say(model.say_otherwise, everywhere, problems, "`say_otherwise`"),
        say_on_error=read_say(model.say_on_error, everywhere, problems, "`say_on_error`"),
        records=outline.records,
        actions=action_specs(model, outline, problems),
        facts=outline.facts,
        context=outline.context,
        segments=outline.segments,
        names=names,
        tables=outline.tables,
        calendars=outline.calendars,
        routes=outline.routes,
        rules=rules,
        limits=limits,
        requires=requires,
        guarantees=read_guarantees(model, outline, ids, problems),
        expires=day(model.expires, problems, "`expires`") if model.expires else None,
        review_by=day(model.review_by, problems, "`review_by`") if model.review_by else None,
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        file=problems.file,
        contest=read_contest(model, outline, problems),
        review=read_review(model, problems),
        witness=read_witness(model, outline, problems),
        retention=read_retention(model, outline, problems),
    )


def _text(scalar: Scalar | None, problems: Problems, what: str) -> str:
    return (sentence(scalar, problems, what) or "") if scalar is not None else ""


def _verdict(scalar: Scalar | None, outline: Outline, problems: Problems, what: str, refused: Sequence[str]) -> Then:
    if scalar is None:
        return DENY
    return verdict(scalar, problems, what, routes=outline.routes, refused=refused) or DENY

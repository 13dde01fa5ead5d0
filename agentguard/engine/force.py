"""The bundle in force as this process knows it: policies by digest, and plans made of them once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from agentguard import policyfile
from agentguard.core.beside import Beside, beside
from agentguard.core.canary import InForce
from agentguard.core.plan import Plan, plan_action
from agentguard.core.policy import Bundle, WindowKind
from agentguard.errors import BundleUnreadableError, ConfigurationError, PolicyError
from agentguard.store import Reading

NO_BUNDLE = (
    "no policies are in force in this store; run `agentguard policy activate`, "
    "or pass `activate=True` to `Guard` in development"
)

SHARED_NAMES = frozenset({"agent.id", "agent.kind", "agent.version", "tenant"})
"""Names that say whose actions they are, not what they are about: no lookup asks about them."""


@dataclass(slots=True)
class Force:
    """Bundles that this process has parsed; which of them is in force is a row in the store."""

    bundles: dict[str, Bundle] = field(default_factory=dict)
    plans: dict[tuple[str, str], Plan] = field(default_factory=dict)
    contexts: dict[tuple[str, ...], frozenset[str]] = field(default_factory=dict)
    watching: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    asking: dict[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    remembering: dict[tuple[tuple[str, ...], str], frozenset[str]] = field(default_factory=dict)
    besides: dict[tuple[str, str, str], Beside] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def know(self, bundle: Bundle) -> None:
        """Keep a bundle that was parsed already."""
        with self.lock:
            self.bundles[bundle.digest] = bundle

    def standing(self, reading: Reading) -> InForce:
        """Return what is in force, by digest.

        Raises:
            ConfigurationError: Nothing was ever activated.
        """
        found = reading.in_force()
        if found is None:
            raise ConfigurationError([NO_BUNDLE])
        return found

    def in_force(self, reading: Reading) -> Bundle:
        """Return the bundle in force, which decides for everybody whom no canary has.

        Raises:
            ConfigurationError: None was ever activated.
        """
        return self.bundle(reading, self.standing(reading).bundle)

    def deciding(self, reading: Reading, tenant: str, customer: str) -> Bundle:
        """Return the bundle that decides for a customer.

        Raises:
            ConfigurationError: None was ever activated.
        """
        return self.bundle(reading, self.standing(reading).side(tenant, customer).bundle)

    def every(self, reading: Reading) -> tuple[Bundle, ...]:
        """Return every bundle that decides for somebody: the one in force, and its canary; none before the first."""
        found = reading.in_force()
        return () if found is None else tuple(self.bundle(reading, digest) for digest in found.bundles)

    def beside(self, reading: Reading, plan: Plan) -> Beside | None:
        """Return what the other version of a canary counts of an action beside its plan; None where nothing does."""
        standing = self.standing(reading)
        other = next((digest for digest in standing.bundles if digest != plan.bundle_digest), None)
        if other is None or not plan.files:
            return None
        key = (plan.bundle_digest, other, plan.action)
        found = self.besides.get(key)
        if found is None:
            there = self.plan(self.bundle(reading, other), plan.action)
            found = self.besides[key] = beside(plan, there)
        return found if found.limits else None

    def known_context(self, reading: Reading) -> frozenset[str]:
        """Return the full names of the context that some file declares, of either version where a canary runs.

        A host says the same for every customer, and what their version does not declare is left out.
        """
        digests = self.standing(reading).bundles
        found = self.contexts.get(digests)
        if found is None:
            declared = (policy.context for bundle in self.every(reading) for policy in bundle.policies)
            found = self.contexts[digests] = frozenset(name for context in declared for name in context)
        return found

    def bundle(self, reading: Reading, digest: str) -> Bundle:
        """Return a bundle by its digest, from the texts in the store if this process does not have it yet.

        Raises:
            BundleUnreadableError: The store does not have its texts, they make another bundle, or this version cannot
                read them.
        """
        known = self.bundles.get(digest)
        if known is not None:
            return known
        record = reading.bundle(digest)
        texts = [reading.policy_text(item) for item in record.policies] if record is not None else []
        if record is None or any(text is None for text in texts):
            raise BundleUnreadableError(f"expected the policy texts of bundle `{digest}` in the store, got none")
        try:
            files = [policyfile.load_text(text.text, f"{text.name}.yaml") for text in texts if text]
            bundle = policyfile.bundle_of(files)
        except PolicyError as error:
            raise BundleUnreadableError(f"expected policies that this version reads, got others: {error}") from error
        if bundle.digest != digest:
            words = f"expected the stored policy texts to make bundle `{digest}`, got `{bundle.digest}`"
            raise BundleUnreadableError(words)
        self.know(bundle)
        return bundle

    def watched(self, plan: Plan) -> frozenset[str]:
        """Return the limits on whose accounts a movement makes facts stale.

        A movement on an account that everybody shares, or all actions of one agent, says nothing about the facts of one
        order or customer, unless a rule names its limit in `held()` or `used()`; watching it would make every action
        wait for every other one.
        """
        key = (plan.bundle_digest, plan.action)
        found = self.watching.get(key)
        if found is None:
            found = self.watching[key] = _watched(plan)
        return found

    def asked_later(self, bundle: Bundle) -> Mapping[str, frozenset[str]]:
        """Return what some requirement asks of settled actions: names of values by action."""
        found = self.asking.get(bundle.digest)
        if found is None:
            found = self.asking[bundle.digest] = _asked_later(bundle)
        return found

    def remembered(self, reading: Reading, action: str) -> frozenset[str]:
        """Return the names of values that some requirement in force asks of settled actions of one kind."""
        found = reading.in_force()
        if found is None:
            return frozenset()
        key = (found.bundles, action)
        names = self.remembering.get(key)
        if names is None:
            asked = (self.asked_later(self.bundle(reading, digest)) for digest in found.bundles)
            names = frozenset[str]().union(*(each.get(action, ()) for each in asked))
            self.remembering[key] = names
        return names

    def plan(self, bundle: Bundle, action: str) -> Plan:
        """Return the plan of one action, prepared once for each bundle."""
        found = self.plans.get((bundle.digest, action))
        if found is None:
            found = plan_action(bundle, action)
            if found.files:  # names that nothing governs are a model's to invent, and would fill the memory
                self.plans[(bundle.digest, action)] = found
        return found


def _asked_later(bundle: Bundle) -> Mapping[str, frozenset[str]]:
    asked: dict[str, frozenset[str]] = {}
    for requirement in (item for policy in bundle.policies for item in policy.requires):
        if requirement.action is not None:
            asked[requirement.action] = asked.get(requirement.action, frozenset()).union(requirement.same)
    return asked


def _watched(plan: Plan) -> frozenset[str]:
    limits = [limit for file in plan.files for limit in file.limits]
    own = {
        limit.id
        for limit in limits
        if limit.limit.window.kind is WindowKind.CONVERSATION
        or any(key.reads - SHARED_NAMES for key in limit.limit.per)
    }
    rules = [planned.rule.when for file in plan.files for planned in file.rules]
    named = {name for when in rules if when is not None for name in when.limits}
    return frozenset(own | named)

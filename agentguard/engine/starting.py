"""What is checked before a guard takes its first action."""

from __future__ import annotations

from agentguard.core.policy import Bundle
from agentguard.engine import activation
from agentguard.engine.comparing import require_same, require_some
from agentguard.engine.matching import mismatches
from agentguard.engine.observing import note_start
from agentguard.engine.parts import Parts
from agentguard.errors import ConfigurationError
from agentguard.log import get_logger

log = get_logger("guard")


def prepare(parts: Parts, loaded: Bundle, *, activate: bool, tenant: str) -> None:
    """Bind the database to its keys, and check that what is registered fits the policies in force.

    Args:
        parts: Of the guard that starts.
        loaded: The policies that it loaded.
        activate: Put them into force first.
        tenant: In whose records that is written.

    Raises:
        ConfigurationError: No policies are in force, or something does not fit; every mismatch at once. Or others are,
            and it is said who may change that.
        LogRolledBackError: The log is older than what its witnesses have of it, or another one.
        StoreUnavailableError: The keys file is not the one that this database was made with.
    """
    parts.store.bind(parts.vault.fingerprint)
    require_same(parts)
    if activate:
        activation.activate_at_start(parts, loaded, tenant=tenant)
    parts.store.read(parts.force.standing)
    bundles = parts.store.read(parts.force.every)
    if loaded.digest not in {bundle.digest for bundle in bundles}:
        log.warning("guard.other_bundle", in_force=bundles[0].digest, loaded=loaded.digest)
    problems = dict.fromkeys(problem for bundle in bundles for problem in misfits(parts, bundle))
    if problems:
        raise ConfigurationError(list(problems))
    note_start(parts, tenant)


def misfits(parts: Parts, bundle: Bundle) -> list[str]:
    """Return what is registered and does not fit policies; empty if agents may act under them."""
    plans = {name: parts.force.plan(bundle, name) for name in parts.registry.tools if bundle.governing(name)}
    waiting = [name for name, plan in plans.items() if any(file.witness for file in plan.enforced)]
    return mismatches(parts.registry, bundle, plans) + require_some(parts.witnessing.witnesses, waiting)

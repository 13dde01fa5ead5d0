"""The guard: what an application registers its tools and facts with, and runs its agents' actions through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, Unpack

from agentguard import policyfile
from agentguard.core.entry import Versions
from agentguard.core.people import People
from agentguard.core.policy import Bundle
from agentguard.core.request import Actor
from agentguard.engine import machine
from agentguard.engine.acting import Acting, Whom
from agentguard.engine.answers import Answer
from agentguard.engine.asking import Given, proposed
from agentguard.engine.audit import Audit
from agentguard.engine.changes import Changes
from agentguard.engine.channel import Channel
from agentguard.engine.checking import Checking
from agentguard.engine.considering import Considered, consider
from agentguard.engine.continuing import again
from agentguard.engine.customers import Customers
from agentguard.engine.data_subjects import Privacy
from agentguard.engine.deeds import AboutDeed, Deed, Recorded
from agentguard.engine.directory import directory
from agentguard.engine.drive import adrive, drive
from agentguard.engine.effect import Effect, Retry, Unprotected
from agentguard.engine.escalations import Escalations
from agentguard.engine.force import Force
from agentguard.engine.notices import Notices
from agentguard.engine.operators import Operators
from agentguard.engine.parts import Parts, Waits
from agentguard.engine.recording import Progress, record, record_all
from agentguard.engine.registry import Lookup, Registry, Tool, named, signature_of
from agentguard.engine.reloading import Reloading
from agentguard.engine.retention import Retention
from agentguard.engine.reviews import Reviews
from agentguard.engine.rounds import Rounds, Told
from agentguard.engine.sealing import Sealing
from agentguard.engine.seals import Seals
from agentguard.engine.starting import prepare
from agentguard.engine.walk import walk
from agentguard.engine.witness import Witness
from agentguard.engine.witnessing import Witnessing
from agentguard.evidence.keys import Signer
from agentguard.store import Store, Vault

Function = TypeVar("Function", bound=Callable[..., Any])
Policies = str | Path | Sequence[str | Path] | Bundle
DEFAULT_TIMEOUT = timedelta(seconds=30)


class Guard:
    """Enforces policies on the actions of agents.

    Attributes:
        escalations: What waits for people, and their votes. `audit` is the record, `seals` its signed checkpoints.
        reviews: What was drawn for people to look at afterwards. `canary`: policies that some customers try out.
        check: What became of an action; `pending` finds those of a customer that have not ended.
        work: One round of what is due. `on_ended` has a function told of what ends in it.
        told: What the customer was told. `letter` writes to them, `confirm` and `contest` take down their yes and no.
        halt: Stops; `resume` lets go on, `resolve` ends a doubt, `limits` shows what is left, `activate` puts policies
            into force, `confirm_clock` trusts a clock that jumped, `restored` records that a backup was put back.
        privacy: Looks at what is personal, a customer's copy and their erasure. `retention`: legal holds and the purge.
        reloading: What came of the last change of the policy files, with `reload=True`.

    Args:
        policies: A folder, a file, several of them, or a bundle that is loaded already.
        store: Address of the database (`sqlite:///shop.db`, `sqlite://`, `postgresql://…`), or an open store.
        people: Who may decide and stop: a file (`people.yaml` beside the policies by default), or a function.
        clock: Gives the present and is believed; by default the machine's clock (PostgreSQL's own), which is checked.
        activate: Put the loaded policies into force at the start; else what `agentguard policy activate` did counts.
        tenant: Whose records these are, where a call does not say.
        waits: How long lookups, repeated keys and held actions may take.
        vault: The keys of personal values; by default the keys file beside the database.
        notices: Where people are told what waits for them: a `Webhook`, or other channels.
        signer: Signs the log's checkpoints: a `SigningKeyFile`, or what `AGENTGUARD_SIGNING_KEY` names where None.
        witnesses: Who keeps checkpoints outside of this database.
        reload: Put the files into force whenever they change and are whole; with `activate=True`, for development.
        observe: Enforce nothing yet: everything is decided and recorded, and tools run as if there was no guard.
    """

    def __init__(
        self,
        policies: Policies,
        *,
        store: str | Store = "sqlite:///agentguard.db",
        people: People | str | Path | Callable[[], People] | None = None,
        clock: machine.Clock | None = None,
        activate: bool = False,
        tenant: str = "default",
        waits: Waits | None = None,
        vault: Vault | None = None,
        notices: Sequence[Channel] = (),
        signer: Signer | Sealing | None = None,
        witnesses: Sequence[Witness] = (),
        observe: bool = False,
        reload: bool = False,
    ) -> None:
        self._bundle = policies if isinstance(policies, Bundle) else policyfile.load(policies)
        opened = Store.open(store, clock) if isinstance(store, str) else store
        self.tenant, self._activate = tenant, activate
        self._parts = Parts(
            store=opened,
            vault=vault or Vault.beside(opened.url, machine.random_bytes, monotonic=machine.monotonic),
            clock=clock or opened.clock.present,
            registry=Registry(),
            force=Force(),
            versions=Versions(*machine.library_versions()),
            directory=directory(people, policies),
            waits=waits or Waits(),
            witnessing=Witnessing(witnesses),
            observe=observe,
        )
        self._parts.force.know(self._bundle)
        self._rounds = Rounds(self._parts, Notices(opened, notices, tenant))
        self._starting, self._acting = threading.RLock(), Acting(self.run, self.arun)
        self.seals = Seals(self._parts, tenant, signer)
        self.escalations, self.audit = Escalations(self._parts), Audit(self._parts, self.seals)
        self.reviews, self.privacy = Reviews(self._parts), Privacy(self._parts)
        self.reloading = Reloading(self._parts, policies if reload else None, self._bundle, tenant, activates=activate)
        self.retention = Retention(self._parts, tenant, self.seals, signer)
        customers = Customers(self._parts, tenant, self.start)
        self.confirm, self.contest = customers.confirm, customers.contest
        self.told, self.letter, self.pending = customers.told, customers.letter, customers.pending
        self.check, self.changes = Checking(self._parts).check, Changes(self._parts, tenant, self.audit)
        self.on_ended, self.work = self._rounds.on_ended, self._rounds.once
        operators = Operators(self._parts, self._bundle, tenant, self.start, self.seals)
        self.halt, self.resume, self.resolve = operators.halt, operators.resume, operators.resolve
        self.limits, self.activate, self.confirm_clock = operators.limits, operators.activate, operators.confirm_clock
        self.restored, self.canary = operators.restored, operators.canary

    @property
    def store(self) -> Store:
        """The store behind this guard, for reading."""
        return self._parts.store

    @property
    def people(self) -> People | None:
        """Who may decide and stop now; None where nothing says so."""
        return self._parts.directory.people()

    @property
    def bundle(self) -> Bundle:
        """The policies that this guard loaded; what is in force is a row in the store."""
        return self.reloading.loaded

    @property
    def tools(self) -> Mapping[str, Tool]:
        """The registered tools by action."""
        return dict(self._parts.registry.tools)

    def fact(self, root: str, *, source: str | None = None) -> Callable[[Function], Function]:
        """Register a lookup of the facts under a first name; what it takes is injected by name, as pytest does.

        It may take the action's arguments, `on_behalf_of`, `tenant`, `agent`, `context`, context values by short name,
        and other facts by their first name. It returns a mapping, an object with attributes, a plain value, or None for
        "there is none". What it raises makes its facts `failed`.
        """

        def register(function: Function) -> Function:
            """Register the lookup, and return it as it was."""
            name = source or str(getattr(function, "__qualname__", root))
            self._parts.registry.add_lookup(Lookup(root, function, signature_of(function), name))
            return function

        return named(root, register, '@guard.fact("order")')

    def action(
        self,
        name: str,
        *,
        effect: Effect | None = None,
        timeout: timedelta | None = DEFAULT_TIMEOUT,
        settles: Callable[[Any], Mapping[str, Any]] | None = None,
        reference: Callable[[Any], str] | None = None,
        retry: Retry | None = None,
    ) -> Callable[[Function], Function]:
        """Register the tool of an action.

        The decorated function is a guarded one: called directly, inside `with guard.acting(...)`, it takes the walk and
        returns what the tool returned, or raises `NotAllowedError` with the answer.

        Args:
            name: The action, as policies name it.
            effect: What kind of deed it is; `Unprotected` (at most once, then a person) by default.
            timeout: After it the outcome is unknown. None: no bound, and in the caller's own thread.
            settles: From its result to the real amounts, by argument name.
            reference: From its result to the other system's name for the deed.
            retry: Call again after an error; only where the effect allows it.
        """

        def register(function: Function) -> Function:
            """Register the tool, and return the guarded function."""
            signature = signature_of(function)
            tool = Tool(name, function, signature, effect or Unprotected(), timeout, settles, reference, retry)
            self._parts.registry.add_tool(tool)
            return self._acting.guarded(name, function, signature)

        return named(name, register, '@guard.action("refund.issue")')

    def acting(
        self,
        *,
        agent: str | Actor,
        on_behalf_of: str = "",
        context: Mapping[str, Any] | None = None,
        key: str | None = None,
        tenant: str | None = None,
    ) -> AbstractContextManager[None]:
        """Say who acts for whom in this block, for guarded functions that are called directly."""
        return self._acting.by(Whom(agent, on_behalf_of, context or {}, key, tenant))

    def start(self, *, recover: bool = True) -> None:
        """Freeze registration, check that everything fits the policies in force, and recover what was abandoned.

        Called by itself before the first action. It waits `Waits.recovery` at most for what it recovers.

        Args:
            recover: False to leave what was abandoned, for somebody who calls `recover` next.

        Raises:
            ConfigurationError: No policies are in force, or something does not fit; every mismatch at once.
            StoreUnavailableError: The keys file is not the one that this database was made with.
            LogRolledBackError: The log is older than what witnesses or the key here have of it, or another one.
        """
        if self._parts.registry.frozen:
            self._at_next_chance()
            return
        with self._starting:
            if not self._parts.registry.frozen:
                self.seals.read_key()
                prepare(self._parts, self._bundle, activate=self._activate, tenant=self.tenant)
                self._rounds.begin()
                self.seals.begin()
                self.reloading.begin()
                self._parts.registry.frozen = True
        if recover:
            self._rounds.start()

    def run(
        self,
        action: str,
        arguments: Given,
        *,
        agent: str | Actor,
        on_behalf_of: str = "",
        context: Mapping[str, Any] | None = None,
        key: str | None = None,
        tenant: str | None = None,
        relates_to: str | None = None,
    ) -> Answer:
        """Take one action its whole way and return the answer; a refusal is an answer, not an error.

        Args:
            action: What is asked for.
            arguments: What the model gave, untrusted: a mapping, or raw JSON text.
            agent: Who acts: an id, or an `Actor` with version and model.
            on_behalf_of: The customer acted for.
            context: What the host knows of the situation, by short name (`conversation`, `channel`, …).
            key: Names this one action: the same key never acts twice. Derived from request and conversation if None.
            tenant: Whose records; the guard's own by default.
            relates_to: Id of an earlier action that this one belongs to.

        Raises:
            UsageError: The host called wrongly; `KeyConflictError` where the key was used for another request.
            ConfigurationError: No policies are in force, or no tool is registered for the action.
        """
        proposal = proposed(action, arguments, agent, on_behalf_of, context, key, tenant or self.tenant, relates_to)
        self.start()
        return drive(self._parts, walk(self._parts, proposal))

    async def arun(
        self,
        action: str,
        arguments: Given,
        *,
        agent: str | Actor,
        on_behalf_of: str = "",
        context: Mapping[str, Any] | None = None,
        key: str | None = None,
        tenant: str | None = None,
        relates_to: str | None = None,
    ) -> Answer:
        """Do as `run` does, in an event loop."""
        proposal = proposed(action, arguments, agent, on_behalf_of, context, key, tenant or self.tenant, relates_to)
        await self._astart()
        return await adrive(self._parts, walk(self._parts, proposal))

    def propose(
        self,
        action: str,
        arguments: Given,
        *,
        agent: str | Actor,
        on_behalf_of: str = "",
        context: Mapping[str, Any] | None = None,
        key: str | None = None,
        tenant: str | None = None,
        relates_to: str | None = None,
    ) -> Answer:
        """Do as `run` does, but stop where it is allowed and held: `Ready`, until `execute` or the end of its lease."""
        proposal = proposed(action, arguments, agent, on_behalf_of, context, key, tenant or self.tenant, relates_to)
        self.start()
        return drive(self._parts, walk(self._parts, proposal, begin=False))

    def record(self, action: str, arguments: Given, **about: Unpack[AboutDeed]) -> Recorded:
        """Count in limits and log what a person or another system did, even above a max; no tool is called.

        `by`, `source`, `happened_at` and `key` are needed; `Deed` says what each parameter is.

        Raises:
            KeyConflictError: The source told something else under this key before.
            UsageError: It cannot be understood, or a limit cannot count it; nothing is stored.
        """
        self._begin_recording()
        return record(self._parts, Deed(action=action, arguments=arguments, **about), self.tenant)

    async def arecord(self, action: str, arguments: Given, **about: Unpack[AboutDeed]) -> Recorded:
        """Do as `record` does, in an event loop."""
        return await machine.in_thread(lambda: self.record(action, arguments, **about))

    def record_all(
        self, deeds: Sequence[Deed], *, dry_run: bool = False, progress: Progress | None = None
    ) -> tuple[Recorded, ...]:
        """Record many deeds, after an outage say; the same ones again store only what is missing.

        Raises:
            RecordingError: Some cannot be recorded, all of them with their numbers; nothing is stored.
        """
        self._begin_recording()
        return record_all(self._parts, deeds, self.tenant, dry_run=dry_run, progress=progress)

    def _begin_recording(self) -> None:
        registry = self._parts.registry
        if not registry.frozen and (self._activate or registry.tools):  # who only records needs no tools
            self.start(recover=False)
        self.seals.begin()

    def execute(self, action_id: str) -> Answer:
        """Go on with an action that is ready, or waits and was approved; decided again with the facts of now.

        Raises:
            NotFoundError: No action has this id.
        """
        self.start()
        return drive(self._parts, walk(self._parts, again(self._parts, action_id)))

    async def aexecute(self, action_id: str) -> Answer:
        """Do as `execute` does, in an event loop."""
        await self._astart()
        return await adrive(self._parts, walk(self._parts, again(self._parts, action_id)))

    def decide(
        self,
        action: str,
        arguments: Given,
        *,
        agent: str | Actor,
        on_behalf_of: str = "",
        context: Mapping[str, Any] | None = None,
        tenant: str | None = None,
    ) -> Considered:
        """Return what would be decided now, with everything it rests on; stores nothing, calls no tool."""
        proposal = proposed(action, arguments, agent, on_behalf_of, context, "dry-run", tenant or self.tenant)
        self.start()
        return consider(self._parts, proposal)

    def recover(self, within: timedelta | None = None, told: Told | None = None) -> list[Answer]:
        """Find out what became of actions that were abandoned or whose time is over; returns what they came to.

        Args:
            within: How long to wait; what is not known by then goes on without us. None for to the end.
            told: Called with each answer when it is there.
        """
        return self._rounds.go(within, told)

    def close(self) -> None:
        """Close the database and the keys file; what is being recovered is left to the next one."""
        self._rounds.stop()
        self.reloading.stop()
        self.seals.stop()
        self._parts.store.close()
        self._parts.vault.close()

    def _at_next_chance(self) -> None:
        self._rounds.at_next_chance()
        self.seals.begin()
        self.reloading.begin()

    async def _astart(self) -> None:
        if self._parts.registry.frozen:
            self._at_next_chance()
        else:
            await machine.in_thread(self.start)

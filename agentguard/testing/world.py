"""A world that crashes on demand: an application's guard on a real database, driven one step at a time.

A walk is a generator, so a crash is a walk that nobody drives any further: the database is all that is left of it.
Nothing here draws a number. Whoever drives the world chooses what happens next, so that a history can be told again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from agentguard.core.policy import Bundle
from agentguard.core.request import Actor
from agentguard.engine import recorded
from agentguard.engine.activation import Activation, activate
from agentguard.engine.answers import Answer
from agentguard.engine.asking import Proposal
from agentguard.engine.continuing import again
from agentguard.engine.drive import perform
from agentguard.engine.effect import Outcome
from agentguard.engine.finishing import Finishing, report
from agentguard.engine.guard import Guard
from agentguard.engine.machine import Clock
from agentguard.engine.parts import Parts
from agentguard.engine.recovery import recovering
from agentguard.engine.steps import Abandoned, Call, Commit, Pause, Step, Walk
from agentguard.engine.walk import walk
from agentguard.errors import AgentGuardError, UsageError
from agentguard.store import Transaction
from agentguard.testing.clock import ManualClock
from agentguard.testing.crashing_store import Crash, CrashingStore, Moment, TornError

Build = Callable[[CrashingStore, Clock], Guard]
"""Makes the application's guard on a store, with its lookups and tools, as a process does when it starts."""


class SteppedWalk:
    """One action on its walk, which goes on only when it is told to.

    Attributes:
        step: What it waits for: `Meet`, `Look`, `Gather`, `Commit`, `Call` or `Pause`; None when it is over or lost.
        answer: What it came to.
        error: What it raised instead.
    """

    def __init__(self, parts: Parts, generator: Walk) -> None:
        self.step: Step | None = None
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self._parts = parts
        self._generator = generator
        self._abandoned = False
        self._go_on(lambda: next(generator))

    def advance(self) -> bool:
        """Do the next step for real, and tell whether there is another one; a pause is over at once."""
        if self.step is None:
            raise UsageError("expected a walk with a step to go, got one that is over")
        if self._abandoned and not isinstance(self.step, Commit):
            return self.fail(Abandoned())
        try:
            given = self.step.seconds if isinstance(self.step, Pause) else perform(self._parts, self.step)
        except Exception as error:  # noqa: BLE001 - the walk decides what each failure means
            return self.fail(error)
        return self.give(given)

    def give(self, value: Any) -> bool:
        """Go on with something else than what its step would have given, such as an outcome that its tool never had."""
        return self._go_on(lambda: self._generator.send(value))

    def fail(self, error: BaseException) -> bool:
        """Go on as if its step had failed."""
        return self._go_on(lambda: self._generator.throw(error))

    def crash(self, moment: Moment) -> None:
        """Lose the walk around the commit that it waits for."""
        work = self._committing()
        store = self._parts.store
        if not isinstance(store, CrashingStore):
            raise UsageError(f"expected a guard on the store that the world gave it, got one on {type(store).__name__}")
        store.crash_next(moment, dies=False)
        with suppress(Crash, AgentGuardError):  # nobody is there any more to hear how it went
            store.transact(work)
        store.disarm()
        self.step = None

    def torn(self) -> Callable[[Transaction], Any]:
        """Return the unit of work that it waits to commit, and lose the walk: everything is written, then it fails."""
        work = self._committing()
        self.step = None

        def fails(transaction: Transaction) -> None:
            """Do the work, and fail."""
            work(transaction)
            raise TornError

        return fails

    def abandon(self, *, committed: bool = False) -> None:
        """Do as a driver whose caller has gone: what waits to be committed is taken back, and nothing new is begun.

        The walk may go on to commit how it ends; `advance` as for every other one.

        Args:
            committed: Whether it was too late to take back the commit that it waited for.
        """
        step = self.step
        self._abandoned = True
        if isinstance(step, Commit):
            if committed:
                with suppress(AgentGuardError):
                    perform(self._parts, step)
            step.withdrawn = True
        self.fail(Abandoned())

    def _committing(self) -> Commit:
        if not isinstance(self.step, Commit):
            raise UsageError(f"expected a walk that is about to commit, got one at {type(self.step).__name__}")
        return self.step

    def _go_on(self, resume: Callable[[], Step]) -> bool:
        try:
            self.step = resume()
        except StopIteration as end:
            self.step, self.answer = None, end.value
        except Abandoned:
            self.step = None
        except Exception as error:  # noqa: BLE001 - what `guard.run` would raise is kept for whoever drives
            unheard = self._abandoned and isinstance(error, AgentGuardError)
            self.step, self.error = None, None if unheard else error
        return self.step is not None


class Process:
    """One process of an application: a guard with a store of its own; when it crashes, its walks are gone.

    Attributes:
        name: `p1` for the first one that a world opened.
    """

    def __init__(self, name: str, store: CrashingStore, guard: Guard) -> None:
        self.name = name
        self.store = store
        self.guard = guard

    @property
    def parts(self) -> Parts:
        """What the guard is wired from."""
        return self.guard._parts  # noqa: SLF001 - whoever simulates a guard looks inside it

    @property
    def alive(self) -> bool:
        """Whether it has not crashed."""
        return not self.store.dead

    def walk(
        self,
        action: str,
        arguments: Mapping[str, Any] | str | bytes,
        *,
        agent: str = "agent",
        on_behalf_of: str = "",
        context: Mapping[str, Any] | None = None,
        key: str | None = None,
        relates_to: str | None = None,
        begin: bool = True,
    ) -> SteppedWalk:
        """Begin what `guard.run` does (`guard.propose` with `begin=False`), without taking a step."""
        tenant = self.guard.tenant
        proposal = Proposal(action, arguments, Actor(agent), on_behalf_of, context or {}, key, tenant, relates_to)
        return SteppedWalk(self.parts, walk(self.parts, proposal, begin=begin))

    def execute(self, action_id: str) -> SteppedWalk:
        """Begin what `guard.execute` does, without taking a step."""
        return SteppedWalk(self.parts, walk(self.parts, again(self.parts, action_id)))

    def recovering(self, action_id: str) -> SteppedWalk:
        """Begin to recover one action, as `guard.recover` does for each, without taking a step."""
        record = self.store.read(lambda reading: recorded.found(reading, action_id))
        return SteppedWalk(self.parts, recovering(self.parts, record, patient=False))

    def commit_together(self, walks: Sequence[SteppedWalk], losing: Sequence[SteppedWalk] = ()) -> None:
        """Commit what several walks wait to commit in one batch; the units of some fail in it, and they are lost."""
        lost = [stepped.torn() for stepped in losing]
        waiting = [(stepped, stepped.step) for stepped in walks if isinstance(stepped.step, Commit)]
        units = self.store.together([*lost, *(step for _, step in waiting)])
        for (stepped, _), unit in zip(waiting, units[len(lost) :], strict=True):
            if unit.error is None:
                stepped.give(unit.value)
            else:
                stepped.fail(unit.error)

    def activate(self, bundle: Bundle, *, by: str = "world", why: str = "simulated") -> Activation:
        """Put policies into force that need not be the ones this process has loaded, as somebody elsewhere may."""
        return activate(self.parts, bundle, by=by, why=why, tenant=self.guard.tenant)

    def report_late(self, call: Call, outcome: Outcome) -> Answer:
        """Write down what a tool came to after its walk gave it up, or was lost."""
        told = report(self.parts, call.begun, outcome, why="late")
        return self.store.transact(Finishing(self.parts, call.begun, told))

    def crash(self) -> None:
        """Lose everything but the database."""
        self.store.dead = True
        self.guard.close()


class World:
    """Processes of one application that share a database, and die and start again.

    Attributes:
        address: The database's.
        clock: The present of every process that is not given a clock of its own.
        processes: Those that live.
    """

    def __init__(self, address: str, build: Build, clock: ManualClock | None = None) -> None:
        self.address = address
        self.clock = clock or ManualClock()
        self.processes: list[Process] = []
        self._build = build
        self._opened = 0

    def open(self, clock: Clock | None = None) -> Process:
        """Open a process that has not started its guard yet: `guard.start()` recovers, and may crash like the rest."""
        now = clock or self.clock
        store = CrashingStore.open(self.address, now)
        if not isinstance(store, CrashingStore):
            raise UsageError(f"expected a crashing store, got {type(store).__name__}")
        self._opened += 1
        process = Process(f"p{self._opened}", store, self._build(store, now))
        self.processes.append(process)
        return process

    def start(self, clock: Clock | None = None) -> Process:
        """Start a process: it recovers what was left behind."""
        process = self.open(clock)
        process.guard.start()
        return process

    def crash(self, process: Process | None = None) -> None:
        """Lose one process, or all of them, with every walk that they were on."""
        for lost in [process] if process is not None else list(self.processes):
            lost.crash()
            self.processes.remove(lost)

"""The parts that a check is cut into; each is done on one consistent view of its own, in this process or another."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentguard.store.reading import Reading
from agentguard.store.verification.accounts import check_accounts, check_reversals
from agentguard.store.verification.agreement import check_actions
from agentguard.store.verification.finding import Findings
from agentguard.store.verification.in_force import check_in_force, check_policies, check_votes
from agentguard.store.verification.stated import Seen, Stated, stated_in
from agentguard.store.verification.stretch import Checked, Known, check_stretch
from agentguard.store.verification.trust import Trust


@dataclass(slots=True)
class Done:
    """What a part came to; `stated` and `seen` belong to a stretch of the log, `actions` to rows."""

    checked: Checked = field(default_factory=Checked)
    stated: list[Stated] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    actions: int = 0


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries after a position up to another one, and what was signed about them; `sizes` are stated elsewhere."""

    after: int
    last: int
    trust: Trust
    sizes: tuple[int, ...] = ()

    def do(self, reading: Reading, known: Known) -> Done:
        """Check them."""
        checked = check_stretch(reading, self.after, self.last, self.sizes, known)
        signed = Findings()
        stated, seen = stated_in(reading, max(self.after, 0), self.last, self.trust, signed)
        checked.findings.add(signed.kept, truncated=signed.truncated)
        return Done(checked, stated, seen)


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions after an id up to another one: their rows, and what their entries say."""

    after: str
    last: str

    def do(self, reading: Reading, known: Known) -> Done:  # noqa: ARG002 -- what entries refer to was looked up before
        """Check them."""
        checked = Checked()
        return Done(checked, actions=check_actions(reading, self.after, self.last, checked.findings.report))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The accounts, the votes, the policies and what is in force."""

    def do(self, reading: Reading, known: Known) -> Done:  # noqa: ARG002
        """Check them."""
        checked = Checked()
        report = checked.findings.report
        check_policies(reading, report)
        check_votes(reading, report)
        check_in_force(reading, report)
        check_accounts(reading, report)
        check_reversals(reading, report)
        return Done(checked)


Job = Entries | Actions | Ledger

"""Whether the log still says what it said: every entry, chain and row, the tree, and what was signed about it.

By itself a log shows what somebody changed who did not rewrite everything after it, and with its signed checkpoints
what somebody rewrote who does not have the key. A log that was replaced as a whole by one who has it, or by an older
copy, only shows against a checkpoint that is kept elsewhere.
"""

from agentguard.store.verification.finding import MOST_FINDINGS, Finding
from agentguard.store.verification.result import Kept, Verification
from agentguard.store.verification.whole import verify

__all__ = ["MOST_FINDINGS", "Finding", "Kept", "Verification", "verify"]

"""Shops whose log is sealed by a key in memory and seen by witnesses."""

from datetime import timedelta

from agentguard.engine.parts import Waits
from agentguard.engine.sealing import Sealing
from agentguard.errors import WitnessUnavailableError
from agentguard.evidence.checkpoint import Checkpoint
from agentguard.evidence.keys import SigningKey
from agentguard.evidence.note import read_note
from tests.engine.given import shop

LOG_KEY = SigningKey("shop", bytes(range(32)))

SEALING = Sealing(LOG_KEY, timedelta(milliseconds=100))

LARGE_WAITS = """
agentguard: 1
policy: refunds
version: 1
owner: refunds@acme.example
currency: USD
actions:
  refund.issue:
    order_id: text
    amount: money
    reason: [damaged, late, other]
  identity.verify:
    document: text
context:
  conversation: text
witness: {before_effect: amount > 50, on: [refund.issue]}
rules:
  - {id: all, then: allow}
limits:
  - {id: all-refunds, on: [refund.issue], sum: amount, in: forever, max: 10000, over: deny}
"""


class Away:
    """A witness that cannot be asked until it is told to come."""

    def __init__(self, inner, *, required=False):
        self.inner, self.name, self.required, self.is_here = inner, inner.name, required, False

    def latest(self, origin):
        return self._here().latest(origin)

    def add(self, old_size, proof, note):
        return self._here().add(old_size, proof, note)

    def _here(self):
        if not self.is_here:
            raise WitnessUnavailableError("it is away")
        return self.inner


def witnessed_shop(store, *witnesses, signer=SEALING, wait=3.0, **more):
    waits = Waits(witness=timedelta(seconds=wait), recovery=None, rounds=None)
    return shop(store, signer=signer, witnesses=witnesses, waits=waits, **more)


def size_of(note):
    return Checkpoint.read(read_note(note).text).size

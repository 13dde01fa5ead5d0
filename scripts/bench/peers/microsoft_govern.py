"""Microsoft's agent-governance-toolkit: `govern()` as its README shows it, with its audit log, which is in memory.

The threshold is written `amount.value`, since a plain `amount > 500` matches nothing there. Run without arguments.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agentmesh.governance import govern
from agentmesh.governance.govern import GovernanceDenied
from crew import obey
from loads import one

POLICY = """
apiVersion: governance.toolkit/v1
name: refunds
default_action: deny
rules:
  - {name: small, condition: "amount.value <= 100", action: allow}
  - {name: large, condition: "amount.value > 500", action: deny}
"""


def main() -> None:
    """Have one call denied after the other, whenever told to."""
    logging.disable(logging.CRITICAL)
    governed = govern(lambda **_: "done", policy=POLICY)
    if governed(amount=10, order_id="A-17") != "done":
        raise SystemExit("expected the small refund to run")

    def act() -> None:
        try:
            governed(amount=700, order_id="A-17")
        except GovernanceDenied:
            return
        raise SystemExit("expected the large refund to be denied")

    obey(lambda seconds: one(act, seconds))


if __name__ == "__main__":
    main()

"""What the server of `tests.forked` has done already: each process that it forks finds the command tree built."""

from agentguard.cli import app
from tests.engine import dying
from tests.store import given

app.commands()

__all__ = ["dying", "given"]

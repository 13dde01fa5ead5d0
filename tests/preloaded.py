"""What the server of `tests.forked` has done already: each process that it forks finds the commands built."""

from agentguard.cli import app
from tests.engine import dying
from tests.store import given


def build(group):
    for command in group.commands.values():
        if hasattr(command, "commands"):
            build(command)


build(app.commands())

__all__ = ["dying", "given"]

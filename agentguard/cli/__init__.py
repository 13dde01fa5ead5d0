"""The command line: every command is a thin call to a documented function, and none shows a traceback to a person."""

from agentguard.cli.app import main

__all__ = ["main"]

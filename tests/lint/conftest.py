"""Commands are tried here as they are elsewhere."""

from tests.cli.conftest import command, elsewhere

__all__ = ["command", "elsewhere"]

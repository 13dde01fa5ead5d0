"""The command line: every command is a thin call to a documented function, and none shows a traceback to a person."""

import sys

INTERRUPTED = 130
"""The exit code of what Ctrl-C ended, as shells know it."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from agentguard.cli import app

        app.main()
    except KeyboardInterrupt:  # while it was being loaded
        sys.exit(INTERRUPTED)


__all__ = ["INTERRUPTED", "main"]

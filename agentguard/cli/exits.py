"""Exit codes, and the one place that turns errors into a line for a person.

0  it worked, and there is nothing to report
1  it worked, and found something: problems, failed cases, a broken chain, a refusal
2  the command was used wrongly, or names something that is not there
3  policy or people files do not load
4  the store cannot be used: absent, locked, read-only, of another version
70 a defect of agentguard itself
130 stopped by Ctrl-C
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Final

import typer

from agentguard.cli import INTERRUPTED
from agentguard.errors import (
    AgentGuardError,
    ConfigurationError,
    PeopleUnavailableError,
    PolicyError,
    StoreError,
    UsageError,
)

OK: Final = 0
FOUND: Final = 1
USAGE: Final = 2
POLICY: Final = 3
STORE: Final = 4
DEFECT: Final = 70

TRACEBACK = "AGENTGUARD_TRACEBACK"


def code_of(error: Exception) -> int:
    """Return the exit code of an error."""
    if isinstance(error, PolicyError | PeopleUnavailableError):
        return POLICY
    if isinstance(error, StoreError):
        return STORE
    if isinstance(error, UsageError | ConfigurationError):
        return USAGE
    return FOUND if isinstance(error, AgentGuardError) else DEFECT


def guarded(run: Callable[[], object]) -> int:
    """Run a command line and return its exit code; whatever goes wrong is said in words on standard error."""
    try:
        result = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        result = INTERRUPTED
    except typer.Abort:
        _say("stopped")
        return USAGE
    except typer.TyperException as error:
        _say_usage(error)
        return USAGE
    except AgentGuardError as error:
        _say(str(error))
        return code_of(error)
    except BrokenPipeError:
        return _unread()
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # typer's own way to end
            return _unread()
        raise
    except Exception as error:  # noqa: BLE001 - no traceback reaches a person
        if os.environ.get(TRACEBACK):
            traceback.print_exc()
        hint = f"set {TRACEBACK}=1 to see where"
        _say(f"a defect in agentguard: {type(error).__name__}: {str(error)[:300]} ({hint})")
        return DEFECT
    if result == INTERRUPTED:  # typer's own answer to Ctrl-C, too
        _say("stopped")
    return result if isinstance(result, int) else OK  # what `typer.Exit` was raised with


def _say_usage(error: typer.TyperException) -> None:
    """Say what is wrong with a command line, with its usage where typer knows it."""
    show = getattr(error, "show", None)
    if show is not None:
        show()
    else:
        _say(error.format_message())


def _unread() -> int:
    """Let what is still printed go nowhere; that nobody reads it is no failure."""
    from agentguard.cli.output import nobody_reads

    nobody_reads()
    return OK


def _say(failure: str) -> None:
    from agentguard.cli.output import Output

    Output(sys.stderr).failure(failure)

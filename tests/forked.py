"""Processes that are forked by a server which has the modules loaded already: none costs a second start of Python."""

import multiprocessing
import os
import sys
from pathlib import Path

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["agentguard.cli", "tests.engine.dying"])


def forked(target, *given):
    """Return a process that is about to do this; what it is given must be picklable."""
    return FORKSERVER.Process(target=target, args=given)


def typed(words, folder, environment, output):
    """Do as a person who types a command of ours: in this folder, with this environment; all it prints goes to a file.

    Args:
        words: Without the program's name.
        folder: Where it is typed.
        environment: The whole of it.
        output: The file.
    """
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    printed = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    sys.argv = [str(Path(sys.executable).parent / "agentguard"), *words]
    sys.path[0] = str(Path(sys.executable).parent)
    from agentguard.cli import main

    main()

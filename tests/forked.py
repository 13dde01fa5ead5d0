"""Processes that are forked by a server which has the modules loaded already: none costs a second start of Python."""

import contextlib
import multiprocessing
import os
import sys
import textwrap
from multiprocessing.forkserver import ensure_running
from pathlib import Path

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(["tests.preloaded"])


def forked(target, *given):
    """Return a process that is about to do this where the test is; what it is given must be picklable."""
    with contextlib.chdir(Path(__file__).parent):  # the server outlives the folder of whichever test is the first
        ensure_running()
    return FORKSERVER.Process(target=_there, args=(str(Path.cwd()), dict(os.environ), target, given))


def _there(folder, environment, target, given):
    """Do something in a test's folder and environment: the server has those of whichever test was the first."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    target(*given)


@contextlib.contextmanager
def running(code, *arguments):
    """Let a process run this code, with these as `sys.argv[1:]`; gives it with what it prints."""
    reading, writing = FORKSERVER.Pipe(duplex=False)
    process = forked(_run, textwrap.dedent(code), ["", *map(str, arguments)], writing)
    process.start()
    writing.close()
    with reading, os.fdopen(os.dup(reading.fileno())) as printed:
        yield process, printed
        process.join(60)


def _run(code, arguments, writing):
    os.dup2(writing.fileno(), 1)
    sys.argv = arguments
    exec(compile(code, "<forked>", "exec"), {"__name__": "__main__"})


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

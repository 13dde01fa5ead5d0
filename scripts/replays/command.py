"""Run recorded agents' calls through the guard, without a model, and say whether the policies hold.

FOLDER holds tau/, agentdojo/ and abcd/, files plain or gzipped, any of them missing. Exit code 0: every target holds;
1: one does not; 2: the folder or an option cannot be used.
"""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from scripts.replays.recording import RecordingError
from scripts.replays.report import as_json, show
from scripts.replays.workloads import WORKLOADS


def main(arguments: list[str]) -> int:
    """Replay what the folder holds and print it; return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts/replay", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--workload", action="append", choices=sorted(WORKLOADS), help="only this one; may be repeated")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"expected a folder with tau/, agentdojo/ or abcd/, got `{options.folder}`, which is no folder")
    console, errors = Console(), Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        tasks = {name: bar.add_task(name, total=None, visible=False) for name in WORKLOADS}
        try:
            replayed = [
                WORKLOADS[name](
                    options.folder,
                    lambda name, done, total: bar.update(tasks[name], completed=done, total=total, visible=True),
                )
                for name in options.workload or WORKLOADS
            ]
        except RecordingError as error:
            errors.print(f"scripts/replay: {error}", markup=False, highlight=False, soft_wrap=True)
            return 2
    results = [result for result in replayed if result is not None]
    if not results:
        wanted = ", ".join(options.workload or WORKLOADS)
        parser.error(
            f"expected recorded calls of {wanted} in `{options.folder}`, found none; see `--help` for the layout"
        )
    if options.json:
        print(json.dumps(as_json(results), indent=2))
    else:
        for result in results:
            show(result, console)
    return 0 if all(result.holds for result in results) else 1

"""How a script in Python comes into the project's own environment, whoever runs it with which Python."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("rich", "ruamel", "sqlmodel")


def enter(script: str) -> None:
    """Go on in the project's own environment, made first if it is not there, unless this one has what is needed."""
    if all(importlib.util.find_spec(name) for name in NEEDED):
        return
    made = subprocess.run(["bash", "-c", f'source "{ROOT}/scripts/_environment.sh" >&2'], check=False)
    if made.returncode != 0:
        sys.exit(2)
    python = ROOT / ".venv" / "bin" / "python"
    os.execv(python, [str(python), script, *sys.argv[1:]])

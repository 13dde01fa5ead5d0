"""The policies that come with agentguard: packs of whole desks, and a blank one to begin with."""

from __future__ import annotations

from pathlib import Path

import agentguard
from agentguard.errors import UsageError

TEMPLATES = Path(__file__).parent / "templates"
BLANK = "blank"


def policies_folder() -> Path:
    """Return where the policy packs are: inside an installed package, or beside it in a clone.

    Raises:
        UsageError: They are in neither place.
    """
    inside = Path(agentguard.__file__).parent / "packs"
    beside = Path(agentguard.__file__).parent.parent / "policies"
    for folder in (inside, beside):
        if (folder / "people.yaml").is_file():
            return folder
    raise UsageError(f"expected the policy packs in {inside} or {beside}, found them in neither")


def templates() -> dict[str, Path]:
    """Return the folders to begin with, by name; in each is a policy of that name with its examples."""
    packs = sorted(path for path in policies_folder().iterdir() if (path / f"{path.name}.yaml").is_file())
    return {BLANK: TEMPLATES, **{path.name: path for path in packs}}

"""The project's own files, found without git, so that the tests also run in an unpacked archive."""

import ast
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "agentguard"
NOT_OURS = [
    *(".git", ".venv", ".venv-bench", "__pycache__", "*_cache", ".hypothesis"),
    *("htmlcov", "build", "dist", "*.egg-info", "uv.lock", ".coverage", ".coverage.*"),
    *("*.db", "*.db.keys", "*.db-*", "agentguard-demo"),
]
"""What running the project leaves in its folder; the same as `.gitignore` says."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def files() -> Iterator[Path]:
    """Yield every file that belongs to the project."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if not _left_over(name))
        yield from (Path(folder) / name for name in sorted(names) if not _left_over(name))


def _left_over(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in NOT_OURS)


def modules() -> list[Path]:
    """Return every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def shown(path: Path) -> str:
    """Return a path as a person would name it."""
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a module's syntax tree."""
    return tuple(ast.walk(parsed(path)))

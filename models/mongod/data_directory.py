"""Manages an embedded server's data directory: its layout, lock and state file."""

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from models.mongod.errors import DataDirectoryInUse, EmbeddedServerError

if sys.platform != "win32":  # on Windows, BinaryMissing is raised before any lock is taken
    import fcntl

_PURPOSE_CHARS = 200
_CLAIM_RETRY_SECONDS = 0.5  # find_running() holds the lock for an instant, without being an owner
POLL_SECONDS = 0.05

_Phase = Literal["starting", "ready", "stopping", "stopped"]


@dataclass(frozen=True)
class Layout:
    """The paths in a data directory."""

    root: Path

    @property
    def database(self) -> Path:
        """Mongod's own files."""
        return self.root / "db"

    @property
    def log(self) -> Path:
        """Mongod's log."""
        return self.root / "logs" / "mongod.log"

    @property
    def former_log(self) -> Path:
        """The log before it."""
        return self.root / "logs" / "mongod.log.1"

    @property
    def output(self) -> Path:
        """The output of mongod before it opened its log."""
        return self.root / "logs" / "mongod.out"

    @property
    def lock(self) -> Path:
        """The file that the owner holds locked."""
        return self.root / "server.lock"

    @property
    def state(self) -> Path:
        """The state file: the owner's process id and the server's port."""
        return self.root / "server.json"


@dataclass(frozen=True)
class _State:
    """The content of server.json. A port or process id of 0 is not known yet."""

    phase: _Phase
    owner_pid: int
    purpose: str
    port: int = 0
    mongod_pid: int = 0


class DirectoryLock:
    """Ownership of a data directory: its lock, and the state file that names the owner to other processes."""

    def __init__(self, layout: Layout, purpose: str) -> None:
        self._layout = layout
        self._lock: int | None = _lock_directory(layout)
        former = read_state(layout)
        self.former_port = former.port if former else 0
        self._state = _State("starting", os.getpid(), purpose[:_PURPOSE_CHARS], self.former_port)
        try:
            self.write_state("starting")
        except OSError:
            self.release()
            raise

    def write_state(self, phase: _Phase, *, port: int | None = None, mongod_pid: int | None = None) -> None:
        """Write the state file with the given changes; do nothing after `release`. Raises OSError."""
        if self._lock is None:
            return
        changes: dict[str, Any] = {"port": port, "mongod_pid": mongod_pid}
        given = {name: value for name, value in changes.items() if value is not None}
        self._state = replace(self._state, phase=phase, **given)
        _write_atomically(self._layout.state, json.dumps(asdict(self._state)))

    def release(self) -> None:
        """Release the directory; calling it twice is harmless."""
        if self._lock is None:
            return
        try:
            with contextlib.suppress(OSError):  # only the lock matters: the state file is a hint
                self.write_state("stopped", mongod_pid=0)
        finally:
            os.close(self._lock)
            self._lock = None


# --- the data directory ---


def _lock_directory(layout: Layout) -> int:
    """Return a file descriptor that holds the directory's lock. Raises DataDirectoryInUse or OSError.

    The descriptor is not inherited across exec, so mongod never holds the lock.
    """
    for directory in (layout.root, layout.database, layout.log.parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as undo:
        lock = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
        undo.callback(os.close, lock)
        if not _try_lock(lock, time.monotonic() + _CLAIM_RETRY_SECONDS):
            raise _in_use(layout)
        undo.pop_all()
    return lock


def _try_lock(descriptor: int, deadline: float) -> bool:
    """Take an exclusive lock, waiting until the deadline (of time.monotonic); return whether it succeeded."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        else:
            return True


def is_held(layout: Layout) -> bool:
    """Return whether a process holds the directory's lock."""
    try:
        descriptor = os.open(layout.lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _in_use(layout: Layout) -> DataDirectoryInUse:
    state = read_state(layout)
    if state is None or state.phase == "stopped" or not is_alive(state.owner_pid):
        return DataDirectoryInUse(layout.root, None, "purpose not known yet")
    return DataDirectoryInUse(layout.root, state.owner_pid, state.purpose)


def await_former_mongod(layout: Layout, deadline: float) -> None:
    """Wait until the mongod of a killed parent has shut down.

    mongod holds a flock on mongod.lock, which contains its process id, while it uses the directory. Raises
    DataDirectoryInUse if it still does at the deadline.
    """
    path = layout.database / "mongod.lock"
    if not path.exists():
        return
    with directory_errors(layout), path.open("r+b") as lock:
        if not _try_lock(lock.fileno(), deadline):
            written = lock.read(32).strip()
            pid = int(written) if written.isdigit() else None
            raise DataDirectoryInUse(layout.root, pid, "a mongod that no running Carillon process started")


def read_state(layout: Layout) -> _State | None:
    """Return the content of the state file, or None if it does not exist or is invalid."""
    try:
        state = _State(**json.loads(layout.state.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    kinds: tuple[tuple[object, type], ...] = (
        (state.purpose, str),
        (state.owner_pid, int),
        (state.port, int),
        (state.mongod_pid, int),
    )
    return state if all(isinstance(value, kind) for value, kind in kinds) else None


def _write_atomically(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.write(text)
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def is_alive(pid: int) -> bool:
    """Return whether a process exists."""
    if pid <= 0:  # for os.kill these mean process groups
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:  # it exists, as another user
        return True
    except (OSError, OverflowError):
        return False
    return True


@contextlib.contextmanager
def directory_errors(layout: Layout) -> Iterator[None]:
    """Turn an OSError of the block into an EmbeddedServerError that names the directory."""
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(
            f"The data directory {layout.root} cannot be used: {error}. Fix that, or choose another one."
        ) from error

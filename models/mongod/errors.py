"""The errors of the embedded server. Each message names the cause and the fix."""

# ruff: noqa: N818 - the errors are named after the condition; EmbeddedServerError is their base

from pathlib import Path

ALTERNATIVES = "Set CARILLON_MONGODB_URL to a MongoDB replica set of your own, or start everything with docker compose."


class EmbeddedServerError(Exception):
    """The embedded server failed; the message says why and what to do."""


class DataDirectoryInUse(EmbeddedServerError):
    """Another process runs a server in the directory.

    `data_dir` is the directory, `pid` the process that holds it (None if not known yet), `purpose` what that process
    uses it for.
    """

    def __init__(self, data_dir: Path, pid: int | None, purpose: str) -> None:
        self.data_dir, self.pid, self.purpose = data_dir, pid, purpose
        owner = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"The data directory {data_dir} is in use by {owner} ({purpose}), and only one server can run "
            "there. Stop that process, or choose another data directory."
        )


class BinaryMissing(EmbeddedServerError):
    """No mongod that runs on this platform was found."""


class SharedLibraryMissing(EmbeddedServerError):
    """A shared library that mongod needs is missing; `library` is its file name, such as libcurl.so.4."""

    def __init__(self, binary: Path, library: str) -> None:
        self.library = library
        super().__init__(
            f"{binary} cannot run: the shared library {library} is missing or too old on this system. "
            f"Install the system package that contains it, or do not use the embedded server: {ALTERNATIVES}"
        )


class StartFailed(EmbeddedServerError):
    """mongod did not become writable; `log_path` is its log, `log_tail` the log's last lines."""

    def __init__(self, reason: str, log_path: Path, log_tail: tuple[str, ...]) -> None:
        self.log_path, self.log_tail = log_path, log_tail
        tail = "".join(f"\n  {line}" for line in log_tail) or "\n  (nothing was written)"
        super().__init__(
            f"The embedded MongoDB server did not start: {reason}. Look into its log, {log_path}, and fix "
            f"the cause, or choose another data directory. The log's last lines:{tail}"
        )


class UnexpectedExit(EmbeddedServerError):
    """mongod ended without a call of `stop`; `log_path` is its log."""

    def __init__(self, status: int, log_path: Path) -> None:
        self.log_path = log_path
        how = f"signal {-status}" if status < 0 else f"status {status}"
        super().__init__(
            f"The embedded MongoDB server ended unexpectedly, with {how}. Look into its log, {log_path}. Its directory "
            "has everything that was acknowledged: start again."
        )


class PortTaken(Exception):
    """Another process took the port before mongod could bind it."""

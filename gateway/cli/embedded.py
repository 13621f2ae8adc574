"""The embedded MongoDB of commands that run without CARILLON_MONGODB_URL: the only importer of `models/mongod`."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.console import err, stop
from models.mongod.errors import EmbeddedServerError
from models.mongod.server import EmbeddedServer, attach_or_start, has_database


@contextmanager
def _errors_printed() -> Iterator[None]:
    """End the command with the error's message if the server cannot run or has ended."""
    try:
        yield
    except EmbeddedServerError as error:
        stop(str(error))


@contextmanager
def attached_server(data_dir: Path, *, purpose: str, must_exist: bool) -> Iterator[str]:
    """Yield the URL of the server that runs in a directory; if there is none, start one for the command, and say so.

    With `must_exist`, end the command if the directory has no database: it would find nothing in a new one.
    """
    if must_exist and not has_database(data_dir):
        stop(
            f"There is no database in {data_dir}. Set CARILLON_MONGODB_URL, choose the directory of an embedded server "
            "with --data-dir, or create one with `carillon up` or `carillon programme apply FILE`."
        )
    with _errors_printed(), attach_or_start(data_dir, purpose=purpose) as server:
        if server.owned:
            err.print(f"Started the embedded MongoDB of {data_dir} for this command.", markup=False)
        yield server.url


@contextmanager
def own_server(data_dir: Path, *, fresh: bool) -> Iterator[str]:
    """Yield the URL of a server that this process starts and owns; if the server ends, send this process SIGTERM."""
    with _errors_printed(), EmbeddedServer.start(data_dir, purpose="up", delete_data=fresh) as server:
        threading.Thread(target=_leave_after, args=(server,), name="mongod-watch", daemon=True).start()
        try:
            yield server.url
        finally:
            fall = server.unexpected_exit()
            if fall is not None:
                raise fall


def _leave_after(server: EmbeddedServer) -> None:
    """Wait for mongod to end. If this process did not end it, shut down as on SIGTERM: no request can be answered."""
    server.wait()
    if server.unexpected_exit() is not None:
        os.kill(os.getpid(), signal.SIGTERM)

"""The embedded MongoDB of commands that run without CARILLON_MONGODB_URL: the only importer of `models/mongod`."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.console import stop
from models.mongod.errors import EmbeddedServerError
from models.mongod.server import EmbeddedServer, attach_or_start


@contextmanager
def _errors_printed() -> Iterator[None]:
    """End the command with the error's message if the server cannot run or has ended."""
    try:
        yield
    except EmbeddedServerError as error:
        stop(str(error))


@contextmanager
def attached_server(data_dir: Path, *, purpose: str) -> Iterator[str]:
    """Yield the URL of the server that runs in a directory; start one for the command if there is none."""
    with _errors_printed(), attach_or_start(data_dir, purpose=purpose) as server:
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

"""Serves a Python peer: uvicorn with uvloop and httptools, one process, on a free port that it prints."""

import socket

import uvicorn
from starlette.types import ASGIApp

BACKLOG = 4096


def serve(app: ASGIApp) -> None:
    """Serve until SIGTERM or SIGINT."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(BACKLOG)
        print(f"listening on 127.0.0.1:{sock.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            access_log=False,
            log_level="warning",
        )
        uvicorn.Server(config).run(sockets=[sock])

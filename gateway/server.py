"""The uvicorn server with a graceful shutdown: unready, then closed to new work, then finished, then exited."""

import asyncio
import gc
import signal
import socket
from types import FrameType

import structlog
import uvicorn

from gateway.app import Gateway
from gateway.config import Limits, Settings
from gateway.transports.connection import CHECK_SECONDS, close_overdue, http_protocol
from gateway.transports.frames import websocket_protocol

log = structlog.get_logger(__name__)

WS_PING_SECONDS = 20.0
SOCKET_CLOSE_SECONDS = 0.2
GC_THRESHOLDS = (50_000, 20, 20)


class PortTaken(Exception):  # noqa: N818 - its message is for operators
    """Another program listens on the port."""


class Server(uvicorn.Server):
    """Drains before it stops: /readyz returns 503 for a while, then live connections close, to reconnect elsewhere."""

    def __init__(self, gateway: Gateway, settings: Settings, limits: Limits) -> None:
        super().__init__(
            uvicorn.Config(
                gateway.app,
                loop="uvloop",
                http=http_protocol(limits),
                ws=websocket_protocol(limits),
                # Messages are small: compression would cost memory per socket and gain nothing.
                ws_per_message_deflate=False,
                ws_max_size=limits.body,
                ws_ping_interval=WS_PING_SECONDS,
                ws_ping_timeout=WS_PING_SECONDS,
                lifespan="on",
                access_log=False,
                log_config=None,
                server_header=False,
                # Screens whose device has a wrong clock go by it.
                date_header=True,
                timeout_keep_alive=settings.keep_alive_seconds,
                timeout_graceful_shutdown=settings.stop_seconds,
                # Without a list, uvicorn would believe whatever connects from this machine.
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=settings.trusted_proxies,
            )
        )
        self._gateway = gateway
        self._drain_seconds = settings.drain_seconds
        self._drained: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start to drain on the first SIGTERM; stop at once on the second, or on SIGINT."""
        if self._drained is not None or sig == signal.SIGINT:
            self._leave(sig, frame)
            return
        log.info("draining", seconds=self._drain_seconds)
        self._gateway.connections.draining.set()
        self._drained = asyncio.get_running_loop().create_task(self._stop_later(sig, frame))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and exclude all present objects from garbage collection.

        Repeated full collections took 14 to 30 % of a loaded gateway's time, in pauses of 0.1 s and more, so they are
        rare. The first threshold is above the objects of two groups of events in flight: they are free again before
        anything looks at them. So what is evicted from a cache must be free of circles (docs/decisions/0032-bounds.md).
        """
        await super().startup(sockets)
        self._checking = asyncio.get_running_loop().create_task(self._check_connections())
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)

    async def _check_connections(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            close_overdue(self.server_state.connections, loop.time(), leaving=self.should_exit)

    async def _stop_later(self, sig: int, frame: FrameType | None) -> None:
        # Until the load balancer has seen /readyz return 503, it would send closed connections back here.
        await asyncio.sleep(self._drain_seconds)
        self._gateway.connections.leaving.set()
        # Sockets need a moment to close with our reason: uvicorn closes open ones without a reason.
        await asyncio.sleep(SOCKET_CLOSE_SECONDS)
        self._leave(sig, frame)

    def _leave(self, sig: int, frame: FrameType | None) -> None:
        self._gateway.connections.draining.set()
        self._gateway.connections.leaving.set()
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 picks any free port.

    Raises:
        PortTaken: the address cannot be bound, mostly because another program listens on the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as error:
        sock.close()
        raise PortTaken(f"cannot listen on {host}:{port} ({error.strerror}); choose another with --port") from error
    sock.setblocking(False)
    return sock

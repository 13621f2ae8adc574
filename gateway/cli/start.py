"""Start a gateway: the code that `carillon serve` and `carillon up` share."""

import asyncio
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from types import FrameType

import structlog

from gateway.app import Gateway
from gateway.auth.development_key import KEY_FILE, DevelopmentKey
from gateway.auth.jwks import JwksVerifier
from gateway.auth.verifier import Verifier
from gateway.config import InvalidSettings, Limits, Settings
from gateway.observability import interpreter
from gateway.observability.logs import configure_logs
from gateway.observability.metrics import Metrics
from gateway.operations.compiler_hints import compilable_schema
from gateway.operations.manifest import read_manifest
from gateway.server import Server, listen
from gateway.workers import run_workers
from models.migrations.runner import migrate
from models.mongo.database import connect

log = structlog.get_logger(__name__)


def verifier_of(settings: Settings) -> Verifier:
    """Return the verifier of tokens: the issuer's JWKS if configured, else the data directory's development key.

    Raises:
        InvalidSettings: neither exists.
    """
    if settings.jwks_url is not None:
        return JwksVerifier(
            settings.jwks_url,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            ttl_seconds=settings.jwks_seconds,
        )
    directory = settings.directory()
    if not (directory / KEY_FILE).exists():
        raise InvalidSettings(
            "no token could be verified: set CARILLON_JWKS_URL to the URL of your token issuer's keys; "
            f"or, to try things out, create a development key in {directory} with `carillon up` or `carillon token`"
        )
    log.warning("development_key_in_use", hint="set CARILLON_JWKS_URL in production")
    return DevelopmentKey.load(directory)


def warn_without_pgo(*, optimised: bool) -> None:
    """Log a warning if this interpreter was built without profile-guided optimisation."""
    if not optimised:
        log.warning(
            "interpreter_not_optimised",
            python=interpreter.described(),
            hint="a build with PGO, such as Debian's, Ubuntu's or python.org's, needs 15 to 25 % less CPU: "
            "install one and create the environment again",
        )


async def _check(url: str, settings: Settings) -> None:
    """Raise the reason if MongoDB cannot be used, and convert what earlier releases stored, before listening."""
    database = connect(url, name=settings.database)
    try:
        await database.prepare()
        await migrate(database)
    finally:
        await database.close()


def run(gateway: Gateway, settings: Settings, limits: Limits, sock: socket.socket) -> None:
    """Serve until a signal. uvicorn raises the signal again when it has stopped; `leave` then exits in order."""
    signal.signal(signal.SIGTERM, leave)
    Server(gateway, settings, limits).run(sockets=[sock])


def leave(_signal: int, _frame: FrameType | None) -> None:
    """Handle SIGTERM: exit with status 0, running every `finally`."""
    sys.exit(0)


def serve(url: str, settings: Settings, limits: Limits) -> None:
    """Serve the API until a signal.

    Raises:
        InvalidSettings: no verifier of tokens exists, or a registered operation is invalid.
        PortTaken: another program listens on the port.
        DatabaseUnavailable: MongoDB cannot be reached.
        NotAReplicaSet: the MongoDB server is not a member of a replica set.
        WorkersKeepExiting: several workers are configured, and they keep exiting right after their start.
    """
    verifier_of(settings)
    read_manifest(settings, limits, compilable_schema())
    asyncio.run(_check(url, settings))
    sock = listen(settings.host, settings.port)
    warn_without_pgo(optimised=interpreter.is_optimised())
    log.info("listening", address="{}:{}".format(*sock.getsockname()[:2]), workers=settings.workers)
    if settings.workers > 1:
        run_workers(partial(_work, url, settings, limits), settings.workers, sock)
    else:
        _serve(url, settings, limits, sock, Metrics())


def _work(url: str, settings: Settings, limits: Limits, sock: socket.socket, metrics_dir: Path) -> None:
    """Serve as one of several workers."""
    configure_logs(settings.log_level)
    _serve(url, settings, limits, sock, Metrics(shared_dir=metrics_dir))


def _serve(url: str, settings: Settings, limits: Limits, sock: socket.socket, metrics: Metrics) -> None:
    gateway = Gateway(
        url=url,
        settings=settings,
        limits=limits,
        verifier=verifier_of(settings),
        manifest=read_manifest(settings, limits, compilable_schema()),
        metrics=metrics,
    )
    run(gateway, settings, limits, sock)

"""The ASGI application: wires all parts together, and starts and stops them in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from gateway import health
from gateway.auth.development_key import DevelopmentKey
from gateway.auth.revocation_watch import TokenWatch
from gateway.auth.verifier import CachingVerifier, OwnTokensVerifier, Verifier
from gateway.clock import now
from gateway.config import CLIENTS_DIST, Limits, Settings
from gateway.front import Front, nosniff
from gateway.observability.logs import log_lost_exception
from gateway.observability.metrics import Metrics
from gateway.operations.broadcast import Broadcaster
from gateway.operations.compiler_hints import compilable_schema
from gateway.operations.executor import Executor
from gateway.operations.manifest import Manifest
from gateway.operations.persisted import Operations
from gateway.operations.response_cache import ResponseCache
from gateway.site import development
from gateway.site import static_pages as pages
from gateway.state import CHANNEL_HEADER, Connections, State
from gateway.transports.http import GraphQLHttp
from gateway.transports.sse import GraphQLStream
from gateway.transports.websocket import GraphQLWebSocket
from models.commits.committer import Committer
from models.commits.host_clock import HostClock, local_time_of
from models.live.change_feed import ChangeFeed
from models.live.hub import Hub
from models.mongo.database import Database, connect
from models.mongo.installation_secret import code_secret
from models.programmes.programme_store import Programmes
from models.reads.reader import Reader
from resolvers.core.context import Services
from resolvers.sweeper import run_settlement

CLOCK_SKEW_SECONDS = 30.0
"""The bound of commands that serve no requests; a gateway's is CARILLON_CLOCK_SKEW_SECONDS."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Development:
    """The additions of a development gateway: an issuer of tokens for one programme."""

    key: DevelopmentKey
    programme: str


@asynccontextmanager
async def running_services(
    database: Database,
    limits: Limits,
    metrics: Metrics,
    *,
    live: bool = True,
    clock_skew_seconds: float = CLOCK_SKEW_SECONDS,
) -> AsyncIterator[Services]:
    """Start the services that a process needs to serve or import; at the end, stop the feed first, the committer last.

    With `live` false, the process opens no change feed and settles no members.

    The committer is drained before the connection closes, so that every accepted command gets its answer.
    """
    await database.prepare()
    host_clock = HostClock(
        local_time_of(database), now, skew_max_seconds=clock_skew_seconds, on_skew=metrics.clock_skew.set
    )
    await host_clock.fault()
    hub, programmes = Hub(), Programmes(database)
    await programmes.load()
    feed = ChangeFeed(
        database,
        hub,
        on_programme=programmes.apply_version,
        on_item=programmes.apply_item,
        catch_up=programmes.catch_up,
        on_lag=metrics.feed_lag.observe,
    )
    async with Committer(database, on_group=metrics.on_group, on_write=hub.keep_written) as committer:
        services = Services(
            database,
            committer,
            Reader(database),
            hub,
            feed,
            programmes,
            clock=now,
            code_secret=await code_secret(database),
            bounds=limits.bounds(),
            clock_fault=host_clock.fault,
        )
        tasks = [asyncio.create_task(host_clock.watch(), name="clock")]
        if live:
            tasks.append(asyncio.create_task(feed.run(), name="feed"))
            settlement = run_settlement(services, on_unsettled=metrics.unsettled.set)
            tasks.append(asyncio.create_task(settlement, name="settlement"))
        try:
            yield services
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class Gateway:
    """One gateway process as an ASGI application; setting the events of `connections` drains it."""

    def __init__(
        self,
        *,
        url: str,
        settings: Settings,
        limits: Limits,
        verifier: Verifier,
        manifest: Manifest,
        development: Development | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._url, self._settings, self._limits = url, settings, limits
        self._verifier, self._manifest, self._development = verifier, manifest, development
        self.metrics = metrics or Metrics()
        self.connections = Connections(limits, self.metrics)
        self.app = self._application()

    def _application(self) -> ASGIApp:
        self._front = Front(Starlette(lifespan=self._lifespan))
        if not self._settings.cors_origins:
            return self._front
        shared = CORSMiddleware(
            self._front,
            allow_origins=self._settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=[
                "authorization",
                "content-type",
                "if-none-match",
                "x-request-id",
                "x-graphql-event-stream-token",
                CHANNEL_HEADER,
            ],
            expose_headers=["etag", "x-request-id"],
            max_age=600,
        )
        return nosniff(shared)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        asyncio.get_running_loop().set_exception_handler(log_lost_exception)
        database = connect(self._url, name=self._settings.database)
        try:
            async with running_services(
                database, self._limits, self.metrics, clock_skew_seconds=self._settings.clock_skew_seconds
            ) as services:
                executor = Executor(compilable_schema(), self._limits, self.metrics)
                state = State(
                    settings=self._settings,
                    limits=self._limits,
                    metrics=self.metrics,
                    verifier=OwnTokensVerifier(
                        services, CachingVerifier(self._verifier, seconds=self._settings.tokens_seconds)
                    ),
                    tokens=TokenWatch(services),
                    services=services,
                    executor=executor,
                    operations=Operations(
                        executor, self._manifest, self.metrics, only_registered=self._settings.operations_only
                    ),
                    connections=self.connections,
                    broadcaster=Broadcaster(executor, self.metrics),
                    response_cache=ResponseCache(
                        services.reader, services.programmes, now, bytes_max=self._settings.answers_bytes
                    ),
                )
                http, websocket = GraphQLHttp(state), GraphQLWebSocket(state)
                app.router.routes[:] = [
                    Route("/graphql", http, methods=GraphQLHttp.METHODS),
                    WebSocketRoute("/graphql", websocket),
                    Route("/graphql/stream", GraphQLStream(state).handle, methods=["GET", "POST", "PUT", "DELETE"]),
                    *health.routes(state),
                    *pages.routes(CLIENTS_DIST),
                ]
                if self._development is not None:
                    issuer = self._development
                    app.router.routes += development.routes(state, issuer.key, issuer.programme)
                self._front.serve(http=http, websocket=websocket, routes=app.router.routes)
                log.info("gateway_started", programmes=services.programmes.keys(), operations=len(self._manifest))
                yield
                log.info("gateway_stopping")
        finally:
            await database.close()

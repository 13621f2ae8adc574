"""Live operations as server-sent events: the graphql-sse protocol on /graphql/stream, in both of its modes.

Distinct connections: the response to a GET or POST is a stream of `next` events and one `complete`. Single connection:
PUT reserves a stream and returns its token, GET with the token opens it, POST with the token runs operations on it,
DELETE ends one.
A reservation lives in one process, so the single mode behind several gateways needs sticky routing.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import orjson
import structlog
from graphql import OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from gateway.auth.claims import seconds_left
from gateway.config import OperationLimits
from gateway.observability.logs import request_id
from gateway.operations.broadcast import Failure
from gateway.operations.document_limits import exceeded
from gateway.operations.executor import InvalidOperation, Operation, cancel_all, failure_answer, fault_answer
from gateway.operations.persisted import RequestParameters
from gateway.state import CHANNEL_HEADER, State, address_of
from gateway.transports.http import (
    BadRequest,
    actor_of_request,
    bad_request,
    fault_response,
    limited_body,
    locale_of_request,
    parameters_of,
    parameters_of_query,
    parsed_json,
    respond,
)
from resolvers.core.actor import Actor
from resolvers.core.context import Context
from resolvers.core.operation_error import OperationError, Unauthenticated
from schema.wire.error import reported
from schema.wire.text import DEFAULT_LOCALE

KEEP_ALIVE_SECONDS = 12
RESERVED_SECONDS = 30
QUEUE_MAX = 256
ID_LENGTH_MAX = 200
TOKEN_HEADER = "x-graphql-event-stream-token"  # noqa: S105 - the name of a header
STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}
KEEP_ALIVE = b":\n\n"

T = TypeVar("T")


def _event(name: str, body: bytes = b"") -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + body + b"\n\n"


class _Stream(StreamingResponse):
    """A stream that calls `ended` even if it never starts, because the client may have disconnected before."""

    def __init__(self, events: AsyncGenerator[bytes, None], ended: Callable[[], None]) -> None:
        super().__init__(events, headers=STREAM_HEADERS)
        self._events, self._ended = events, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until they end or the client disconnects."""
        try:
            async with aclosing(self._events):
                await super().__call__(scope, receive, send)
        finally:
            self._ended()


@dataclass(slots=True)
class _Reservation:
    """A stream of the single-connection mode. It counts as a connection from the reservation to its end."""

    actor: Actor | None
    locale: str | None
    connection: ExitStack
    expiry: asyncio.TimerHandle
    opened: bool = False
    events: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    operations: dict[str, asyncio.Task[None]] = field(default_factory=dict)


class GraphQLStream:
    """The endpoint of server-sent events."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._reservations: dict[str, _Reservation] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def handle(self, request: Request) -> Response:
        """Handle one request of either mode."""
        structlog.contextvars.bind_contextvars(request=request_id(request.headers.get("x-request-id")))
        locale = locale_of_request(request)
        try:
            actor = await actor_of_request(request, self._state)
            return await self._respond(request, actor, locale)
        except BadRequest as error:
            return bad_request(error)
        except InvalidOperation as error:
            return respond(error.answer(locale or DEFAULT_LOCALE), 400)
        except OperationError as fault:
            return fault_response(fault, locale)
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - the caller gets an id, the log has the details
            return respond(failure_answer(reported(error), locale or DEFAULT_LOCALE), 500)

    async def _respond(self, request: Request, actor: Actor | None, locale: str | None) -> Response:
        if request.method == "PUT":
            return self._reserve(request, actor, locale)
        token = request.headers.get(TOKEN_HEADER) or request.query_params.get("token")
        if token is None:
            if request.method == "DELETE":
                raise BadRequest(400, f"Send the stream's token in {TOKEN_HEADER}.")
            return self._stream_one(request, await self._parameters(request, actor), actor, locale)
        # Read the body first: the stream may end meanwhile.
        body = await self._body(request, actor) if request.method == "POST" else None
        reservation = self._reservations.get(token)
        if reservation is None or reservation.actor != actor:
            raise BadRequest(404, "Unknown stream. Reserve one with PUT.")
        if request.method == "GET":
            return self._open(token, reservation)
        if request.method == "DELETE":
            return await self._end(request, reservation)
        return self._start(request, body, reservation)

    async def _body(self, request: Request, actor: Actor | None) -> Any:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise BadRequest(415, "Send the body with Content-Type: application/json.")
        return parsed_json(await limited_body(request, self._limits(actor)), "The body")

    async def _parameters(self, request: Request, actor: Actor | None) -> RequestParameters:
        if request.method == "GET":
            return parameters_of_query(request.query_params)
        return parameters_of(await self._body(request, actor))

    def _limits(self, actor: Actor | None) -> OperationLimits:
        return self._state.limits.of_caller(anonymous=actor is None)

    def _count_connection(self, request: Request, actor: Actor | None) -> ExitStack:
        """Count a live connection until the returned stack is closed."""
        connection = ExitStack()
        connection.enter_context(self._state.connections.opened("sse", actor, address_of(request.scope) or ""))
        return connection

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that nothing awaits; hold the reference that keeps its task alive."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _answers(
        self, request: Request, parameters: RequestParameters, actor: Actor | None, locale: str | None
    ) -> AsyncGenerator[bytes, None]:
        """Return the results of an operation as JSON; an invalid operation yields its errors as the only result."""
        try:
            operation = self._state.operations.prepare(parameters, actor)
        except InvalidOperation as error:
            return _once(orjson.dumps(error.answer(locale or DEFAULT_LOCALE)))
        if request.method == "GET" and operation.type is OperationType.MUTATION:
            raise BadRequest(405, "GET runs no mutations. Send it with POST.", allow="POST")
        context = self._state.context(actor, locale, request.headers.get(CHANNEL_HEADER), address_of(request.scope))
        return self._events(operation, context)

    # Distinct connections

    def _stream_one(
        self, request: Request, parameters: RequestParameters, actor: Actor | None, locale: str | None
    ) -> Response:
        answers = self._answers(request, parameters, actor, locale)
        expired = fault_answer(Unauthenticated("token_expired"), locale or DEFAULT_LOCALE)
        last_events = _event("next", orjson.dumps(expired)) + _event("complete")
        return _Stream(
            self._bounded(actor, _framed(answers), last_events), self._count_connection(request, actor).close
        )

    async def _events(self, operation: Operation, context: Context) -> AsyncGenerator[bytes, None]:
        """Yield the results of any operation as JSON; a failure of the gateway is a result too."""
        locale = context.locale or DEFAULT_LOCALE
        try:
            if operation.type is not OperationType.SUBSCRIPTION:
                yield orjson.dumps(await self._state.executor.execute(operation, context, "sse"))
                return
            async with aclosing(self._state.broadcaster.stream(operation, context, "sse")) as stream:
                async for answer in stream:
                    yield answer.payload
        except OperationError as fault:
            yield orjson.dumps(fault_answer(fault, locale))
        except Exception as error:  # noqa: BLE001 - the caller gets an id, the log has the details
            id_ = error.id if isinstance(error, Failure) else reported(error)
            yield orjson.dumps(failure_answer(id_, locale))

    async def _bounded(
        self, actor: Actor | None, events: AsyncGenerator[bytes, None], last_events: bytes = b""
    ) -> AsyncGenerator[bytes, None]:
        """Yield events, and a comment every KEEP_ALIVE_SECONDS without one; stop when the token or the gateway ends.

        `last_events` are sent when the token expires or is revoked.
        """
        leaving = asyncio.create_task(self._state.connections.leaving.wait())
        revoked = asyncio.Event()
        ending = asyncio.create_task(revoked.wait())
        upcoming: asyncio.Task[bytes] | None = None
        watched = ExitStack()
        watched.enter_context(self._state.tokens.watching(actor, revoked.set))
        try:
            yield KEEP_ALIVE
            while not leaving.done():
                left = seconds_left(actor) if actor is not None else KEEP_ALIVE_SECONDS
                if left <= 0 or revoked.is_set():
                    yield last_events
                    return
                if upcoming is None:
                    upcoming = asyncio.ensure_future(anext(events))
                done, _ = await asyncio.wait(
                    {upcoming, leaving, ending},
                    timeout=min(KEEP_ALIVE_SECONDS, left),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if upcoming in done:
                    try:
                        yield upcoming.result()
                    except StopAsyncIteration:
                        return
                    upcoming = None
                elif not done:
                    yield KEEP_ALIVE
        finally:
            watched.close()
            # Not awaited here: when the client disconnects, Starlette cancels whatever this awaits.
            self._in_background(_closed(events, [task for task in (leaving, ending, upcoming) if task is not None]))

    # Single connection

    def _reserve(self, request: Request, actor: Actor | None, locale: str | None) -> Response:
        connection = self._count_connection(request, actor)
        token = secrets.token_urlsafe(24)
        expiry = asyncio.get_running_loop().call_later(RESERVED_SECONDS, self._drop, token)
        self._reservations[token] = _Reservation(actor, locale, connection, expiry)
        return Response(token, 201, {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"})

    def _drop(self, token: str) -> None:
        """Remove a reservation and cancel its operations: its stream has ended, or was never opened."""
        reservation = self._reservations.pop(token)
        reservation.expiry.cancel()
        reservation.connection.close()
        self._in_background(cancel_all([*reservation.operations.values()]))

    def _open(self, token: str, reservation: _Reservation) -> Response:
        if reservation.opened:
            raise BadRequest(409, "The stream is already open.")
        reservation.opened = True
        reservation.expiry.cancel()
        return _Stream(self._bounded(reservation.actor, _queued(reservation.events)), partial(self._drop, token))

    def _start(self, request: Request, body: Any, reservation: _Reservation) -> Response:
        parameters = parameters_of(body)
        id_ = (body.get("extensions") or {}).get("operationId")
        if not isinstance(id_, str) or not 1 <= len(id_) <= ID_LENGTH_MAX:
            raise BadRequest(400, f"extensions.operationId has 1 to {ID_LENGTH_MAX} characters.")
        if id_ in reservation.operations:
            raise BadRequest(409, f"Operation {id_[:100]} is already running.")
        limits = self._limits(reservation.actor)
        if len(reservation.operations) >= limits.operations:
            raise exceeded(limits, "operations")
        answers = self._answers(request, parameters, reservation.actor, reservation.locale)
        reservation.operations[id_] = asyncio.create_task(self._operate(id_, answers, reservation))
        return Response(status_code=202)

    async def _operate(self, id_: str, answers: AsyncGenerator[bytes, None], reservation: _Reservation) -> None:
        head = b'{"id":' + orjson.dumps(id_) + b',"payload":'
        try:
            async with aclosing(answers):
                async for answer in answers:
                    await reservation.events.put(_event("next", head + answer + b"}"))
            await reservation.events.put(_event("complete", orjson.dumps({"id": id_})))
        finally:
            reservation.operations.pop(id_, None)

    async def _end(self, request: Request, reservation: _Reservation) -> Response:
        id_ = request.query_params.get("operationId")
        if not id_:
            raise BadRequest(400, "operationId is missing.")
        task = reservation.operations.pop(id_, None)
        if task is not None:
            await cancel_all([task])
            # A client that does not read its stream needs no `complete` for an operation that it ended itself.
            with suppress(asyncio.QueueFull):
                reservation.events.put_nowait(_event("complete", orjson.dumps({"id": id_})))
        return Response(status_code=200)


async def _closed(events: AsyncGenerator[bytes, None], tasks: Iterable[asyncio.Task[Any]]) -> None:
    await cancel_all(tasks)
    await events.aclose()


async def _once(item: T) -> AsyncGenerator[T, None]:
    yield item


async def _queued(events: asyncio.Queue[bytes]) -> AsyncGenerator[bytes, None]:
    while True:
        yield await events.get()


async def _framed(answers: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(answers):
        async for answer in answers:
            yield _event("next", answer)
    yield _event("complete")

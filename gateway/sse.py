"""Live operations as server-sent events: the graphql-sse protocol on /graphql/stream, in both of its modes.

Distinct connections: a GET or POST is answered by a stream of `next` and one `complete`. Single connection: PUT
reserves a stream and answers its token, GET with the token opens it, POST with the token runs operations on it, DELETE
ends one.
Reservations live in the process that made them, so the single mode behind several gateways needs sticky routing.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import orjson
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.clock import now
from gateway.execution import Answer, GraphQLRequest, InvalidOperation, Operation, fault_answer
from gateway.http import (
    BadRequest,
    actor_of_request,
    bad_request,
    fault_response,
    limited_body,
    locale_of_request,
    parameters_of,
    parameters_of_query,
    parsed_json,
)
from gateway.state import State
from resolvers.actor import Actor
from resolvers.fault import Fault, LimitExceeded, Unauthenticated
from schema.error import reported
from schema.text import DEFAULT_LOCALE, sentence

KEEP_ALIVE_SECONDS = 12
RESERVED_SECONDS = 30
RESERVATIONS_MAX = 10_000
QUEUE_MAX = 256
TOKEN_HEADER = "x-graphql-event-stream-token"  # noqa: S105 - the name of a header
STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}
KEEP_ALIVE = b":\n\n"


def _event(name: str, data: Any = None) -> bytes:
    body = orjson.dumps(data) if data is not None else b""
    return b"event: " + name.encode() + b"\ndata: " + body + b"\n\n"


@dataclass(slots=True)
class _Reservation:
    """A stream of the single-connection mode: reserved, then open, then gone."""

    actor: Actor | None
    locale: str | None
    made_at: float
    opened: bool = False
    events: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(QUEUE_MAX))
    operations: dict[str, asyncio.Task[None]] = field(default_factory=dict)


class GraphQLStream:
    """The endpoint of server-sent events."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._reservations: dict[str, _Reservation] = {}

    async def handle(self, request: Request) -> Response:
        """Answer one request of either mode."""
        locale = locale_of_request(request)
        try:
            actor = await actor_of_request(request, self._state)
            return await self._respond(request, actor, locale)
        except BadRequest as error:
            return bad_request(error)
        except Fault as fault:
            return fault_response(fault, locale)

    async def _respond(self, request: Request, actor: Actor | None, locale: str | None) -> Response:
        if request.method == "PUT":
            return self._reserve(actor, locale)
        token = request.headers.get(TOKEN_HEADER) or request.query_params.get("token")
        if token is None:
            if request.method == "DELETE":
                raise BadRequest(400, f"Send the stream's token in {TOKEN_HEADER}.")
            return self._stream_one(request, await self._parameters(request), actor, locale)
        reservation = self._reservations.get(token)
        if reservation is None or reservation.actor != actor:
            raise BadRequest(404, "There is no such stream; reserve one with PUT.")
        if request.method == "GET":
            return self._open(request, token, reservation)
        if request.method == "DELETE":
            return await self._end(request, reservation)
        return await self._start(request, reservation)

    async def _body(self, request: Request) -> Any:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            raise BadRequest(415, "Send the body with Content-Type: application/json.")
        return parsed_json(await limited_body(request, self._state.limits.body), "The body")

    async def _parameters(self, request: Request) -> GraphQLRequest:
        if request.method == "GET":
            return parameters_of_query(request.query_params)
        return parameters_of(await self._body(request))

    # Distinct connections

    def _stream_one(
        self, request: Request, parameters: GraphQLRequest, actor: Actor | None, locale: str | None
    ) -> Response:
        try:
            operation = self._state.executor.prepare(parameters)
            if request.method == "GET" and operation.type is OperationType.MUTATION:
                raise BadRequest(405, "GET runs no mutations. Send it with POST.", allow="POST")
        except InvalidOperation as error:
            answer = error.answer(locale or DEFAULT_LOCALE)
            return self._streaming(request, actor, _once(_event("next", answer), _event("complete")))
        events = self._events(operation, actor, locale)
        return self._streaming(request, actor, _completed(_framed(events), _event("complete")))

    async def _events(
        self, operation: Operation, actor: Actor | None, locale: str | None
    ) -> AsyncGenerator[Answer, None]:
        """Give the results of any operation; what goes wrong on our side is a result as well."""
        context, executor = self._state.context(actor, locale), self._state.executor
        try:
            if operation.type is not OperationType.SUBSCRIPTION:
                yield await executor.execute(operation, context, "sse")
                return
            async with aclosing(executor.subscribe(operation, context, "sse")) as answers:
                async for answer in answers:
                    yield answer
        except Exception as error:  # noqa: BLE001 - the caller gets an id, the log gets the rest
            failure = reported(error)
            words = sentence("faults", "internal", locale or DEFAULT_LOCALE, {"id": failure})
            yield {"errors": [{"message": words, "extensions": {"code": "INTERNAL", "id": failure}}]}

    def _streaming(self, request: Request, actor: Actor | None, events: AsyncGenerator[bytes, None]) -> Response:
        """Return a response that counts as a live connection, is kept alive, and ends with the token or the drain."""
        address = request.client.host if request.client else ""
        opened = self._state.connections.opened("sse", actor, address)
        opened.__enter__()

        async def body() -> AsyncIterator[bytes]:
            try:
                async with aclosing(self._bounded(actor, events)) as bounded:
                    async for chunk in bounded:
                        yield chunk
            finally:
                opened.__exit__(None, None, None)

        return StreamingResponse(body(), headers=STREAM_HEADERS)

    async def _bounded(self, actor: Actor | None, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Give events, and a comment when there are none for long; stop when the token ends or the gateway drains."""
        draining = asyncio.create_task(self._state.connections.draining.wait())
        upcoming: asyncio.Task[bytes] | None = None
        try:
            yield KEEP_ALIVE
            while not draining.done():
                left = (actor.expires_at - now()).total_seconds() if actor is not None else KEEP_ALIVE_SECONDS
                if left <= 0:
                    fault = Unauthenticated("token_expired")
                    yield _event("next", fault_answer(fault, DEFAULT_LOCALE))
                    yield _event("complete")
                    return
                if upcoming is None:
                    upcoming = asyncio.ensure_future(anext(events))
                done, _ = await asyncio.wait(
                    {upcoming, draining},
                    timeout=min(KEEP_ALIVE_SECONDS, left),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if upcoming in done:
                    try:
                        yield upcoming.result()
                    except StopAsyncIteration:
                        return
                    upcoming = None
                elif not done and left > KEEP_ALIVE_SECONDS:
                    yield KEEP_ALIVE
        finally:
            tasks = [task for task in (draining, upcoming) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await events.aclose()

    # Single connection

    def _reserve(self, actor: Actor | None, locale: str | None) -> Response:
        oldest = monotonic() - RESERVED_SECONDS
        for token in [t for t, r in self._reservations.items() if not r.opened and r.made_at < oldest]:
            del self._reservations[token]
        if len(self._reservations) >= RESERVATIONS_MAX:
            raise LimitExceeded("sockets", most=RESERVATIONS_MAX, setting="CARILLON_LIMIT_SOCKETS")
        token = secrets.token_urlsafe(24)
        self._reservations[token] = _Reservation(actor, locale, monotonic())
        return Response(token, 201, {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"})

    def _open(self, request: Request, token: str, reservation: _Reservation) -> Response:
        if reservation.opened:
            raise BadRequest(409, "The stream is open already.")
        reservation.opened = True

        async def events() -> AsyncGenerator[bytes, None]:
            try:
                while True:
                    yield await reservation.events.get()
            finally:
                self._reservations.pop(token, None)
                tasks = [*reservation.operations.values()]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        return self._streaming(request, reservation.actor, events())

    async def _start(self, request: Request, reservation: _Reservation) -> Response:
        body = await self._body(request)
        parameters = parameters_of(body)
        id_ = (body.get("extensions") or {}).get("operationId")
        if not isinstance(id_, str) or not id_:
            raise BadRequest(400, "extensions.operationId is missing.")
        if id_ in reservation.operations:
            raise BadRequest(409, f"Operation {id_[:100]} runs already.")
        if len(reservation.operations) >= self._state.limits.operations:
            most = self._state.limits.operations
            raise LimitExceeded("operations", most=most, setting="CARILLON_LIMIT_OPERATIONS")
        try:
            operation = self._state.executor.prepare(parameters)
        except InvalidOperation as error:
            answer = error.answer(reservation.locale or DEFAULT_LOCALE)
            await reservation.events.put(_event("next", {"id": id_, "payload": answer}))
            await reservation.events.put(_event("complete", {"id": id_}))
        else:
            reservation.operations[id_] = asyncio.create_task(self._operate(id_, operation, reservation))
        return Response(status_code=202)

    async def _operate(self, id_: str, operation: Operation, reservation: _Reservation) -> None:
        try:
            async with aclosing(self._events(operation, reservation.actor, reservation.locale)) as answers:
                async for answer in answers:
                    await reservation.events.put(_event("next", {"id": id_, "payload": answer}))
            await reservation.events.put(_event("complete", {"id": id_}))
        finally:
            reservation.operations.pop(id_, None)

    async def _end(self, request: Request, reservation: _Reservation) -> Response:
        id_ = request.query_params.get("operationId")
        if not id_:
            raise BadRequest(400, "operationId is missing.")
        task = reservation.operations.pop(id_, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await reservation.events.put(_event("complete", {"id": id_}))
        return Response(status_code=200)


async def _once(*events: bytes) -> AsyncGenerator[bytes, None]:
    for event in events:
        yield event


async def _framed(answers: AsyncGenerator[Answer, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(answers):
        async for answer in answers:
            yield _event("next", answer)


async def _completed(events: AsyncGenerator[bytes, None], last: bytes) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for event in events:
            yield event
    yield last

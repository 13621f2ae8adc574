"""Endpoints for operators: liveness, readiness and metrics."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.state import State


def routes(state: State) -> list[BaseRoute]:
    """Return the routes of /healthz, /readyz and /metrics."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        reasons = []
        if state.connections.draining.is_set():
            reasons.append("draining")
        if not await state.services.database.has_primary():
            reasons.append("MongoDB has no primary")
        if not state.services.feed.is_open.is_set():
            reasons.append("the change feed is not open yet")
        clock_fault = await state.services.clock_fault()
        if clock_fault is not None:
            reasons.append(clock_fault)
        body = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        return JSONResponse(body, 503 if reasons else 200)

    async def metrics(_request: Request) -> Response:
        return Response(state.metrics.text(), media_type=state.metrics.content_type)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]

"""What every answer of the gateway has in common: no redirect to the request's Host, and no guessed content types."""

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.front import Front, nosniff

PATHS = ("/graphql", "/graphql/stream", "/healthz")
SLASHES = ("", "/", "//", "/..//", "/%2f", "/?a=/", "/;/")


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"{scope['method']} {scope['path']}")(scope, receive, send)


def fails(_request: Request) -> PlainTextResponse:
    raise ValueError


@pytest.fixture
def client() -> AsyncClient:
    routed = Starlette(
        routes=[*(Route(path, answer, methods=["GET", "POST"]) for path in PATHS[1:]), Route("/fails", fails)]
    )
    front = Front(routed)
    front.serve(http=answer, websocket=answer, routes=routed.router.routes)
    transport = ASGITransport(nosniff(front), raise_app_exceptions=False)
    return AsyncClient(transport=transport, base_url="http://evil.example")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "HEAD"])
async def test_a_trailing_slash_is_answered_like_the_path_without(client: AsyncClient, path: str, method: str) -> None:
    plain, slashed = await client.request(method, path), await client.request(method, f"{path}/")
    assert (slashed.status_code, slashed.text) == (plain.status_code, plain.text)


@pytest.mark.parametrize("path", [*PATHS, "/fails", "/missing", "/missing/", ""])
@pytest.mark.parametrize("end", SLASHES)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_no_answer_leads_to_the_host_of_the_request(
    client: AsyncClient, path: str, end: str, method: str
) -> None:
    response: Response = await client.request(method, path + end)
    assert "evil.example" not in response.headers.get("location", "")
    assert response.headers.get_list("x-content-type-options") == ["nosniff"]

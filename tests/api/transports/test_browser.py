"""A browser that opens the endpoint gets the playground; API clients get the answers of the protocol."""

import pytest
from support.servers.gateway import GatewayProcess

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize("accept", ["text/html", CHROME, "application/xhtml+xml, text/html;q=0.9, */*;q=0.1"])
@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
async def test_browser_is_sent_to_the_playground(development_gateway: GatewayProcess, path: str, accept: str) -> None:
    async with development_gateway.client(None, accept=accept) as client:
        for answer in (await client.get(path), await client.head(path)):
            assert (answer.status_code, answer.headers["location"]) == (307, "/playground/")
            assert answer.headers["cache-control"] == "no-store"
            assert "accept" in answer.headers["vary"]
        assert (await client.get(answer.headers["location"])).headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "query", "status"),
    [
        ("*/*", {}, 400),
        ("application/json", {}, 400),
        ("application/graphql-response+json", {}, 400),
        ("application/json, text/html;q=0.5", {}, 400),
        ("text/html;q=0, */*", {}, 400),
        ("image/png", {}, 406),
        ("text/html", {"query": "{ __typename }"}, 406),
        (CHROME, {"query": "{ __typename }"}, 200),
        (CHROME, {"variables": "{}"}, 400),
    ],
)
async def test_api_client_is_answered_by_the_protocol(
    development_gateway: GatewayProcess, accept: str, query: dict[str, str], status: int
) -> None:
    async with development_gateway.client(None, accept=accept) as client:
        answer = await client.get("/graphql", params=query)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(("application/json", "application/graphql-response+json"))


async def test_post_of_a_browser_stays_in_the_protocol(development_gateway: GatewayProcess) -> None:
    async with development_gateway.client(None, accept="text/html") as client:
        assert (await client.post("/graphql", json={})).status_code == 406

"""The playground's examples: each runs unchanged for its role."""

import json
from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import ADJUST, ApiMember, data, enrol
from support.servers.gateway import GatewayProcess, next_message

SUBSCRIPTIONS = {"My status, live", "My news, live", "Follow that text, live"}


async def session(gateway: GatewayProcess) -> dict[str, Any]:
    """Return the examples of the playground."""
    async with gateway.client() as client:
        found: dict[str, Any] = (await client.get("/dev/session")).json()
        return found


async def token_for(gateway: GatewayProcess, role: str, number: str) -> str:
    """Return a token from the development issuer, as the playground does."""
    async with gateway.client() as client:
        member = number if role == "member" else None
        answer = await client.post("/dev/token", json={"role": role, "member": member})
        return str(answer.json()["token"])


async def shown_first(gateway: GatewayProcess) -> ApiMember:
    """Return a member with more available points than any other, so the examples use it."""
    api_member = await enrol(gateway)
    given = {"key": uuid4().hex, "member": api_member.by, "points": 2**29, "reason": "To be shown first"}
    payload = data(await gateway.ask(gateway.token("agent"), ADJUST, input=given))["adjustPoints"]
    assert payload["userErrors"] == []
    return api_member


async def test_every_example_runs_unchanged(development_gateway: GatewayProcess) -> None:
    gateway = development_gateway
    number = (await shown_first(gateway)).number
    started = await session(gateway)
    assert started["members"][0]["number"] == number
    titles = [example["title"] for example in started["examples"]]
    assert len(set(titles)) == len(titles)
    assert {*titles} >= SUBSCRIPTIONS
    for example in started["examples"]:
        if example["title"] in SUBSCRIPTIONS:
            continue
        token = await token_for(gateway, example["role"], number)
        answer = data(await gateway.ask(token, example["query"], **example["variables"]))
        for found in answer.values():
            assert found is not None, example["title"]
            assert found.get("userErrors", []) == [], example["title"]


@pytest.mark.parametrize("title", sorted(SUBSCRIPTIONS))
async def test_every_live_example_sends_a_first_result(development_gateway: GatewayProcess, title: str) -> None:
    gateway = development_gateway
    started = await session(gateway)
    [example] = [example for example in started["examples"] if example["title"] == title]
    token = await token_for(gateway, example["role"], started["members"][0]["number"])
    async with gateway.socket(token) as socket:
        payload = {"query": example["query"], "variables": example["variables"]}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        message = await next_message(socket)
    assert message["type"] == "next"
    assert len(data(message["payload"])) == 1

"""The playground's examples: every operation has one, and each runs for its role."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from graphql import OperationDefinitionNode, parse, validate
from support.clients.api import ADJUST, ApiMember, data, enrol
from support.servers.gateway import GatewayProcess, next_message

from gateway.site import example_documents as documents
from gateway.site.examples import examples
from schema.build import executable_schema

WITHOUT_ARGUMENTS = "The uses of my pass, live"
SUBSCRIPTIONS = {"My status, live", "My news, live", "Follow that text, live", WITHOUT_ARGUMENTS}


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


class Run:
    """Runs examples as their reader does: each with the values of the earlier results that it needs."""

    def __init__(self, gateway: GatewayProcess, number: str, found: list[dict[str, Any]]) -> None:
        self._gateway, self._number = gateway, number
        self._examples = {example["title"]: example for example in found}
        self._results: dict[str, dict[str, Any]] = {}

    async def result(self, title: str) -> dict[str, Any]:
        """Return an example's data; run it, and those that it needs, unless it has run."""
        if title not in self._results:
            self._results[title] = await self._run(self._examples[title])
        return self._results[title]

    async def _run(self, example: dict[str, Any]) -> dict[str, Any]:
        variables, token = copy.deepcopy(example["variables"]), None
        for need in example["needs"]:
            value: Any = await self.result(need["title"])
            for name in need["result"]:
                value = value[name]
            if need["into"]:
                *above, last = need["into"]
                place = variables
                for name in above:
                    place = place[name]
                assert last in place
                place[last] = value
            else:
                token = value
        if example["title"] == "Confirm with the digits of the pass":
            variables["input"]["digits"] = await self._digits()
        token = token or await token_for(self._gateway, example["role"], self._number)
        return data(await self._gateway.ask(token, example["query"], **variables))

    async def _digits(self) -> str:
        """Return the digits of the pass of the shopper whom the tablet greets."""
        number = (await self.result("Enrol somebody"))["enrol"]["member"]["number"]
        token = await token_for(self._gateway, "member", number)
        return str(data(await self._gateway.ask(token, "{ pass { digits } }"))["pass"]["digits"])


async def test_every_example_runs(development_gateway: GatewayProcess, subtests: pytest.Subtests) -> None:
    gateway = development_gateway
    number = (await shown_first(gateway)).number
    started = await session(gateway)
    assert started["members"][0]["number"] == number
    run = Run(gateway, number, started["examples"])
    for title in [example["title"] for example in started["examples"]]:
        if title not in SUBSCRIPTIONS:
            with subtests.test(title):
                for found in (await run.result(title)).values():
                    for payload in found if isinstance(found, list) else [found]:
                        assert payload is not None
                        assert payload.get("userErrors", []) == []
                        assert payload.get("replayed", False) is False


def test_examples_are_grouped_and_cover_every_operation() -> None:
    found = examples("0000000000", datetime(2026, 6, 15, 12, 30, tzinfo=UTC))
    titles = [example["title"] for example in found]
    assert len(set(titles)) == len(titles)
    assert {*titles} >= SUBSCRIPTIONS
    stories = [example["story"] for example in found]
    assert list(dict.fromkeys(stories)) == ["shopper", "till", "return", "kiosk", "agent", "manager"]
    assert stories == sorted(stories, key=list(dict.fromkeys(stories)).index)
    schema = executable_schema()
    covered: set[str] = set()
    for example in found:
        document = parse(example["query"])
        assert validate(schema, document) == [], example["title"]
        [operation] = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        assert len(operation.variable_definitions or ()) == len(example["variables"]), example["title"]
        if example["title"] != WITHOUT_ARGUMENTS:
            assert example["variables"], example["title"]
            assert example["query"].count("\n") > 2, example["title"]
        covered |= {f"{operation.operation.value}.{one.name.value}" for one in operation.selection_set.selections}  # type: ignore[attr-defined]
    roots = {"query": schema.query_type, "mutation": schema.mutation_type, "subscription": schema.subscription_type}
    assert covered == {f"{kind}.{name}" for kind, root in roots.items() if root is not None for name in root.fields}


def test_playground_opens_on_the_status_of_a_member() -> None:
    welcome = (Path(__file__).parents[3] / "clients/playground/src/welcome.ts").read_text(encoding="utf-8")
    assert documents.STATUS in welcome
    assert examples("0000000000", datetime(2026, 6, 15, tzinfo=UTC))[0]["query"] == documents.STATUS


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

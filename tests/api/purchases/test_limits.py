"""Limits of activity over the API: two gateways together keep to them."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import ADJUST, ENROL, PREVIEW, RECORD, ask_as, data
from support.clients.two_gateways import TwoGateways
from support.programme_files import programme_source
from support.servers.command_line import run_carillon

LIMITS = """
limits:
  - {of: card, events: 4, per: day}
  - {of: till, points: 100, per: day, then: refuse}
  - {of: agent, adjustment: 5000, per: day}
"""


@pytest.fixture
async def limited_programme(two_gateways: TwoGateways, tmp_path: Path) -> str:
    """Apply a programme with limits on both gateways; return its key."""
    key = f"limited-{uuid4().hex[:8]}"
    file = tmp_path / "limited.yaml"
    source = programme_source("grocer").replace("programme: grocer", f"programme: {key}", 1)
    file.write_text(source + LIMITS, encoding="utf-8")
    ran = await run_carillon("programme", "apply", str(file), "--data-dir", two_gateways.data_dir())
    assert ran.code == 0, ran.err
    async with asyncio.timeout(15):
        for gateway in two_gateways.gateways:
            while not (await gateway.ask(gateway.token("till", programme=key), "{ programme { name } }"))["data"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    return key


async def member(two_gateways: TwoGateways, programme: str) -> dict[str, str]:
    """Enrol a member; return its key."""
    gateway = two_gateways.gateways[0]
    fields = {"key": uuid4().hex, "channel": "STORE"}
    token = gateway.token("service", programme=programme)
    return {"number": data(await gateway.ask(token, ENROL, input=fields))["enrol"]["member"]["number"]}


async def test_an_agent_cannot_give_more_than_the_limit_through_two_gateways(
    two_gateways: TwoGateways, limited_programme: str
) -> None:
    by = await member(two_gateways, limited_programme)
    token = two_gateways.gateways[0].token("agent", programme=limited_programme, sub="dana")

    async def adjust(points: int, key: str | None = None) -> dict[str, Any]:
        fields = {"key": key or uuid4().hex, "member": by, "points": points, "reason": "test"}
        payload: dict[str, Any] = (await two_gateways.ask(token, ADJUST, input=fields))["adjustPoints"]
        return payload

    [error] = (await adjust(1_000_000_000))["userErrors"]
    assert (error["code"], error["path"]) == ("LIMIT_REACHED", ["input", "points"])
    assert error["message"] == "Adjustments are limited to 5,000 points per day. Adjust fewer, or ask a manager."
    keys = [uuid4().hex for _ in range(12)]
    payloads = await asyncio.gather(*(adjust(900, key) for key in keys))
    accepted = [key for key, payload in zip(keys, payloads, strict=True) if not payload["userErrors"]]
    assert len(accepted) == 5
    assert {error["code"] for payload in payloads for error in payload["userErrors"]} == {"LIMIT_REACHED"}
    assert [(await adjust(900, key))["replayed"] for key in accepted] == [True] * 5
    assert (await adjust(500))["userErrors"] == []
    other = two_gateways.gateways[0].token("agent", programme=limited_programme, sub="lee")
    fields = {"key": uuid4().hex, "member": by, "points": 5000, "reason": "test"}
    assert (await two_gateways.ask(other, ADJUST, input=fields))["adjustPoints"]["userErrors"] == []


async def test_a_till_and_a_card_are_limited_and_a_preview_says_so(
    two_gateways: TwoGateways, limited_programme: str
) -> None:
    gateway, by = two_gateways.gateways[0], await member(two_gateways, limited_programme)

    def event(total: str) -> dict[str, Any]:
        return {
            "key": uuid4().hex,
            "type": "purchase",
            "member": by,
            "occurredAt": datetime.now(UTC).isoformat(),
            "channel": "STORE",
            "purchase": {"total": total, "currency": "USD"},
        }

    till = gateway.token("till", programme=limited_programme, sub="till-1")
    assert (await two_gateways.ask(till, RECORD, input=event("80.00")))["recordEvent"]["userErrors"] == []
    for query, name in ((PREVIEW, "previewEvent"), (RECORD, "recordEvent")):
        [error] = (await two_gateways.ask(till, query, input=event("21.00")))[name]["userErrors"]
        assert error["code"] == "LIMIT_REACHED"
    assert (await two_gateways.ask(till, RECORD, input=event("20.00")))["recordEvent"]["userErrors"] == []
    others = [gateway.token("till", programme=limited_programme, sub=f"till-{n}") for n in range(2, 8)]
    payloads = await asyncio.gather(*(two_gateways.ask(token, RECORD, input=event("1.00")) for token in others))
    refused = [error["code"] for payload in payloads for error in payload["recordEvent"]["userErrors"]]
    assert refused == ["LIMIT_REACHED"] * 4
    french = data(await ask_as(gateway, others[0], RECORD, locale="fr", input=event("1.00")))["recordEvent"]
    assert french["userErrors"][0]["message"] == "Au plus 4 événements par jour ici. Renvoyez-le demain."

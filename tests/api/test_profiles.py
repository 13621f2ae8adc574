"""Corrections of profiles and canonical forms through the API, on two gateways, and through the command line."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import ApiMember, data, enrol
from support.clients.two_gateways import TwoGateways
from support.programme_files import programme_source
from support.servers.command_line import run_carillon
from support.servers.gateway import GatewayProcess

UPDATE = """mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
  member { version profile { firstName email phone nickname timeZone preferredContact } } replayed
  userErrors { code message path }
} }"""
ADD = """mutation ($input: AddCardInput!) {
  addCard(input: $input) { member { version } replayed userErrors { code path } }
}"""
REMOVE = """mutation ($input: RemoveCardInput!) {
  removeCard(input: $input) { member { version } replayed userErrors { code path } }
}"""
FIND = "query ($by: MemberKey!) { member(by: $by) { id version profile { email phone } } }"
SAVE = """mutation ($input: SaveCatalogueItemInput!) {
  saveCatalogueItem(input: $input) { userErrors { code message path } }
}"""


async def call(gateway: GatewayProcess, token: str, query: str, **fields: Any) -> dict[str, Any]:
    """Run a mutation with a new key, and return its payload."""
    answer = data(await gateway.ask(token, query, input={"key": uuid4().hex, **fields}))
    [payload] = answer.values()
    result: dict[str, Any] = payload
    return result


async def found(gateway: GatewayProcess, **by: str) -> str | None:
    member = data(await gateway.ask(gateway.token("agent"), FIND, by=by))["member"]
    return member["id"] if member is not None else None


async def test_a_correction_moves_every_lookup_on_every_gateway(
    api_member: ApiMember, second_gateway: GatewayProcess
) -> None:
    gateway, mark = api_member.gateway, uuid4().hex[:12]
    first, second = f"Zoe\u0301.{mark}@exa\u0308mple.org", f"zoe.{mark}@example.org"
    payload = await call(gateway, api_member.token(), UPDATE, email=first, nickname="Zo", timeZone="Europe/Paris")
    assert payload["userErrors"] == []
    assert payload["member"]["profile"]["email"] == f"Zoé.{mark}@exämple.org"
    for text in (first, f"ZOÉ.{mark}@XN--EXMPLE-CUA.ORG", f" zoé\u200b.{mark}@exämple.org "):
        for one in (gateway, second_gateway):
            assert await found(one, email=text) == api_member.id
    await call(second_gateway, api_member.token(), UPDATE, email=second)
    for one in (gateway, second_gateway):
        assert await found(one, email=first) is None
        assert await found(one, email=second.upper()) == api_member.id
    other = await enrol(gateway, email=first)
    assert await found(second_gateway, email=first) == other.id


async def test_a_national_number_is_of_the_programmes_country(two_gateways: TwoGateways, coffee_programme: str) -> None:
    gateway = two_gateways.gateways[0]
    agent, digits = gateway.token("agent", programme=coffee_programme), f"{uuid4().int % 10**8:08d}"
    query = "mutation ($input: EnrolInput!) { enrol(input: $input) { member { id } userErrors { code path } } }"
    pairs = " ".join(digits[place : place + 2] for place in range(0, 8, 2))
    shown = f"06 {pairs}"
    enrolled = await call(gateway, agent, query, channel="AGENT", phone=shown)
    assert enrolled["userErrors"] == []
    for text in (
        f"+336{digits}",
        f"0033 6{digits}",
        f"tel:+33-6-{digits}",
        f"+33 (0)6 {pairs}",
        shown.replace(" ", ""),
    ):
        by = {"phone": text}
        member = data(await two_gateways.gateways[1].ask(agent, FIND, by=by))["member"]
        assert (member["id"], member["profile"]["phone"]) == (enrolled["member"]["id"], shown)
        again = await call(gateway, agent, query, channel="AGENT", phone=text)
        assert again["userErrors"] == [{"code": "ALREADY_EXISTS", "path": ["input", "phone"]}]


async def test_one_of_many_members_gets_an_email_and_a_card_through_two_gateways(
    development_gateway: GatewayProcess, second_gateway: GatewayProcess
) -> None:
    gateways, mark = (development_gateway, second_gateway), uuid4().hex
    members = [await enrol(development_gateway) for _ in range(6)]
    ways = (f"{mark}@example.org", f"{mark.upper()}@EXAMPLE.org")
    cards = (f"C-{mark}", f"c {mark}")
    payloads = await asyncio.gather(
        *(call(gateways[n % 2], member.token(), UPDATE, email=ways[n % 2]) for n, member in enumerate(members)),
        *(call(gateways[n % 2], member.token(), ADD, card=cards[n % 2]) for n, member in enumerate(members)),
    )
    for some, field in ((payloads[:6], "email"), (payloads[6:], "card")):
        refused = [[(error["code"], error["path"]) for error in payload["userErrors"]] for payload in some]
        assert sorted(refused) == [[], *[[("ALREADY_EXISTS", ["input", field])]] * 5]


async def test_null_clears_and_left_out_stays(api_member: ApiMember) -> None:
    gateway, token = api_member.gateway, api_member.token()
    await call(gateway, token, UPDATE, firstName="Ada", nickname="A", preferredContact="SMS")
    payload = await call(gateway, token, UPDATE, nickname=None)
    profile = payload["member"]["profile"]
    assert (profile["firstName"], profile["nickname"], profile["preferredContact"]) == ("Ada", None, "SMS")
    refused = await call(gateway, token, UPDATE, email="nobody", firstName="Eve")
    assert [(error["code"], error["path"]) for error in refused["userErrors"]] == [("INVALID", ["input", "email"])]


async def test_a_lost_card_is_replaced(api_member: ApiMember, second_gateway: GatewayProcess) -> None:
    gateway, token, mark = api_member.gateway, api_member.token(), uuid4().hex
    assert (await call(gateway, token, ADD, card=f"Old-{mark}"))["userErrors"] == []
    assert await found(second_gateway, card=f"OLD {mark}") == api_member.id
    assert (await call(second_gateway, token, REMOVE, card=f"old{mark}"))["userErrors"] == []
    assert (await call(gateway, token, ADD, card=f"New-{mark}"))["userErrors"] == []
    shown = "query ($by: MemberKey!) { member(by: $by) { cards } }"
    cards = {
        role: data(await gateway.ask(gateway.token(role), shown, by=api_member.by))["member"]["cards"]
        for role in ("agent", "kiosk")
    }
    assert cards == {"agent": [f"New-{mark}"], "kiosk": [f"•••{mark[-4:]}"]}
    assert await found(gateway, card=f"Old-{mark}") is None
    assert await found(gateway, card=f"new{mark}") == api_member.id
    gone = await call(gateway, token, REMOVE, card=f"Old-{mark}")
    assert gone["userErrors"] == [{"code": "NOT_FOUND", "path": ["input", "card"]}]


@pytest.mark.parametrize("role", ["kiosk", "till"])
async def test_a_shared_screen_without_a_session_corrects_nothing(api_member: ApiMember, role: str) -> None:
    gateway = api_member.gateway
    answer = await gateway.ask(
        gateway.token(role), UPDATE, input={"key": uuid4().hex, "member": api_member.by, "email": "eve@example.org"}
    )
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]


async def test_a_code_belongs_to_one_pool_or_offer(two_gateways: TwoGateways, tmp_path: Path) -> None:
    gateway, directory, mark = two_gateways.gateways[0], two_gateways.data_dir(), uuid4().hex[:8].upper()

    async def load(pool: str, *codes: str) -> tuple[int, str]:
        file = tmp_path / "codes.txt"
        file.write_text("\n".join(codes), encoding="utf-8")
        ran = await run_carillon("codes", "load", pool, str(file), "--data-dir", directory)
        return ran.code, ran.out + ran.err

    first, second = f"first-{mark.lower()}", f"second-{mark.lower()}"
    assert (await load(first, f"A-{mark}"))[0] == 0
    code, printed = await load(second, f"a {mark.lower()}", f"B-{mark}")
    assert (code, f"pool '{first}' already has the code" in printed) == (1, True)
    definition = {
        "key": f"offer-{mark.lower()}",
        "kind": "PERCENT_OFF",
        "percent": 10,
        "title": "Ten",
        "description": "Ten per cent.",
        "first_day": "2026-01-01",
        "code": {"shared": f"a{mark}"},
    }
    manager = gateway.token("manager")
    refused = await call(gateway, manager, SAVE, kind="OFFER", definition=definition)
    assert [error["code"] for error in refused["userErrors"]] == ["ALREADY_EXISTS"]
    assert first in refused["userErrors"][0]["message"]
    saved = await call(gateway, manager, SAVE, kind="OFFER", definition={**definition, "code": {"shared": f"c{mark}"}})
    assert saved["userErrors"] == []
    code, printed = await load(second, f"C-{mark}")
    assert (code, f"offer 'offer-{mark.lower()}' already has the code" in printed) == (1, True)
    file = tmp_path / "grocer.yaml"
    source = programme_source("grocer").replace("code: {shared: FRESH5}", f"code: {{shared: C{mark}}}")
    file.write_text(source, encoding="utf-8")
    ran = await run_carillon("programme", "apply", str(file), "--data-dir", directory)
    assert (ran.code, f"offer 'offer-{mark.lower()}' already uses code" in ran.err) == (1, True)


async def test_programme_check_refuses_an_unknown_country(tmp_path: Path) -> None:
    file = tmp_path / "grocer.yaml"
    file.write_text(programme_source("grocer").replace("country: US", "country: USA"), encoding="utf-8")
    ran = await run_carillon("programme", "check", str(file))
    assert (ran.code, "unknown country 'USA'" in ran.err) == (1, True)

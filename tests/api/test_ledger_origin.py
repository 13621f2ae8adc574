"""Who, why and where of ledger entries: who may read it, and how each movement explains itself."""

from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import ADJUST, ApiMember, data, mutation
from support.clients.two_gateways import TwoGateways

from schema.wire.ids import from_global_id

ENTRIES = """query ($by: MemberKey!) {
  member(by: $by) { activity(first: 50) { edges { node { %s } } } }
}"""
ME = "{ me { activity(first: 50) { edges { node { %s } } } } }"
HOLD = mutation("hold", "hold { id }")
RELEASE = mutation("release")


async def entries(api_member: ApiMember, token: str, fields: str) -> list[dict[str, Any]]:
    """Return the fields of a member's entries, newest first."""
    found = data(await api_member.gateway.ask(token, ENTRIES % fields, by=api_member.by))["member"]
    return [edge["node"] for edge in found["activity"]["edges"]]


async def adjust(api_member: ApiMember, points: int, reason: str, **claims: Any) -> dict[str, Any]:
    """Adjust a member's points as an agent."""
    fields = {"key": uuid4().hex, "member": api_member.by, "points": points, "reason": reason}
    payload: dict[str, Any] = data(
        await api_member.gateway.ask(api_member.gateway.token("agent", **claims), ADJUST, input=fields)
    )["adjustPoints"]
    assert payload["userErrors"] == []
    return payload


async def test_staff_reads_who_did_what_where_and_the_member_reads_why(api_member: ApiMember) -> None:
    gateway = api_member.gateway
    event = api_member.purchase("40.00", store="lyon-1")
    await gateway.ask(gateway.token("till", sub="till-7"), mutation("recordEvent"), input=event)
    await adjust(api_member, -15, "Entered twice", sub="dana")
    await adjust(api_member, 5, "A late delivery", sub="lee")
    for role in ("agent", "manager"):
        fields = "kind reason actor store event"
        assert await entries(api_member, gateway.token(role), fields) == [
            {"kind": "ADJUST", "reason": "A late delivery", "actor": "agent/lee", "store": None, "event": None},
            {"kind": "ADJUST", "reason": "Entered twice", "actor": "agent/dana", "store": None, "event": None},
            {"kind": "EARN", "reason": None, "actor": "till/till-7", "store": "lyon-1", "event": event["key"]},
        ]
    me = data(await gateway.ask(api_member.token(), ME % "reason store why { rule points reason }"))["me"]
    nodes = [edge["node"] for edge in me["activity"]["edges"]]
    assert [(node["reason"], node["store"]) for node in nodes] == [
        ("A late delivery", None),
        ("Entered twice", None),
        (None, "lyon-1"),
    ]
    assert [node["why"] for node in nodes[:2]] == [
        [{"rule": "adjustment", "points": 5, "reason": "5 points were added by our team"}],
        [{"rule": "adjustment", "points": -15, "reason": "15 points were deducted by our team"}],
    ]


@pytest.mark.parametrize("field", ["actor", "event"])
@pytest.mark.parametrize("role", ["member", "kiosk", "service"])
async def test_only_agents_and_managers_read_actor_and_event(api_member: ApiMember, role: str, field: str) -> None:
    gateway = api_member.gateway
    await api_member.buy("10.00")
    token = api_member.token() if role == "member" else gateway.token(role)
    answer = await gateway.ask(token, ENTRIES % field, by=api_member.by)
    [edge] = answer["data"]["member"]["activity"]["edges"]
    assert edge["node"] == {field: None}
    [error] = answer["errors"]
    assert (error["extensions"]["code"], error["path"][-1]) == ("FORBIDDEN", field)


async def test_payloads_node_and_live_updates_say_the_same(api_member: ApiMember) -> None:
    gateway = api_member.gateway
    agent = gateway.token("agent", sub="dana")
    selection = "reason actor store event"
    fields = {"key": uuid4().hex, "member": api_member.by, "points": 7, "reason": "Found a receipt"}
    query = mutation("adjustPoints", f"entries {{ id {selection} }}")
    expected = {"reason": "Found a receipt", "actor": "agent/dana", "store": None, "event": None}
    first, again = [data(await gateway.ask(agent, query, input=fields))["adjustPoints"]["entries"] for _ in range(2)]
    [entry] = first
    assert (entry, again) == ({**expected, "id": entry["id"]}, first)
    node = f"query ($id: ID!) {{ node(id: $id) {{ ... on LedgerEntry {{ {selection} }} }} }}"
    assert data(await gateway.ask(agent, node, id=entry["id"]))["node"] == expected


async def test_holds_and_their_ends_explain_themselves(api_member: ApiMember) -> None:
    gateway = api_member.gateway
    await api_member.buy("50.00")
    hold = {"key": uuid4().hex, "points": 20, "ttlSeconds": 300}
    held = data(await gateway.ask(api_member.token(), HOLD, input=hold))["hold"]["hold"]
    release = {"key": uuid4().hex, "hold": held["id"]}
    assert data(await gateway.ask(api_member.token(), RELEASE, input=release))["release"]["userErrors"] == []
    me = data(await gateway.ask(api_member.token(), ME % "kind why { rule points applied reason }"))["me"]
    found = [edge["node"] for edge in me["activity"]["edges"]][:2]
    assert found == [
        {
            "kind": "RELEASE",
            "why": [{"rule": "hold", "points": 20, "applied": True, "reason": "20 points are no longer held"}],
        },
        {
            "kind": "HOLD",
            "why": [
                {"rule": "hold", "points": -20, "applied": True, "reason": "20 points held for an order in progress"}
            ],
        },
    ]


async def test_an_order_and_its_cancellation_explain_themselves(
    two_gateways: TwoGateways, api_member: ApiMember
) -> None:
    gateway = api_member.gateway
    await api_member.buy("500.00")
    reward = await two_gateways.save_item(
        "REWARD",
        key=f"cap-{uuid4().hex[:8]}",
        kind="PHYSICAL",
        title={"en": "Cap"},
        description={"en": "A cap."},
        category="caps",
        points=30,
    )
    order = {"key": uuid4().hex, "reward": reward, "channel": "APP"}
    placed = data(await gateway.ask(api_member.token(), mutation("placeOrder", "order { id }"), input=order))[
        "placeOrder"
    ]
    cancel = {"key": uuid4().hex, "order": placed["order"]["id"], "reason": "Sold out in the store"}
    agent = gateway.token("agent", sub="dana")
    assert data(await gateway.ask(agent, mutation("cancelOrder"), input=cancel))["cancelOrder"]["userErrors"] == []
    found = await entries(api_member, agent, "kind reason actor why { rule points reason }")
    assert found[:2] == [
        {
            "kind": "REVERSE",
            "reason": "Sold out in the store",
            "actor": "agent/dana",
            "why": [
                {"rule": "order", "points": 30, "reason": "30 points back, because this was cancelled or returned: Cap"}
            ],
        },
        {
            "kind": "BURN",
            "reason": None,
            "actor": f"member/{from_global_id(api_member.id)[1][0]}",
            "why": [{"rule": "order", "points": -30, "reason": "30 points spent on: Cap"}],
        },
    ]

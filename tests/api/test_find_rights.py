"""One rule decides who finds a member by which key, in every operation that takes a MemberKey, whatever it answers."""

from typing import Any
from uuid import uuid4

import pytest
from graphql import GraphQLInputObjectType, get_named_type
from support.clients.api import ApiMember, code_of, data, enrol, mutation, only_error, watch
from support.clients.api_tablet import Tablet
from support.servers.gateway import GatewayProcess, next_message

from schema.build import executable_schema
from schema.wire.ids import global_id

OFFER = global_id("Offer", "grocer", "produce-10")
REWARD = global_id("Reward", "grocer", "mug")
EVENT = {
    "type": "purchase",
    "occurredAt": "2026-06-01T10:00:00Z",
    "channel": "STORE",
    "purchase": {"total": "10.00", "currency": "USD"},
}
CONSENT = {"purpose": "MARKETING", "granted": True}
# The input of every mutation that takes a MemberKey, without key and member.
INPUTS: dict[str, dict[str, Any]] = {
    "recordEvent": EVENT,
    "recordEvents": EVENT,
    "previewEvent": EVENT,
    "adjustPoints": {"points": 5, "reason": "test"},
    "activateOffer": {"offer": OFFER},
    "redeemOffer": {"offer": OFFER, "channel": "STORE"},
    "noteOffers": {"seen": [OFFER]},
    "hold": {"points": 1},
    "placeOrder": {"reward": REWARD, "channel": "STORE"},
    "setPreferences": {"topics": []},
    "setConsents": {"consents": [CONSENT]},
    "updateProfile": {"firstName": "Ada"},
    "addCard": {"card": "C-1"},
    "removeCard": {"card": "C-1"},
    "releaseOffer": {"offer": OFFER, "purchaseKey": "none", "channel": "STORE"},
}
# What a role may not do at all, whichever the key. Corrections need a confirmed session at a tablet.
CORRECTIONS = {"updateProfile", "addCard", "removeCard"}
WITHOUT = {
    "kiosk": {"adjustPoints", "releaseOffer"} | CORRECTIONS,
    "till": {"adjustPoints", "setConsents"} | CORRECTIONS,
}


def document_of(name: str) -> str:
    """Return the mutation that selects everything that says something about the member."""
    selection = "member { number points { available } status { tier { key } } }"
    if "Event" in name:
        selection += " entries { points } why { points reason } orders { number }"
    text = mutation(name, selection)
    return text.replace("RecordEventsInput!", "[RecordEventInput!]!").replace("PreviewEventInput", "RecordEventInput")


def input_of(name: str, by: dict[str, str]) -> Any:
    """Return the input of a mutation for a member, with a new key."""
    one = {"key": uuid4().hex, "member": by, **INPUTS[name]}
    return [one] if name == "recordEvents" else one


async def contact_member(gateway: GatewayProcess) -> tuple[ApiMember, dict[str, str]]:
    """Enrol a member with an e-mail address and a phone number."""
    mark = uuid4().int % 10**9
    contacts = {"email": f"m{mark}@example.org", "phone": f"+336{mark:09d}"}
    return await enrol(gateway, **contacts), contacts


def test_every_mutation_that_takes_a_member_key_is_covered() -> None:
    """A new one is listed in INPUTS."""
    root, key = executable_schema().mutation_type, executable_schema().type_map["MemberKey"]
    assert root is not None
    found = set()
    for name, field in root.fields.items():
        inputs = [get_named_type(argument.type) for argument in field.args.values()]
        fields = [one for kind in inputs if isinstance(kind, GraphQLInputObjectType) for one in kind.fields.values()]
        if any(get_named_type(one.type) is key for one in fields):
            found.add(name)
    assert found == set(INPUTS)


@pytest.mark.parametrize("kind", ["email", "phone"])
@pytest.mark.parametrize("role", ["kiosk", "till"])
async def test_shared_screens_find_nobody_by_email_or_phone_in_any_operation(
    development_gateway: GatewayProcess, role: str, kind: str
) -> None:
    gateway = development_gateway
    api_member, contacts = await contact_member(gateway)
    before, token = await api_member.state(), gateway.token(role)
    known, unknown = {kind: contacts[kind]}, {kind: {"email": "no@example.org", "phone": "+33600000000"}[kind]}
    for name in set(INPUTS) - WITHOUT[role]:
        answers = []
        for by in (known, unknown):
            answer = await gateway.ask(token, document_of(name), input=input_of(name, by))
            if name == "recordEvents":
                [payload] = data(answer)[name]
                assert [payload[field] for field in ("member", "entries", "why", "orders")] == [None, [], [], []]
                [error] = payload["userErrors"]
                assert (error["code"], error["path"]) == ("INVALID", ["input", "0", "member", kind])
                answers.append(error["message"])
            else:
                assert (answer["data"], code_of(answer)) == (None, "FORBIDDEN"), name
                answers.append(only_error(answer)["message"])
        # The refusal does not reveal whether the member exists.
        assert answers[0] == answers[1], name
        assert kind in answers[0]
    async with gateway.socket(token) as socket:
        await watch(socket, known)
        message = await next_message(socket)
        assert message["payload"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await api_member.state() == before


async def test_a_forbidden_key_in_a_batch_leaves_its_neighbours_alone(development_gateway: GatewayProcess) -> None:
    gateway = development_gateway
    api_member, contacts = await contact_member(gateway)
    events = [
        api_member.purchase("10.00"),
        api_member.purchase("20.00", member={"email": contacts["email"]}),
        api_member.purchase("30.00"),
    ]
    payloads = data(await gateway.ask(gateway.token("till"), document_of("recordEvents"), input=events))["recordEvents"]
    assert [len(payload["userErrors"]) for payload in payloads] == [0, 1, 0]
    assert (await api_member.state())["points"]["available"] == 40


@pytest.mark.parametrize("kind", ["email", "phone"])
@pytest.mark.parametrize("role", ["agent", "manager", "service"])
async def test_staff_finds_by_every_key(development_gateway: GatewayProcess, role: str, kind: str) -> None:
    gateway = development_gateway
    api_member, contacts = await contact_member(gateway)
    for name in ("recordEvent", "previewEvent", "setPreferences"):
        answer = await gateway.ask(gateway.token(role), document_of(name), input=input_of(name, {kind: contacts[kind]}))
        assert data(answer)[name]["member"]["number"] == api_member.number


@pytest.mark.parametrize("kind", ["email", "phone", "number", "id", "card"])
async def test_tablet_records_for_a_shopper_and_is_shown_nothing(
    development_gateway: GatewayProcess, kind: str
) -> None:
    tablet = await Tablet.enrolled(development_gateway)
    mark = uuid4().int % 10**9
    fields = {"email": f"m{mark}@example.org", "phone": f"+336{mark:09d}", "card": f"C-{mark}"}
    api_member = await enrol(tablet.gateway, **fields)
    by = {kind: {**fields, "number": api_member.number, "id": api_member.id}[kind]}
    event = api_member.purchase("30.00", member=by, channel="KIOSK")
    for replayed in (False, True):
        for name, sent in (("recordEvent", event), ("recordEvents", [event])):
            answer = data(await tablet.gateway.ask(tablet.token, document_of(name), input=sent))[name]
            payload = answer[0] if isinstance(answer, list) else answer
            assert payload["replayed"] is (replayed or name == "recordEvents")
            assert [payload[one] for one in ("member", "entries", "why", "orders")] == [None, [], [], []]
    preview = await tablet.gateway.ask(tablet.token, document_of("previewEvent"), input=input_of("previewEvent", by))
    assert (preview["data"], code_of(preview)) == (None, "FORBIDDEN")


async def test_replayed_enrolment_shows_a_tablet_what_it_sees_of_any_member(
    development_gateway: GatewayProcess,
) -> None:
    tablet = await Tablet.enrolled(development_gateway)
    gateway = tablet.gateway
    fields = {"key": uuid4().hex, "channel": "KIOSK", "firstName": "Nour", "card": uuid4().hex}
    query = mutation("enrol", "member { id number points { available } activity { edges { node { points } } } }")

    async def enrolled(token: str) -> dict[str, Any]:
        payload: dict[str, Any] = data(await gateway.ask(token, query, input=fields))["enrol"]
        assert payload["userErrors"] == []
        return payload

    first = await enrolled(tablet.token)
    api_member = ApiMember(gateway, first["member"]["id"], first["member"]["number"])
    assert (await enrolled(tablet.token))["member"] is None
    await api_member.buy("12.00")
    again = await enrolled(tablet.token)
    assert (again["member"], again["replayed"]) == (None, True)
    other = await enrol(gateway)
    assert (await enrolled(await tablet.session(number=other.number)))["member"] is None
    own = await enrolled(await tablet.session(card=fields["card"]))
    assert (own["member"]["points"], own["replayed"]) == ({"available": 12}, True)
    assert (await enrolled(tablet.token))["member"] is None

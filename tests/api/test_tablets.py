"""A tablet in a store as its page knows it: enrolled by code, sessions with their own token, all over the network."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from support.api import Person, ask_as, code_of, data, enrol, event_stream, mutation, next_update, only_error, watch
from support.gateway import GatewayProcess
from websockets.exceptions import ConnectionClosed

INVITE = mutation("inviteDevice", "device { id name state enrolledAt } code codeExpiresAt")
ENROL_DEVICE = mutation("enrolDevice", "device { id state } token")
REVOKE = mutation("revokeDevice", "device { id state }")
OPEN = mutation(
    "openSession", "token session { id greeting confirmed idleSeconds member { version points { available } } }"
)
CONFIRM = mutation("confirmSession", "token session { confirmed member { number } }")
END = mutation("endSession", "session { id member { number } }")
PASS = "{ pass { code digits expiresAt } }"
ME = "{ me { version points { available } profile { firstName lastName email phone birthDate } } }"
LIVE = "subscription { memberChanged { version member { version } } }"
FORBIDDEN, TOKEN_LENGTH_MIN = 4403, 60


@dataclass
class Tablet:
    """An enrolled tablet."""

    gateway: GatewayProcess
    id: str
    token: str

    @classmethod
    async def enrolled(cls, gateway: GatewayProcess) -> "Tablet":
        told = {"key": uuid4().hex, "name": "Entrance", "store": "lyon"}
        invited = data(await gateway.ask(gateway.token("manager"), INVITE, input=told))["inviteDevice"]
        assert invited["userErrors"] == []
        typed = {"key": uuid4().hex, "code": invited["code"]}
        payload = data(await gateway.ask(None, ENROL_DEVICE, input=typed))["enrolDevice"]
        assert payload["userErrors"] == []
        assert payload["device"] == {"id": invited["device"]["id"], "state": "ENROLLED"}
        assert len(payload["token"]) > TOKEN_LENGTH_MIN
        return cls(gateway, payload["device"]["id"], payload["token"])

    async def open(self, **by: str) -> dict[str, Any]:
        answer = await self.gateway.ask(self.token, OPEN, input={"key": uuid4().hex, "by": by})
        payload: dict[str, Any] = data(answer)["openSession"]
        return payload

    async def session(self, **by: str) -> str:
        payload = await self.open(**by)
        assert payload["userErrors"] == []
        return str(payload["token"])


@pytest.fixture
async def tablet(development_gateway: GatewayProcess) -> Tablet:
    return await Tablet.enrolled(development_gateway)


async def shopper(gateway: GatewayProcess) -> tuple[Person, dict[str, str]]:
    """Enrol somebody with a card, a phone and an e-mail of their own."""
    mark = uuid4().int % 10**9
    told = {"card": f"C-{mark}", "phone": f"+336{mark:09d}", "email": f"m{mark}@example.org"}
    names = {"firstName": "Lucy", "lastName": "Lee", "birthDate": "1990-02-28"}
    return await enrol(gateway, **told, **names), told


async def test_the_app_shows_a_code_and_the_tablet_shows_the_same_status_with_masked_fields(tablet: Tablet) -> None:
    gateway = tablet.gateway
    person, _ = await shopper(gateway)
    await person.buy("12.00")
    shown = data(await gateway.ask(person.token(), PASS))["pass"]
    payload = await tablet.open(**{"pass": shown["code"]})
    session = payload["session"]
    assert session["member"] == {"version": 2, "points": {"available": 12}}
    assert (session["greeting"], session["confirmed"], session["idleSeconds"]) == ("L•••", True, 90)
    me = data(await gateway.ask(payload["token"], ME))["me"]
    assert me["points"] == {"available": 12}
    assert me["profile"] == {
        "firstName": "L•••",
        "lastName": "L•••",
        "email": "m•••@•••.org",
        "phone": f"•••{_['phone'][-2:]}",
        "birthDate": None,
    }
    again = await tablet.open(**{"pass": shown["code"]})
    assert [error["code"] for error in again["userErrors"]] == ["CONFLICT"]
    assert (again["session"], again["token"]) == (None, None)


async def test_a_tablet_alone_sees_no_member_and_earns_without_telling_a_balance(tablet: Tablet) -> None:
    gateway = tablet.gateway
    person, told = await shopper(gateway)
    for query, variables in (
        ("query ($by: MemberKey!) { member(by: $by) { version } }", {"by": person.by}),
        ("query ($id: ID!) { node(id: $id) { id } }", {"id": person.id}),
        (mutation("setPreferences"), {"input": {"key": uuid4().hex, "topics": [], "member": person.by}}),
        (mutation("redeemOffer"), {"input": {"key": "k", "channel": "KIOSK", "offer": "x", "member": person.by}}),
    ):
        answer = await gateway.ask(tablet.token, query, **variables)
        assert (code_of(answer), "session" in only_error(answer)["message"]) == ("FORBIDDEN", True), query
    assert data(await gateway.ask(tablet.token, "{ me { version } kioskSession { id } }")) == {
        "me": None,
        "kioskSession": None,
    }
    event = person.purchase("30.00", member={"phone": told["phone"]}, channel="KIOSK")
    query = mutation("recordEvent", "entries { balance } why { points } orders { number } member { version }")
    payload = data(await gateway.ask(tablet.token, query, input=event))["recordEvent"]
    assert (payload["userErrors"], payload["entries"], payload["member"]) == ([], [], None)
    assert sum(one["points"] for one in payload["why"]) == 30
    assert (await person.state())["points"]["available"] == 30


async def test_an_event_counts_once_whether_the_session_or_the_tablet_sends_it(tablet: Tablet) -> None:
    person, told = await shopper(tablet.gateway)
    token = await tablet.session(card=told["card"])
    event = person.purchase("10.00", member={"card": told["card"]})
    query = mutation("recordEvent", "entries { balance } member { version }")
    first = data(await tablet.gateway.ask(token, query, input=event))["recordEvent"]
    assert (first["entries"], first["member"], first["replayed"]) == ([{"balance": 10}], {"version": 2}, False)
    again = data(await tablet.gateway.ask(tablet.token, query, input=event))["recordEvent"]
    assert (again["entries"], again["member"], again["replayed"]) == ([], None, True)
    assert (await person.state())["version"] == 2


async def test_a_greeting_becomes_a_session_with_the_digits_of_the_app(tablet: Tablet) -> None:
    gateway = tablet.gateway
    person, told = await shopper(gateway)
    payload = await tablet.open(email=told["email"])
    assert (payload["session"]["greeting"], payload["session"]["member"]) == ("L•••", None)
    token = payload["token"]
    # What is asked before and after is the same text: it must not be answered from memory.
    assert data(await gateway.ask(token, ME))["me"] is None
    digits = data(await gateway.ask(person.token(), PASS))["pass"]["digits"]
    confirmed = data(await gateway.ask(token, CONFIRM, input={"key": uuid4().hex, "digits": digits}))["confirmSession"]
    assert (confirmed["userErrors"], confirmed["session"]["member"]["number"]) == ([], person.number)
    assert data(await gateway.ask(token, ME))["me"]["version"] == 1


async def test_what_one_shopper_was_shown_is_not_shown_to_the_next(tablet: Tablet) -> None:
    first, first_told = await shopper(tablet.gateway)
    second, second_told = await shopper(tablet.gateway)
    await first.buy("12.00")
    await second.buy("7.00")
    for told, points in ((first_told, 12), (second_told, 7), (first_told, 12)):
        token = await tablet.session(card=told["card"])
        for _ in range(2):
            assert data(await tablet.gateway.ask(token, ME))["me"]["points"] == {"available": points}


async def test_a_session_that_was_left_is_refused_on_every_transport_and_its_socket_ends(tablet: Tablet) -> None:
    gateway = tablet.gateway
    person, told = await shopper(gateway)
    token = await tablet.session(card=told["card"])
    async with gateway.socket(token) as socket, event_stream(gateway, token, LIVE) as stream:
        await watch(socket, query=LIVE)
        assert (await next_update(socket))["version"] == 1
        assert (await stream.next_update())["version"] == 1
        await person.buy("5.00")
        assert (await next_update(socket))["version"] == 2
        assert (await stream.next_update())["version"] == 2
        left = data(await gateway.ask(token, END, input={"key": uuid4().hex}))["endSession"]
        assert (left["userErrors"], left["session"]["member"]) == ([], None)
        answer = await gateway.ask(token, ME)
        assert (code_of(answer), "ended" in only_error(answer)["message"]) == ("UNAUTHENTICATED", True)
        with pytest.raises(ConnectionClosed):
            await next_update(socket)
        assert socket.close_code == FORBIDDEN
        name, farewell = await stream.next()
        assert (name, code_of(farewell or {})) == ("next", "UNAUTHENTICATED")
    with pytest.raises(ConnectionClosed):
        async with gateway.socket(token):
            pass


async def test_a_revoked_tablet_is_refused_at_once_and_its_socket_ends(tablet: Tablet) -> None:
    gateway = tablet.gateway
    _, told = await shopper(gateway)
    token = await tablet.session(card=told["card"])
    async with gateway.socket(token) as socket:
        await watch(socket, query=LIVE)
        await next_update(socket)
        told_ = {"key": uuid4().hex, "device": tablet.id}
        revoked = data(await gateway.ask(gateway.token("manager"), REVOKE, input=told_))["revokeDevice"]
        assert (revoked["userErrors"], revoked["device"]["state"]) == ([], "REVOKED")
        for kept in (tablet.token, token):
            assert code_of(await gateway.ask(kept, ME)) == "UNAUTHENTICATED"
        with pytest.raises(ConnectionClosed):
            await next_update(socket)
        assert socket.close_code == FORBIDDEN


async def test_a_session_acts_for_its_member_and_for_nobody_else(tablet: Tablet) -> None:
    gateway = tablet.gateway
    person, told = await shopper(gateway)
    stranger, _ = await shopper(gateway)
    token = await tablet.session(card=told["card"])
    query = mutation("setPreferences", "member { number }")
    own = {"key": uuid4().hex, "topics": ["category:COFFEE"]}
    payload = data(await gateway.ask(token, query, input=own))["setPreferences"]
    assert (payload["userErrors"], payload["member"]) == ([], {"number": person.number})
    other = await gateway.ask(token, query, input={**own, "key": uuid4().hex, "member": stranger.by})
    assert code_of(other) == "FORBIDDEN"
    assert (await stranger.state())["version"] == 1


async def test_a_newcomer_is_enrolled_at_the_tablet_and_known_by_its_number(tablet: Tablet) -> None:
    told = {"key": uuid4().hex, "channel": "KIOSK", "firstName": "Nour", "locale": "ar"}
    query = mutation("enrol", "member { number profile { firstName } }")
    payload = data(await tablet.gateway.ask(tablet.token, query, input=told))["enrol"]
    assert (payload["userErrors"], payload["member"]["profile"]) == ([], {"firstName": "N•••"})
    opened = await tablet.open(number=payload["member"]["number"])
    assert opened["session"]["greeting"] == "N•••"


@pytest.mark.parametrize(
    ("locale", "words"),
    [("en", "This code has already been used"), ("fr", "Ce code a déjà servi"), ("ar", "سبق استخدام هذا الرمز")],
)
async def test_refusals_are_told_in_the_language_of_the_tablet(tablet: Tablet, locale: str, words: str) -> None:
    person, _ = await shopper(tablet.gateway)
    code = data(await tablet.gateway.ask(person.token(), PASS))["pass"]["code"]
    await tablet.session(**{"pass": code})
    told = {"key": uuid4().hex, "by": {"pass": code}}
    answer = data(
        await ask_as(tablet.gateway, tablet.token, OPEN.replace("code path", "message"), locale=locale, input=told)
    )
    [error] = answer["openSession"]["userErrors"]
    assert error["message"].startswith(words)


async def test_wrong_codes_of_tablets_are_refused_in_words_without_a_token(development_gateway: GatewayProcess) -> None:
    answer = await ask_as(
        development_gateway, None, ENROL_DEVICE, locale="fr", input={"key": uuid4().hex, "code": "0000-0000"}
    )
    [error] = data(answer)["enrolDevice"]["userErrors"]
    assert (error["code"], error["path"]) == ("NOT_FOUND", ["input", "code"])
    assert error["message"].startswith("Ce code est inconnu")


async def test_a_manager_lists_the_tablets(tablet: Tablet) -> None:
    gateway = tablet.gateway
    query = "{ devices(first: 1) { edges { node { id name store state } cursor } pageInfo { endCursor } } }"
    page = data(await gateway.ask(gateway.token("manager"), query))["devices"]
    [edge] = page["edges"]
    assert edge["node"] == {"id": tablet.id, "name": "Entrance", "store": "lyon", "state": "ENROLLED"}
    assert page["pageInfo"]["endCursor"] == edge["cursor"]
    assert code_of(await gateway.ask(gateway.token("agent"), query)) == "FORBIDDEN"

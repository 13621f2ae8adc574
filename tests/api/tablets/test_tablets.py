"""A tablet in a store over the network: enrolment by code, and sessions with their own token."""

from uuid import uuid4

import pytest
from support.clients.api import (
    ApiMember,
    ask_as,
    code_of,
    data,
    enrol,
    event_stream,
    mutation,
    next_update,
    only_error,
    watch,
)
from support.clients.api_tablet import ENROL_DEVICE, OPEN, PASS, Tablet
from support.clients.two_gateways import TwoGateways
from support.servers.gateway import GatewayProcess
from websockets.exceptions import ConnectionClosed

REVOKE = mutation("revokeDevice", "device { id state }")
CONFIRM = mutation("confirmSession", "token session { confirmed member { number } }")
END = mutation("endSession", "session { id member { number } }")
ME = "{ me { version points { available } profile { firstName lastName email phone birthDate } } }"
LIVE = "subscription { memberChanged { version member { version } } }"
FORBIDDEN = 4403


@pytest.fixture
async def tablet(development_gateway: GatewayProcess) -> Tablet:
    return await Tablet.enrolled(development_gateway)


async def shopper(gateway: GatewayProcess) -> tuple[ApiMember, dict[str, str]]:
    """Enrol a member with a new card, phone and email address."""
    mark = uuid4().int % 10**9
    fields = {"card": f"C-{mark}", "phone": f"+336{mark:09d}", "email": f"m{mark}@example.org"}
    names = {"firstName": "Lucy", "lastName": "Lee", "birthDate": "1990-02-28"}
    return await enrol(gateway, **fields, **names), fields


async def test_the_app_shows_a_code_and_the_tablet_shows_the_same_status_with_masked_fields(tablet: Tablet) -> None:
    gateway = tablet.gateway
    api_member, _ = await shopper(gateway)
    await api_member.buy("12.00")
    shown = data(await gateway.ask(api_member.token(), PASS))["pass"]
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


async def test_tablet_without_a_session_sees_no_member_and_records_without_a_balance(tablet: Tablet) -> None:
    gateway = tablet.gateway
    api_member, identities = await shopper(gateway)
    for query, variables in (
        ("query ($by: MemberKey!) { member(by: $by) { version } }", {"by": api_member.by}),
        ("query ($id: ID!) { node(id: $id) { id } }", {"id": api_member.id}),
        (mutation("setPreferences"), {"input": {"key": uuid4().hex, "topics": [], "member": api_member.by}}),
        (mutation("redeemOffer"), {"input": {"key": "k", "channel": "KIOSK", "offer": "x", "member": api_member.by}}),
    ):
        answer = await gateway.ask(tablet.token, query, **variables)
        assert (code_of(answer), "session" in only_error(answer)["message"]) == ("FORBIDDEN", True), query
    assert data(await gateway.ask(tablet.token, "{ me { version } kioskSession { id } }")) == {
        "me": None,
        "kioskSession": None,
    }
    event = api_member.purchase("30.00", member={"phone": identities["phone"]}, channel="KIOSK")
    query = mutation("recordEvent", "entries { balance } why { points } waiting orders { number } member { version }")
    payload = data(await gateway.ask(tablet.token, query, input=event))["recordEvent"]
    assert (payload["userErrors"], payload["entries"], payload["why"], payload["member"]) == ([], [], [], None)
    assert payload["waiting"] is True
    assert (await api_member.state())["points"]["available"] == 0


async def test_an_event_counts_once_whether_the_session_or_the_tablet_sends_it(tablet: Tablet) -> None:
    api_member, identities = await shopper(tablet.gateway)
    token = await tablet.session(card=identities["card"])
    event = api_member.purchase(type="visit", purchase=None, member={"card": identities["card"]})
    query = mutation("recordEvent", "entries { balance } member { version }")
    first = data(await tablet.gateway.ask(token, query, input=event))["recordEvent"]
    assert (first["entries"], first["member"], first["replayed"]) == ([{"balance": 0}], {"version": 2}, False)
    again = data(await tablet.gateway.ask(tablet.token, query, input=event))["recordEvent"]
    assert (again["entries"], again["member"], again["replayed"]) == ([], None, True)
    assert (await api_member.state())["version"] == 2


async def test_a_greeting_becomes_a_session_with_the_digits_of_the_app(tablet: Tablet) -> None:
    gateway = tablet.gateway
    api_member, identities = await shopper(gateway)
    payload = await tablet.open(email=identities["email"])
    assert (payload["session"]["greeting"], payload["session"]["member"]) == ("L•••", None)
    token = payload["token"]
    # The same text before and after: the second answer must not come from the cache.
    assert data(await gateway.ask(token, ME))["me"] is None
    digits = data(await gateway.ask(api_member.token(), PASS))["pass"]["digits"]
    confirmed = data(await gateway.ask(token, CONFIRM, input={"key": uuid4().hex, "digits": digits}))["confirmSession"]
    assert (confirmed["userErrors"], confirmed["session"]["member"]["number"]) == ([], api_member.number)
    assert data(await gateway.ask(token, ME))["me"]["version"] == 1


async def test_next_shopper_does_not_see_the_previous_one(tablet: Tablet) -> None:
    first, first_identities = await shopper(tablet.gateway)
    second, second_identities = await shopper(tablet.gateway)
    await first.buy("12.00")
    await second.buy("7.00")
    for identities, points in ((first_identities, 12), (second_identities, 7), (first_identities, 12)):
        token = await tablet.session(card=identities["card"])
        for _ in range(2):
            assert data(await tablet.gateway.ask(token, ME))["me"]["points"] == {"available": points}


async def test_ended_session_is_refused_on_every_transport_and_its_socket_closes(tablet: Tablet) -> None:
    gateway = tablet.gateway
    api_member, identities = await shopper(gateway)
    token = await tablet.session(card=identities["card"])
    async with gateway.socket(token) as socket, event_stream(gateway, token, LIVE) as stream:
        await watch(socket, query=LIVE)
        assert (await next_update(socket))["version"] == 1
        assert (await stream.next_update())["version"] == 1
        await api_member.buy("5.00")
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
    _, identities = await shopper(gateway)
    token = await tablet.session(card=identities["card"])
    async with gateway.socket(token) as socket:
        await watch(socket, query=LIVE)
        await next_update(socket)
        revocation = {"key": uuid4().hex, "device": tablet.id}
        revoked = data(await gateway.ask(gateway.token("manager"), REVOKE, input=revocation))["revokeDevice"]
        assert (revoked["userErrors"], revoked["device"]["state"]) == ([], "REVOKED")
        for revoked_token in (tablet.token, token):
            assert code_of(await gateway.ask(revoked_token, ME)) == "UNAUTHENTICATED"
        with pytest.raises(ConnectionClosed):
            await next_update(socket)
        assert socket.close_code == FORBIDDEN


async def test_session_acts_for_its_member_only(tablet: Tablet) -> None:
    gateway = tablet.gateway
    api_member, identities = await shopper(gateway)
    stranger, _ = await shopper(gateway)
    token = await tablet.session(card=identities["card"])
    query = mutation("setPreferences", "member { number }")
    own = {"key": uuid4().hex, "topics": ["category:COFFEE"]}
    payload = data(await gateway.ask(token, query, input=own))["setPreferences"]
    assert (payload["userErrors"], payload["member"]) == ([], {"number": api_member.number})
    other = await gateway.ask(token, query, input={**own, "key": uuid4().hex, "member": stranger.by})
    assert code_of(other) == "FORBIDDEN"
    assert (await stranger.state())["version"] == 1


async def test_member_enrolled_at_the_tablet_is_found_by_number(tablet: Tablet) -> None:
    fields = {"key": uuid4().hex, "channel": "KIOSK", "firstName": "Nour", "locale": "ar"}
    query = mutation("enrol", "member { number profile { firstName } }")
    payload = data(await tablet.gateway.ask(tablet.token, query, input=fields))["enrol"]
    assert (payload["userErrors"], payload["member"]["profile"]) == ([], {"firstName": "N•••"})
    opened = await tablet.open(number=payload["member"]["number"])
    assert opened["session"]["greeting"] == "N•••"


@pytest.mark.parametrize(
    ("locale", "words"),
    [("en", "This code has already been used"), ("fr", "Ce code a déjà servi"), ("ar", "سبق استخدام هذا الرمز")],
)
async def test_refusals_are_in_the_language_of_the_tablet(tablet: Tablet, locale: str, words: str) -> None:
    api_member, _ = await shopper(tablet.gateway)
    code = data(await tablet.gateway.ask(api_member.token(), PASS))["pass"]["code"]
    await tablet.session(**{"pass": code})
    fields = {"key": uuid4().hex, "by": {"pass": code}}
    answer = data(
        await ask_as(tablet.gateway, tablet.token, OPEN.replace("code path", "message"), locale=locale, input=fields)
    )
    [error] = answer["openSession"]["userErrors"]
    assert error["message"].startswith(words)


async def test_wrong_enrolment_codes_are_refused_with_a_message(development_gateway: GatewayProcess) -> None:
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


PERSONAL = {
    "kind": "AMOUNT_OFF",
    "amount": "5.00",
    "title": {"en": "Five off"},
    "description": {"en": "Five off."},
    "first_day": "2026-01-01",
}
CODE = """query ($first: Int!) {
  me { offers(first: $first) { edges { node { offer { id } code } } } }
}"""


async def code_on_screen(gateway: GatewayProcess, token: str, offer: str) -> str | None:
    """Return the code that the screen of a session, or an app, shows for an offer."""
    edges = data(await gateway.ask(token, CODE, first=100))["me"]["offers"]["edges"]
    [code] = [edge["node"]["code"] for edge in edges if edge["node"]["offer"]["id"] == offer]
    return str(code) if code is not None else None


@pytest.mark.parametrize("opened_by", ["card", "number", "pass", "digits"])
async def test_personal_codes_need_the_app_and_not_only_a_card(
    tablet: Tablet, two_gateways: TwoGateways, opened_by: str
) -> None:
    gateway = tablet.gateway
    mark = uuid4().hex[:8].upper()
    offer = await two_gateways.save_item(
        "OFFER", **{**PERSONAL, "key": f"own-{mark.lower()}"}, code={"member": f"M{mark}"}
    )
    shared = await two_gateways.save_item(
        "OFFER", **{**PERSONAL, "key": f"shared-{mark.lower()}"}, code={"shared": f"S{mark}"}
    )
    api_member, identities = await shopper(gateway)
    own = await code_on_screen(gateway, api_member.token(), offer)
    assert own is not None
    shown = data(await gateway.ask(api_member.token(), PASS))["pass"]
    if opened_by == "digits":
        token = await tablet.session(phone=identities["phone"])
        confirmed = {"key": uuid4().hex, "digits": shown["digits"]}
        assert data(await gateway.ask(token, CONFIRM, input=confirmed))["confirmSession"]["userErrors"] == []
    else:
        values = {"card": identities["card"], "number": api_member.number, "pass": shown["code"]}
        token = await tablet.session(**{opened_by: values[opened_by]})
    is_proven = opened_by in {"pass", "digits"}
    assert await code_on_screen(gateway, token, offer) == (own if is_proven else None)
    assert await code_on_screen(gateway, token, shared) == f"S{mark}"
    before = await api_member.state()
    query = mutation("redeemOffer", "memberOffer { code }")
    for fields, path in (({"code": own}, "code"), ({"offer": offer}, "offer"), ({"code": own, "offer": offer}, "code")):
        sent = {"key": uuid4().hex, "channel": "KIOSK", **fields}
        payload = data(await gateway.ask(token, query, input=sent))["redeemOffer"]
        if is_proven:
            assert payload["userErrors"] == []
            break
        [error] = payload["userErrors"]
        assert (error["code"], error["path"]) == ("NOT_ELIGIBLE", ["input", path])
        assert await api_member.state() == before
    at_kiosk = {"key": uuid4().hex, "channel": "KIOSK", "code": own}
    by_back_end = data(await gateway.ask(gateway.token("kiosk"), query, input=at_kiosk))["redeemOffer"]
    assert [error["code"] for error in by_back_end["userErrors"]] == ["NOT_ELIGIBLE"]
    if not is_proven:
        at_till = {"key": uuid4().hex, "channel": "STORE", "code": own}
        used = data(await gateway.ask(gateway.token("till"), query, input=at_till))["redeemOffer"]
        assert used["userErrors"] == []

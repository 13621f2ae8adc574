"""The catalogue and its texts through a gateway: public, in three languages, changed without a release."""

import json
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from support.clients.api import ApiMember, ask_as, code_of, data, enrol, event_stream, only_error, refusal_of
from support.clients.resolver_client import ResolverClient
from support.clients.two_gateways import VISIBLE_WITHIN_SECONDS, TwoGateways
from support.servers.gateway import GatewayProcess, next_message
from websockets.asyncio.client import ClientConnection

from models.programmes.programme_store import Programmes
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.operation_error import BadInput
from resolvers.reward import public_programme
from schema.wire.ids import from_global_id

CHANNELS = ("APP", "WEB", "STORE", "KIOSK", "AGENT", "SOCIAL", "PARTNER", "SYSTEM")
REWARDS = """query (
  $first: Int, $after: String, $category: String, $pointsMax: Int, $programme: String, $channel: Channel
) {
  rewards(
    first: $first, after: $after, category: $category, pointsMax: $pointsMax, programme: $programme, channel: $channel
  ) {
    edges { cursor node { id key title description direction points } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
CONTENT = """query ($key: String!, $programme: String, $channel: Channel) {
  content(key: $key, programme: $programme, channel: $channel) {
    id key title body image locale direction version
  }
}"""
SAVED = "content { key title body version } offer { key } reward { key } version"
TEXTS = {"en": "Words", "fr": "Des mots", "ar": "كلمات"}
REFILL = {"fr": "Une recharge offerte", "en": "A free refill", "ar": "إعادة تعبئة مجانية"}
REFILL_ON_KIOSK = {
    "fr": "Recharge offerte au comptoir",
    "en": "Free refill at the counter",
    "ar": "إعادة تعبئة مجانية عند المنضدة",
}


def key_in(id_: str) -> str:
    """Return the key of an offer or a reward from its global id."""
    return from_global_id(id_)[1][1]


async def shown(gateway: GatewayProcess, token: str | None, **about: Any) -> dict[str, Any]:
    """Return a page of the catalogue."""
    page: dict[str, Any] = data(await ask_as(gateway, token, REWARDS, **about))["rewards"]
    return page


async def refill(gateway: GatewayProcess, token: str | None, **about: Any) -> tuple[str, str]:
    """Return title and direction of the coffee house's refill."""
    page = await shown(gateway, token, programme="coffee", **about)
    [node] = [edge["node"] for edge in page["edges"] if edge["node"]["key"] == "refill"]
    return node["title"], node["direction"]


async def content_of(gateway: GatewayProcess, key: str, token: str | None = None, **about: Any) -> Any:
    """Return a content of the grocer's programme."""
    return data(await ask_as(gateway, token, CONTENT, key=key, programme="grocer", **about))["content"]


# The public catalogue


async def test_catalogue_is_read_to_its_end_page_by_page_by_anybody(
    two_gateways: TwoGateways, api_member: ApiMember
) -> None:
    category = f"shelf-{uuid4().hex[:8]}"
    prices = (300, 100, 200, 100, 500, 400, 100)
    put = [
        (points, await two_gateways.save_item("REWARD", kind="PHYSICAL", category=category, points=points))
        for points in prices
    ]
    cheapest_first = sorted((points, key_in(id_), id_) for points, id_ in put)
    after: str | None = None
    for token in (None, api_member.token(), two_gateways.token("kiosk")):
        found: list[dict[str, Any]] = []
        after = None
        for more in (True, True, False):
            page = await shown(
                two_gateways.gateways[1], token, first=3, after=after, category=category, programme="grocer"
            )
            assert page["pageInfo"] == {
                "hasNextPage": more,
                "hasPreviousPage": after is not None,
                "startCursor": page["edges"][0]["cursor"],
                "endCursor": page["edges"][-1]["cursor"],
            }
            found += [edge["node"] for edge in page["edges"]]
            after = page["pageInfo"]["endCursor"]
        assert [(node["points"], node["key"], node["id"]) for node in found] == cheapest_first
    empty = {"hasNextPage": False, "hasPreviousPage": True, "startCursor": None, "endCursor": None}
    assert await shown(two_gateways.gateways[0], None, after=after, category=category, programme="grocer") == {
        "edges": [],
        "pageInfo": empty,
    }


async def test_catalogue_is_narrowed_by_category_and_price(two_gateways: TwoGateways) -> None:
    category = f"shelf-{uuid4().hex[:8]}"
    for points in (0, 100, 200):
        await two_gateways.save_item("REWARD", kind="PHYSICAL", category=category, points=points)

    async def prices(**about: Any) -> list[int]:
        page = await shown(two_gateways.gateways[0], None, programme="grocer", **about)
        return [edge["node"]["points"] for edge in page["edges"]]

    assert await prices(category=category) == [0, 100, 200]
    assert await prices(category=category, pointsMax=100) == [0, 100]
    assert await prices(category=category, pointsMax=99) == [0]
    assert await prices(category=category, pointsMax=0) == [0]
    assert await prices(category=category, pointsMax=-1) == []
    assert await prices(category="no-such-shelf") == []
    everything = await prices(first=100)
    assert everything == sorted(everything)
    assert max(await prices(first=100, pointsMax=600)) == 600


@pytest.mark.parametrize("cursor", ["nonsense", "MTAw", "Om11Zw", "bXVnOjEwMA", "MTAwOm11Zw==", "é", "x" * 300])
async def test_made_up_cursor_is_refused(api_member: ApiMember, cursor: str) -> None:
    gateway = api_member.gateway
    answer = await ask_as(gateway, None, REWARDS, after=cursor, programme="grocer", locale="fr")
    assert only_error(answer)["extensions"] == {"code": "BAD_USER_INPUT"}
    assert only_error(answer)["message"] == "Ce curseur ne vient pas de cette liste. Recommencez sans `after`."
    for field in ("offers", "rewards", "orders"):
        query = f"query ($after: String) {{ me {{ {field}(after: $after) {{ edges {{ cursor }} }} }} }}"
        assert code_of(await gateway.ask(api_member.token(), query, after=cursor)) == "BAD_USER_INPUT"


async def test_page_is_never_larger_than_its_limit(development_gateway: GatewayProcess) -> None:
    most = await ask_as(development_gateway, None, REWARDS, first=101, programme="grocer")
    assert only_error(most)["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "limit": "page",
        "max": 100,
        "setting": "CARILLON_LIMIT_PAGE",
    }
    assert code_of(await ask_as(development_gateway, None, REWARDS, first=-1, programme="grocer")) == "BAD_USER_INPUT"
    page = await shown(development_gateway, None, first=0, programme="grocer")
    assert (page["edges"], page["pageInfo"]["hasNextPage"]) == ([], True)


async def test_request_without_a_token_names_the_programme_if_several_run(
    two_gateways: TwoGateways, coffee_programme: str
) -> None:
    gateway = two_gateways.gateways[1]
    for query, about in ((REWARDS, {}), (CONTENT, {"key": "home"})):
        missing = only_error(await ask_as(gateway, None, query, **about))
        assert missing["extensions"] == {"code": "BAD_USER_INPUT"}
        assert missing["message"].startswith("Several programmes run here. Choose one with `programme`")
        unknown = only_error(await ask_as(gateway, None, query, locale="fr", programme="nobody", **about))
        assert unknown["extensions"] == {"code": "BAD_USER_INPUT"}
        assert unknown["message"].startswith("Aucun programme «\u00a0nobody\u00a0» ne tourne ici.")
    of_coffee = await shown(gateway, None, programme=coffee_programme, first=100)
    assert [edge["node"]["key"] for edge in of_coffee["edges"]] == [
        "refill",
        "espresso",
        "farmers",
        "drink",
        "cup",
        "latte-art",
    ]
    # The token's programme wins over the argument.
    assert await shown(gateway, gateway.token("till", programme=coffee_programme), first=100) == await shown(
        gateway, gateway.token("till", programme=coffee_programme), first=100, programme="grocer"
    )
    tampered = gateway.token("till", programme=coffee_programme)[:-4] + "AAAA"
    async with gateway.client(tampered) as client:
        answer = await client.post("/graphql", json={"query": REWARDS, "variables": {"programme": coffee_programme}})
    assert answer.status_code == 401


async def test_single_programme_need_not_be_named(resolver_client: ResolverClient) -> None:
    services = resolver_client.services
    with pytest.raises(BadInput) as fault:
        public_programme(Context(services, None), None)
    assert fault.value.reason == "programme_missing"
    grocer = services.programmes.get("grocer")
    alone = replace(services, programmes=Programmes(services.database, [grocer]))
    assert public_programme(Context(alone, None), None).key == "grocer"
    assert public_programme(Context(alone, None), "grocer").key == "grocer"
    assert public_programme(resolver_client.context(Role.TILL), "coffee").key == "grocer"
    with pytest.raises(BadInput) as fault:
        public_programme(Context(alone, None), "coffee")
    assert (fault.value.reason, fault.value.params) == ("programme_unknown", {"programme": "coffee"})


async def test_reward_and_offer_are_found_by_id_with_any_token(
    two_gateways: TwoGateways, api_member: ApiMember
) -> None:
    query = "query ($id: ID!) { node(id: $id) { id ... on Reward { key } ... on Offer { key } } }"
    reward = await two_gateways.save_item("REWARD", kind="PHYSICAL", category="home", points=5)
    offer = await two_gateways.save_item("OFFER", kind="SERVICE", first_day="2026-01-01")
    for id_ in (reward, offer):
        for token in (api_member.token(), *map(two_gateways.token, ("kiosk", "till", "agent", "service"))):
            assert (await two_gateways.ask(token, query, id=id_))["node"] == {"id": id_, "key": key_in(id_)}
        assert code_of(await api_member.gateway.ask(None, query, id=id_)) == "UNAUTHENTICATED"
        stranger = api_member.gateway.token("till", programme="nobody")
        assert code_of(await api_member.gateway.ask(stranger, query, id=id_)) == "BAD_USER_INPUT"


# Languages and channels


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        (None, "fr"),
        ("en", "en"),
        ("ar", "ar"),
        ("ar-MA, fr;q=0.5", "ar"),
        ("de, en;q=0.3, fr;q=0.2", "en"),
        ("de", "fr"),
    ],
)
async def test_catalogue_is_in_the_requested_language(
    two_gateways: TwoGateways, coffee_programme: str, locale: str | None, expected: str
) -> None:
    direction = "RTL" if expected == "ar" else "LTR"
    gateway = two_gateways.gateways[1]
    assert await refill(gateway, None, locale=locale) == (REFILL[expected], direction)
    for channel in CHANNELS:
        words = REFILL_ON_KIOSK if channel == "KIOSK" else REFILL
        assert await refill(gateway, None, locale=locale, channel=channel) == (words[expected], direction)
        till = gateway.token("till", programme=coffee_programme)
        assert await refill(gateway, till, locale=locale, channel=channel) == (words[expected], direction)


async def test_kiosk_has_its_own_wording_by_role_and_by_header(
    two_gateways: TwoGateways, coffee_programme: str
) -> None:
    gateway = two_gateways.gateways[0]
    kiosk, till = (gateway.token(role, programme=coffee_programme) for role in ("kiosk", "till"))
    assert (await refill(gateway, kiosk))[0] == REFILL_ON_KIOSK["fr"]
    assert (await refill(gateway, till))[0] == REFILL["fr"]
    assert (await refill(gateway, kiosk, channel="APP"))[0] == REFILL["fr"]
    # An unknown channel is ignored.
    assert (await refill(gateway, kiosk, channel="MOON"))[0] == REFILL_ON_KIOSK["fr"]
    query = 'query ($channel: Channel) { content(key: "home", programme: "grocer", channel: $channel) { body } }'
    on_kiosk = "Scan your card to see your points."
    elsewhere = "Earn a point for every dollar, and more on our own brands."
    for channel in CHANNELS:
        result = data(await gateway.ask(gateway.token("kiosk"), query, channel=channel))["content"]["body"]
        assert result == (on_kiosk if channel == "KIOSK" else elsewhere)
    assert (await content_of(gateway, "home", channel="KIOSK"))["body"] == on_kiosk
    socket_query = 'subscription { contentChanged(key: "home") { body } }'
    for payload, body in (({}, elsewhere), ({"x-carillon-channel": "KIOSK"}, on_kiosk)):
        async with gateway.socket(gateway.token("manager"), **payload) as socket:
            assert await followed(socket, socket_query) == {"body": body}


async def test_catalogue_defaults_to_the_members_language(two_gateways: TwoGateways) -> None:
    gateway = two_gateways.gateways[1]
    mug = await two_gateways.save_item("REWARD", kind="PHYSICAL", category=f"shelf-{uuid4().hex[:8]}", points=10)
    query = """query ($id: ID!, $key: String!) {
      node(id: $id) { ... on Reward { title direction } }
      content(key: "home") { title locale direction }
      programme { tiers { name } }
      rewards(category: $key) { edges { node { title } } }
    }"""
    titles = {"en": "Good to see you", "fr": "Heureux de vous voir", "ar": "سعداء برؤيتك"}
    things = {"en": "A thing", "fr": "Une chose", "ar": "شيء"}
    tiers = {"en": "Green", "fr": "Vert", "ar": "أخضر"}
    shelf = "query ($id: ID!) { node(id: $id) { ... on Reward { category } } }"
    category = (await two_gateways.ask(two_gateways.token("till"), shelf, id=mug))["node"]["category"]
    for own in ("fr-CH", "ar", "en"):
        api_member = await enrol(gateway, locale=own)
        for requested, expected in ((None, own[:2]), ("ar", "ar"), ("fr", "fr"), ("de", own[:2])):
            answer = data(await ask_as(gateway, api_member.token(), query, locale=requested, id=mug, key=category))
            direction = "RTL" if expected == "ar" else "LTR"
            assert answer["node"] == {"title": things[expected], "direction": direction}
            assert answer["content"] == {"title": titles[expected], "locale": expected, "direction": direction}
            assert answer["programme"]["tiers"][0] == {"name": tiers[expected]}
            assert answer["rewards"]["edges"] == [{"node": {"title": things[expected]}}]


async def test_text_defaults_to_the_programmes_language(two_gateways: TwoGateways) -> None:
    key = f"words-{uuid4().hex[:8]}"
    definition = {"key": key, "title": {"en": "Only English", "fr": "Français"}, "body": "Plain words"}
    await two_gateways.mutate_accepted(
        two_gateways.token("manager"), "saveCatalogueItem", kind="CONTENT", definition=definition
    )
    for gateway in two_gateways.gateways:
        result = await known(gateway, key, locale="ar")
        assert (result["title"], result["body"], result["locale"], result["direction"]) == (
            "Only English",
            "Plain words",
            "en",
            "LTR",
        )


# Contents that managers change


async def known(gateway: GatewayProcess, key: str, *, version: int | None = 1, **about: Any) -> Any:
    """Wait until a gateway serves this version of a content, None for no content; return it."""
    found = None
    for _ in range(VISIBLE_WITHIN_SECONDS * 20):
        found = await content_of(gateway, key, **about)
        if (found["version"] if found else None) == version:
            return found
    raise AssertionError(f"{key} did not come to version {version}: {found}")


async def followed(socket: ClientConnection, query: str | None = None) -> Any:
    """Return the next content of the one subscription on a socket, which `query` starts."""
    if query is not None:
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}))
    message = await next_message(socket)
    assert message["type"] == "next", message
    return data(message["payload"])["contentChanged"]


async def test_content_is_served_by_both_gateways_moments_after_it_was_saved(two_gateways: TwoGateways) -> None:
    key, manager = f"banner-{uuid4().hex[:8]}", two_gateways.token("manager")
    for gateway in two_gateways.gateways:
        assert await content_of(gateway, key) is None
    definition = {"key": key, "title": TEXTS, "body": {**TEXTS, "KIOSK": {"fr": "Borne"}}, "image": "/banner.jpg"}
    payload = await two_gateways.mutate_accepted(
        manager, "saveCatalogueItem", SAVED, kind="CONTENT", definition=definition
    )
    assert payload == {
        "content": {"key": key, "title": "Words", "body": "Words", "version": 1},
        "offer": None,
        "reward": None,
        "version": 1,
        "replayed": False,
        "userErrors": [],
    }
    for gateway in two_gateways.gateways:
        result = await known(gateway, key, locale="fr")
        assert from_global_id(result.pop("id")) == ("Content", ["grocer", key])
        assert result == {
            "key": key,
            "title": "Des mots",
            "body": "Des mots",
            "image": "/banner.jpg",
            "locale": "fr",
            "direction": "LTR",
            "version": 1,
        }
        assert (await content_of(gateway, key, locale="fr", channel="KIOSK"))["body"] == "Borne"
        assert (await content_of(gateway, key, locale="ar", channel="KIOSK"))["body"] == "كلمات"
    gone = await two_gateways.mutate_accepted(manager, "retireCatalogueItem", SAVED, kind="CONTENT", item=key)
    assert (gone["version"], gone["content"]) == (2, None)
    for gateway in two_gateways.gateways:
        assert await known(gateway, key, version=None) is None
    back = await two_gateways.mutate_accepted(
        manager, "saveCatalogueItem", SAVED, kind="CONTENT", definition=definition
    )
    assert (back["version"], back["content"]["version"]) == (3, 3)
    for gateway in two_gateways.gateways:
        await known(gateway, key, version=3)


async def test_content_is_followed_live_on_socket_and_stream(two_gateways: TwoGateways, api_member: ApiMember) -> None:
    key, manager = f"banner-{uuid4().hex[:8]}", two_gateways.token("manager")
    query = f'subscription {{ contentChanged(key: "{key}") {{ title direction version }} }}'
    one, other = two_gateways.gateways

    async def save(title: str) -> None:
        fields = {"key": key, "title": {**TEXTS, "ar": title}, "body": TEXTS}
        await two_gateways.mutate_accepted(manager, "saveCatalogueItem", kind="CONTENT", definition=fields)

    async with (
        one.socket(api_member.token(), **{"accept-language": "ar"}) as socket,
        event_stream(other, other.token("kiosk"), query) as stream,
    ):

        async def next_of_stream() -> Any:
            name, answer = await stream.next()
            assert name == "next"
            assert answer is not None
            return data(answer)["contentChanged"]

        assert await followed(socket, query) is None
        assert await next_of_stream() is None
        for version, title in enumerate(("واحد", "اثنان", "ثلاثة"), start=1):
            await save(title)
            assert await followed(socket) == {"title": title, "direction": "RTL", "version": version}
            assert await next_of_stream() == {"title": "Words", "direction": "LTR", "version": version}
        await two_gateways.mutate_accepted(manager, "retireCatalogueItem", kind="CONTENT", item=key)
        assert await followed(socket) is None
        assert await next_of_stream() is None
        # Of several quick changes some may be skipped; the newest comes last.
        for n in range(5, 13):
            await save(str(n))
        for next_one in (partial(followed, socket), next_of_stream):
            versions = [4]
            while versions[-1] != 12:
                versions.append((await next_one())["version"])
            assert versions == sorted(set(versions))
    # A later subscriber gets the present version.
    async with other.socket(api_member.token(), **{"accept-language": "ar"}) as late:
        assert await followed(late, query) == {"title": "12", "direction": "RTL", "version": 12}
        await save("13")
        assert await followed(late) == {"title": "13", "direction": "RTL", "version": 13}


async def test_content_of_another_key_sends_nothing(two_gateways: TwoGateways) -> None:
    key, manager = f"banner-{uuid4().hex[:8]}", two_gateways.token("manager")
    query = f'subscription {{ contentChanged(key: "{key}") {{ version }} }}'
    async with two_gateways.gateways[0].socket(manager) as socket:
        assert await followed(socket, query) is None
        for name in (f"{key}-2", key):
            fields = {"key": name, "title": TEXTS, "body": TEXTS}
            await two_gateways.mutate_accepted(manager, "saveCatalogueItem", kind="CONTENT", definition=fields)
        assert await followed(socket) == {"version": 1}


async def test_item_of_the_programme_file_cannot_be_changed_by_the_api(two_gateways: TwoGateways) -> None:
    manager, gateway = two_gateways.token("manager"), two_gateways.gateways[0]
    before = await content_of(gateway, "home")
    for kind, definition in (
        ("CONTENT", {"key": "home", "title": TEXTS, "body": TEXTS}),
        (
            "REWARD",
            {"key": "bread", "kind": "DONATION", "title": TEXTS, "description": TEXTS, "category": "x", "points": 1},
        ),
        (
            "OFFER",
            {"key": "home-wrap", "kind": "SERVICE", "title": TEXTS, "description": TEXTS, "first_day": "2026-01-01"},
        ),
    ):
        item = definition["key"]
        saved = await two_gateways.mutate(manager, "saveCatalogueItem", SAVED, kind=kind, definition=definition)
        assert refusal_of(saved) == ("CONFLICT", "input.definition.key")
        assert saved["userErrors"][0]["message"] == (
            f"“{item}” comes from the programme file. Change it there, then apply the file."
        )
        retired = await two_gateways.mutate(manager, "retireCatalogueItem", SAVED, kind=kind, item=item)
        assert refusal_of(retired) == ("CONFLICT", "input.item")
        unknown = await two_gateways.mutate(manager, "retireCatalogueItem", SAVED, kind=kind, item="nothing")
        assert refusal_of(unknown) == ("NOT_FOUND", "input.item")
    assert await content_of(gateway, "home") == before


OFFER = {"key": "spring", "kind": "SERVICE", "title": TEXTS, "description": TEXTS, "first_day": "2026-01-01"}
REWARD = {"key": "mug", "kind": "PHYSICAL", "title": TEXTS, "description": TEXTS, "category": "home", "points": 5}


@pytest.mark.parametrize(
    ("kind", "definition", "fault"),
    [
        ("CONTENT", [], "it is not an object"),
        ("CONTENT", "words", "it is not an object"),
        ("CONTENT", {}, "key: is missing; add it; title: is missing; add it; body: is missing; add it"),
        ("CONTENT", {"key": "Upper", "title": "a", "body": "b"}, "key: must match the pattern ^[a-z][a-z0-9-]{0,39}$"),
        ("CONTENT", {"key": "a", "title": "a"}, "body: is missing; add it"),
        (
            "CONTENT",
            {"key": "a", "title": {"de": "a", "en": "a"}, "body": "b"},
            "title: unsupported locale 'de'; use fr, en, ar",
        ),
        (
            "CONTENT",
            {"key": "a", "title": {"fr": "a"}, "body": "b"},
            "title: has no text in the programme's default locale 'en'; add one",
        ),
        (
            "CONTENT",
            {"key": "a", "title": "a", "body": {"en": "b", "MOON": "c"}},
            "body: unsupported locale 'MOON'; use fr, en, ar",
        ),
        (
            "CONTENT",
            {"key": "a", "title": "a", "body": "b", "image": "ftp://c"},
            "image: must match the pattern ^(https://|/)\\S{1,500}$",
        ),
        (
            "CONTENT",
            {"key": "a", "title": "a", "body": "b", "footer": "c"},
            "footer: is not a known field; check the spelling or remove it",
        ),
        ("OFFER", {**OFFER, "kind": "PERCENT_OFF"}, "kind PERCENT_OFF needs percent; add it"),
        (
            "OFFER",
            {**OFFER, "audience": {"tiers": ["platinum"]}},
            "audience.tiers: unknown tier 'platinum'; define it under tiers",
        ),
        (
            "OFFER",
            {**OFFER, "audience": {"segments": ["nobody"]}},
            "audience.segments: unknown segment 'nobody'; define it under segments, or use: newcomers, regulars",
        ),
        (
            "OFFER",
            {**OFFER, "kind": "GIFT", "reward": "unicorn"},
            "reward: unknown reward 'unicorn'; add it to rewards",
        ),
        (
            "OFFER",
            {**OFFER, "code": {"pool": "codes"}},
            "members get a code from a pool when they activate the offer; add activation: true",
        ),
        ("REWARD", {**REWARD, "points": -1}, "points: Input should be greater than or equal to 0"),
        (
            "REWARD",
            {**REWARD, "kind": "DIGITAL_CODE"},
            "kind DIGITAL_CODE needs pool, the name of its pool of codes; add it",
        ),
        (
            "REWARD",
            {**REWARD, "kind": "PARTNER"},
            "kind PARTNER needs partner, the name of the partner that supplies it; add it",
        ),
    ],
)
async def test_invalid_definition_is_refused_with_place_and_fix(
    two_gateways: TwoGateways, kind: str, definition: Any, fault: str
) -> None:
    manager = two_gateways.token("manager")
    payload = await two_gateways.mutate(manager, "saveCatalogueItem", SAVED, kind=kind, definition=definition)
    assert refusal_of(payload) == ("INVALID", "input.definition")
    [error] = payload["userErrors"]
    assert error["message"] == f"The definition can’t be used: {fault}. Correct it, then send it again."
    assert (payload["version"], payload["content"], payload["offer"], payload["reward"]) == (None, None, None, None)


async def test_code_of_another_offer_is_refused(two_gateways: TwoGateways) -> None:
    manager = two_gateways.token("manager")
    own = f"C{uuid4().hex[:8].upper()}"
    await two_gateways.save_item("OFFER", kind="SERVICE", first_day="2026-01-01", code={"shared": own})
    for code in ({"shared": "FRESH5"}, {"shared": own}, {"shared": own.lower()}, {"member": "OWN"}):
        definition = {**OFFER, "key": f"spring-{uuid4().hex[:8]}", "code": code}
        payload = await two_gateways.mutate(manager, "saveCatalogueItem", SAVED, kind="OFFER", definition=definition)
        assert refusal_of(payload) == ("ALREADY_EXISTS", "input.definition.code")


async def test_same_key_stores_once_and_with_other_content_is_refused(two_gateways: TwoGateways) -> None:
    manager, key = two_gateways.token("manager"), f"banner-{uuid4().hex[:8]}"
    definition = {"key": key, "title": TEXTS, "body": TEXTS}
    fields = {"key": uuid4().hex, "kind": "CONTENT"}
    first = await two_gateways.mutate_accepted(manager, "saveCatalogueItem", SAVED, **fields, definition=definition)
    again = await two_gateways.mutate_accepted(manager, "saveCatalogueItem", SAVED, **fields, definition=definition)
    assert again == {**first, "replayed": True}
    for other in ({**definition, "body": "Others"}, {**definition, "key": f"{key}-2"}):
        payload = await two_gateways.mutate(manager, "saveCatalogueItem", SAVED, **fields, definition=other)
        assert refusal_of(payload) == ("KEY_REUSED", "input.key")
    gone = {"key": uuid4().hex, "kind": "CONTENT", "item": key}
    assert (await two_gateways.mutate_accepted(manager, "retireCatalogueItem", SAVED, **gone))["version"] == 2
    replayed = await two_gateways.mutate_accepted(manager, "retireCatalogueItem", SAVED, **gone)
    assert (replayed["version"], replayed["replayed"]) == (2, True)
    twice = await two_gateways.mutate(manager, "retireCatalogueItem", SAVED, kind="CONTENT", item=key)
    assert refusal_of(twice) == ("NOT_FOUND", "input.item")


@pytest.mark.parametrize("role", ["member", "kiosk", "till", "agent", "service", None])
async def test_only_a_manager_changes_the_catalogue(api_member: ApiMember, role: str | None) -> None:
    gateway = api_member.gateway
    token = api_member.token() if role == "member" else gateway.token(role) if role else None
    save = "mutation ($input: SaveCatalogueItemInput!) { saveCatalogueItem(input: $input) { version } }"
    retire = "mutation ($input: RetireCatalogueItemInput!) { retireCatalogueItem(input: $input) { version } }"
    key = f"banner-{uuid4().hex[:8]}"
    definition = {"key": key, "title": TEXTS, "body": TEXTS}
    code = "FORBIDDEN" if role else "UNAUTHENTICATED"
    fields = {"key": uuid4().hex, "kind": "CONTENT"}
    assert code_of(await gateway.ask(token, save, input={**fields, "definition": definition})) == code
    assert code_of(await gateway.ask(token, retire, input={**fields, "item": "home"})) == code
    assert await content_of(gateway, key) is None

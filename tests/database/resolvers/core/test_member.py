from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from support.clients.resolver_client import ResolverClient

from models.mongo.snapshot import Snapshot
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.core.member import MemberKey, look_up, may_see, own_member, watched_member
from resolvers.core.operation_error import BadInput, Forbidden, Unauthenticated
from resolvers.core.personal_data import masked_email, masked_name, masked_phone

EVERY_KIND = ("id", "number", "card", "email", "phone")
SHARED_SCREEN = ("id", "number", "card")


async def keys_of(resolver_client: ResolverClient, name: str) -> dict[str, MemberKey]:
    """Enrol a member with every identity; return every key of that member."""
    fields = {"card": f"card-{name}", "email": f"{name}@example.org", "phone": f"+3361234567{len(name) % 10}"}
    member = (await resolver_client.enrol(**fields)).snapshot.member
    values = {"id": member.id, "number": member.number, **fields}
    return {kind: MemberKey(kind, value) for kind, value in values.items()}


def id_of(snapshot: Snapshot | None) -> str | None:
    return snapshot.member.id if snapshot else None


# Rights


@pytest.mark.parametrize(
    ("role", "kinds"),
    [
        (Role.AGENT, EVERY_KIND),
        (Role.MANAGER, EVERY_KIND),
        (Role.SERVICE, EVERY_KIND),
        (Role.KIOSK, SHARED_SCREEN),
        (Role.TILL, SHARED_SCREEN),
    ],
)
async def test_each_role_finds_a_member_by_its_kinds_of_key(
    resolver_client: ResolverClient, role: Role, kinds: tuple[str, ...]
) -> None:
    keys = await keys_of(resolver_client, "sam")
    for kind in EVERY_KIND:
        unknown = MemberKey(kind, "no@example.org" if kind == "email" else "0000000")
        if kind in kinds:
            assert id_of(await look_up(resolver_client.context(role), keys[kind])) == keys["id"].value
            assert await look_up(resolver_client.context(role), unknown) is None
        else:
            # The refusal must not reveal whether the member exists.
            for key in (keys[kind], unknown):
                with pytest.raises(Forbidden, match="lookup_by_forbidden") as caught:
                    await look_up(resolver_client.context(role), key)
                assert caught.value.params == {"role": role, "kind": kind}


async def test_member_finds_only_itself_by_any_key(resolver_client: ResolverClient) -> None:
    own, other = await keys_of(resolver_client, "sam"), await keys_of(resolver_client, "alex")
    context = resolver_client.context(Role.MEMBER, member=own["id"].value)
    for kind in EVERY_KIND:
        assert id_of(await look_up(context, own[kind])) == own["id"].value
        for key in (other[kind], MemberKey(kind, "0000000")):
            with pytest.raises(Forbidden, match="other_member"):
                await look_up(context, key)


async def test_nobody_sees_a_member_of_another_programme(resolver_client: ResolverClient) -> None:
    keys = await keys_of(resolver_client, "sam")
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
    for kind in EVERY_KIND:
        assert await look_up(cafe.context(Role.MANAGER), keys[kind]) is None
    assert await own_member(cafe.context(Role.MEMBER, member=keys["id"].value)) is None


async def test_two_programmes_may_know_the_same_card(resolver_client: ResolverClient) -> None:
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
    ours, theirs = await resolver_client.member(card="card-1"), await cafe.member(card="card-1")
    key = MemberKey("card", "card-1")
    assert id_of(await look_up(resolver_client.context(Role.TILL), key)) == ours
    assert id_of(await look_up(cafe.context(Role.TILL), key)) == theirs


async def test_unauthenticated_caller_and_unknown_programme_are_refused(resolver_client: ResolverClient) -> None:
    stranger = Context(resolver_client.services, None)
    with pytest.raises(Unauthenticated, match="token_missing"):
        await look_up(stranger, MemberKey("id", "any"))
    with pytest.raises(Unauthenticated, match="token_missing"):
        await own_member(stranger)
    lost = replace(resolver_client, programme="nowhere").context(Role.AGENT)
    assert await look_up(lost, MemberKey("id", await resolver_client.member())) is None
    with pytest.raises(BadInput, match="programme_unknown"):
        lost.programme()


async def test_me_is_the_member_of_the_token_and_none_for_other_actors(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    assert id_of(await own_member(resolver_client.context(Role.MEMBER, member=member))) == member
    for role in (Role.KIOSK, Role.TILL, Role.AGENT, Role.MANAGER, Role.SERVICE):
        assert await own_member(resolver_client.context(role)) is None
    assert await own_member(resolver_client.context(Role.MEMBER, member="removed")) is None


def test_a_member_may_see_itself_only() -> None:
    def actor(role: Role, member: str | None = None) -> Actor:
        return Actor(role, "grocer", "subject", datetime.max.replace(tzinfo=UTC), member)

    assert may_see(actor(Role.MEMBER, "m1"), "m1")
    assert not may_see(actor(Role.MEMBER, "m1"), "m2")
    assert not may_see(actor(Role.MEMBER), "m2")
    assert may_see(actor(Role.AGENT), "m2")


# Subscriptions


async def test_a_subscription_without_a_key_is_for_the_member_itself(resolver_client: ResolverClient) -> None:
    keys = await keys_of(resolver_client, "sam")
    member = keys["id"].value
    assert await watched_member(resolver_client.context(Role.MEMBER, member=member), None) == member
    with pytest.raises(BadInput, match="by_missing"):
        await watched_member(resolver_client.context(Role.KIOSK), None)


async def test_a_subscription_follows_the_rules_of_looking_up(resolver_client: ResolverClient) -> None:
    own, other = await keys_of(resolver_client, "sam"), await keys_of(resolver_client, "alex")
    assert await watched_member(resolver_client.context(Role.KIOSK), own["card"]) == own["id"].value
    with pytest.raises(Forbidden, match="lookup_by_forbidden"):
        await watched_member(resolver_client.context(Role.KIOSK), own["email"])
    with pytest.raises(Forbidden, match="other_member"):
        await watched_member(resolver_client.context(Role.MEMBER, member=own["id"].value), other["id"])
    with pytest.raises(BadInput, match="no_such_member"):
        await watched_member(resolver_client.context(Role.KIOSK), MemberKey("card", "no-card"))


# How keys may be written


@pytest.mark.parametrize(
    "key",
    [
        MemberKey("email", "Sam.Lee@Example.ORG"),
        MemberKey("email", "  sam.lee@example.org\n"),
        MemberKey("phone", "+33 6 12 34 56 78"),
        MemberKey("phone", "0033 (6) 12-34-56-78"),
        MemberKey("phone", "+33.6.12.34.56.78"),
        MemberKey("phone", "+٣٣ ٦١٢ ٣٤٥ ٦٧٨"),
        MemberKey("phone", "tel:+33-6-12-34-56-78"),
        MemberKey("phone", "011 33 6 12 34 56 78"),
        MemberKey("email", "mailto:sam.lee@example.org"),
        MemberKey("email", "sam\u200b.lee@example.org"),
        MemberKey("card", "  card-1 "),
        MemberKey("card", "CARD 1"),
        MemberKey("card", "\uff43\uff41\uff52\uff44\u2013\uff11"),
    ],
    ids=lambda key: key.value,
)
async def test_a_key_finds_its_member_however_it_is_written(resolver_client: ResolverClient, key: MemberKey) -> None:
    member = await resolver_client.member(email="sam.lee@example.org", phone="+33612345678", card="card-1")
    assert id_of(await look_up(resolver_client.context(Role.AGENT), key)) == member


async def test_a_number_finds_its_member_and_a_mistyped_one_nobody(resolver_client: ResolverClient) -> None:
    number = (await resolver_client.enrol()).snapshot.member.number
    context = resolver_client.context(Role.TILL)
    assert await look_up(context, MemberKey("number", f" {number} ")) is not None
    swapped = number[:-1] + str((int(number[-1]) + 1) % 10)
    for wrong in (swapped, number[:-1], f"{number}0", "", "one"):
        assert await look_up(context, MemberKey("number", wrong)) is None


async def test_keys_of_one_kind_are_not_those_of_another(resolver_client: ResolverClient) -> None:
    member = (await resolver_client.enrol(card="sam@example.org")).snapshot.member
    context = resolver_client.context(Role.AGENT)
    assert await look_up(context, MemberKey("email", "sam@example.org")) is None
    assert await look_up(context, MemberKey("card", member.number)) is None
    assert await look_up(context, MemberKey("id", member.number)) is None


@pytest.mark.parametrize(
    ("mask", "text", "shown"),
    [
        (masked_name, "Sam", "S•••"),
        (masked_email, "sam@example.org", "s•••@•••.org"),
        (masked_phone, "+33612345678", "•••78"),
    ],
)
def test_a_shared_screen_shows_little(mask: Any, text: str, shown: str) -> None:
    assert (mask(text), mask(None)) == (shown, None)

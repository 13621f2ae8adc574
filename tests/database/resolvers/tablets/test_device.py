"""Tablets are enrolled once, with a short code, and lose their token when they are revoked."""

import asyncio
import re

import pytest
from support.clients.resolver_client import ResolverClient
from support.clients.tablet import Tablet

from loyalty.kernel.refusal import Refusal, RefusalCode
from models.tablets.device_store import Device, DeviceState
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.core.operation_error import Unauthenticated
from resolvers.tablets.device import CODE_TTL, NAME_LENGTH_MAX, WRONG_CODES_MAX, enrol, invite, page, revoke
from resolvers.tablets.session import NO_EXPIRY, actor_of_token

CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")


async def invited(
    resolver_client: ResolverClient, key: str | None = None, name: str = "Entrance"
) -> tuple[Device, str, bool]:
    result = await invite(
        resolver_client.context(Role.MANAGER), key=key or resolver_client.key(), name=name, store="lyon"
    )
    assert not isinstance(result, Refusal)
    return result


async def type_in(
    resolver_client: ResolverClient, code: str, *, key: str | None = None, address: str = "10.0.0.1"
) -> tuple[Device, bool] | Refusal:
    return await enrol(
        Context(resolver_client.services, None, address=address), key=key or resolver_client.key(), code=code
    )


def refusal(result: object) -> tuple[RefusalCode, str]:
    assert isinstance(result, Refusal)
    return result.code, result.reason


async def test_short_code_enrols_a_tablet_of_its_programme(resolver_client: ResolverClient) -> None:
    device, code, replayed = await invited(resolver_client)
    assert (device.state, device.name, device.store, device.invited_by) == (
        DeviceState.INVITED,
        "Entrance",
        "lyon",
        "manager/manager",
    )
    assert not replayed
    assert CODE.fullmatch(code)
    result = await type_in(resolver_client, f" {code.lower().replace('-', ' ')} ")
    assert not isinstance(result, Refusal)
    enrolled, again = result
    assert (enrolled.id, enrolled.state, enrolled.enrolled_at, again) == (
        device.id,
        DeviceState.ENROLLED,
        resolver_client.clock(),
        False,
    )
    tablet = Tablet(resolver_client, enrolled)
    expected = Actor(Role.KIOSK, "grocer", f"device/{device.id}", NO_EXPIRY, member=None, device=device.id)
    assert await tablet.actor() == expected


async def test_invitation_is_replayed_for_its_key_and_refused_for_other_content(
    resolver_client: ResolverClient,
) -> None:
    first = await invited(resolver_client, "one")
    assert await invited(resolver_client, "one") == (*first[:2], True)
    result = await invite(resolver_client.context(Role.MANAGER), key="one", name="Exit", store="lyon")
    assert refusal(result) == (RefusalCode.KEY_REUSED, "key_reused")
    other = await invite(resolver_client.context(Role.MANAGER, subject="another"), key="one", name="Exit", store=None)
    assert not isinstance(other, Refusal)
    assert other[0].id != first[0].id


async def test_code_enrols_one_tablet_and_a_retry_returns_the_same(resolver_client: ResolverClient) -> None:
    _, code, _ = await invited(resolver_client)
    first = await type_in(resolver_client, code, key="mine")
    assert not isinstance(first, Refusal)
    assert await type_in(resolver_client, code, key="mine") == (first[0], True)
    assert refusal(await type_in(resolver_client, code, key="yours")) == (RefusalCode.CONFLICT, "device_code_used")


async def test_of_many_tablets_with_one_code_one_is_enrolled(resolver_client: ResolverClient) -> None:
    _, code, _ = await invited(resolver_client)
    result = await asyncio.gather(*(type_in(resolver_client, code, address=f"10.0.0.{n}") for n in range(20)))
    assert sorted(isinstance(one, Refusal) for one in result) == [False] + [True] * 19


async def test_code_is_valid_for_fifteen_minutes(resolver_client: ResolverClient) -> None:
    _, code, _ = await invited(resolver_client)
    resolver_client.clock.advance(seconds=CODE_TTL.total_seconds())
    assert refusal(await type_in(resolver_client, code, key="mine")) == (RefusalCode.EXPIRED, "device_code_expired")


async def test_retry_is_refused_once_the_code_has_expired(resolver_client: ResolverClient) -> None:
    _, code, _ = await invited(resolver_client)
    await type_in(resolver_client, code, key="mine")
    resolver_client.clock.advance(seconds=CODE_TTL.total_seconds())
    assert refusal(await type_in(resolver_client, code, key="mine")) == (RefusalCode.EXPIRED, "device_code_expired")


async def test_twenty_wrong_codes_say_no_more_but_lock_nobody_out(resolver_client: ResolverClient) -> None:
    _, code, _ = await invited(resolver_client)
    for _ in range(WRONG_CODES_MAX):
        assert refusal(await type_in(resolver_client, "0000-0000")) == (RefusalCode.NOT_FOUND, "device_code_unknown")
    assert refusal(await type_in(resolver_client, "0000-0000")) == (RefusalCode.LIMIT_REACHED, "attempts_seconds")
    assert refusal(await type_in(resolver_client, "0000-0000", address="10.0.0.2")) == (
        RefusalCode.NOT_FOUND,
        "device_code_unknown",
    )
    assert not isinstance(await type_in(resolver_client, code, key="mine"), Refusal)


async def test_concurrent_guesses_are_all_counted(resolver_client: ResolverClient) -> None:
    result = await asyncio.gather(*(type_in(resolver_client, "0000-0000") for _ in range(WRONG_CODES_MAX + 30)))
    assert [refusal(one)[1] for one in result].count("device_code_unknown") == WRONG_CODES_MAX


async def test_right_codes_are_not_counted(resolver_client: ResolverClient) -> None:
    for _ in range(WRONG_CODES_MAX + 5):
        _, code, _ = await invited(resolver_client)
        assert not isinstance(await type_in(resolver_client, code), Refusal)


async def test_revoked_tablet_and_its_code_are_refused_at_once(
    resolver_client: ResolverClient,
) -> None:
    _, code, _ = await invited(resolver_client)
    result = await type_in(resolver_client, code, key="mine")
    assert not isinstance(result, Refusal)
    tablet, manager = Tablet(resolver_client, result[0]), resolver_client.context(Role.MANAGER)
    await tablet.actor()
    revoked = await revoke(manager, key="end", device=tablet.device.id)
    assert not isinstance(revoked, Refusal)
    assert (revoked[0].state, revoked[0].revoked_by, revoked[1]) == (DeviceState.REVOKED, "manager/manager", False)
    with pytest.raises(Unauthenticated) as fault:
        await tablet.actor()
    assert fault.value.reason == "device_revoked"
    assert refusal(await type_in(resolver_client, code, key="mine")) == (RefusalCode.NOT_FOUND, "device_code_unknown")
    assert await revoke(manager, key="end", device=tablet.device.id) == (revoked[0], True)
    assert refusal(await revoke(manager, key="again", device=tablet.device.id)) == (
        RefusalCode.CONFLICT,
        "device_revoked",
    )


async def test_manager_sees_tablets_of_its_own_programme_only(resolver_client: ResolverClient) -> None:
    tablet = await Tablet.enrolled(resolver_client)
    other = ResolverClient(resolver_client.services, resolver_client.clock, "coffee", resolver_client.keys)
    assert refusal(await revoke(other.context(Role.MANAGER), key="k", device=tablet.device.id)) == (
        RefusalCode.NOT_FOUND,
        "device_not_found",
    )
    assert await page(other.context(Role.MANAGER), first=10, after=None) == ([], False)
    assert (await tablet.actor()).device == tablet.device.id


async def test_tablets_are_listed_the_newest_first_page_by_page(resolver_client: ResolverClient) -> None:
    ids = []
    for _ in range(5):
        ids.append((await invited(resolver_client))[0].id)
        resolver_client.clock.advance(seconds=1)
    manager = resolver_client.context(Role.MANAGER)
    first, more = await page(manager, first=3, after=None)
    assert ([device.id for device in first], more) == (ids[:1:-1], True)
    rest, more = await page(manager, first=3, after=(first[-1].invited_at, first[-1].id))
    assert ([device.id for device in rest], more) == (ids[1::-1], False)


async def test_a_tablet_without_a_name_or_with_one_too_long_is_refused(resolver_client: ResolverClient) -> None:
    manager = resolver_client.context(Role.MANAGER)
    for name, store, reason in (
        (" ", None, "device_name_missing"),
        ("x" * (NAME_LENGTH_MAX + 1), None, "text_too_long"),
    ):
        result = await invite(manager, key=resolver_client.key(), name=name, store=store)
        assert refusal(result) == (RefusalCode.INVALID, reason)
    assert refusal(await invite(manager, key=" ", name="x", store=None)) == (RefusalCode.INVALID, "key_missing")
    assert await resolver_client.services.database.devices.count_documents({}) == 0


@pytest.mark.parametrize("token", ["cdt_", "cdt_abc", "cdt_abc.def", "cst_x.y", "cdt_é.é"])
async def test_made_up_token_is_refused(resolver_client: ResolverClient, token: str) -> None:
    with pytest.raises(Unauthenticated) as fault:
        await actor_of_token(resolver_client.services, token)
    assert fault.value.reason == "token_invalid"


async def test_token_of_another_installation_is_refused(resolver_client: ResolverClient) -> None:
    tablet = await Tablet.enrolled(resolver_client)
    with pytest.raises(Unauthenticated):
        await tablet.actor(tablet.token[:-1] + ("A" if tablet.token[-1] != "A" else "B"))

"""Tablets are enrolled once, with a short code, and lose their token when they are revoked."""

import asyncio
import re

import pytest
from support.shop import Shop
from support.tablet import Tablet

from loyalty.kernel.refusal import Refusal, RefusalCode
from models.tablets.device_store import Device, DeviceState
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Context
from resolvers.core.fault import Unauthenticated
from resolvers.tablets.device import CODE_TTL, NAME_LENGTH_MAX, WRONG_CODES_MAX, enrol, invite, page, revoke
from resolvers.tablets.rate_limit import SPAN
from resolvers.tablets.session import NEVER, actor_of_token

CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")


async def invited(shop: Shop, key: str | None = None, name: str = "Entrance") -> tuple[Device, str, bool]:
    told = await invite(shop.context(Role.MANAGER), key=key or shop.key(), name=name, store="lyon")
    assert not isinstance(told, Refusal)
    return told


async def type_in(
    shop: Shop, code: str, *, key: str | None = None, address: str = "10.0.0.1"
) -> tuple[Device, bool] | Refusal:
    return await enrol(Context(shop.services, None, address=address), key=key or shop.key(), code=code)


def refusal(told: object) -> tuple[RefusalCode, str]:
    assert isinstance(told, Refusal)
    return told.code, told.reason


async def test_a_short_code_makes_a_tablet_an_actor_of_its_brand(shop: Shop) -> None:
    device, code, replayed = await invited(shop)
    assert (device.state, device.name, device.store, device.invited_by) == (
        DeviceState.INVITED,
        "Entrance",
        "lyon",
        "manager/manager",
    )
    assert not replayed
    assert CODE.fullmatch(code)
    told = await type_in(shop, f" {code.lower().replace('-', ' ')} ")
    assert not isinstance(told, Refusal)
    enrolled, again = told
    assert (enrolled.id, enrolled.state, enrolled.enrolled_at, again) == (
        device.id,
        DeviceState.ENROLLED,
        shop.clock(),
        False,
    )
    tablet = Tablet(shop, enrolled)
    expected = Actor(Role.KIOSK, "grocer", f"device/{device.id}", NEVER, member=None, device=device.id)
    assert await tablet.actor() == expected


async def test_an_invitation_is_told_again_for_its_key_and_refused_for_other_content(shop: Shop) -> None:
    first = await invited(shop, "one")
    assert await invited(shop, "one") == (*first[:2], True)
    told = await invite(shop.context(Role.MANAGER), key="one", name="Exit", store="lyon")
    assert refusal(told) == (RefusalCode.KEY_REUSED, "key_reused")
    other = await invite(shop.context(Role.MANAGER, subject="another"), key="one", name="Exit", store=None)
    assert not isinstance(other, Refusal)
    assert other[0].id != first[0].id


async def test_a_code_enrols_one_tablet_and_gives_its_lost_answer_again(shop: Shop) -> None:
    _, code, _ = await invited(shop)
    first = await type_in(shop, code, key="mine")
    assert not isinstance(first, Refusal)
    assert await type_in(shop, code, key="mine") == (first[0], True)
    assert refusal(await type_in(shop, code, key="yours")) == (RefusalCode.CONFLICT, "device_code_used")


async def test_of_many_tablets_with_one_code_one_is_enrolled(shop: Shop) -> None:
    _, code, _ = await invited(shop)
    told = await asyncio.gather(*(type_in(shop, code, address=f"10.0.0.{n}") for n in range(20)))
    assert sorted(isinstance(one, Refusal) for one in told) == [False] + [True] * 19


async def test_a_code_is_good_for_a_quarter_of_an_hour(shop: Shop) -> None:
    _, code, _ = await invited(shop)
    shop.clock.advance(seconds=CODE_TTL.total_seconds())
    assert refusal(await type_in(shop, code, key="mine")) == (RefusalCode.EXPIRED, "device_code_expired")


async def test_a_lost_answer_is_not_given_again_once_the_code_is_old(shop: Shop) -> None:
    _, code, _ = await invited(shop)
    await type_in(shop, code, key="mine")
    shop.clock.advance(seconds=CODE_TTL.total_seconds())
    assert refusal(await type_in(shop, code, key="mine")) == (RefusalCode.EXPIRED, "device_code_expired")


async def test_twenty_wrong_codes_stop_whoever_guesses_and_nobody_else(shop: Shop) -> None:
    _, code, _ = await invited(shop)
    for _ in range(WRONG_CODES_MAX):
        assert refusal(await type_in(shop, "0000-0000")) == (RefusalCode.NOT_FOUND, "device_code_unknown")
    assert refusal(await type_in(shop, "0000-0000")) == (RefusalCode.LIMIT_REACHED, "attempts")
    assert refusal(await type_in(shop, code)) == (RefusalCode.LIMIT_REACHED, "attempts")
    assert not isinstance(await type_in(shop, code, address="10.0.0.2", key="mine"), Refusal)
    shop.clock.advance(seconds=SPAN.total_seconds())
    assert refusal(await type_in(shop, code)) == (RefusalCode.EXPIRED, "device_code_expired")


async def test_guesses_at_once_are_counted_all(shop: Shop) -> None:
    told = await asyncio.gather(*(type_in(shop, "0000-0000") for _ in range(WRONG_CODES_MAX + 30)))
    assert [refusal(one)[1] for one in told].count("device_code_unknown") == WRONG_CODES_MAX


async def test_right_codes_are_not_counted(shop: Shop) -> None:
    for _ in range(WRONG_CODES_MAX + 5):
        _, code, _ = await invited(shop)
        assert not isinstance(await type_in(shop, code), Refusal)


async def test_a_revoked_tablet_is_nobody_at_once_and_its_code_is_worth_nothing(shop: Shop) -> None:
    _, code, _ = await invited(shop)
    told = await type_in(shop, code, key="mine")
    assert not isinstance(told, Refusal)
    tablet, manager = Tablet(shop, told[0]), shop.context(Role.MANAGER)
    await tablet.actor()
    revoked = await revoke(manager, key="end", device=tablet.device.id)
    assert not isinstance(revoked, Refusal)
    assert (revoked[0].state, revoked[0].revoked_by, revoked[1]) == (DeviceState.REVOKED, "manager/manager", False)
    with pytest.raises(Unauthenticated) as fault:
        await tablet.actor()
    assert fault.value.reason == "device_revoked"
    assert refusal(await type_in(shop, code, key="mine")) == (RefusalCode.NOT_FOUND, "device_code_unknown")
    assert await revoke(manager, key="end", device=tablet.device.id) == (revoked[0], True)
    assert refusal(await revoke(manager, key="again", device=tablet.device.id)) == (
        RefusalCode.CONFLICT,
        "device_revoked",
    )


async def test_a_manager_knows_the_tablets_of_its_own_brand_only(shop: Shop) -> None:
    tablet = await Tablet.enrolled(shop)
    other = Shop(shop.services, shop.clock, "coffee", shop.keys)
    assert refusal(await revoke(other.context(Role.MANAGER), key="k", device=tablet.device.id)) == (
        RefusalCode.NOT_FOUND,
        "device_not_found",
    )
    assert await page(other.context(Role.MANAGER), first=10, after=None) == ([], False)
    assert (await tablet.actor()).device == tablet.device.id


async def test_tablets_are_listed_the_newest_first_page_by_page(shop: Shop) -> None:
    ids = []
    for _ in range(5):
        ids.append((await invited(shop))[0].id)
        shop.clock.advance(seconds=1)
    manager = shop.context(Role.MANAGER)
    first, more = await page(manager, first=3, after=None)
    assert ([device.id for device in first], more) == (ids[:1:-1], True)
    rest, more = await page(manager, first=3, after=(first[-1].invited_at, first[-1].id))
    assert ([device.id for device in rest], more) == (ids[1::-1], False)


async def test_a_tablet_without_a_name_or_with_one_too_long_is_refused(shop: Shop) -> None:
    manager = shop.context(Role.MANAGER)
    for name, store, reason in (
        (" ", None, "device_name_missing"),
        ("x" * (NAME_LENGTH_MAX + 1), None, "text_too_long"),
    ):
        told = await invite(manager, key=shop.key(), name=name, store=store)
        assert refusal(told) == (RefusalCode.INVALID, reason)
    assert refusal(await invite(manager, key=" ", name="x", store=None)) == (RefusalCode.INVALID, "key_missing")
    assert await shop.services.database.devices.count_documents({}) == 0


@pytest.mark.parametrize("token", ["cdt_", "cdt_abc", "cdt_abc.def", "cst_x.y", "cdt_é.é"])
async def test_a_made_up_token_is_nobodys(shop: Shop, token: str) -> None:
    with pytest.raises(Unauthenticated) as fault:
        await actor_of_token(shop.services, token)
    assert fault.value.reason == "token_invalid"


async def test_the_token_of_another_installation_is_nobodys(shop: Shop) -> None:
    tablet = await Tablet.enrolled(shop)
    with pytest.raises(Unauthenticated):
        await tablet.actor(tablet.token[:-1] + ("A" if tablet.token[-1] != "A" else "B"))

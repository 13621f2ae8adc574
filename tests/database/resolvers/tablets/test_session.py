"""At a tablet a shopper is known for a while, and nobody else is."""

import asyncio
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.results import InsertOneResult, UpdateResult
from support.shop import Shop, committed
from support.tablet import Tablet, pass_of

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.rules.member_pass import digits_of, span_of
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.fault import BadInput, Forbidden, Unauthenticated
from resolvers.core.member import MemberKey, look_up, may_see, me
from resolvers.tablets.device import revoke
from resolvers.tablets.rate_limit import SPAN
from resolvers.tablets.session import (
    IDLE,
    SESSION_TTL,
    WRONG_DIGITS_PER_MEMBER_MAX,
    WRONG_PER_DEVICE_MAX,
    Opened,
    actor_of_token,
    confirm_session,
    end_session,
    ended,
    issue_pass,
    open_session,
    shown,
)


class Died(Exception):  # noqa: N818 - what becomes of a gateway
    """The gateway is gone: nothing of what it was about to do is done."""


class Mortal(AsyncCollection[dict[str, Any]]):
    """A collection at whose first write its gateway dies: before the write, or after it."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], name: str, *, after: bool) -> None:
        super().__init__(database, name)
        self._after = after

    async def insert_one(self, *args: Any, **options: Any) -> InsertOneResult:
        if self._after:
            await super().insert_one(*args, **options)
        raise Died

    async def update_one(self, *args: Any, **options: Any) -> UpdateResult:
        if self._after:
            await super().update_one(*args, **options)
        raise Died


@pytest.fixture
async def tablet(shop: Shop) -> Tablet:
    return await Tablet.enrolled(shop)


async def lucy(shop: Shop) -> str:
    """Enrol somebody with everything that can be typed or scanned."""
    told = committed(await shop.enrol(first_name="Lucy", phone="+33611223344", email="lucy@example.org", card="C-77"))
    return told.snapshot.member.id


def told(refusal: object) -> tuple[RefusalCode, str]:
    assert isinstance(refusal, Refusal)
    return refusal.code, refusal.reason


async def is_over(tablet: Tablet, token: str | None) -> str:
    """Return why a session's token is worth nothing."""
    with pytest.raises(Unauthenticated) as fault:
        await tablet.actor(token)
    return fault.value.reason


async def test_the_pass_of_the_app_opens_a_session_with_a_token_of_its_own(shop: Shop, tablet: Tablet) -> None:
    member = await lucy(shop)
    opened = await tablet.opened("pass", pass_of(shop, member).code)
    assert (opened.greeting, opened.session.confirmed, opened.replayed) == ("L•••", True, False)
    assert opened.session.ends_at == shop.clock() + SESSION_TTL
    assert opened.snapshot is not None
    assert opened.snapshot.member.id == member
    actor = await tablet.actor(opened.token)
    assert (actor.role, actor.member, actor.device, actor.session) == (
        Role.KIOSK,
        member,
        tablet.device.id,
        opened.session.id,
    )
    assert actor.subject == (await tablet.actor()).subject
    mine = await me(await tablet.context(opened.token))
    assert mine is not None
    assert mine.member.id == member


@pytest.mark.parametrize("kind", ["card", "number"])
async def test_the_card_opens_a_confirmed_session(shop: Shop, tablet: Tablet, kind: str) -> None:
    member = await lucy(shop)
    snapshot = await shop.services.reader.member("grocer", member)
    assert snapshot is not None
    opened = await tablet.opened(kind, "C-77" if kind == "card" else snapshot.member.number)
    assert (opened.session.member, opened.session.confirmed) == (member, True)


async def test_a_pass_is_used_once(shop: Shop, tablet: Tablet) -> None:
    member = await lucy(shop)
    code = pass_of(shop, member).code
    await tablet.opened("pass", code)
    assert told(await tablet.refused("pass", code)) == (RefusalCode.CONFLICT, "pass_used")
    other = await Tablet.enrolled(shop, "Exit")
    assert told(await other.refused("pass", code)) == (RefusalCode.CONFLICT, "pass_used")


async def test_of_many_tablets_that_scan_one_pass_at_once_one_opens_a_session(shop: Shop) -> None:
    code = pass_of(shop, await lucy(shop)).code
    tablets = [await Tablet.enrolled(shop, f"{n}") for n in range(10)]
    found = await asyncio.gather(*(one.open("pass", code) for one in tablets))
    assert [isinstance(one, Opened) for one in found].count(True) == 1
    assert {told(one) for one in found if not isinstance(one, Opened)} == {(RefusalCode.CONFLICT, "pass_used")}


async def test_a_pass_is_good_for_a_minute(shop: Shop, tablet: Tablet) -> None:
    member = await lucy(shop)
    shown_now, shown_then = pass_of(shop, member), pass_of(shop, member)
    assert shown_now.code != shown_then.code
    shop.clock.advance(seconds=59)
    await tablet.opened("pass", shown_now.code)
    shop.clock.advance(seconds=1)
    assert told(await tablet.refused("pass", shown_then.code)) == (RefusalCode.EXPIRED, "pass_expired")


async def test_a_pass_of_another_brand_is_unknown(shop: Shop, tablet: Tablet) -> None:
    other = Shop(shop.services, shop.clock, "coffee", shop.keys)
    member = (await other.enrol()).snapshot.member.id
    code = issue_pass(other.context(Role.MEMBER, member=member)).code
    assert told(await tablet.refused("pass", code)) == (RefusalCode.NOT_FOUND, "pass_unknown")
    assert told(await tablet.refused("pass", "CP1.x.y.z.w")) == (RefusalCode.NOT_FOUND, "pass_unknown")


async def test_a_card_that_is_nobodys_is_not_found(tablet: Tablet) -> None:
    refusal = await tablet.refused("card", "nobody")
    assert (*told(refusal), refusal.path) == (RefusalCode.NOT_FOUND, "member_not_found", ("by", "card"))


@pytest.mark.parametrize(("kind", "value"), [("phone", "06 11 22 33 44"), ("email", "lucy@example.org")])
async def test_a_phone_or_e_mail_greets_and_nothing_else(shop: Shop, tablet: Tablet, kind: str, value: str) -> None:
    member = await lucy(shop)
    typed = value if kind == "email" else "+33611223344"
    opened = await tablet.opened(kind, typed)
    assert (opened.greeting, opened.session.confirmed, opened.snapshot) == ("L•••", False, None)
    context = await tablet.context(opened.token)
    actor = context.require_actor()
    assert (actor.member, may_see(actor, member)) == (None, False)
    assert await me(context) is None
    with pytest.raises(Forbidden) as fault:
        await look_up(context, MemberKey("id", member))
    assert fault.value.reason == "session_needed"


async def test_the_digits_of_the_app_confirm_a_greeting(shop: Shop, tablet: Tablet) -> None:
    member = await lucy(shop)
    opened = await tablet.opened("phone", "+33611223344")
    digits = pass_of(shop, member).digits
    confirmed = await confirm_session(await tablet.context(opened.token), key=shop.key(), digits=digits)
    assert isinstance(confirmed, Opened)
    assert confirmed.session.confirmed
    assert confirmed.snapshot is not None
    assert (await tablet.actor(opened.token)).member == member
    again = await confirm_session(await tablet.context(opened.token), key=shop.key(), digits="000000")
    assert isinstance(again, Opened)
    assert again.replayed


async def test_digits_are_used_once_and_are_one_members(shop: Shop, tablet: Tablet) -> None:
    member = await lucy(shop)
    digits = pass_of(shop, member).digits
    other = await Tablet.enrolled(shop, "Exit")
    first, second = await tablet.opened("phone", "+33611223344"), await other.opened("email", "lucy@example.org")
    await confirm_session(await tablet.context(first.token), key=shop.key(), digits=digits)
    used = await confirm_session(await other.context(second.token), key=shop.key(), digits=digits)
    assert told(used) == (RefusalCode.CONFLICT, "pass_used")
    stranger = (await shop.enrol()).snapshot.member.id
    wrong = pass_of(shop, stranger).digits
    refusal = await confirm_session(await other.context(second.token), key=shop.key(), digits=wrong)
    assert told(refusal) == (RefusalCode.NOT_FOUND, "digits_wrong")
    assert (await other.actor(second.token)).member is None


async def test_five_wrong_digits_stop_guessing_at_a_member_on_any_tablet(shop: Shop, tablet: Tablet) -> None:
    member = await lucy(shop)
    right = pass_of(shop, member).digits
    near = {
        digits_of(programme="grocer", member=member, span=span_of(shop.clock()) - n, secret=b"a secret")
        for n in range(4)
    }
    wrong = [text for n in range(30) if (text := f"{n:06d}") not in near]
    opened = await tablet.opened("phone", "+33611223344")
    for digits in wrong[:WRONG_DIGITS_PER_MEMBER_MAX]:
        refusal = await confirm_session(await tablet.context(opened.token), key=shop.key(), digits=digits)
        assert told(refusal) == (RefusalCode.NOT_FOUND, "digits_wrong")
    other = await Tablet.enrolled(shop, "Exit")
    second = await other.opened("phone", "+33611223344")
    for one, token in ((tablet, opened.token), (other, second.token)):
        refusal = await confirm_session(await one.context(token), key=shop.key(), digits=right)
        assert told(refusal) == (RefusalCode.LIMIT_REACHED, "attempts")
    shop.clock.advance(seconds=SPAN.total_seconds())
    third = await other.opened("phone", "+33611223344")
    digits = pass_of(shop, member).digits
    assert isinstance(await confirm_session(await other.context(third.token), key=shop.key(), digits=digits), Opened)


async def test_twenty_wrong_cards_stop_a_tablet_and_no_other(shop: Shop, tablet: Tablet) -> None:
    member = await lucy(shop)
    for number in range(WRONG_PER_DEVICE_MAX):
        assert told(await tablet.refused("card", f"guess-{number}")) == (RefusalCode.NOT_FOUND, "member_not_found")
    code = pass_of(shop, member).code
    assert told(await tablet.refused("pass", code)) == (RefusalCode.LIMIT_REACHED, "attempts")
    other = await Tablet.enrolled(shop, "Exit")
    await other.opened("pass", code)


async def test_the_same_key_opens_one_session_and_gives_its_token_again_while_it_goes_on(
    shop: Shop, tablet: Tablet
) -> None:
    await lucy(shop)
    first = await tablet.opened("card", "C-77", key="one")
    again = await tablet.opened("card", "C-77", key="one")
    assert (again.session, again.token, again.replayed) == (first.session, first.token, True)
    assert told(await tablet.refused("card", "C-78", key="one")) == (RefusalCode.KEY_REUSED, "key_reused")
    await end_session(await tablet.context(first.token), key=shop.key())
    assert told(await tablet.refused("card", "C-77", key="one")) == (RefusalCode.EXPIRED, "session_over")


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("write", ["spent", "sessions", "devices"])
async def test_who_retries_when_a_gateway_died_while_it_opened_a_session_gets_the_session(
    shop: Shop, tablet: Tablet, write: str, *, after: bool
) -> None:
    member = await lucy(shop)
    code = pass_of(shop, member).code
    mortal = copy(shop.services.database)
    setattr(mortal, write, Mortal(mortal.db, write, after=after))
    dying = Tablet(replace(shop, services=replace(shop.services, database=mortal)), tablet.device)
    with pytest.raises(Died):
        await dying.open("pass", code, key="one")
    opened = await tablet.opened("pass", code, key="one")
    assert (await tablet.actor(opened.token)).member == member
    again = await tablet.opened("pass", code, key="one")
    assert (again.session, again.token, again.replayed) == (opened.session, opened.token, True)
    assert told(await tablet.refused("pass", code)) == (RefusalCode.CONFLICT, "pass_used")


async def test_a_pass_is_not_spent_where_a_gateway_died_before_the_session_was_there(
    shop: Shop, tablet: Tablet
) -> None:
    code = pass_of(shop, await lucy(shop)).code
    mortal = copy(shop.services.database)
    mortal.sessions = Mortal(mortal.db, "sessions", after=False)
    dying = Tablet(replace(shop, services=replace(shop.services, database=mortal)), tablet.device)
    with pytest.raises(Died):
        await dying.open("pass", code)
    other = await Tablet.enrolled(shop, "Exit")
    await other.opened("pass", code)


async def test_a_session_that_was_left_is_over(shop: Shop, tablet: Tablet) -> None:
    await lucy(shop)
    opened = await tablet.opened("card", "C-77")
    left = await end_session(await tablet.context(opened.token), key=shop.key())
    assert isinstance(left, Opened)
    assert left.snapshot is None
    assert await is_over(tablet, opened.token) == "session_over"
    assert (await tablet.actor()).session is None


async def test_a_session_ends_when_nothing_is_done_and_goes_on_while_something_is(shop: Shop, tablet: Tablet) -> None:
    await lucy(shop)
    opened = await tablet.opened("card", "C-77")
    for _ in range(3):
        shop.clock.advance(seconds=IDLE.total_seconds() - 1)
        await tablet.actor(opened.token)
    shop.clock.advance(seconds=IDLE.total_seconds())
    assert await is_over(tablet, opened.token) == "session_over"


async def test_a_session_ends_at_the_latest_whatever_is_done(shop: Shop, tablet: Tablet) -> None:
    await lucy(shop)
    opened = await tablet.opened("card", "C-77")
    until = shop.clock() + SESSION_TTL
    while shop.clock() + timedelta(minutes=1) < until:
        shop.clock.advance(minutes=1)
        await tablet.actor(opened.token)
    shop.clock.advance(minutes=1)
    assert await is_over(tablet, opened.token) == "session_over"


async def test_the_next_shopper_ends_the_session_before(shop: Shop, tablet: Tablet) -> None:
    await lucy(shop)
    stranger = (await shop.enrol(card="C-78")).snapshot.member.id
    first = await tablet.opened("card", "C-77", key="one")
    second = await tablet.opened("card", "C-78")
    assert await is_over(tablet, first.token) == "session_over"
    assert (await tablet.actor(second.token)).member == stranger
    assert told(await tablet.refused("card", "C-77", key="one")) == (RefusalCode.EXPIRED, "session_over")


async def test_of_sessions_that_begin_at_once_at_a_tablet_one_goes_on(shop: Shop, tablet: Tablet) -> None:
    await lucy(shop)
    opened = await asyncio.gather(*(tablet.opened("card", "C-77") for _ in range(10)))
    going_on = 0
    for one in opened:
        assert one.token is not None
        try:
            await tablet.actor(one.token)
            going_on += 1
        except Unauthenticated:
            pass
    assert going_on == 1


async def test_a_revoked_tablet_ends_its_session(shop: Shop, tablet: Tablet) -> None:
    await lucy(shop)
    opened = await tablet.opened("card", "C-77")
    await revoke(shop.context(Role.MANAGER), key=shop.key(), device=tablet.device.id)
    assert await is_over(tablet, opened.token) == "device_revoked"
    assert await is_over(tablet, None) == "device_revoked"


async def test_live_connections_of_what_has_ended_are_told(shop: Shop, tablet: Tablet) -> None:
    await lucy(shop)
    opened, other = await tablet.opened("card", "C-77"), await Tablet.enrolled(shop, "Exit")
    actors = [await tablet.actor(), await tablet.actor(opened.token), await other.actor()]
    assert await ended(shop.services, actors) == set()
    await end_session(await tablet.context(opened.token), key=shop.key())
    assert await ended(shop.services, actors) == {actors[1]}
    await revoke(shop.context(Role.MANAGER), key=shop.key(), device=tablet.device.id)
    assert await ended(shop.services, actors) == {actors[0], actors[1]}


async def test_the_session_tells_itself_and_keeps_itself_alive(shop: Shop, tablet: Tablet) -> None:
    await lucy(shop)
    opened = await tablet.opened("card", "C-77")
    itself = await shown(await tablet.context(opened.token))
    assert itself is not None
    assert (itself.session.id, itself.greeting, itself.token) == (opened.session.id, "L•••", None)
    assert await shown(await tablet.context()) is None
    assert await shown(shop.context(Role.KIOSK)) is None


@pytest.mark.parametrize("role", [Role.KIOSK, Role.TILL, Role.MEMBER])
async def test_only_an_enrolled_tablet_opens_sessions(shop: Shop, role: Role) -> None:
    member = await lucy(shop)
    context = shop.context(role, member=member if role is Role.MEMBER else None)
    with pytest.raises(BadInput) as fault:
        await open_session(context, key=shop.key(), by=MemberKey("card", "C-77"))
    assert fault.value.reason == "tablet_needed"


async def test_a_sessions_token_opens_no_other_and_a_tablets_own_neither_confirms_nor_ends(
    shop: Shop, tablet: Tablet
) -> None:
    await lucy(shop)
    opened = await tablet.opened("card", "C-77")
    with pytest.raises(BadInput):
        await open_session(await tablet.context(opened.token), key=shop.key(), by=MemberKey("card", "C-77"))
    for refused in (
        confirm_session(await tablet.context(), key="k", digits="1"),
        end_session(await tablet.context(), key="k"),
    ):
        with pytest.raises(BadInput) as fault:
            await refused
        assert fault.value.reason == "session_missing"


async def test_somebody_without_a_first_name_is_greeted_without_one(shop: Shop, tablet: Tablet) -> None:
    await shop.enrol(card="C-79")
    assert (await tablet.opened("card", "C-79")).greeting == "•••"


async def test_only_a_member_has_a_pass(shop: Shop, tablet: Tablet) -> None:
    await lucy(shop)
    opened = await tablet.opened("card", "C-77")
    for context in (shop.context(Role.AGENT), await tablet.context(opened.token), await tablet.context()):
        with pytest.raises(Forbidden):
            issue_pass(context)
    assert (await actor_of_token(shop.services, opened.token or "")).session is not None
    assert Context(shop.services, None).actor is None

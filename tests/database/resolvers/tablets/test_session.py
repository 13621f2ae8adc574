"""Sessions of shoppers at a tablet: opened, confirmed, limited in time, ended."""

import asyncio
from copy import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.results import InsertOneResult, UpdateResult
from support.clients.resolver_client import ResolverClient
from support.clients.tablet import Tablet, member_pass
from support.outcome import code_and_reason, committed

from loyalty.kernel.refusal import RefusalCode
from loyalty.rules.member_pass import LEEWAY, digits_for, time_step_of
from models.mongo.collection import Collection
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.guesses import SPAN
from resolvers.core.guessing import TABLET_MAX
from resolvers.core.member import MemberKey, look_up, may_see, own_member
from resolvers.core.operation_error import BadInput, Forbidden, Unauthenticated
from resolvers.tablets.device import revoke
from resolvers.tablets.session import (
    IDLE,
    SESSION_TTL,
    WRONG_DIGITS_PER_MEMBER_MAX,
    SessionView,
    actor_of_token,
    confirm_session,
    current_view,
    end_session,
    invalid_actors,
    issue_pass,
    open_session,
)


class Died(Exception):  # noqa: N818 - what becomes of a gateway
    """The gateway crashed: it does nothing more."""


class Mortal(Collection):
    """A collection whose gateway crashes at the first write, before or after it."""

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
async def tablet(resolver_client: ResolverClient) -> Tablet:
    return await Tablet.enrolled(resolver_client)


async def lucy(resolver_client: ResolverClient) -> str:
    """Enrol a member with every identity that can be typed or scanned."""
    result = committed(
        await resolver_client.enrol(first_name="Lucy", phone="+33611223344", email="lucy@example.org", card="C-77")
    )
    return result.snapshot.member.id


async def is_over(tablet: Tablet, token: str | None) -> str:
    """Return the reason why a session's token is refused."""
    with pytest.raises(Unauthenticated) as fault:
        await tablet.actor(token)
    return fault.value.reason


async def test_the_pass_of_the_app_opens_a_session_with_a_token_of_its_own(
    resolver_client: ResolverClient, tablet: Tablet
) -> None:
    member = await lucy(resolver_client)
    opened = await tablet.opened("pass", member_pass(resolver_client, member).code)
    assert (opened.greeting, opened.session.confirmed, opened.replayed) == ("L•••", True, False)
    assert opened.session.ends_at == resolver_client.clock() + SESSION_TTL
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
    mine = await own_member(await tablet.context(opened.token))
    assert mine is not None
    assert mine.member.id == member


@pytest.mark.parametrize("kind", ["card", "number"])
async def test_the_card_opens_a_confirmed_session(resolver_client: ResolverClient, tablet: Tablet, kind: str) -> None:
    member = await lucy(resolver_client)
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    opened = await tablet.opened(kind, "C-77" if kind == "card" else snapshot.member.number)
    assert (opened.session.member, opened.session.confirmed) == (member, True)


async def test_a_pass_is_used_once(resolver_client: ResolverClient, tablet: Tablet) -> None:
    member = await lucy(resolver_client)
    code = member_pass(resolver_client, member).code
    await tablet.opened("pass", code)
    assert code_and_reason(await tablet.refused("pass", code)) == (RefusalCode.CONFLICT, "pass_used")
    other = await Tablet.enrolled(resolver_client, "Exit")
    assert code_and_reason(await other.refused("pass", code)) == (RefusalCode.CONFLICT, "pass_used")


async def test_one_of_many_tablets_that_scan_a_pass_concurrently_opens_a_session(
    resolver_client: ResolverClient,
) -> None:
    code = member_pass(resolver_client, await lucy(resolver_client)).code
    tablets = [await Tablet.enrolled(resolver_client, f"{n}") for n in range(10)]
    found = await asyncio.gather(*(one.open("pass", code) for one in tablets))
    assert [isinstance(one, SessionView) for one in found].count(True) == 1
    assert {code_and_reason(one) for one in found if not isinstance(one, SessionView)} == {
        (RefusalCode.CONFLICT, "pass_used")
    }


async def test_pass_is_valid_for_a_minute(resolver_client: ResolverClient, tablet: Tablet) -> None:
    member = await lucy(resolver_client)
    shown_now, shown_then = member_pass(resolver_client, member), member_pass(resolver_client, member)
    assert shown_now.code != shown_then.code
    resolver_client.clock.advance(seconds=59)
    await tablet.opened("pass", shown_now.code)
    resolver_client.clock.advance(seconds=1 + LEEWAY.total_seconds())
    assert code_and_reason(await tablet.refused("pass", shown_then.code)) == (RefusalCode.EXPIRED, "pass_expired")


async def test_a_pass_of_another_brand_is_unknown(resolver_client: ResolverClient, tablet: Tablet) -> None:
    other = ResolverClient(resolver_client.services, resolver_client.clock, "coffee", resolver_client.keys)
    member = (await other.enrol()).snapshot.member.id
    code = issue_pass(other.context(Role.MEMBER, member=member)).code
    assert code_and_reason(await tablet.refused("pass", code)) == (RefusalCode.NOT_FOUND, "pass_unknown")
    assert code_and_reason(await tablet.refused("pass", "CP1.x.y.z.w")) == (RefusalCode.NOT_FOUND, "pass_unknown")


async def test_unknown_card_is_not_found(tablet: Tablet) -> None:
    refusal = await tablet.refused("card", "nobody")
    assert (*code_and_reason(refusal), refusal.path) == (RefusalCode.NOT_FOUND, "member_not_found", ("by", "card"))


@pytest.mark.parametrize(("kind", "value"), [("phone", "06 11 22 33 44"), ("email", "lucy@example.org")])
async def test_phone_or_email_opens_a_greeting_only(
    resolver_client: ResolverClient, tablet: Tablet, kind: str, value: str
) -> None:
    member = await lucy(resolver_client)
    typed = value if kind == "email" else "+33611223344"
    opened = await tablet.opened(kind, typed)
    assert (opened.greeting, opened.session.confirmed, opened.snapshot) == ("L•••", False, None)
    context = await tablet.context(opened.token)
    actor = context.require_actor()
    assert (actor.member, may_see(actor, member)) == (None, False)
    assert await own_member(context) is None
    with pytest.raises(Forbidden) as fault:
        await look_up(context, MemberKey("id", member))
    assert fault.value.reason == "session_needed"


async def test_the_digits_of_the_app_confirm_a_greeting(resolver_client: ResolverClient, tablet: Tablet) -> None:
    member = await lucy(resolver_client)
    opened = await tablet.opened("phone", "+33611223344")
    digits = member_pass(resolver_client, member).digits
    confirmed = await confirm_session(await tablet.context(opened.token), key=resolver_client.key(), digits=digits)
    assert isinstance(confirmed, SessionView)
    assert confirmed.session.confirmed
    assert confirmed.snapshot is not None
    assert (await tablet.actor(opened.token)).member == member
    again = await confirm_session(await tablet.context(opened.token), key=resolver_client.key(), digits="000000")
    assert isinstance(again, SessionView)
    assert again.replayed


async def test_digits_are_used_once_and_belong_to_one_member(resolver_client: ResolverClient, tablet: Tablet) -> None:
    member = await lucy(resolver_client)
    digits = member_pass(resolver_client, member).digits
    other = await Tablet.enrolled(resolver_client, "Exit")
    first, second = await tablet.opened("phone", "+33611223344"), await other.opened("email", "lucy@example.org")
    await confirm_session(await tablet.context(first.token), key=resolver_client.key(), digits=digits)
    used = await confirm_session(await other.context(second.token), key=resolver_client.key(), digits=digits)
    assert code_and_reason(used) == (RefusalCode.CONFLICT, "pass_used")
    stranger = (await resolver_client.enrol()).snapshot.member.id
    wrong = member_pass(resolver_client, stranger).digits
    refusal = await confirm_session(await other.context(second.token), key=resolver_client.key(), digits=wrong)
    assert code_and_reason(refusal) == (RefusalCode.NOT_FOUND, "digits_wrong")
    assert (await other.actor(second.token)).member is None


async def test_five_wrong_digits_block_a_member_on_every_tablet(
    resolver_client: ResolverClient, tablet: Tablet
) -> None:
    member = await lucy(resolver_client)
    right = member_pass(resolver_client, member).digits
    near = {
        digits_for(
            programme="grocer", member=member, time_step=time_step_of(resolver_client.clock()) - n, secret=b"a secret"
        )
        for n in range(4)
    }
    wrong = [text for n in range(30) if (text := f"{n:06d}") not in near]
    opened = await tablet.opened("phone", "+33611223344")
    for digits in wrong[:WRONG_DIGITS_PER_MEMBER_MAX]:
        refusal = await confirm_session(await tablet.context(opened.token), key=resolver_client.key(), digits=digits)
        assert code_and_reason(refusal) == (RefusalCode.NOT_FOUND, "digits_wrong")
    other = await Tablet.enrolled(resolver_client, "Exit")
    second = await other.opened("phone", "+33611223344")
    for one, token in ((tablet, opened.token), (other, second.token)):
        refusal = await confirm_session(await one.context(token), key=resolver_client.key(), digits=right)
        assert code_and_reason(refusal) == (RefusalCode.LIMIT_REACHED, "attempts_seconds")
    resolver_client.clock.advance(seconds=SPAN.total_seconds())
    third = await other.opened("phone", "+33611223344")
    digits = member_pass(resolver_client, member).digits
    assert isinstance(
        await confirm_session(await other.context(third.token), key=resolver_client.key(), digits=digits), SessionView
    )


async def test_twenty_wrong_cards_block_that_tablet_only(resolver_client: ResolverClient, tablet: Tablet) -> None:
    member = await lucy(resolver_client)
    for number in range(TABLET_MAX):
        assert code_and_reason(await tablet.refused("card", f"guess-{number}")) == (
            RefusalCode.NOT_FOUND,
            "member_not_found",
        )
    code = member_pass(resolver_client, member).code
    assert code_and_reason(await tablet.refused("pass", code)) == (RefusalCode.LIMIT_REACHED, "attempts_seconds")
    other = await Tablet.enrolled(resolver_client, "Exit")
    await other.opened("pass", code)


async def test_same_key_opens_one_session_and_returns_its_token_while_it_is_open(
    resolver_client: ResolverClient, tablet: Tablet
) -> None:
    await lucy(resolver_client)
    first = await tablet.opened("card", "C-77", key="one")
    again = await tablet.opened("card", "C-77", key="one")
    assert (again.session, again.token, again.replayed) == (first.session, first.token, True)
    assert code_and_reason(await tablet.refused("card", "C-78", key="one")) == (RefusalCode.KEY_REUSED, "key_reused")
    await end_session(await tablet.context(first.token), key=resolver_client.key())
    assert code_and_reason(await tablet.refused("card", "C-77", key="one")) == (RefusalCode.EXPIRED, "session_over")


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize("write", ["used_credentials", "sessions", "devices"])
async def test_retry_after_a_crash_while_opening_returns_the_session(
    resolver_client: ResolverClient, tablet: Tablet, write: str, *, after: bool
) -> None:
    member = await lucy(resolver_client)
    code = member_pass(resolver_client, member).code
    mortal = copy(resolver_client.services.database)
    setattr(mortal, write, Mortal(mortal.db, getattr(mortal, write).name, after=after))
    dying = Tablet(replace(resolver_client, services=replace(resolver_client.services, database=mortal)), tablet.device)
    with pytest.raises(Died):
        await dying.open("pass", code, key="one")
    opened = await tablet.opened("pass", code, key="one")
    assert (await tablet.actor(opened.token)).member == member
    again = await tablet.opened("pass", code, key="one")
    assert (again.session, again.token, again.replayed) == (opened.session, opened.token, True)
    assert code_and_reason(await tablet.refused("pass", code)) == (RefusalCode.CONFLICT, "pass_used")


async def test_pass_stays_valid_if_the_gateway_crashed_before_the_session_was_stored(
    resolver_client: ResolverClient, tablet: Tablet
) -> None:
    code = member_pass(resolver_client, await lucy(resolver_client)).code
    mortal = copy(resolver_client.services.database)
    mortal.sessions = Mortal(mortal.db, "sessions", after=False)
    dying = Tablet(replace(resolver_client, services=replace(resolver_client.services, database=mortal)), tablet.device)
    with pytest.raises(Died):
        await dying.open("pass", code)
    other = await Tablet.enrolled(resolver_client, "Exit")
    await other.opened("pass", code)


async def test_left_session_is_ended(resolver_client: ResolverClient, tablet: Tablet) -> None:
    await lucy(resolver_client)
    opened = await tablet.opened("card", "C-77")
    left = await end_session(await tablet.context(opened.token), key=resolver_client.key())
    assert isinstance(left, SessionView)
    assert left.snapshot is None
    assert await is_over(tablet, opened.token) == "session_over"
    assert (await tablet.actor()).session is None


async def test_idle_session_ends_and_active_session_continues(resolver_client: ResolverClient, tablet: Tablet) -> None:
    await lucy(resolver_client)
    opened = await tablet.opened("card", "C-77")
    for _ in range(3):
        resolver_client.clock.advance(seconds=IDLE.total_seconds() - 1)
        await tablet.actor(opened.token)
    resolver_client.clock.advance(seconds=IDLE.total_seconds())
    assert await is_over(tablet, opened.token) == "session_over"


async def test_session_has_a_maximum_length(resolver_client: ResolverClient, tablet: Tablet) -> None:
    await lucy(resolver_client)
    opened = await tablet.opened("card", "C-77")
    until = resolver_client.clock() + SESSION_TTL
    while resolver_client.clock() + timedelta(minutes=1) < until:
        resolver_client.clock.advance(minutes=1)
        await tablet.actor(opened.token)
    resolver_client.clock.advance(minutes=1)
    assert await is_over(tablet, opened.token) == "session_over"


async def test_the_next_shopper_ends_the_session_before(resolver_client: ResolverClient, tablet: Tablet) -> None:
    await lucy(resolver_client)
    stranger = (await resolver_client.enrol(card="C-78")).snapshot.member.id
    first = await tablet.opened("card", "C-77", key="one")
    second = await tablet.opened("card", "C-78")
    assert await is_over(tablet, first.token) == "session_over"
    assert (await tablet.actor(second.token)).member == stranger
    assert code_and_reason(await tablet.refused("card", "C-77", key="one")) == (RefusalCode.EXPIRED, "session_over")


async def test_one_of_concurrent_sessions_on_a_tablet_stays_open(
    resolver_client: ResolverClient, tablet: Tablet
) -> None:
    await lucy(resolver_client)
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


async def test_a_revoked_tablet_ends_its_session(resolver_client: ResolverClient, tablet: Tablet) -> None:
    await lucy(resolver_client)
    opened = await tablet.opened("card", "C-77")
    await revoke(resolver_client.context(Role.MANAGER), key=resolver_client.key(), device=tablet.device.id)
    assert await is_over(tablet, opened.token) == "device_revoked"
    assert await is_over(tablet, None) == "device_revoked"


async def test_live_connections_end_with_their_session(resolver_client: ResolverClient, tablet: Tablet) -> None:
    await lucy(resolver_client)
    opened, other = await tablet.opened("card", "C-77"), await Tablet.enrolled(resolver_client, "Exit")
    actors = [await tablet.actor(), await tablet.actor(opened.token), await other.actor()]
    assert await invalid_actors(resolver_client.services, actors) == set()
    await end_session(await tablet.context(opened.token), key=resolver_client.key())
    assert await invalid_actors(resolver_client.services, actors) == {actors[1]}
    await revoke(resolver_client.context(Role.MANAGER), key=resolver_client.key(), device=tablet.device.id)
    assert await invalid_actors(resolver_client.services, actors) == {actors[0], actors[1]}


async def test_reading_the_session_returns_it_and_keeps_it_open(
    resolver_client: ResolverClient, tablet: Tablet
) -> None:
    await lucy(resolver_client)
    opened = await tablet.opened("card", "C-77")
    itself = await current_view(await tablet.context(opened.token))
    assert itself is not None
    assert (itself.session.id, itself.greeting, itself.token) == (opened.session.id, "L•••", None)
    assert await current_view(await tablet.context()) is None
    assert await current_view(resolver_client.context(Role.KIOSK)) is None


@pytest.mark.parametrize("role", [Role.KIOSK, Role.TILL, Role.MEMBER])
async def test_only_an_enrolled_tablet_opens_sessions(resolver_client: ResolverClient, role: Role) -> None:
    member = await lucy(resolver_client)
    context = resolver_client.context(role, member=member if role is Role.MEMBER else None)
    with pytest.raises(BadInput) as fault:
        await open_session(context, key=resolver_client.key(), by=MemberKey("card", "C-77"))
    assert fault.value.reason == "tablet_needed"


async def test_a_sessions_token_opens_no_other_and_a_tablets_own_neither_confirms_nor_ends(
    resolver_client: ResolverClient, tablet: Tablet
) -> None:
    await lucy(resolver_client)
    opened = await tablet.opened("card", "C-77")
    with pytest.raises(BadInput):
        await open_session(await tablet.context(opened.token), key=resolver_client.key(), by=MemberKey("card", "C-77"))
    for refused in (
        confirm_session(await tablet.context(), key="k", digits="1"),
        end_session(await tablet.context(), key="k"),
    ):
        with pytest.raises(BadInput) as fault:
            await refused
        assert fault.value.reason == "session_missing"


async def test_somebody_without_a_first_name_is_greeted_without_one(
    resolver_client: ResolverClient, tablet: Tablet
) -> None:
    await resolver_client.enrol(card="C-79")
    assert (await tablet.opened("card", "C-79")).greeting == "•••"


async def test_only_a_member_has_a_pass(resolver_client: ResolverClient, tablet: Tablet) -> None:
    await lucy(resolver_client)
    opened = await tablet.opened("card", "C-77")
    for context in (resolver_client.context(Role.AGENT), await tablet.context(opened.token), await tablet.context()):
        with pytest.raises(Forbidden):
            issue_pass(context)
    assert (await actor_of_token(resolver_client.services, opened.token or "")).session is not None
    assert Context(resolver_client.services, None).actor is None

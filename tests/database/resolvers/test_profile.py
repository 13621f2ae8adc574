"""Corrections of profiles: every lookup follows, nobody gets what is another member's, and the audit holds."""

import asyncio
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clients.resolver_client import ResolverClient
from support.clients.tablet import Tablet, member_pass
from support.documents import documents
from support.outcome import committed, refused
from support.programme_files import programme_source
from support.property_settings import property_settings

from loyalty.commands.personal.profile import CARDS_MAX
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.consent import ContactChannel
from loyalty.model.ledger import EntryKind
from loyalty.model.notice import NoticeKind
from models.commits.request import Committed, Outcome
from models.programmes.programme_store import apply_file
from resolvers.audit.audit import audit
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey, look_up
from resolvers.core.operation_error import Forbidden
from resolvers.profile import add_card, remove_card, update_profile


async def change(
    resolver_client: ResolverClient, member: str, /, *, key: str | None = None, role: Role = Role.AGENT, **typed: Any
) -> Outcome:
    """Correct a member's profile, as an agent."""
    context = resolver_client.context(role)
    return await update_profile(context, key=key or resolver_client.key(), member=MemberKey("id", member), typed=typed)


async def add(resolver_client: ResolverClient, member: str, card: str, key: str | None = None) -> Outcome:
    """Add a card as the member."""
    context = resolver_client.context(Role.MEMBER, member=member)
    return await add_card(context, key=key or resolver_client.key(), member=None, card=card)


async def remove(resolver_client: ResolverClient, member: str, card: str, key: str | None = None) -> Outcome:
    """Remove a card as the member."""
    context = resolver_client.context(Role.MEMBER, member=member)
    return await remove_card(context, key=key or resolver_client.key(), member=None, card=card)


async def found(resolver_client: ResolverClient, kind: str, value: str) -> str | None:
    """Return the id of the member that an agent finds."""
    snapshot = await look_up(resolver_client.context(Role.AGENT), MemberKey(kind, value))
    return snapshot.member.id if snapshot is not None else None


async def assert_audit_holds(resolver_client: ResolverClient) -> None:
    findings = await audit(resolver_client.services.database)
    assert findings.members_with_faults == []


def code_and_path(outcome: Outcome) -> tuple[RefusalCode, tuple[str, ...]]:
    refusal = refused(outcome)
    return refusal.code, refusal.path


async def test_what_is_sent_changes_what_is_left_out_stays_and_null_clears(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member(first_name="Sam", email="sam@example.org", phone="+33612345678")
    changed = committed(
        await change(
            resolver_client,
            member,
            last_name=" Lee ",
            email="Sam.Lee@Example.org",
            phone=None,
            birth_date=date(1990, 2, 28),
            locale="fr",
            time_zone="Europe/Paris",
            nickname="Sammy",
            preferred_contact=ContactChannel.SMS,
        )
    )
    profile = changed.snapshot.member.profile
    assert (profile.first_name, profile.last_name, profile.email, profile.phone) == (
        "Sam",
        "Lee",
        "Sam.Lee@example.org",
        None,
    )
    assert (profile.birth_date, profile.locale, profile.time_zone) == (date(1990, 2, 28), "fr", "Europe/Paris")
    assert (profile.nickname, profile.preferred_contact) == ("Sammy", ContactChannel.SMS)
    assert [notice.kind for notice in changed.record.notices] == [NoticeKind.PROFILE_CHANGED]
    assert (changed.snapshot.version, changed.record.entries, changed.record.cause.operation) == (
        2,
        (),
        "update-profile",
    )
    stored = await resolver_client.services.reader.member("grocer", member)
    assert stored is not None
    assert stored.member.profile == profile
    cleared = committed(await change(resolver_client, member, locale=None, nickname=" ", preferred_contact=None))
    profile = cleared.snapshot.member.profile
    assert (profile.locale, profile.nickname, profile.preferred_contact) == ("en", None, None)
    assert await found(resolver_client, "email", "sam.lee@example.org") == member
    assert await found(resolver_client, "email", "sam@example.org") is None
    assert await found(resolver_client, "phone", "+33612345678") is None
    await assert_audit_holds(resolver_client)


async def test_the_ledger_holds_no_personal_data(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await change(resolver_client, member, first_name="Zebulon", email="zebulon@example.org", phone="+33612345678")
    await add(resolver_client, member, "Zebulons-card")
    database = resolver_client.services.database
    stored = str(await database.records.find().to_list())
    assert [text for text in ("Zebulon", "zebulon", "612345678") if text in stored] == []


async def test_what_is_given_up_can_be_taken_by_another_member(resolver_client: ResolverClient) -> None:
    fields = {"email": "sam@example.org", "phone": "+33612345678", "card": "C-77"}
    one, two = await resolver_client.member(**fields), await resolver_client.member()
    for kind in ("email", "phone"):
        typed: dict[str, Any] = {kind: fields[kind].upper()}
        taken = await change(resolver_client, two, **typed)
        assert code_and_path(taken) == (RefusalCode.ALREADY_EXISTS, (kind,))
    assert code_and_path(await add(resolver_client, two, "c 77")) == (RefusalCode.ALREADY_EXISTS, ("card",))
    committed(await change(resolver_client, one, email="other@example.org", phone=None))
    committed(await remove(resolver_client, one, "c77"))
    committed(await change(resolver_client, two, email=fields["email"], phone="0033 6 12 34 56 78"))
    committed(await add(resolver_client, two, "c 77"))
    for kind, value in fields.items():
        assert await found(resolver_client, kind, value) == two
    await assert_audit_holds(resolver_client)


async def test_another_way_of_writing_ones_own_email_phone_or_card_is_no_conflict(
    resolver_client: ResolverClient,
) -> None:
    member = await resolver_client.member(email="sam@example.org", phone="+12125550123", card="C-77")
    changed = committed(await change(resolver_client, member, email="SAM@example.org", phone="(212) 555-0123"))
    profile = changed.snapshot.member.profile
    assert (profile.email, profile.phone) == ("SAM@example.org", "(212) 555-0123")
    again = committed(await add(resolver_client, member, "c77"))
    assert again.snapshot.member.cards == ("C-77",)
    assert again.record.notices == ()
    await assert_audit_holds(resolver_client)


async def test_a_lost_card_is_replaced(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member(card="OLD-1")
    added = committed(await add(resolver_client, member, "NEW-1"))
    assert [notice.kind for notice in added.record.notices] == [NoticeKind.CARD_ADDED]
    removed = committed(await remove(resolver_client, member, " old 1"))
    assert (removed.snapshot.member.cards, removed.record.notices[0].kind) == (("NEW-1",), NoticeKind.CARD_REMOVED)
    assert await found(resolver_client, "card", "OLD-1") is None
    assert await found(resolver_client, "card", "NEW-1") == member
    last = committed(await remove(resolver_client, member, "NEW-1"))
    assert last.snapshot.member.cards == ()
    assert await found(resolver_client, "number", last.snapshot.member.number) == member
    assert code_and_path(await remove(resolver_client, member, "NEW-1")) == (RefusalCode.NOT_FOUND, ("card",))
    await assert_audit_holds(resolver_client)


async def test_a_card_of_another_member_cannot_be_removed(resolver_client: ResolverClient) -> None:
    one, two = await resolver_client.member(card="C-77"), await resolver_client.member()
    unknown = refused(await remove(resolver_client, two, "C-78"))
    assert refused(await remove(resolver_client, two, "C-77")) == unknown
    assert await found(resolver_client, "card", "C-77") == one


async def test_a_member_has_a_bounded_number_of_cards(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    for number in range(CARDS_MAX):
        committed(await add(resolver_client, member, f"C-{number}"))
    assert code_and_path(await add(resolver_client, member, "one more")) == (RefusalCode.LIMIT_REACHED, ("card",))
    committed(await remove(resolver_client, member, "C-0"))
    committed(await add(resolver_client, member, "one more"))


INVALID: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"email": "sam"}, ("email",)),
    ({"email": "sam@example.org\u200b, other@example.org"}, ("email",)),
    ({"phone": "call me"}, ("phone",)),
    ({"first_name": "x" * 101}, ("firstName",)),
    ({"last_name": "x" * 101}, ("lastName",)),
    ({"nickname": "x" * 101}, ("nickname",)),
    ({"locale": "french"}, ("locale",)),
    ({"time_zone": "Paris"}, ("timeZone",)),
    ({"birth_date": date(2999, 1, 1)}, ("birthDate",)),
    ({"attributes": {"seat": "aisle"}}, ("attributes",)),
    ({"attributes": ["seat"]}, ("attributes",)),
    ({"attributes": {"seat": "x" * 10_000}}, ("attributes",)),
]


@pytest.mark.parametrize(("typed", "path"), INVALID)
async def test_an_invalid_field_changes_nothing(
    resolver_client: ResolverClient, typed: dict[str, Any], path: tuple[str, ...]
) -> None:
    member = await resolver_client.member(email="sam@example.org")
    before = await documents(resolver_client.services.database)
    outcome = await change(resolver_client, member, **{"first_name": "Sam", **typed})
    assert code_and_path(outcome) == (RefusalCode.INVALID, path)
    assert await documents(resolver_client.services.database) == before


@pytest.mark.parametrize("card", ["", " ", "\u200b-", "x" * 65])
async def test_a_blank_or_long_card_is_refused(resolver_client: ResolverClient, card: str) -> None:
    member = await resolver_client.member()
    assert code_and_path(await add(resolver_client, member, card)) == (RefusalCode.INVALID, ("card",))


async def test_the_same_key_changes_a_profile_once(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    first = committed(await change(resolver_client, member, key="k", email="sam@example.org", nickname=None))
    await change(resolver_client, member, email="other@example.org")
    again = committed(await change(resolver_client, member, key="k", email="SAM@example.org ", nickname=None))
    assert (again.replayed, again.record) == (True, first.record)
    assert again.snapshot.member.profile.email == "other@example.org"
    for other in (
        {"email": "sam@example.org"},
        {"email": None, "nickname": None},
        {"email": "sam@example.org", "locale": None},
    ):
        assert refused(await change(resolver_client, member, key="k", **other)).code is RefusalCode.KEY_REUSED
    committed(await add(resolver_client, member, "C-1", key="card"))
    committed(await remove(resolver_client, member, "C-1"))
    replayed = committed(await add(resolver_client, member, "C-1", key="card"))
    assert (replayed.replayed, replayed.snapshot.member.cards) == (True, ())


async def test_an_unknown_member_is_not_found(resolver_client: ResolverClient) -> None:
    context = resolver_client.context(Role.AGENT)
    for by in (MemberKey("email", "no@example.org"), MemberKey("card", "none"), MemberKey("id", "nobody")):
        outcome = await update_profile(context, key=resolver_client.key(), member=by, typed={"first_name": "Sam"})
        assert code_and_path(outcome) == (RefusalCode.NOT_FOUND, ("member",))
    outcome = await add_card(context, key=resolver_client.key(), member=None, card="C-1")
    assert code_and_path(outcome) == (RefusalCode.INVALID, ("member",))


async def test_who_may_correct_a_profile(resolver_client: ResolverClient) -> None:
    member, other = await resolver_client.member(), await resolver_client.member(card="C-2")
    for role in (Role.AGENT, Role.MANAGER, Role.SERVICE):
        committed(await change(resolver_client, member, role=role, first_name="Sam"))
    own = resolver_client.context(Role.MEMBER, member=member)
    with pytest.raises(Forbidden):
        await update_profile(own, key="k", member=MemberKey("id", other), typed={"first_name": "Eve"})
    with pytest.raises(Forbidden):  # a shared screen on which nobody has a session
        await add_card(resolver_client.context(Role.KIOSK), key="k", member=MemberKey("card", "C-2"), card="C-3")


async def test_a_tablet_needs_a_confirmed_session(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member(phone="+33611223344")
    tablet = await Tablet.enrolled(resolver_client)
    greeted = await tablet.opened("phone", "+33611223344")
    with pytest.raises(Forbidden):
        await update_profile(await tablet.context(greeted.token), key="k", member=None, typed={"first_name": "Eve"})
    opened = await tablet.opened("pass", member_pass(resolver_client, member).code)
    context = await tablet.context(opened.token)
    changed = committed(await update_profile(context, key="k", member=None, typed={"first_name": "Lucy"}))
    assert changed.snapshot.member.id == member
    other = await resolver_client.member()
    with pytest.raises(Forbidden):
        await update_profile(context, key="k2", member=MemberKey("id", other), typed={"first_name": "Eve"})


async def test_a_completed_profile_is_an_event_once(resolver_client: ResolverClient) -> None:
    cafe = ResolverClient(
        resolver_client.services, resolver_client.clock, programme="coffee", keys=resolver_client.keys
    )
    member = await cafe.member(first_name="Sam", last_name="Lee", email="sam@example.org")
    half = committed(await change(cafe, member, phone="06 12 34 56 78"))
    assert "profile_completed" not in half.snapshot.member.event_counts
    whole = committed(await change(cafe, member, birth_date=date(1990, 2, 28)))
    assert whole.snapshot.member.event_counts["profile_completed"] == 1
    committed(await change(cafe, member, phone=None))
    again = committed(await change(cafe, member, phone="06 12 34 56 78"))
    assert again.snapshot.member.event_counts["profile_completed"] == 1
    assert all(entry.kind is EntryKind.EARN for entry in whole.record.entries)
    assert await found(cafe, "phone", "+33 6 12 34 56 78") == member
    await assert_audit_holds(resolver_client)


async def test_one_of_many_members_gets_what_all_ask_for_at_once(resolver_client: ResolverClient) -> None:
    members = [await resolver_client.member(email=f"m{number}@example.org") for number in range(8)]
    outcomes = await asyncio.gather(
        *(change(resolver_client, member, email="one@example.org") for member in members),
        *(add(resolver_client, member, "ONE") for member in members),
    )
    for some, kind in ((outcomes[:8], "email"), (outcomes[8:], "card")):
        assert sum(isinstance(outcome, Committed) for outcome in some) == 1
        refusals = [outcome for outcome in some if isinstance(outcome, Refusal)]
        assert {(one.code, one.path) for one in refusals} == {(RefusalCode.ALREADY_EXISTS, (kind,))}
    await assert_audit_holds(resolver_client)


VALUES = {"email": ["a@example.org", "b@example.org", "c@example.org"], "card": ["A-1", "B-1", "C-1"]}
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(
            [("email", value) for value in (*VALUES["email"], None)]
            + [(kind, value) for kind in ("add", "remove") for value in VALUES["card"]]
        ),
    ),
    max_size=12,
)


async def owners_of_all(resolver_client: ResolverClient) -> dict[tuple[str, str], str]:
    """Return the member of each e-mail and card, by the members' own fields; no two members have the same."""
    owners: dict[tuple[str, str], str] = {}
    for document in await resolver_client.services.database.members.find({}).to_list():
        email = document["profile"].get("email")
        for own in (*([("email", email)] if email else []), *(("card", card) for card in document["cards"])):
            assert owners.setdefault(own, document["_id"]) == document["_id"]
    return owners


@given(STEPS, st.booleans())
@property_settings(15, function_fixtures=True)
async def test_every_identity_has_one_member_after_any_corrections(
    resolver_client: ResolverClient, steps: list[tuple[int, tuple[str, str | None]]], at_once: bool
) -> None:
    database = resolver_client.services.database
    for collection in (database.members, database.identities, database.records):
        await collection.delete_many({})
    members = [await resolver_client.member() for _ in range(3)]

    async def step(who: int, what: str, value: str | None) -> None:
        if what == "email":
            await change(resolver_client, members[who], email=value)
        else:
            await {"add": add, "remove": remove}[what](resolver_client, members[who], value or "")

    if at_once:
        await asyncio.gather(*(step(who, *what) for who, what in steps))
    else:
        for who, what in steps:
            await step(who, *what)
    owners = await owners_of_all(resolver_client)
    for kind, values in VALUES.items():
        for value in values:
            assert await found(resolver_client, kind, value) == owners.get((kind, value))
    await assert_audit_holds(resolver_client)


async def test_attributes_are_merged_and_as_the_programme_declares_them(resolver_client: ResolverClient) -> None:
    declared = (
        "profile: {attributes: {type: object, properties: {seat: {enum: [aisle, window]}, plan: {type: string}}}}"
    )
    services = resolver_client.services
    source = f"{programme_source('grocer')}\n{declared}\n"
    document, _ = await apply_file(services.database, source, now=resolver_client.clock(), applied_by="tests")
    services.programmes.apply_version({**document, "version": 99})
    member = await resolver_client.member()
    await change(resolver_client, member, attributes={"seat": "aisle", "plan": "prepaid"})
    refusal = refused(await change(resolver_client, member, attributes={"seat": "roof"}))
    assert (refusal.code, refusal.reason) == (RefusalCode.INVALID, "profile_attributes_invalid")
    changed = committed(await change(resolver_client, member, attributes={"seat": None}))
    assert changed.snapshot.member.profile.attributes == {"plan": "prepaid"}
    stored = await services.reader.member("grocer", member)
    assert stored is not None
    assert stored.member.profile == changed.snapshot.member.profile
    cleared = committed(await change(resolver_client, member, attributes=None))
    assert cleared.snapshot.member.profile.attributes == {}

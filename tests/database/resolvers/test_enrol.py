import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from support.clients.resolver_client import ResolverClient
from support.documents import counts, documents
from support.outcome import committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.digest import content_digest
from loyalty.kernel.membership_number import is_number, number_from
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.ledger import Account, Cause
from loyalty.model.member import Profile
from models.commits.request import Committed
from models.programmes.programme_store import Programmes
from resolvers.core.actor import Role
from resolvers.core.operation_error import Unavailable
from resolvers.enrol import NUMBER_DRAWS, EnrolmentInput, enrol

SAM = EnrolmentInput(
    key="form-1",
    channel=Channel.WEB,
    first_name=" Sam ",
    last_name="Lee",
    email=" Sam.Lee@Example.ORG",
    phone="0033 6 12 34 56 78",
    birth_date=date(1990, 2, 28),
    locale="fr-CA",
    card=" card-1 ",
)


async def test_new_member_is_shown_as_written_and_found_by_canonical_forms(resolver_client: ResolverClient) -> None:
    outcome = committed(await enrol(resolver_client.context(), SAM))
    member = outcome.snapshot.member
    assert member.profile == Profile(
        "fr-CA", "Sam", "Lee", "Sam.Lee@example.org", "0033 6 12 34 56 78", date(1990, 2, 28)
    )
    assert (member.programme, member.version, member.available, member.cards) == ("grocer", 1, 0, ("card-1",))
    assert (member.enrolled_at, member.tier_status.tier, member.tier_status.since) == (
        resolver_client.clock(),
        "green",
        resolver_client.clock(),
    )
    assert is_number(member.number)
    assert outcome.record.cause == Cause("enrol", "till", "till", "form-1")
    assert (outcome.record.version, outcome.record.entries) == (1, ())
    for kind, value in {
        "number": member.number,
        "card": "CARD1",
        "email": "sam.lee@example.org",
        "phone": "+33612345678",
    }.items():
        assert await resolver_client.services.reader.member_id_by("grocer", kind, value) == member.id


async def test_missing_and_blank_fields_are_not_stored(resolver_client: ResolverClient) -> None:
    blank = EnrolmentInput("form", Channel.STORE, first_name=" ", email="", phone="  ", locale="", card="")
    member = committed(await enrol(resolver_client.context(), blank)).snapshot.member
    assert (member.profile, member.cards) == (Profile("en"), ())
    stored = await resolver_client.services.database.members.find_one({"_id": member.id})
    assert stored is not None
    assert stored["profile"] == {"locale": "en"}
    assert await resolver_client.services.database.identities.count_documents({}) == 1


async def test_a_welcome_is_in_the_first_version(resolver_client: ResolverClient) -> None:
    cafe = ResolverClient(resolver_client.services, resolver_client.clock, programme="coffee")
    outcome = await cafe.enrol()
    assert (outcome.record.version, [entry.points for entry in outcome.record.entries]) == (1, [10])
    assert outcome.snapshot.member.balances == {Account.ISSUED: -10, Account.AVAILABLE: 10}
    assert outcome.snapshot.member.profile.locale == "fr"


async def test_the_same_key_gives_the_same_member(resolver_client: ResolverClient) -> None:
    first = committed(await enrol(resolver_client.context(), SAM))
    await resolver_client.buy(first.snapshot.member.id, "5.00")
    before = await documents(resolver_client.services.database)
    resolver_client.clock.advance(days=1)
    again = committed(
        await enrol(resolver_client.context(), replace(SAM, email="sam.lee@example.org ", first_name="Sam"))
    )
    assert (again.replayed, again.record) == (True, first.record)
    assert (again.snapshot.member.id, again.snapshot.version) == (first.snapshot.member.id, 2)
    assert await documents(resolver_client.services.database) == before


@pytest.mark.parametrize(
    "change",
    [{"first_name": "Alex"}, {"email": None}, {"card": "card-2"}, {"channel": Channel.APP}, {"store": "367"}],
    ids=lambda change: next(iter(change)),
)
async def test_the_same_key_with_other_content_is_refused(
    resolver_client: ResolverClient, change: dict[str, Any]
) -> None:
    await enrol(resolver_client.context(), SAM)
    before = await documents(resolver_client.services.database)
    refusal = refused(await enrol(resolver_client.context(), replace(SAM, **change)))
    assert refusal == Refusal(RefusalCode.KEY_REUSED, "key_reused", ("key",), {"key": "form-1"})
    assert await documents(resolver_client.services.database) == before


async def _digest_of(resolver_client: ResolverClient, key: str) -> str:
    document = await resolver_client.services.database.records.find_one({"cause.operation": "enrol", "cause.key": key})
    assert document is not None
    return str(document["digest"])


async def test_the_digest_of_a_key_covers_what_was_sent_and_nothing_else(resolver_client: ResolverClient) -> None:
    """So a field that a later release adds changes no digest of a caller that does not send it."""
    committed(await enrol(resolver_client.context(), EnrolmentInput("few", Channel.STORE, first_name=" Ada ")))
    assert await _digest_of(resolver_client, "few") == content_digest({"first_name": "Ada", "channel": "STORE"})
    committed(await enrol(resolver_client.context(), SAM))
    assert await _digest_of(resolver_client, "form-1") == content_digest(
        {
            "first_name": "Sam",
            "last_name": "Lee",
            "email": "sam.lee@example.org",
            "phone": "+33612345678",
            "birth_date": "1990-02-28",
            "locale": "fr-CA",
            "card": "card-1",
            "channel": "WEB",
        }
    )


async def test_a_retry_is_the_same_enrolment_after_the_programme_has_another_language(
    resolver_client: ResolverClient,
) -> None:
    newcomer = EnrolmentInput("form-2", Channel.STORE, first_name="Ada")
    first = committed(await enrol(resolver_client.context(), newcomer))
    grocer = resolver_client.services.programmes.get("grocer")
    french = replace(
        resolver_client.services,
        programmes=Programmes(resolver_client.services.database, [replace(grocer, locale="fr")]),
    )
    again = committed(await enrol(replace(resolver_client.context(), services=french), newcomer))
    assert (again.replayed, again.snapshot.member.id) == (True, first.snapshot.member.id)


async def test_a_retry_of_a_key_that_an_earlier_release_counted_is_the_same_enrolment(
    resolver_client: ResolverClient,
) -> None:
    newcomer = EnrolmentInput("form-3", Channel.STORE, first_name="Ada")
    first = committed(await enrol(resolver_client.context(), newcomer))
    content = dict.fromkeys(("last_name", "email", "phone", "birth_date", "card", "store"))
    former = content_digest({**content, "first_name": "Ada", "locale": "en", "channel": "STORE"})
    await resolver_client.services.database.records.update_one({"cause.key": "form-3"}, {"$set": {"digest": former}})
    again = committed(await enrol(resolver_client.context(), newcomer))
    assert (again.replayed, again.snapshot.member.id) == (True, first.snapshot.member.id)
    refusal = refused(await enrol(resolver_client.context(), replace(newcomer, last_name="Lee")))
    assert refusal.code is RefusalCode.KEY_REUSED


async def test_an_identity_that_is_taken_is_refused(resolver_client: ResolverClient) -> None:
    await enrol(resolver_client.context(), SAM)
    before = await documents(resolver_client.services.database)
    for kind, value in {"card": "card-1", "email": "SAM.LEE@example.org", "phone": "+33612345678"}.items():
        fields: dict[str, Any] = {kind: value}
        refusal = refused(
            await enrol(resolver_client.context(), EnrolmentInput(resolver_client.key(), Channel.APP, **fields))
        )
        assert refusal == Refusal(RefusalCode.ALREADY_EXISTS, f"{kind}_taken", (kind,))
    assert await documents(resolver_client.services.database) == before


async def test_one_of_many_concurrent_enrolments_of_a_phone_wins(resolver_client: ResolverClient) -> None:
    newcomers = [EnrolmentInput(resolver_client.key(), Channel.APP, phone="+33 6 12 34 56 78") for _ in range(20)]
    outcomes = await asyncio.gather(*(enrol(resolver_client.context(), newcomer) for newcomer in newcomers))
    assert sum(isinstance(outcome, Committed) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Refusal) and outcome.reason == "phone_taken" for outcome in outcomes) == 19
    assert await counts(resolver_client.services.database) == (1, 1, 1)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"key": ""}, "key_missing", "key"),
    ({"key": "x" * 201}, "text_too_long", "key"),
    ({"first_name": "x" * 101}, "text_too_long", "firstName"),
    ({"last_name": "x" * 101}, "text_too_long", "lastName"),
    ({"card": "x" * 65}, "text_too_long", "card"),
    ({"email": "sam"}, "email_invalid", "email"),
    ({"phone": "twelve"}, "phone_invalid", "phone"),
    ({"locale": "French"}, "locale_invalid", "locale"),
    ({"birth_date": date(2026, 6, 16)}, "birth_date_future", "birthDate"),
]


async def test_enrolment_with_an_invalid_field_is_refused_and_changes_nothing(
    resolver_client: ResolverClient, subtests: pytest.Subtests
) -> None:
    before = await documents(resolver_client.services.database)
    for change, reason, field in WRONG:
        with subtests.test(reason, field=field):
            refusal = refused(await enrol(resolver_client.context(), replace(SAM, **change)))
            assert (refusal.code, refusal.reason, refusal.path) == (RefusalCode.INVALID, reason, (field,))
    assert await documents(resolver_client.services.database) == before


async def test_a_number_that_is_taken_is_drawn_again(resolver_client: ResolverClient) -> None:
    taken = (await resolver_client.enrol()).snapshot.member.number
    draws = [int(taken[:-1]), int(taken[:-1]), 123_456_789]
    outcome = committed(await enrol(resolver_client.context(), SAM, random_below=lambda _below: draws.pop(0)))
    assert (outcome.snapshot.member.number, draws) == (number_from(123_456_789), [])


async def test_enrolment_is_retryable_when_every_drawn_number_is_taken(resolver_client: ResolverClient) -> None:
    taken = int((await resolver_client.enrol()).snapshot.member.number[:-1])
    before = await documents(resolver_client.services.database)
    draws = [taken] * NUMBER_DRAWS
    with pytest.raises(Unavailable, match="commit_unavailable"):
        await enrol(resolver_client.context(), SAM, random_below=lambda _below: draws.pop())
    assert draws == []
    assert await documents(resolver_client.services.database) == before


async def test_import_sets_the_time_of_enrolment(resolver_client: ResolverClient) -> None:
    earlier = resolver_client.clock() - timedelta(days=300)
    outcome = committed(await enrol(resolver_client.context(Role.SERVICE), SAM, occurred_at=earlier))
    member = outcome.snapshot.member
    assert (member.enrolled_at, member.tier_status.since, outcome.record.recorded_at) == (
        earlier,
        earlier,
        resolver_client.clock(),
    )

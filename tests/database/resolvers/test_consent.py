"""Consents: stored, sent to subscribers, and shown with their history."""

from datetime import timedelta

from support.clients.resolver_client import ResolverClient
from support.clock import NOON
from support.outcome import committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import RefusalCode
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.notice import Notice, NoticeKind
from models.commits.request import Outcome
from resolvers.audit.audit import audit
from resolvers.consent import ConsentChange, history, set_consents
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey

MARKETING, PARTNERS = ConsentPurpose.MARKETING, ConsentPurpose.PARTNERS
EMAIL, SMS = ContactChannel.EMAIL, ContactChannel.SMS


async def say(
    resolver_client: ResolverClient, member: str, *consents: ConsentChange, key: str | None = None
) -> Outcome:
    """Set consents as the member in the app."""
    context = resolver_client.context(Role.MEMBER, member=member)
    return await set_consents(context, key=key or resolver_client.key(), member=None, consents=consents)


async def test_each_change_is_stored_sent_and_in_the_history(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    first = committed(await say(resolver_client, member, (MARKETING, EMAIL, True), (PARTNERS, None, False)))
    given = Consent(MARKETING, EMAIL, granted=True, changed_at=NOON, via=Channel.APP)
    refused_ = Consent(PARTNERS, None, granted=False, changed_at=NOON, via=Channel.APP)
    assert first.snapshot.member.profile.consents == (given, refused_)
    assert first.record.notices == (
        Notice(NoticeKind.CONSENT_GIVEN, {"purpose": "marketing", "contact": "email", "via": "APP"}),
        Notice(NoticeKind.CONSENT_WITHDRAWN, {"purpose": "partners", "via": "APP"}),
    )
    resolver_client.clock.advance(days=1)
    second = committed(await say(resolver_client, member, (MARKETING, EMAIL, False), (MARKETING, SMS, True)))
    later = NOON + timedelta(days=1)
    withdrawn = Consent(MARKETING, EMAIL, granted=False, changed_at=later, via=Channel.APP)
    texted = Consent(MARKETING, SMS, granted=True, changed_at=later, via=Channel.APP)
    assert second.snapshot.member.profile.consents == (withdrawn, refused_, texted)
    result = await history(resolver_client.context(Role.MEMBER, member=member), member)
    assert result == [texted, withdrawn, refused_, given]
    stored = await resolver_client.services.reader.member("grocer", member)
    assert stored is not None
    assert stored.member.profile == second.snapshot.member.profile
    assert (await audit(resolver_client.services.database)).is_clean


async def test_repeated_consent_is_no_change(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    first = committed(await say(resolver_client, member, (MARKETING, None, True)))
    resolver_client.clock.advance(days=1)
    again = committed(await say(resolver_client, member, (MARKETING, None, True)))
    assert again.snapshot.member.profile.consents == first.snapshot.member.profile.consents
    assert again.record.notices == ()
    assert len(await history(resolver_client.context(Role.AGENT), member)) == 1


async def test_same_key_counts_once(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    committed(await say(resolver_client, member, (MARKETING, None, True), key="one"))
    replayed = committed(await say(resolver_client, member, (MARKETING, None, True), key="one"))
    assert (replayed.replayed, replayed.snapshot.version) == (True, 2)
    assert (
        refused(await say(resolver_client, member, (MARKETING, None, False), key="one")).code is RefusalCode.KEY_REUSED
    )


async def test_no_consent_and_a_duplicate_are_refused_and_nothing_is_stored(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    nothing = refused(await say(resolver_client, member))
    assert (nothing.code, nothing.reason, nothing.path) == (RefusalCode.INVALID, "consents_missing", ("consents",))
    twice = refused(await say(resolver_client, member, (MARKETING, EMAIL, True), (MARKETING, EMAIL, False)))
    assert (twice.code, twice.reason, twice.path) == (RefusalCode.INVALID, "consent_twice", ("consents", "1"))
    stored = await resolver_client.services.reader.member("grocer", member)
    assert stored is not None
    assert (stored.version, stored.member.profile.consents) == (1, ())


async def test_staff_sets_consent_for_the_member_with_its_channel(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    context, key = resolver_client.context(Role.AGENT), MemberKey("id", member)
    result = committed(
        await set_consents(context, key=resolver_client.key(), member=key, consents=((MARKETING, None, True),))
    )
    assert [consent.via for consent in result.snapshot.member.profile.consents] == [Channel.AGENT]

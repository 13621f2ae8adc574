"""Consents: stored, sent to subscribers, and shown with their history."""

from datetime import timedelta
from decimal import Decimal

import pytest
from support.clients.resolver_client import ResolverClient
from support.clock import NOON
from support.outcome import committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import RefusalCode
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.event import Purchase, PurchaseLine
from loyalty.model.notice import Notice, NoticeKind
from loyalty.rules.ranking import RankingReason
from models.commits.request import Outcome
from resolvers.audit.audit import audit
from resolvers.consent import ConsentChange, history, set_consents
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey
from resolvers.offer import ranked_page as ranked_offers
from resolvers.personalisation import Personalisation
from resolvers.preference import set_preferences
from resolvers.reward import ranked_page as ranked_rewards

MARKETING, PARTNERS = ConsentPurpose.MARKETING, ConsentPurpose.PARTNERS
PERSONALISATION = ConsentPurpose.PERSONALISATION
EMAIL, SMS, PUSH = ContactChannel.EMAIL, ContactChannel.SMS, ContactChannel.PUSH


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


# The order of offers and rewards follows the consent to personalisation

Page = list[tuple[str, int, RankingReason]]


async def pages(resolver_client: ResolverClient, member: str, *, role: Role, channel: Channel | None) -> Page:
    """Return key, score and reason of every offer and reward of a member, in order, as an actor sees them."""
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    context = resolver_client.context(role, member=member if role is Role.MEMBER else None)
    personalisation = Personalisation(context, snapshot)
    offers, _ = await ranked_offers(context, personalisation, channel=channel, states=None, first=100, after=None)
    rewards, _ = await ranked_rewards(
        context, personalisation, channel=channel, category=None, eligible=None, first=100, after=None
    )
    return [
        *((one.offer.key, one.score, one.ranking_reason) for one in offers),
        *((one.reward.key, one.score, one.ranking_reason) for one, _ in rewards),
    ]


async def available(resolver_client: ResolverClient, member: str) -> int:
    """Return a member's points."""
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    return snapshot.member.available


async def buys(resolver_client: ResolverClient, member: str, *topics: tuple[str | None, str | None]) -> None:
    """Buy a line for 400.00 of each (category, brand)."""
    lines = tuple(PurchaseLine("any", Decimal(1), Decimal(400), category, brand) for category, brand in topics)
    await resolver_client.buy(member, "0", purchase=Purchase(Decimal(400 * len(lines)), "USD", lines))


@pytest.mark.parametrize("topic", [("PRODUCE", None), ("BAKERY", None), ("CHEESE", "Private"), (None, "Private")])
@pytest.mark.parametrize(
    ("answers", "is_allowed"),
    [
        ([], False),
        ([(PERSONALISATION, None, False)], False),
        ([(PERSONALISATION, None, True)], True),
        ([(PERSONALISATION, None, True), (PERSONALISATION, None, False)], False),
        ([(PERSONALISATION, None, True), (PERSONALISATION, None, False), (PERSONALISATION, None, True)], True),
        ([(MARKETING, None, True), (PARTNERS, None, True)], False),
        ([(PERSONALISATION, EMAIL, True), (PERSONALISATION, PUSH, True)], False),
        ([(PERSONALISATION, None, True), (PERSONALISATION, EMAIL, False)], True),
    ],
)
async def test_purchases_change_the_order_and_its_reasons_only_with_consent(
    resolver_client: ResolverClient,
    topic: tuple[str | None, str | None],
    answers: list[ConsentChange],
    is_allowed: bool,
) -> None:
    member, other = await resolver_client.member(), await resolver_client.member()
    await buys(resolver_client, member, topic)
    # The other has the same points, from lines without a topic; a rule gives more points for some topics.
    await buys(resolver_client, other, (None, None))
    earned, without = [await available(resolver_client, one) for one in (member, other)]
    if earned != without:
        committed(await resolver_client.adjust(other, earned - without))
    for answer in answers:
        committed(await say(resolver_client, member, answer))
    for role, channel in (
        (Role.MEMBER, Channel.APP),
        (Role.MEMBER, Channel.WEB),
        (Role.KIOSK, Channel.KIOSK),
        (Role.AGENT, None),
    ):
        page = await pages(resolver_client, member, role=role, channel=channel)
        without_topic = await pages(resolver_client, other, role=role, channel=channel)
        assert (RankingReason.FAVOURITE in {reason for _, _, reason in page}) is is_allowed
        assert (page != without_topic) is is_allowed
    # A purchase after the answer is no exception.
    await buys(resolver_client, member, topic)
    page = await pages(resolver_client, member, role=Role.MEMBER, channel=None)
    assert (RankingReason.FAVOURITE in {reason for _, _, reason in page}) is is_allowed


async def test_declared_preferences_need_no_consent(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    await buys(resolver_client, member, ("BAKERY", None), ("PRODUCE", "Private"))
    committed(await say(resolver_client, member, (PERSONALISATION, None, False)))
    context = resolver_client.context(Role.MEMBER, member=member)
    committed(await set_preferences(context, key=resolver_client.key(), member=None, topics=("brand:Private",)))
    page = await pages(resolver_client, member, role=Role.MEMBER, channel=None)
    reasons = {reason for _, _, reason in page}
    assert (page[0][0], page[0][2]) == ("own-brand-15", RankingReason.PREFERENCE)
    assert RankingReason.FAVOURITE not in reasons

"""What a member agrees to: kept, told, and shown with its whole history."""

from datetime import timedelta

from support.shop import NOON, Shop, committed, refused

from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import RefusalCode
from loyalty.model.consent import Consent, ConsentPurpose, ContactChannel
from loyalty.model.notice import Notice, NoticeKind
from models.commits.request import Outcome
from resolvers.audit.audit import audit
from resolvers.consent import Said, history, set_consents
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey

MARKETING, PARTNERS = ConsentPurpose.MARKETING, ConsentPurpose.PARTNERS
EMAIL, SMS = ContactChannel.EMAIL, ContactChannel.SMS


async def say(shop: Shop, member: str, *consents: Said, key: str | None = None) -> Outcome:
    """Say as the member, in the app, what it agrees to."""
    context = shop.context(Role.MEMBER, member=member)
    return await set_consents(context, key=key or shop.key(), member=None, consents=consents)


async def test_each_change_is_kept_told_and_in_the_history(shop: Shop) -> None:
    member = await shop.member()
    first = committed(await say(shop, member, (MARKETING, EMAIL, True), (PARTNERS, None, False)))
    given = Consent(MARKETING, EMAIL, granted=True, changed_at=NOON, via=Channel.APP)
    refused_ = Consent(PARTNERS, None, granted=False, changed_at=NOON, via=Channel.APP)
    assert first.snapshot.member.profile.consents == (given, refused_)
    assert first.record.notices == (
        Notice(NoticeKind.CONSENT_GIVEN, {"purpose": "marketing", "contact": "email", "via": "APP"}),
        Notice(NoticeKind.CONSENT_WITHDRAWN, {"purpose": "partners", "via": "APP"}),
    )
    shop.clock.advance(days=1)
    second = committed(await say(shop, member, (MARKETING, EMAIL, False), (MARKETING, SMS, True)))
    later = NOON + timedelta(days=1)
    withdrawn = Consent(MARKETING, EMAIL, granted=False, changed_at=later, via=Channel.APP)
    texted = Consent(MARKETING, SMS, granted=True, changed_at=later, via=Channel.APP)
    assert second.snapshot.member.profile.consents == (withdrawn, refused_, texted)
    told = await history(shop.context(Role.MEMBER, member=member), member)
    assert told == [texted, withdrawn, refused_, given]
    stored = await shop.services.reader.member("grocer", member)
    assert stored is not None
    assert stored.member.profile == second.snapshot.member.profile
    assert (await audit(shop.services.database)).all_holds


async def test_what_is_said_again_is_no_change(shop: Shop) -> None:
    member = await shop.member()
    first = committed(await say(shop, member, (MARKETING, None, True)))
    shop.clock.advance(days=1)
    again = committed(await say(shop, member, (MARKETING, None, True)))
    assert again.snapshot.member.profile.consents == first.snapshot.member.profile.consents
    assert again.record.notices == ()
    assert len(await history(shop.context(Role.AGENT), member)) == 1


async def test_same_key_says_it_once(shop: Shop) -> None:
    member = await shop.member()
    committed(await say(shop, member, (MARKETING, None, True), key="one"))
    replayed = committed(await say(shop, member, (MARKETING, None, True), key="one"))
    assert (replayed.replayed, replayed.snapshot.version) == (True, 2)
    assert refused(await say(shop, member, (MARKETING, None, False), key="one")).code is RefusalCode.KEY_REUSED


async def test_nothing_and_the_same_twice_are_refused_and_nothing_is_kept(shop: Shop) -> None:
    member = await shop.member()
    nothing = refused(await say(shop, member))
    assert (nothing.code, nothing.reason, nothing.path) == (RefusalCode.INVALID, "consents_missing", ("consents",))
    twice = refused(await say(shop, member, (MARKETING, EMAIL, True), (MARKETING, EMAIL, False)))
    assert (twice.code, twice.reason, twice.path) == (RefusalCode.INVALID, "consent_twice", ("consents", "1"))
    stored = await shop.services.reader.member("grocer", member)
    assert stored is not None
    assert (stored.version, stored.member.profile.consents) == (1, ())


async def test_staff_says_it_for_the_member_and_it_is_told_where(shop: Shop) -> None:
    member = await shop.member()
    context, key = shop.context(Role.AGENT), MemberKey("id", member)
    told = committed(await set_consents(context, key=shop.key(), member=key, consents=((MARKETING, None, True),)))
    assert [consent.via for consent in told.snapshot.member.profile.consents] == [Channel.AGENT]

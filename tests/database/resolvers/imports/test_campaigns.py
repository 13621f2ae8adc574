"""The campaigns of the real data, replayed through the real writer."""

from collections import Counter
from datetime import timedelta

from support.clients.resolver_client import ResolverClient

from loyalty.kernel.channel import Channel
from loyalty.model.offer import OfferState
from models.loading.complete_journey import CompleteJourney
from resolvers.audit.audit import audit
from resolvers.core.context import Context
from resolvers.enrol import EnrolmentInput, enrol
from resolvers.imports.campaigns import import_campaigns, offer_key
from resolvers.imports.journey import card_of, date_shift, import_context
from resolvers.offer import ranked_page
from resolvers.personalisation import Personalisation


async def enrolled(context: Context, households: list[int]) -> dict[int, str]:
    """Enrol households; return their members."""
    members: dict[int, str] = {}
    for household in households:
        card = card_of(household)
        outcome = await enrol(context, EnrolmentInput(key=card, channel=Channel.STORE, card=card))
        members[household] = outcome.snapshot.member.id  # type: ignore[union-attr]
    return members


async def test_all_redemptions_are_replayed_campaign_by_campaign(resolver_client: ResolverClient) -> None:
    uses = CompleteJourney().coupon_uses()
    context = import_context(resolver_client.services)
    members = await enrolled(context, sorted({use.household for use in uses}))
    shift = await date_shift(resolver_client.services.database, resolver_client.clock())
    tally = await import_campaigns(context, members, shift=shift)
    assert dict(tally.redeemed) == Counter(use.campaign for use in uses)
    assert (tally.refused, tally.replayed, tally.offers, len(uses)) == ({}, 0, 1197, 2102)

    again = await import_campaigns(context, members, shift=shift)
    assert (again.redeemed, again.refused, again.replayed) == (tally.redeemed, {}, 2102)
    counted = Counter(
        {
            document["key"]: document["taken"]
            async for document in resolver_client.services.database.counters.find({"kind": "uses"})
        }
    )
    assert counted == Counter(offer_key(use.campaign, use.upc) for use in uses)
    findings = await audit(resolver_client.services.database)
    assert (findings.members_with_faults, findings.members) == ([], len(members))

    # A household's used coupons are shown as used, the others of its campaigns as available.
    twice = next(
        key for key, count in Counter((use.household, use.campaign, use.upc) for use in uses).items() if count == 2
    )
    snapshot = await resolver_client.services.reader.member("grocer", members[twice[0]])
    assert snapshot is not None
    page, _ = await ranked_page(
        context, Personalisation(context, snapshot), channel=None, states={OfferState.REDEEMED}, first=100, after=None
    )
    assert offer_key(twice[1], twice[2]) in {found.offer.key for found in page}


async def test_coupons_are_on_while_their_campaign_is(resolver_client: ResolverClient) -> None:
    context = import_context(resolver_client.services)
    members = await enrolled(context, [1])
    journey = CompleteJourney()
    campaigns = [one for one in journey.campaigns() if 1 in one.households]
    await import_campaigns(context, members, shift=timedelta(0), until=journey.coupon_uses()[0].day)
    programme = resolver_client.services.programmes.get("grocer")
    for campaign in campaigns:
        key = next(key for key in programme.catalogue.offers if key.startswith(f"c{campaign.number}-"))
        offer = programme.catalogue.offers[key]
        assert offer.starts_at.astimezone(programme.zone).date() == campaign.first_day
        assert offer.ends_at is not None
        assert (offer.ends_at - timedelta(seconds=1)).astimezone(programme.zone).date() == campaign.last_day
        assert offer.audience.lists == {f"campaign-{campaign.number}"}

"""Preferences of a member: stored, shown to the member, and ranked first."""

from typing import Any

from support.clients.resolver_client import ResolverClient
from support.outcome import committed, refused

from loyalty.commands.personal.preference import PREFERENCES_MAX
from loyalty.kernel.refusal import RefusalCode
from loyalty.rules.ranking import RankingReason
from models.commits.request import Committed, Outcome
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey
from resolvers.offer import ranked_page
from resolvers.personalisation import Personalisation
from resolvers.preference import set_preferences


async def say(resolver_client: ResolverClient, member: str, *topics: str, **about: Any) -> Outcome:
    """Set preferences as the member."""
    context = resolver_client.context(Role.MEMBER, member=member)
    return await set_preferences(context, **{"key": resolver_client.key(), "member": None, "topics": topics, **about})


async def first_offer(resolver_client: ResolverClient, result: Committed) -> tuple[str, RankingReason]:
    """Return the member's first offer, and why it is first."""
    context = resolver_client.context(Role.MEMBER, member=result.snapshot.member.id)
    page, _ = await ranked_page(
        context, Personalisation(context, result.snapshot), channel=None, states=None, first=1, after=None
    )
    return page[0].offer.key, page[0].ranking_reason


async def test_preferred_topics_rank_first_with_their_reason(resolver_client: ResolverClient) -> None:
    newcomer = await resolver_client.enrol()
    member = newcomer.snapshot.member.id
    assert (await first_offer(resolver_client, newcomer))[0] != "own-brand-15"
    result = committed(await say(resolver_client, member, "brand:Private", "brand:Private"))
    assert result.snapshot.member.profile.preferences == ("brand:Private",)
    assert (result.snapshot.version, result.record.entries, result.record.notices) == (2, (), ())
    assert await first_offer(resolver_client, result) == ("own-brand-15", RankingReason.PREFERENCE)
    # New preferences replace the earlier ones.
    forgotten = committed(await say(resolver_client, member))
    assert forgotten.snapshot.member.profile.preferences == ()
    assert await first_offer(resolver_client, forgotten) == await first_offer(resolver_client, newcomer)


async def test_same_key_counts_once(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    first = committed(await say(resolver_client, member, "category:COFFEE", key="one"))
    again = committed(await say(resolver_client, member, "category:COFFEE", key="one"))
    assert (first.replayed, again.replayed, again.snapshot.version) == (False, True, 2)
    assert refused(await say(resolver_client, member, "category:TEA", key="one")).code is RefusalCode.KEY_REUSED


async def test_invalid_topic_is_refused_and_nothing_is_stored(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    for place, topics in enumerate([("coffee",), ("brand:A", "colour:RED"), ("brand:A", "brand:B", "category: ")]):
        refusal = refused(await say(resolver_client, member, *topics))
        assert (refusal.code, refusal.reason) == (RefusalCode.INVALID, "topic_invalid")
        assert refusal.path == ("topics", str(place))
    many = [f"brand:{number}" for number in range(PREFERENCES_MAX + 1)]
    refusal = refused(await say(resolver_client, member, *many))
    assert (refusal.code, refusal.path) == (RefusalCode.LIMIT_REACHED, ("topics",))
    snapshot = await resolver_client.services.reader.member("grocer", member)
    assert snapshot is not None
    assert (snapshot.version, snapshot.member.profile.preferences) == (1, ())


async def test_staff_names_the_member(resolver_client: ResolverClient) -> None:
    member = await resolver_client.member()
    context = resolver_client.context(Role.AGENT)
    refusal = refused(await set_preferences(context, key=resolver_client.key(), member=None, topics=("brand:A",)))
    assert (refusal.code, refusal.path) == (RefusalCode.INVALID, ("member",))
    key = MemberKey("id", member)
    result = committed(await set_preferences(context, key=resolver_client.key(), member=key, topics=("brand:A",)))
    assert result.snapshot.member.profile.preferences == ("brand:A",)

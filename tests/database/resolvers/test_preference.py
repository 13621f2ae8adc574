"""What a member says to like: kept, shown to the member, and first in its order."""

from typing import Any

from support.shop import Shop, committed, refused

from loyalty.commands.preference import PREFERENCES_MAX
from loyalty.kernel.refusal import RefusalCode
from loyalty.rules.ranking import Motive
from models.commits.request import Committed, Outcome
from resolvers.core.actor import Role
from resolvers.core.member import MemberKey
from resolvers.offer import ranked
from resolvers.personalisation import Outlook
from resolvers.preference import set_preferences


async def say(shop: Shop, member: str, *topics: str, **about: Any) -> Outcome:
    """Say as the member what it likes."""
    context = shop.context(Role.MEMBER, member=member)
    return await set_preferences(context, **{"key": shop.key(), "member": None, "topics": topics, **about})


async def first_offer(shop: Shop, told: Committed) -> tuple[str, Motive]:
    """Return the member's first offer, and why it is first."""
    context = shop.context(Role.MEMBER, member=told.snapshot.member.id)
    page, _ = await ranked(context, Outlook(context, told.snapshot), channel=None, states=None, first=1, after=None)
    return page[0].offer.key, page[0].motive


async def test_what_a_member_likes_comes_first_and_says_so(shop: Shop) -> None:
    newcomer = await shop.enrol()
    member = newcomer.snapshot.member.id
    assert (await first_offer(shop, newcomer))[0] != "own-brand-15"
    told = committed(await say(shop, member, "brand:Private", "brand:Private"))
    assert told.snapshot.member.profile.preferences == ("brand:Private",)
    assert (told.snapshot.version, told.record.entries, told.record.notices) == (2, (), ())
    assert await first_offer(shop, told) == ("own-brand-15", Motive.PREFERENCE)
    # What is said replaces what was said before.
    forgotten = committed(await say(shop, member))
    assert forgotten.snapshot.member.profile.preferences == ()
    assert await first_offer(shop, forgotten) == await first_offer(shop, newcomer)


async def test_same_key_says_it_once(shop: Shop) -> None:
    member = await shop.member()
    first = committed(await say(shop, member, "category:COFFEE", key="one"))
    again = committed(await say(shop, member, "category:COFFEE", key="one"))
    assert (first.replayed, again.replayed, again.snapshot.version) == (False, True, 2)
    assert refused(await say(shop, member, "category:TEA", key="one")).code is RefusalCode.KEY_REUSED


async def test_what_is_no_topic_is_refused_and_nothing_is_kept(shop: Shop) -> None:
    member = await shop.member()
    for place, topics in enumerate([("coffee",), ("brand:A", "colour:RED"), ("brand:A", "brand:B", "category: ")]):
        refusal = refused(await say(shop, member, *topics))
        assert (refusal.code, refusal.reason) == (RefusalCode.INVALID, "topic_invalid")
        assert refusal.path == ("topics", str(place))
    many = [f"brand:{number}" for number in range(PREFERENCES_MAX + 1)]
    refusal = refused(await say(shop, member, *many))
    assert (refusal.code, refusal.path) == (RefusalCode.LIMIT_REACHED, ("topics",))
    snapshot = await shop.services.reader.member("grocer", member)
    assert snapshot is not None
    assert (snapshot.version, snapshot.member.profile.preferences) == (1, ())


async def test_staff_names_the_member(shop: Shop) -> None:
    member = await shop.member()
    context = shop.context(Role.AGENT)
    refusal = refused(await set_preferences(context, key=shop.key(), member=None, topics=("brand:A",)))
    assert (refusal.code, refusal.path) == (RefusalCode.INVALID, ("member",))
    key = MemberKey("id", member)
    told = committed(await set_preferences(context, key=shop.key(), member=key, topics=("brand:A",)))
    assert told.snapshot.member.profile.preferences == ("brand:A",)

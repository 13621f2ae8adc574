from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.kernel.calendar import day_of
from loyalty.kernel.channel import Channel
from loyalty.kernel.text import Text
from loyalty.kernel.window import Window, is_open
from loyalty.model.catalogue import Catalogue
from loyalty.model.ledger import Account, TierStatus
from loyalty.model.member import Member, Profile
from loyalty.model.offer import Audience, Offer, OfferKind, OfferState, OfferUse, offer_state
from loyalty.model.offer_index import OfferIndex
from loyalty.model.reward import Reward, RewardKind
from loyalty.rules.affinity import NO_AFFINITY, AffinityWeights
from loyalty.rules.ranking import RankedOffer, RankingReason, TopicScores, offer_score, rank_offers, rank_rewards

ZONE = ZoneInfo("Europe/Paris")
NOW = datetime(2024, 3, 20, 14, 30, tzinfo=UTC)
TODAY = day_of(NOW, ZONE)
TEXT = Text({"en": "x"}, "en")
TOPICS = [f"category:{letter}" for letter in "ABCDEF"]


@dataclass(frozen=True, slots=True)
class Somebody:
    tier: str = "basic"
    lists: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()

    def in_segment(self, key: str) -> bool:
        return key in self.segments


def is_on(one: Offer, at: datetime) -> bool:
    return one.starts_at <= at and not one.has_ended(at) and (one.window is None or is_open(one.window, at, ZONE))


def offer(key: str, **fields: Any) -> Offer:
    fields = {"starts_at": NOW - timedelta(days=30), **fields}
    return Offer(key, OfferKind.AMOUNT_OFF, TEXT, TEXT, TEXT, **fields)


def reward(key: str, points: int = 100, **fields: Any) -> Reward:
    return Reward(key, RewardKind.PHYSICAL, TEXT, TEXT, fields.pop("category", "home"), points, **fields)


def member(offers: Mapping[str, OfferUse] | None = None, *, points: int = 0) -> Member:
    balances = {Account.AVAILABLE: points}
    return Member(
        "m", "p", "1", 1, NOW, Profile("en"), TierStatus("basic", NOW, None), balances, offer_uses=offers or {}
    )


def affinity_of(**shares: float) -> AffinityWeights:
    """Return the affinities of a member that spent enough to make the prior negligible."""
    return AffinityWeights(2.0**200, {f"category:{name}": share * 2.0**200 for name, share in shares.items()})


def ranked(
    *offers: Offer, who: Somebody | None = None, does: Mapping[str, OfferUse] | None = None, **fields: Any
) -> Any:
    fields = {"channel": None, "now": NOW, "zone": ZONE, "first": 100, **fields}
    topic_scores = TopicScores(
        fields.pop("affinity", NO_AFFINITY), fields.pop("preferences", frozenset()), fields["now"]
    )
    return rank_offers(Catalogue(offers), member(does), who or Somebody(), topic_scores, **fields)[0]


def keys(found: list[RankedOffer]) -> list[str]:
    return [one.offer.key for one in found]


def why(found: list[RankedOffer]) -> list[tuple[str, RankingReason, Mapping[str, str | int]]]:
    return [(one.offer.key, one.ranking_reason, one.params) for one in found]


def test_smaller_audiences_rank_first() -> None:
    who = Somebody("gold", frozenset({"vip"}), frozenset({"young"}))
    found = ranked(
        offer("a"),
        offer("b", audience=Audience(tiers=frozenset({"gold", "silver"}))),
        offer("c", audience=Audience(segments=frozenset({"young", "old"}))),
        offer("d", audience=Audience(lists=frozenset({"vip", "press"}))),
        who=who,
    )
    assert why(found) == [
        ("d", RankingReason.FOR_LIST, {"list": "vip"}),
        ("c", RankingReason.FOR_SEGMENT, {"segment": "young"}),
        ("b", RankingReason.FOR_TIER, {"tier": "gold"}),
        ("a", RankingReason.FOR_EVERYBODY, {}),
    ]


def test_all_that_an_audience_names_has_to_fit() -> None:
    both = offer("a", audience=Audience(tiers=frozenset({"gold"}), lists=frozenset({"vip"})))
    assert keys(ranked(both, who=Somebody("gold", frozenset({"vip"})))) == ["a"]
    assert keys(ranked(both, who=Somebody("basic", frozenset({"vip"})))) == []
    assert keys(ranked(both, who=Somebody("gold"))) == []


def test_most_bought_topics_rank_first() -> None:
    about = {topic: offer(topic[-1].lower(), topics=frozenset({topic, "category:ZZ"})) for topic in TOPICS[:3]}
    found = ranked(*about.values(), affinity=affinity_of(B=0.25, C=0.01))
    assert why(found) == [
        ("b", RankingReason.FAVOURITE, {"topic": "category:B"}),
        ("c", RankingReason.FAVOURITE, {"topic": "category:C"}),
        ("a", RankingReason.FOR_EVERYBODY, {}),
    ]
    assert [one.score for one in found] == [500, 100, 0]


def test_stated_preferences_count_beside_purchases() -> None:
    offers = [offer(topic[-1].lower(), topics=frozenset({topic})) for topic in TOPICS[:3]]
    found = ranked(*offers, affinity=affinity_of(A=0.09), preferences=frozenset({"category:C"}))
    assert why(found)[:2] == [
        ("c", RankingReason.PREFERENCE, {"topic": "category:C"}),
        ("a", RankingReason.FAVOURITE, {"topic": "category:A"}),
    ]


def test_offers_that_end_soon_rank_higher_with_their_reason() -> None:
    ends = {"a": None, "b": NOW + timedelta(days=20), "c": NOW + timedelta(days=5), "d": NOW + timedelta(hours=1)}
    found = ranked(*(offer(key, ends_at=at) for key, at in ends.items()))
    assert why(found)[:2] == [("d", RankingReason.ENDS_SOON, {"days": 1}), ("c", RankingReason.ENDS_SOON, {"days": 6})]
    assert keys(found)[2:] == ["a", "b"]
    # An offer that ends at the start of tomorrow has today as its last day.
    midnight = datetime(2024, 3, 20, 23, tzinfo=UTC)
    assert ranked(offer("a", ends_at=midnight))[0].params == {"days": 1}
    assert ranked(offer("a", window=Window(last_day=TODAY + timedelta(days=2))))[0].params == {"days": 3}


def test_the_brand_can_put_an_offer_before_others() -> None:
    assert keys(ranked(offer("a"), offer("b", weight=1), offer("c", weight=-1))) == ["b", "a", "c"]


def test_often_seen_or_dismissed_offers_rank_lower() -> None:
    does = {"a": OfferUse(refused_at=NOW - timedelta(days=2)), "b": OfferUse(seen=3)}
    assert keys(ranked(offer("a"), offer("b"), offer("c"), does=does)) == ["c", "b", "a"]
    forgotten = {"a": OfferUse(refused_at=NOW - timedelta(days=90))}
    assert keys(ranked(offer("a"), offer("b"), does=forgotten)) == ["a", "b"]


def test_activated_offers_rank_first_even_outside_their_audience() -> None:
    gold = Audience(tiers=frozenset({"gold"}))
    offers = [offer("a", weight=50), offer("b", audience=gold), offer("c", audience=gold)]
    found = ranked(*offers, does={"c": OfferUse(activated_at=NOW), "b": OfferUse(seen=1)})
    assert [(one.offer.key, one.state) for one in found] == [("c", OfferState.ACTIVATED), ("a", OfferState.AVAILABLE)]
    assert found[0].ranking_reason is RankingReason.ACTIVATED


def test_finished_offers_rank_last_and_only_for_members_who_used_them() -> None:
    over = NOW - timedelta(days=1)
    offers = [offer("a"), offer("b", ends_at=over), offer("c", ends_at=over), offer("d"), offer("e")]
    does = {
        "b": OfferUse(activated_at=over),
        "d": OfferUse(uses=1, redeemed_at=over),
        "e": OfferUse(uses=1, redeemed_at=NOW),
        "gone": OfferUse(uses=1),
    }
    found = ranked(*offers, does=does)
    assert [(one.offer.key, one.ranking_reason) for one in found] == [
        ("a", RankingReason.FOR_EVERYBODY),
        ("e", RankingReason.REDEEMED),
        ("d", RankingReason.REDEEMED),
        ("b", RankingReason.EXPIRED),
    ]
    assert keys(ranked(*offers, does=does, states=frozenset({OfferState.EXPIRED}))) == ["b"]
    assert keys(ranked(*offers, does=does, states=frozenset({OfferState.AVAILABLE}))) == ["a"]
    assert keys(ranked(*offers, does=does, states=frozenset())) == []


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"starts_at": NOW + timedelta(hours=1)}, False),
        ({"starts_at": NOW}, True),
        ({"ends_at": NOW}, False),
        ({"window": Window(weekdays=frozenset({3}))}, True),
        ({"window": Window(weekdays=frozenset({4}))}, False),
        # Half past three in Paris.
        ({"window": Window(hours=(time(15), time(16)))}, True),
        ({"window": Window(weekdays=frozenset({3}), hours=(time(16), time(17)))}, False),
        ({"channels": frozenset({Channel.APP, Channel.WEB})}, True),
        ({"channels": frozenset({Channel.KIOSK})}, False),
        ({"uses_per_member_max": 0}, False),
    ],
)
def test_only_offers_usable_now_and_here_are_shown(fields: dict[str, Any], shown: bool) -> None:
    assert bool(ranked(offer("a", **fields), channel=Channel.APP)) is shown


def test_used_up_offers_are_not_shown() -> None:
    does = {"b": OfferUse(activated_at=NOW), "c": OfferUse(uses=1, redeemed_at=NOW)}
    found = ranked(offer("a"), offer("b"), offer("c"), does=does, exhausted=frozenset("abc"))
    assert keys(found) == ["c"]


def test_only_segments_with_offers_are_evaluated() -> None:
    requested = []

    class Curious(Somebody):
        def in_segment(self, key: str) -> bool:
            requested.append(key)
            return False

    later = offer("b", starts_at=NOW + timedelta(days=3), audience=Audience(segments=frozenset({"late"})))
    ranked(offer("a", audience=Audience(segments=frozenset({"young"}))), later, who=Curious())
    assert requested == ["young"]


# Properties for any catalogue and member.

some_topics = st.frozensets(st.sampled_from(TOPICS), max_size=3)
audiences = st.builds(
    Audience,
    st.frozensets(st.sampled_from(["basic", "gold"]), max_size=2),
    st.frozensets(st.sampled_from(["s1", "s2", "s3"]), max_size=2),
    st.frozensets(st.sampled_from(["l1", "l2", "l3"]), max_size=2),
)
hours = st.integers(-60, 60).map(lambda n: NOW + timedelta(hours=n))
windows = st.builds(
    Window,
    st.none(),
    st.none() | st.integers(-1, 9).map(lambda n: TODAY + timedelta(days=n)),
    st.frozensets(st.integers(1, 7), max_size=4),
    st.none() | st.sampled_from([(time(9), time(16)), (time(20), time(6))]),
)


@st.composite
def offers_of(draw: Callable[..., Any], numbers: st.SearchStrategy[int]) -> Offer:
    return offer(
        f"o{draw(numbers)}",
        starts_at=draw(st.just(NOW - timedelta(days=9)) | hours),
        ends_at=draw(st.none() | hours),
        window=draw(st.none() | windows),
        channels=draw(st.just(frozenset()) | st.frozensets(st.sampled_from([Channel.APP, Channel.WEB]))),
        audience=draw(st.just(Audience()) | audiences),
        topics=draw(some_topics),
        weight=draw(st.integers(-3, 3)),
        uses_per_member_max=draw(st.sampled_from([None, 0, 1, 2])),
    )


catalogues = st.lists(offers_of(st.integers(0, 99)), max_size=40)
moments = st.none() | hours
uses = st.dictionaries(
    st.integers(0, 99).map(lambda n: f"o{n}"),
    st.builds(
        OfferUse,
        activated_at=moments,
        uses=st.integers(0, 2),
        redeemed_at=moments,
        seen=st.integers(0, 12),
        refused_at=moments,
    ),
    max_size=20,
)
people = st.builds(
    Somebody,
    st.sampled_from(["basic", "gold"]),
    st.frozensets(st.sampled_from(["l1", "l2", "l3"])),
    st.frozensets(st.sampled_from(["s1", "s2", "s3"])),
)
# Equal shares make equal scores, which merging buckets must order correctly.
affinities = st.dictionaries(
    st.sampled_from([topic[-1] for topic in TOPICS]), st.sampled_from([0.04, 0.04, 0.09, 0.25, 1e-9])
).map(lambda shares: affinity_of(**shares))


@dataclass(frozen=True, slots=True)
class RankingRequest:
    """Everything that a ranking depends on besides the catalogue."""

    does: Mapping[str, OfferUse]
    who: Somebody
    affinity: AffinityWeights
    preferences: frozenset[str]
    channel: Channel | None
    states: frozenset[OfferState] | None
    exhausted: frozenset[str]

    def page(
        self, catalogue: Catalogue, now: datetime, first: int, after: tuple[int, str] | None = None
    ) -> tuple[list[RankedOffer], bool]:
        return rank_offers(
            catalogue,
            member(self.does),
            self.who,
            TopicScores(self.affinity, self.preferences, now),
            channel=self.channel,
            now=now,
            zone=ZONE,
            states=self.states,
            exhausted=self.exhausted,
            first=first,
            after=after,
        )

    def naive(self, catalogue: Catalogue, now: datetime) -> list[tuple[str, int, OfferState]]:
        """Rank by evaluating every offer."""
        topic_scores = TopicScores(self.affinity, self.preferences, now)
        found = []
        for key, one in catalogue.offers.items():
            use = self.does.get(key, OfferUse())
            state = offer_state(one, use, now)
            done = state in {OfferState.REDEEMED, OfferState.EXPIRED}
            may_use = state is OfferState.ACTIVATED or one.audience.includes(self.who)
            if (
                (self.states is None or state in self.states)
                and (self.channel is None or not one.channels or self.channel in one.channels)
                and (key in self.does if done else may_use and is_on(one, now) and key not in self.exhausted)
            ):
                found.append((key, offer_score(one, use, topic_scores, now=now, zone=ZONE), state))
        return sorted(found, key=lambda row: (-row[1], row[0]))


asked_for = st.builds(
    RankingRequest,
    uses,
    people,
    affinities,
    st.frozensets(st.sampled_from(TOPICS), max_size=2),
    st.sampled_from([None, Channel.APP]),
    st.none() | st.frozensets(st.sampled_from(OfferState)),
    st.frozensets(st.integers(0, 99).map(lambda n: f"o{n}"), max_size=5),
)


def rows(found: list[RankedOffer]) -> list[tuple[str, int, OfferState]]:
    return [(one.offer.key, one.score, one.state) for one in found]


@property_settings(300)
@given(catalogues, asked_for)
def test_indexed_ranking_equals_the_full_ranking(offers: list[Offer], requested: RankingRequest) -> None:
    catalogue = Catalogue(offers)
    expected = requested.naive(catalogue, NOW)
    found, more = requested.page(catalogue, NOW, 1000)
    assert rows(found) == expected
    assert not more


@property_settings(200)
@given(catalogues, asked_for, st.integers(1, 7))
def test_pages_follow_one_another(offers: list[Offer], requested: RankingRequest, first: int) -> None:
    catalogue = Catalogue(offers)
    expected = requested.naive(catalogue, NOW)
    result: list[tuple[str, int, OfferState]] = []
    after, more = None, True
    while more:
        page, more = requested.page(catalogue, NOW, first, after)
        assert len(page) == first or not more
        result += rows(page)
        after = (page[-1].score, page[-1].offer.key) if page else None
    assert result == expected


changes = st.lists(
    offers_of(st.integers(0, 15)) | st.integers(0, 15).map(lambda n: f"o{n}") | st.integers(-2, 9), max_size=20
)


@property_settings(200)
@given(catalogues, changes, asked_for)
def test_incremental_index_equals_a_rebuilt_one(
    offers: list[Offer], changed: list[Offer | str | int], requested: RankingRequest
) -> None:
    catalogue = Catalogue(offers)
    now = NOW
    for change in changed:
        if isinstance(change, Offer):
            catalogue.upsert_offer(change)
        elif isinstance(change, str):
            catalogue.remove_offer(change)
        else:
            now = NOW + timedelta(days=change)
        if len(changed) % 2:
            # Buckets that were read are sorted, the others not; both must be updated.
            requested.page(catalogue, now, 3)
        day = day_of(now, ZONE)
        fresh = OfferIndex(catalogue.offers.values(), day, ZONE)
        assert catalogue.offer_index(day, ZONE).keys_by_bucket() == fresh.keys_by_bucket()
    assert rows(requested.page(catalogue, now, 1000)[0]) == requested.naive(catalogue, now)


# Rewards.


def rewards_of(*rewards: Reward, points: int = 1_000, who: Somebody | None = None, **fields: Any) -> Any:
    fields = {"channel": None, "now": NOW, "zone": ZONE, "first": 100, **fields}
    topic_scores = TopicScores(
        fields.pop("affinity", NO_AFFINITY), fields.pop("preferences", frozenset()), fields["now"]
    )
    return rank_rewards(Catalogue(rewards=rewards), member(points=points), who or Somebody(), topic_scores, **fields)


def test_affordable_rewards_come_first() -> None:
    gold = Audience(tiers=frozenset({"gold"}))
    found, more = rewards_of(
        reward("a", 5_000),
        reward("b", 1_100),
        reward("c", 900),
        reward("d", 900, audience=gold, weight=-1),
        reward("e", 100, topics=frozenset({"category:A"})),
        reward("f", 100, stock=3),
        affinity=affinity_of(A=0.3),
        can_order=lambda one: one.key != "f",
    )
    assert [(one.reward.key, one.eligible, one.points_missing) for one in found] == [
        ("e", True, 0),
        ("c", True, 0),
        ("b", False, 100),
        ("a", False, 4_000),
        ("f", False, 0),
        ("d", False, 0),
    ]
    assert (found[0].ranking_reason, found[0].params) == (RankingReason.FAVOURITE, {"topic": "category:A"})
    assert (found[2].ranking_reason, found[2].params) == (RankingReason.POINTS_MISSING, {"points": 100})
    assert not more


def test_rewards_are_narrowed_by_category_channel_and_eligibility() -> None:
    listed = (
        reward("a", 5_000),
        reward("b", category="garden"),
        reward("c", channels=frozenset({Channel.WEB})),
        reward("d", window=Window(last_day=date(2024, 1, 1))),
    )
    found, _ = rewards_of(*listed, channel=Channel.APP)
    assert [one.reward.key for one in found] == ["b", "a", "d"]
    assert [one.reward.key for one in rewards_of(*listed, category="home")[0]] == ["c", "a", "d"]
    assert [one.reward.key for one in rewards_of(*listed, eligible=True)[0]] == ["b", "c"]
    assert [one.reward.key for one in rewards_of(*listed, eligible=False)[0]] == ["a", "d"]


def test_availability_is_read_only_for_rewards_where_it_matters() -> None:
    requested = []

    def can_order(one: Reward) -> None:
        requested.append(one.key)

    rewards_of(
        reward("a", 5_000, stock=3),
        reward("b", audience=Audience(lists=frozenset({"vip"}))),
        reward("c", stock=3),
        reward("d", window=Window(first_day=date(2025, 1, 1))),
        reward("e"),
        can_order=can_order,
    )
    assert requested == ["c"]


@given(st.lists(st.integers(1, 3_000), max_size=20), st.integers(1, 5))
def test_pages_of_rewards_follow_one_another(points: list[int], first: int) -> None:
    listed = [reward(f"r{number}", cost) for number, cost in enumerate(points)]
    expected, _ = rewards_of(*listed)
    result = []
    after, more = None, True
    while more:
        page, more = rewards_of(*listed, first=first, after=after)
        result += page
        after = (page[-1].score, page[-1].reward.key) if page else None
    assert result == expected


def test_equal_scores_are_ordered_by_key() -> None:
    listed = [replace(offer("x"), key=key) for key in ("b", "a", "é", "Z")]
    assert keys(ranked(*listed)) == ["Z", "a", "b", "é"]

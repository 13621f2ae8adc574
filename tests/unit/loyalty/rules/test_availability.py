from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty.kernel.channel import Channel
from loyalty.kernel.period import LimitPeriod
from loyalty.kernel.window import Window
from loyalty.model.ledger import TierStatus
from loyalty.model.member import Member, Profile
from loyalty.model.offer import Audience
from loyalty.model.reward import Limit
from loyalty.rules.availability import Obstacle, Visit, fits_channel, is_limit_reached, limit_span, obstacles

PARIS = ZoneInfo("Europe/Paris")
# A Friday, 18:30 in Paris.
NOW = datetime(2024, 3, 1, 17, 30, tzinfo=UTC)


class Fan:
    """A member of the base tier, on the list of friends, in the segment of fans; counts evaluations of segments."""

    tier = "base"
    lists = frozenset({"friends"})
    evaluations = 0

    def in_segment(self, key: str) -> bool:
        self.evaluations += 1
        return key == "fans"


def visit(**about: Any) -> Visit:
    fields: dict[str, Any] = {
        "channel": Channel.STORE,
        "store": "s-1",
        "partner": "p-1",
        "segmentation": Fan(),
        **about,
    }
    return Visit(NOW, NOW.astimezone(PARIS), **fields)


A_MOMENT = timedelta(milliseconds=1)
TERMS: dict[str, tuple[dict[str, Any], Obstacle | None]] = {
    "nothing is named": ({}, None),
    "begins now": ({"starts_at": NOW, "ends_at": NOW + A_MOMENT}, None),
    "ends now": ({"ends_at": NOW}, Obstacle.OVER),
    "begins in a moment": ({"starts_at": NOW + A_MOMENT}, Obstacle.NOT_YET),
    "last day was yesterday": ({"window": Window(last_day=date(2024, 2, 29))}, Obstacle.OVER),
    "last day is today": ({"window": Window(last_day=date(2024, 3, 1))}, None),
    "first day is tomorrow": ({"window": Window(first_day=date(2024, 3, 2))}, Obstacle.NOT_YET),
    "on Fridays": ({"window": Window(weekdays=frozenset({5}))}, None),
    "at weekends": ({"window": Window(weekdays=frozenset({6, 7}))}, Obstacle.WEEKDAY),
    "until half past six": ({"window": Window(hours=(time(9), time(18, 30)))}, Obstacle.HOURS),
    "overnight": ({"window": Window(hours=(time(18, 30), time(2)))}, None),
    "in the app": ({"channels": frozenset({Channel.APP})}, Obstacle.CHANNEL),
    "in stores": ({"channels": frozenset({Channel.STORE})}, None),
    "in another store": ({"stores": frozenset({"s-2"})}, Obstacle.STORE),
    "in this store": ({"stores": frozenset({"s-1"})}, None),
    "with another partner": ({"partners": frozenset({"p-2"})}, Obstacle.PARTNER),
    "for gold": ({"audience": Audience(tiers=frozenset({"gold"}))}, Obstacle.TIER),
    "for strangers": ({"audience": Audience(segments=frozenset({"strangers"}))}, Obstacle.AUDIENCE),
    "for foes": ({"audience": Audience(lists=frozenset({"foes"}))}, Obstacle.AUDIENCE),
    "for fans of the base tier": ({"audience": Audience(frozenset({"base"}), frozenset({"fans"}))}, None),
}


@pytest.mark.parametrize(("terms", "obstacle"), TERMS.values(), ids=TERMS)
def test_what_a_thing_names_must_fit(terms: dict[str, Any], obstacle: Obstacle | None) -> None:
    assert [*obstacles(visit(), **terms)] == ([obstacle] if obstacle is not None else [])


def test_all_obstacles_are_reported_in_one_order() -> None:
    terms: dict[str, Any] = {
        "window": Window(weekdays=frozenset({6})),
        "channels": frozenset({Channel.APP}),
        "stores": frozenset({"s-2"}),
        "partners": frozenset({"p-2"}),
        "audience": Audience(tiers=frozenset({"gold"})),
    }
    assert [*obstacles(visit(), **terms)] == [
        Obstacle.WEEKDAY,
        Obstacle.CHANNEL,
        Obstacle.STORE,
        Obstacle.PARTNER,
        Obstacle.TIER,
    ]


def test_the_audience_is_evaluated_only_if_all_else_fits() -> None:
    segmentation, audience = Fan(), Audience(segments=frozenset({"fans"}))
    assert next(obstacles(visit(segmentation=segmentation), channels=frozenset({Channel.APP}), audience=audience))
    assert segmentation.evaluations == 0
    assert next(obstacles(visit(segmentation=segmentation), audience=audience), None) is None
    assert segmentation.evaluations == 1


def test_what_is_not_known_fits_only_what_names_nothing() -> None:
    unknown = visit(channel=None, store=None, partner=None, segmentation=None)
    named: dict[str, Any] = {
        "stores": frozenset({"s-1"}),
        "partners": frozenset({"p-1"}),
        "audience": Audience(tiers=frozenset({"base"})),
    }
    assert [*obstacles(unknown, **named)] == [Obstacle.STORE, Obstacle.PARTNER, Obstacle.AUDIENCE]
    # But for the channel: a client that does not say where it is sees what there is anywhere.
    assert [*obstacles(unknown, channels=frozenset({Channel.APP}))] == []


def test_an_empty_set_of_channels_is_for_all() -> None:
    app = frozenset({Channel.APP})
    assert [fits_channel(*pair) for pair in ((frozenset(), Channel.APP), (app, None), (app, Channel.APP))] == [True] * 3
    assert not fits_channel(app, Channel.WEB)


def test_a_limit_counts_orders_of_its_period_in_the_brands_zone() -> None:
    weekly, key = Limit(2, LimitPeriod.WEEK), "mug"
    base = Member("m", "p", "1", 1, NOW, Profile("en"), TierStatus("base", NOW, None))
    once, twice = (
        Member("m", "p", "1", 1, NOW, Profile("en"), base.tier_status, order_counts={key: {"2024-W09": orders}})
        for orders in (1, 2)
    )
    assert [is_limit_reached(weekly, key, member, NOW, PARIS) for member in (base, once, twice)] == [False, False, True]
    assert not is_limit_reached(None, key, twice, NOW, PARIS)
    assert not is_limit_reached(weekly, "pen", twice, NOW, PARIS)
    # Sunday 23:30 in UTC is Monday in Paris.
    sunday = datetime(2024, 3, 3, 23, 30, tzinfo=UTC)
    assert not is_limit_reached(weekly, key, twice, sunday, PARIS)
    assert limit_span(weekly, sunday, PARIS) == "2024-W10"

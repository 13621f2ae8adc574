from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from loyalty.kernel.channel import Channel
from loyalty.kernel.period import LimitPeriod
from loyalty.kernel.text import Text
from loyalty.kernel.window import Window
from loyalty.model.offer import EVERYBODY, Audience, CodeKind, OfferCode, OfferKind
from loyalty.model.programme import Programme
from loyalty.model.reward import AppointmentCalendar, InstantReward, Limit, RewardKind
from models.definitions.author_error import InvalidDefinition
from models.definitions.catalogue_file import DEFINITION_BYTES_MAX, ItemKind, parse_definition, read_definition
from models.definitions.programme_file import Difference, InvalidProgramme, differences, read_programme, source_digest

BARE = """\
programme: corner
name: The Corner
currency: EUR
locale: en
time_zone: Europe/Paris
tiers:
  - {key: base, name: Base, threshold: 0}
  - {key: gold, name: Gold, threshold: 500, relatives: true}
"""

WHOLE = f"""\
{BARE}orders: {{grace_days: 14}}
segments:
  - key: often
    name: Often
    when: member.events.purchase >= 20
offers:
  - key: tea
    kind: PERCENT_OFF
    title: {{en: Tea, fr: Thé, KIOSK: {{en: Tea here, fr: Thé ici}}, STORE: Ask for tea}}
    description: All teas.
    terms: Not iced.
    image: /images/tea.jpg
    first_day: 2025-03-30
    last_day: 2025-10-26
    window: {{weekdays: [monday, sunday], hours: 22:00-02:00}}
    channels: [APP, STORE]
    stores: [lyon, paris]
    partners: bakery
    audience: {{tiers: [gold], segments: [often], lists: [spring]}}
    activation: true
    uses: {{per_member: 3, in_all: 1000}}
    budget: "12.50"
    returnable: true
    code: {{pool: tea-codes}}
    percent: 12.5
    categories: [TEA]
    brands: [Private]
    weight: -5
  - key: double
    kind: MULTIPLIER
    title: Double
    description: Twice the points.
    first_day: 2025-01-01
    uses: {{per_member: unlimited}}
    budget: 5000
    code: {{member: two}}
    factor: 2
    qualifying: true
  - key: cup-gift
    kind: GIFT
    title: A cup
    description: For you.
    first_day: 2025-01-01
    code: {{shared: Cup2025}}
    reward: cup
rewards:
  - key: cup
    kind: PHYSICAL
    title: Cup
    description: Of clay.
    category: things
    points: 300
    image: https://corner.example/cup.jpg
    stock: 25
    audience: {{tiers: gold}}
    channels: [APP]
    window: {{first_day: 2025-12-01, last_day: 2025-12-24, weekdays: [wednesday], hours: 08:00-20:00}}
    limit: {{orders: 1, per: week}}
    categories: [CUPS]
    brands: [Clay]
    weight: 7
  - key: film
    kind: DIGITAL_CODE
    title: Film
    description: A ticket.
    category: leisure
    points: 0
    pool: cinema
  - key: barista
    kind: SERVICE
    title: Class
    description: An hour.
    category: classes
    points: 900
    appointments: {{weekdays: [saturday], hours: 10:00-18:00, minutes: 60, capacity: 2, days_ahead: 14}}
  - key: bike
    kind: PARTNER
    title: Bike
    description: For a day.
    category: leisure
    points: 100
    partner: Velo
instant_rewards:
  - key: big
    name: Big basket
    reward: cup
    minimum: "15.00"
    limit: {{orders: 1, per: day}}
    window: {{weekdays: [friday]}}
    audience: {{segments: often}}
    channels: [STORE]
    stores: [lyon]
contents:
  - key: home
    title: {{en: Welcome, ar: أهلا}}
    body: Good to see you.
    image: /images/home.jpg
"""


def faults(source: str) -> list[str]:
    with pytest.raises(InvalidProgramme) as caught:
        read_programme(source)
    return [str(fault) for fault in caught.value.faults]


def changed(written: str, instead: str) -> str:
    assert WHOLE.count(written) == 1
    return WHOLE.replace(written, instead)


@pytest.fixture(scope="module")
def programme() -> Programme:
    return read_programme(WHOLE, version=1)


def test_an_offer_is_read_with_all_that_can_be_written(programme: Programme) -> None:
    tea = programme.catalogue.offers["tea"]
    assert (tea.kind, tea.percent, tea.amount, tea.factor, tea.points, tea.reward) == (
        OfferKind.PERCENT_OFF,
        Decimal("12.5"),
        None,
        None,
        None,
        None,
    )
    assert tea.title == Text(
        {"en": "Tea", "fr": "Thé"},
        "en",
        {Channel.KIOSK: {"en": "Tea here", "fr": "Thé ici"}, Channel.STORE: {"en": "Ask for tea"}},
    )
    assert (tea.description.in_locale("en"), tea.terms.in_locale("fr")) == ("All teas.", "Not iced.")
    assert tea.window == Window(date(2025, 3, 30), date(2025, 10, 26), frozenset({1, 7}), (time(22), time(2)))
    assert (set(tea.channels), set(tea.stores), set(tea.partners)) == (
        {Channel.APP, Channel.STORE},
        {"lyon", "paris"},
        {"bakery"},
    )
    assert tea.audience == Audience(frozenset({"gold"}), frozenset({"often"}), frozenset({"spring"}))
    assert (tea.needs_activation, tea.uses_per_member_max, tea.uses_max, tea.restores_use_on_refund) == (
        True,
        3,
        1000,
        True,
    )
    assert (tea.code, tea.image, tea.weight) == (OfferCode(CodeKind.POOL, "tea-codes"), "/images/tea.jpg", -5)
    assert tea.topics == {"category:TEA", "brand:Private"}


def test_an_offer_has_defaults_for_all_but_what_it_is(programme: Programme) -> None:
    gift = programme.catalogue.offers["cup-gift"]
    assert (gift.reward, gift.audience, gift.window, gift.image, gift.ends_at) == ("cup", EVERYBODY, None, None, None)
    assert (gift.needs_activation, gift.uses_per_member_max, gift.uses_max, gift.budget) == (False, 1, None, None)
    assert (gift.restores_use_on_refund, gift.qualifying, gift.topics, gift.weight) == (False, False, frozenset(), 0)
    assert gift.terms.in_locale("fr") == ""


def test_an_offer_lasts_from_the_first_day_to_the_end_of_the_last_on_the_brands_clocks(
    programme: Programme,
) -> None:
    tea = programme.catalogue.offers["tea"]
    # Clocks go forward on the first of these days and back on the last.
    assert tea.starts_at == datetime(2025, 3, 29, 23, tzinfo=UTC)
    # Its last hours begin at 22:00 on the last day and end at 02:00.
    assert tea.ends_at == datetime(2025, 10, 27, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("currency", "budget", "units"),
    [("JPY", "1200", 120_000), ("KWD", "12.505", 12_505), ("EUR", "12.5", 1250), ("KRW", "1e3", 100_000)],
)
def test_a_budget_is_in_its_currencys_own_minor_unit(currency: str, budget: str, units: int) -> None:
    source = WHOLE.replace("currency: EUR", f"currency: {currency}").replace('budget: "12.50"', f'budget: "{budget}"')
    assert read_programme(source).catalogue.offers["tea"].budget == units


def test_a_budget_counted_in_hundredths_by_an_earlier_release_stays_in_hundredths() -> None:
    source = WHOLE.replace("currency: EUR", "currency: KWD").replace('budget: "12.50"', 'budget: "12.505"')
    stored = read_programme(source, version=3, budget_decimals=2)
    assert (stored.catalogue.offers["tea"].budget, stored.budget_unit.count(Decimal("0.995"))) == (1251, 100)


@pytest.mark.parametrize(
    ("currency", "budget", "most"), [("JPY", "12.5", "no decimals"), ("KWD", "12.5055", "at most 3 decimals")]
)
def test_a_budget_finer_than_its_currency_is_refused_unless_it_is_stored(currency: str, budget: str, most: str) -> None:
    source = WHOLE.replace("currency: EUR", f"currency: {currency}").replace('budget: "12.50"', f'budget: "{budget}"')
    with pytest.raises(InvalidProgramme, match=f"{budget} is not an amount in {currency}; write one with {most}"):
        read_programme(source)
    assert read_programme(source, version=3).catalogue.offers["tea"].budget is not None


def test_a_budget_counts_points_or_minor_units_of_money(programme: Programme) -> None:
    assert programme.catalogue.offers["tea"].budget == 1250
    assert programme.catalogue.offers["double"].budget == 5000


def test_offers_are_found_by_their_codes_however_they_are_typed(programme: Programme) -> None:
    found = programme.catalogue.offer_by_code("cup 2025")
    assert found is programme.catalogue.offers["cup-gift"]
    assert [offer.key for offer in programme.catalogue.offers_by_prefix("Two")] == ["double"]
    assert programme.catalogue.offers["double"].uses_per_member_max is None


def test_a_reward_is_read_with_all_that_can_be_written(programme: Programme) -> None:
    cup = programme.catalogue.rewards["cup"]
    assert (cup.kind, cup.category, cup.points, cup.stock) == (RewardKind.PHYSICAL, "things", 300, 25)
    assert (cup.image, cup.partner, cup.pool, cup.weight) == ("https://corner.example/cup.jpg", None, None, 7)
    assert cup.window == Window(date(2025, 12, 1), date(2025, 12, 24), frozenset({3}), (time(8), time(20)))
    assert (cup.limit, cup.audience) == (Limit(1, LimitPeriod.WEEK), Audience(frozenset({"gold"})))
    assert (set(cup.channels), set(cup.topics)) == ({Channel.APP}, {"category:CUPS", "brand:Clay"})
    rewards = programme.catalogue.rewards
    assert (rewards["film"].pool, rewards["film"].points, rewards["bike"].partner) == ("cinema", 0, "Velo")
    assert rewards["barista"].appointments == AppointmentCalendar(frozenset({6}), (time(10), time(18)), 60, 2, 14)


def test_instant_rewards_and_contents_are_read(programme: Programme) -> None:
    assert programme.catalogue.instant_rewards == (
        InstantReward(
            "big",
            Text({"en": "Big basket"}, "en"),
            "cup",
            Decimal("15.00"),
            Limit(1, LimitPeriod.DAY),
            Window(weekdays=frozenset({5})),
            Audience(segments=frozenset({"often"})),
            frozenset({Channel.STORE}),
            frozenset({"lyon"}),
        ),
    )
    home = programme.catalogue.contents["home"]
    assert (home.title.in_locale("ar"), home.body.in_locale("ar")) == ("أهلا", "Good to see you.")
    assert (home.image, home.version) == ("/images/home.jpg", 0)


def test_segments_benefits_and_grace_are_read(programme: Programme) -> None:
    often = programme.segments["often"]
    assert often.name.in_locale("en") == "Often"
    result = [often.condition.evaluate({"member": {"events": {"purchase": count}}}) for count in (19, 20)]
    assert result == [False, True]
    assert [tier.may_order_for_relatives for tier in programme.tiers] == [False, True]
    assert programme.returned_points_grace_days == 14
    bare = read_programme(BARE)
    assert (
        bare.returned_points_grace_days,
        bare.segments,
        dict(bare.catalogue.offers),
        bare.catalogue.instant_rewards,
    ) == (
        0,
        {},
        {},
        (),
    )


def test_a_rule_may_reward_an_activation_or_a_redemption() -> None:
    rules = "".join(
        f"  - {{key: {event}, name: Thanks, event: {event}, points: 5}}\n" for event in ("activation", "redemption")
    )
    assert [rule.event_type for rule in read_programme(f"{BARE}rules:\n{rules}").rules] == ["activation", "redemption"]


@pytest.mark.parametrize("event", ["activation", "redemption", "enrolment", "refund"])
def test_attributes_of_the_programmes_own_events_cannot_be_declared(event: str) -> None:
    assert faults(f"{BARE}event_types: {{{event}: {{name: Named, attributes: {{}}}}}}\n") == [
        (f"line 9: event_types.{event}.attributes: {event!r} is built in and cannot have attributes; remove them")
    ]
    named = read_programme(f"{BARE}event_types: {{{event}: {{name: Named}}}}\n").event_types[event].name
    assert named == Text({"en": "Named"}, "en")


@pytest.mark.parametrize(
    ("written", "instead", "fault"),
    [
        ("grace_days: 14", "grace_days: -1", "line 9: orders.grace_days: Input should be greater than or equal to 0"),
        (
            "when: member.events.purchase >= 20",
            "when: event.day == '2026-01-01'",
            ("line 13: segments.0.when: invalid expression: unknown variable 'event'; use member"),
        ),
        (
            "when: member.events.purchase >= 20",
            "when: member.rang >= 1",
            "line 13: segments.0.when: invalid expression: unknown name 'rang'; check the spelling",
        ),
        (
            "when: member.events.purchase >= 20",
            "when: member.rank",
            (
                "line 13: segments.0.when: invalid expression: results in int; write a comparison, for example "
                "member.rank >= 1"
            ),
        ),
        ("  - key: double", "  - key: tea", "line 37: offers.1.key: key 'tea' is used twice; choose another key"),
        ("  - key: film", "  - key: cup", "line 70: rewards.1.key: key 'cup' is used twice; choose another key"),
        (
            "    kind: PERCENT_OFF",
            "    kind: HALF_OFF",
            (
                "line 16: offers.0.kind: Input should be 'PERCENT_OFF', 'AMOUNT_OFF', 'FREE_DELIVERY', 'MULTIPLIER', "
                "'BONUS_POINTS', 'GIFT', 'EARLY_ACCESS', 'INVITATION' or 'SERVICE'"
            ),
        ),
        ("    percent: 12.5\n", "", "line 15: offers.0: kind PERCENT_OFF needs percent; add it"),
        ("    factor: 2\n", "", "line 37: offers.1: kind MULTIPLIER needs factor; add it"),
        ("    reward: cup\nrewards", "rewards", "line 47: offers.2: kind GIFT needs reward; add it"),
        (
            "    factor: 2",
            "    factor: 2\n    percent: 5",
            "line 37: offers.1: percent is only for kind PERCENT_OFF, and this offer is MULTIPLIER; remove it",
        ),
        ("    factor: 2", "    factor: 1", "line 45: offers.1.factor: Input should be greater than 1"),
        ("percent: 12.5", "percent: 101", "line 33: offers.0.percent: Input should be less than or equal to 100"),
        (
            "    weight: -5",
            "    qualifying: true",
            (
                "line 15: offers.0: qualifying is only for kinds that give points, "
                "and this offer is PERCENT_OFF; remove it"
            ),
        ),
        (
            "    activation: true\n",
            "",
            "line 15: offers.0: members get a code from a pool when they activate the offer; add activation: true",
        ),
        (
            'budget: "12.50"',
            'budget: "12.505"',
            "line 30: offers.0.budget: 12.505 is not an amount in EUR; write one with at most 2 decimals",
        ),
        (
            "    weight: -5",
            "    maximum: 0",
            "line 36: offers.0.maximum: Input should be greater than 0",
        ),
        (
            "budget: 5000",
            "budget: 5000\n    maximum: 20",
            "line 37: offers.1: maximum is only for kind PERCENT_OFF, and this offer is MULTIPLIER; remove it",
        ),
        (
            "budget: 5000",
            "budget: 0.5",
            "line 37: offers.1: budget 0.5 does not fit kind MULTIPLIER; write a whole number of points",
        ),
        (
            "per_member: unlimited",
            "per_member: often",
            "line 42: offers.1.uses.per_member: must be a number of uses, or unlimited",
        ),
        (
            "per_member: unlimited",
            "per_member: 0",
            "line 42: offers.1.uses.per_member: Input should be greater than or equal to 1",
        ),
        (
            "{member: two}",
            "{member: two, shared: two}",
            "line 44: offers.1.code: a code is either shared, member or pool; write exactly one of them",
        ),
        (
            "{member: two}",
            "{member: two-}",
            "line 44: offers.1.code.member: must match the pattern ^[A-Za-z0-9]{2,20}$",
        ),
        (
            "{member: two}",
            "{shared: CUP2025}",
            "line 52: offers.2.code.shared: offer 'double' already uses code 'Cup2025'; choose another code",
        ),
        (
            "last_day: 2025-10-26",
            "last_day: 2025-03-29",
            "line 15: offers.0: last_day is before first_day; swap them",
        ),
        (
            "first_day: 2025-03-30",
            "first_day: 1999-12-31",
            "line 21: offers.0.first_day: Input should be greater than or equal to 2000-01-01",
        ),
        ("    first_day: 2025-03-30\n", "", "line 15: offers.0.first_day: is missing; add it"),
        (
            "hours: 22:00-02:00",
            "hours: 22:00-24:30",
            "line 23: offers.0.window: hours '22:00-24:30' are not valid; write for example 18:00-20:00",
        ),
        (
            "window: {weekdays: [monday, sunday], hours: 22:00-02:00}",
            "window: {last_day: 2025-01-01}",
            "line 23: offers.0.window.last_day: is not a known field; check the spelling or remove it",
        ),
        (
            "{tiers: [gold], seg",
            "{tiers: [silver], seg",
            "line 27: offers.0.audience.tiers: unknown tier 'silver'; define it under tiers",
        ),
        (
            "segments: [often]",
            "segments: [seldom]",
            "line 27: offers.0.audience.segments: unknown segment 'seldom'; define it under segments, or use: often",
        ),
        (
            "    reward: cup\nrewards",
            "    reward: pot\nrewards",
            "line 53: offers.2.reward: unknown reward 'pot'; add it to rewards",
        ),
        (
            "    reward: cup\nrewards",
            "    reward: barista\nrewards",
            (
                "line 53: offers.2.reward: reward 'barista' needs an appointment, which nobody can choose here; "
                "use another reward"
            ),
        ),
        (
            "    reward: cup\n    minimum",
            "    reward: pot\n    minimum",
            "line 94: instant_rewards.0.reward: unknown reward 'pot'; add it to rewards",
        ),
        (
            "image: /images/tea.jpg",
            "image: tea.jpg",
            r"line 20: offers.0.image: must match the pattern ^(https://|/)\S{1,500}$",
        ),
        (
            "KIOSK: {en: Tea here, fr: Thé ici}",
            "TILL: {en: Tea here}",
            (
                "line 17: offers.0.title: unknown channel 'TILL'; "
                "use APP, WEB, STORE, KIOSK, AGENT, SOCIAL, PARTNER, SYSTEM"
            ),
        ),
        (
            "KIOSK: {en: Tea here, fr: Thé ici}",
            "KIOSK: {de: Tee}",
            "line 17: offers.0.title: unsupported locale 'de'; use fr, en, ar",
        ),
        (
            "{en: Tea, fr: Thé, KIOSK",
            "{fr: Thé, KIOSK",
            "line 17: offers.0.title: has no text in the programme's default locale 'en'; add one",
        ),
        (
            "{en: Tea, fr: Thé, KIOSK",
            "{en: 5, KIOSK",
            "line 17: offers.0.title.en: Input should be a valid string",
        ),
        ("points: 300", "points: -1", "line 60: rewards.0.points: Input should be greater than or equal to 0"),
        (
            "    pool: cinema\n",
            "",
            "line 70: rewards.1: kind DIGITAL_CODE needs pool, the name of its pool of codes; add it",
        ),
        (
            "    stock: 25",
            "    pool: cups",
            (
                "line 55: rewards.0: pool is only for kinds DIGITAL_CODE, DISCOUNT, PARTNER, "
                "and this reward is PHYSICAL; remove it"
            ),
        ),
        (
            "    pool: cinema",
            "    pool: cinema\n    stock: 5",
            "line 70: rewards.1: the codes of its pool are the stock of a reward; remove stock",
        ),
        (
            "    partner: Velo",
            "    appointments: {hours: 10:00-12:00, minutes: 60}",
            "line 84: rewards.3: appointments are only for kind SERVICE, and this reward is PARTNER; remove them",
        ),
        (
            "    partner: Velo\n",
            "",
            "line 84: rewards.3: kind PARTNER needs partner, the name of the partner that supplies it; add it",
        ),
        (
            "hours: 10:00-18:00",
            "hours: 18:00-10:00",
            (
                "line 83: rewards.2.appointments: an appointment of 60 minutes "
                "does not fit into 18:00-10:00; widen hours"
            ),
        ),
        (
            "limit: {orders: 1, per: week}",
            "limit: {orders: 0, per: week}",
            "line 66: rewards.0.limit.orders: Input should be greater than or equal to 1",
        ),
        (
            'minimum: "15.00"',
            "minimum: free",
            "line 95: instant_rewards.0.minimum: Input should be a valid decimal",
        ),
        ("    body: Good to see you.\n", "", "line 102: contents.0.body: is missing; add it"),
    ],
)
def test_a_fault_names_the_line_the_place_and_the_fix(written: str, instead: str, fault: str) -> None:
    assert faults(changed(written, instead)) == [fault]


def test_two_offers_whose_members_codes_begin_alike_are_refused() -> None:
    source = changed("{shared: Cup2025}", "{member: TWO}")
    assert faults(source) == [
        "line 52: offers.2.code.member: offer 'double' already uses code 'TWO'; choose another code"
    ]
    # A shared code and a prefix are never confused: members' codes have a dash.
    assert len(read_programme(changed("{shared: Cup2025}", "{shared: TWO}")).catalogue.offers) == 3


def test_a_section_that_a_file_lacks_does_not_change_its_digest() -> None:
    assert source_digest(f"{BARE}offers: []\norders: {{grace_days: 0}}\n") == source_digest(BARE)
    assert source_digest(WHOLE) != source_digest(changed("weight: -5", "weight: -6"))


def test_changed_offer_is_listed_by_its_key() -> None:
    assert differences(WHOLE, changed("percent: 12.5", "percent: 15")) == [
        Difference("offers.tea.percent", "12.5", "15")
    ]


# Definitions outside a file

TEA: dict[str, Any] = {
    "key": "mint",
    "kind": "PERCENT_OFF",
    "title": {"en": "Mint tea", "fr": "Thé à la menthe"},
    "description": "Fresh.",
    "first_day": "2025-01-01",
    "percent": 10,
}


def test_a_definition_says_what_it_would_say_in_a_file(programme: Programme) -> None:
    in_file = read_programme(f"{BARE}offers:\n  - {TEA}\n").catalogue.offers["mint"]
    assert read_definition(ItemKind.OFFER, TEA, programme) == in_file
    content = read_definition(ItemKind.CONTENT, {"key": "home", "title": "Hello", "body": "You"}, programme)
    assert content.key == "home"
    gift = {**TEA, "kind": "GIFT", "reward": "cup", "percent": None}
    assert read_definition(ItemKind.OFFER, gift, programme).key == "mint"


def test_a_definition_says_the_same_however_it_is_written(programme: Programme) -> None:
    written = parse_definition(ItemKind.OFFER, TEA, programme)
    otherwise = parse_definition(
        ItemKind.OFFER, {**TEA, "percent": "10.0", "weight": 0, "description": {"": "Fresh."}}, programme
    )
    assert written.content == {
        "key": "mint",
        "kind": "PERCENT_OFF",
        "title": {"en": "Mint tea", "fr": "Thé à la menthe"},
        "description": {"": "Fresh."},
        "first_day": "2025-01-01",
        "percent": "10",
    }
    assert parse_definition(ItemKind.OFFER, written.content, programme) == written
    assert otherwise.item == written.item
    assert parse_definition(ItemKind.OFFER, {**TEA, "percent": 11}, programme).digest != written.digest


@pytest.mark.parametrize(
    ("kind", "definition", "faults"),
    [
        (ItemKind.OFFER, {**TEA, "percent": None}, [": kind PERCENT_OFF needs percent; add it"]),
        (
            ItemKind.OFFER,
            {**TEA, "first_day": "soon"},
            ["first_day: Input should be a valid date or datetime, input is too short"],
        ),
        (
            ItemKind.OFFER,
            {**TEA, "audience": {"tiers": ["silver"], "segments": ["seldom"]}},
            [
                "audience.tiers: unknown tier 'silver'; define it under tiers",
                "audience.segments: unknown segment 'seldom'; define it under segments, or use: often",
            ],
        ),
        (
            ItemKind.OFFER,
            {**TEA, "kind": "GIFT", "percent": None, "reward": "pot"},
            ["reward: unknown reward 'pot'; add it to rewards"],
        ),
        (
            ItemKind.REWARD,
            {"key": "pot"},
            [f"{name}: is missing; add it" for name in ("kind", "title", "description", "category", "points")],
        ),
        (
            ItemKind.CONTENT,
            {"key": "home", "title": {"fr": "Bonjour"}, "body": "You", "offers": []},
            ["offers: is not a known field; check the spelling or remove it"],
        ),
        (
            ItemKind.CONTENT,
            {"key": "home", "title": {"fr": "Bonjour"}, "body": "You"},
            ["title: has no text in the programme's default locale 'en'; add one"],
        ),
        (
            ItemKind.CONTENT,
            {"key": "home", "title": "Hello", "body": {"en": "a" * 20_001}},
            ["body.en: String should have at most 20000 characters"],
        ),
        (ItemKind.CONTENT, "home", ["Input should be a valid dictionary or instance of ContentShape"]),
    ],
)
def test_fault_of_a_definition_has_its_place(
    programme: Programme, kind: ItemKind, definition: Any, faults: list[str]
) -> None:
    with pytest.raises(InvalidDefinition) as invalid:
        read_definition(kind, definition, programme)
    assert [str(fault) for fault in invalid.value.faults] == [fault.removeprefix(": ") for fault in faults]
    assert str(invalid.value) == "\n".join(str(fault) for fault in invalid.value.faults)


def test_a_definition_has_a_bound(programme: Programme) -> None:
    stores = [f"store-{number:060d}" for number in range(2000)]
    with pytest.raises(InvalidDefinition, match=f"is larger than {DEFINITION_BYTES_MAX} bytes; shorten its texts"):
        read_definition(ItemKind.OFFER, {**TEA, "stores": stores}, programme)

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from support.loyalty_build import LIFETIME, Story, cap, caps_of, flat, per_euro, programme, proof

from loyalty.commands.decision_builder import WRITE_OFFS_KEPT_MAX
from loyalty.kernel.period import CapPeriod, Expiry
from loyalty.model.ledger import Account, Standing, record_hash
from loyalty.model.lot import Lot
from loyalty.model.member import Member
from loyalty.model.programme import SpentPoints
from loyalty.rules.ledger_proof import Proof, rewind
from loyalty.rules.tier import LIFETIME_BUCKET


def told() -> Story:
    """Return a story with a purchase, a spending, an expiry, a debt and earnings that fill it."""
    story = Story.of(programme(expiry=Expiry(days=30)))
    story.buy("2024-03-01 10:00", "100", key="first")
    story.buy("2024-03-10 10:00", "40", key="second")
    story.adjust("2024-03-11 10:00", -60)
    story.settle("2024-04-01 00:00")
    story.adjust("2024-04-01 10:00", -40)
    story.refund("2024-04-02 10:00", "second")
    story.buy("2024-04-03 10:00", "50")
    story.refund("2024-04-04 10:00", "first", "50")
    return story


def before(story: Story, version: int) -> Member:
    """Return the member as it is rewound to `version`."""
    member = story.now
    for record in reversed(story.records[version:]):
        member = rewind(member, record, story.states[record.version - 2].standing)
    return member


def test_the_story_is_what_its_tests_say() -> None:
    story = told()
    assert [state.available for state in story.states] == [0, 100, 140, 80, 40, 0, -40, 10, 0]
    assert story.points == (-100, 0, 0, 100, 0)


@pytest.mark.parametrize("version", range(1, 10))
def test_a_member_can_be_taken_back_to_any_version(version: int) -> None:
    story = told()
    was, rewound = story.states[version - 1], before(story, version)
    assert (rewound.version, rewound.head, rewound.standing) == (was.version, was.head, was.standing)
    assert {account: points for account, points in rewound.balances.items() if points} == {
        account: points for account, points in was.balances.items() if points
    }
    assert [lot for lot in rewound.lots if lot.points] == [lot for lot in was.lots if lot.points]
    assert rewound.qualifying == was.qualifying
    assert proof(story.records[:version], rewound) == []


def test_going_back_over_an_expiry_opens_the_lot_again() -> None:
    story = told()
    assert [(lot.key.earned_on, lot.points, lot.expired) for lot in before(story, 5).lots] == [
        (date(2024, 3, 1), 0, 40),
        (date(2024, 3, 10), 40, 0),
    ]
    assert [(lot.key.earned_on, lot.points, lot.expired) for lot in before(story, 4).lots] == [
        (date(2024, 3, 1), 40, 0),
        (date(2024, 3, 10), 40, 0),
    ]


def test_going_back_over_a_promotion_gives_the_tier_before_it() -> None:
    story = Story.of(programme())
    story.buy("2024-03-01 10:00", "100")
    assert before(story, 1).standing == story.states[0].standing
    assert before(story, 1).standing.tier == "base"


def test_going_back_keeps_the_profile_and_the_cards() -> None:
    story = told()
    assert (before(story, 1).profile, before(story, 1).cards) == (story.now.profile, story.now.cards)


def test_a_ledger_and_its_snapshot_agree() -> None:
    story = told()
    assert proof(story.records, story.now) == []
    for version, state in enumerate(story.states, start=1):
        assert proof(story.records[:version], state) == []


def test_days_that_were_added_up_are_not_held_against_the_ledger() -> None:
    story = Story.of(programme(qualification=LIFETIME), enrolled="2020-01-01 12:00")
    story.buy("2020-02-01 10:00", "60")
    story.buy("2023-01-01 10:00", "1")
    assert LIFETIME_BUCKET in story.now.qualifying
    assert proof(story.records, story.now) == []


def test_a_written_off_refund_is_conserved() -> None:
    story = Story.of(programme(spent_points=SpentPoints.WRITE_OFF))
    story.buy("2024-03-01 10:00", "100", key="first")
    story.adjust("2024-03-02 10:00", -100)
    story.refund("2024-03-03 10:00", "first")
    assert proof(story.records, story.now) == []


# What does not hold is found, and told


def test_a_missing_record_is_told() -> None:
    story = told()
    faults = proof([*story.records[:3], *story.records[4:]], story.now)
    assert faults[:2] == ["version 3 is followed by 5", "version 5 is not chained to the one before it"]


def test_a_missing_last_record_is_told() -> None:
    story = told()
    assert proof(story.records[:-1], story.now) == [
        "the snapshot is at version 9, the ledger at 8",
        "the snapshot is chained to another record than the last one",
        (
            "balances: the snapshot says deducted 100, issued -100, "
            "the ledger available 10, deducted 100, expired 40, issued -150"
        ),
        "the open lots are not those of the ledger",
        "the qualifying days are not those of the ledger",
    ]


def test_records_out_of_order_are_told() -> None:
    story = told()
    one, two, *rest = story.records
    assert "version 0 is followed by 2" in proof([two, one, *rest], story.now)


def test_an_edited_record_is_told_by_its_own_hash() -> None:
    story = told()
    edited = replace(story.records[1], cause=replace(story.records[1].cause, subject="somebody"))
    assert proof([story.records[0], edited, *story.records[2:]], story.now) == ["version 2 does not match its own hash"]


def test_an_edited_record_with_a_new_hash_breaks_the_chain() -> None:
    story = told()
    edited = replace(story.records[1], cause=replace(story.records[1].cause, subject="somebody"))
    edited = replace(edited, hash=record_hash(edited))
    assert proof([story.records[0], edited, *story.records[2:]], story.now) == [
        "version 3 is not chained to the one before it"
    ]


def test_a_wrong_running_balance_is_told() -> None:
    story = told()
    record = story.records[1]
    edited = replace(record, entries=(replace(record.entries[0], balance=99),))
    edited = replace(edited, hash=record_hash(edited))
    assert proof([story.records[0], edited, *story.records[2:]], story.now) == [
        "version 2 says a balance of 99, its entries give another",
        "version 3 is not chained to the one before it",
    ]


def test_an_unbalanced_entry_is_told() -> None:
    story = Story.of(programme())
    story.buy("2024-03-01 10:00", "100")
    record = story.records[1]
    entry = replace(record.entries[0])
    object.__setattr__(entry, "postings", (replace(entry.postings[0], points=-99), entry.postings[1]))
    edited = replace(record, entries=(entry,))
    faults = proof([story.records[0], edited], story.now)
    assert "version 2 has postings that do not sum to zero" in faults


def wrong(**changes: Any) -> list[str]:
    story = told()
    story.buy("2024-04-05 10:00", "120")
    return proof(story.records, replace(story.now, **changes))


def test_a_snapshot_of_another_version_is_told() -> None:
    assert wrong(version=9) == ["the snapshot is at version 9, the ledger at 10"]


def test_a_snapshot_chained_to_another_record_is_told() -> None:
    assert wrong(head="") == ["the snapshot is chained to another record than the last one"]


def test_a_tier_that_was_not_recorded_is_told() -> None:
    assert wrong(standing=Standing("gold", told().now.enrolled_at, None)) == [
        "the snapshot's tier is not the last record's"
    ]


def test_balances_that_were_not_posted_are_told() -> None:
    assert wrong(balances={Account.AVAILABLE: 121, Account.ISSUED: -220, Account.DEDUCTED: 100}) == [
        (
            "balances: the snapshot says available 121, deducted 100, issued -220, "
            "the ledger available 120, deducted 100, issued -220"
        ),
        "points are not conserved: the accounts sum to 1",
        "the open lots do not sum to the available balance",
    ]


def test_lots_that_were_not_posted_are_told() -> None:
    story = told()
    story.buy("2024-04-05 10:00", "120")
    [lot] = [lot for lot in story.now.lots if lot.points]
    assert wrong(lots=(Lot(lot.key, 119),)) == [
        "the open lots are not those of the ledger",
        "the open lots do not sum to the available balance",
    ]
    younger = replace(lot.key, expires_on=date(2099, 1, 1))
    assert wrong(lots=(Lot(younger, 120),)) == ["the open lots are not those of the ledger"]


def test_qualifying_points_that_were_not_recorded_are_told() -> None:
    assert wrong(qualifying={date(2024, 4, 5): 999}) == ["the qualifying days are not those of the ledger"]
    assert wrong(qualifying={date(2024, 4, 6): 1}) == ["the qualifying days are not those of the ledger"]


def written_off_three_times() -> Story:
    story = Story.of(programme(spent_points=SpentPoints.WRITE_OFF))
    for key, euros in (("one", "10"), ("two", "20"), ("three", "30")):
        story.buy("2024-03-01 10:00", euros, key=key)
        story.adjust("2024-03-02 10:00", -int(euros))
        story.refund("2024-03-03 10:00", key)
    assert story.now.write_offs == ((4, 10), (7, 20), (10, 30))
    assert proof(story.records, story.now) == []
    return story


@pytest.mark.parametrize(
    ("write_offs", "fault"),
    [
        (((4, 10), (7, 20)), "the snapshot says that 30 written-off points are not made good, the ledger 60"),
        (((4, 10), (7, 20), (10, 31)), "the snapshot says that 61 written-off points are not made good, the ledger 60"),
        (((4, 10), (7, 30), (10, 20)), "the write-offs are not those of the ledger"),
        (((4, 10), (6, 20), (10, 30)), "the write-offs are not those of the ledger"),
        (((4, 10), (10, 30), (7, 20)), "the write-offs are not those of the ledger"),
        (((4, 10), (4, 20), (10, 30)), "the write-offs are not those of the ledger"),
        (((4, 40), (7, -10), (10, 30)), "the write-offs are not those of the ledger"),
    ],
)
def test_write_offs_that_were_not_posted_are_told(write_offs: tuple[tuple[int, int], ...], fault: str) -> None:
    story = written_off_three_times()
    assert proof(story.records, replace(story.now, write_offs=write_offs)) == [fault]


def test_write_offs_that_were_made_one_are_those_of_the_ledger() -> None:
    story = written_off_three_times()
    assert proof(story.records, replace(story.now, write_offs=((4, 30), (10, 30)))) == []


def test_more_write_offs_than_are_kept_are_those_of_the_ledger() -> None:
    story = Story.of(programme(spent_points=SpentPoints.WRITE_OFF))
    for number in range(WRITE_OFFS_KEPT_MAX + 5):
        story.buy("2024-03-01 10:00", "10", key=f"bought-{number}")
        story.adjust("2024-03-02 10:00", -10)
        story.refund("2024-03-03 10:00", f"bought-{number}")
    assert (len(story.now.write_offs), story.now.write_offs[0]) == (WRITE_OFFS_KEPT_MAX, (4, 60))
    assert proof(story.records, story.now) == []


def capped_story() -> Story:
    story = Story.of(programme(per_euro(cap=cap(10, CapPeriod.WEEK)), flat("visit", "2", event="visit")))
    story.buy("2024-03-01 10:00", "8", key="first")
    story.buy("2024-03-09 10:00", "50", key="second")
    story.happen("visit", "2024-03-10 10:00")
    story.refund("2024-03-20 10:00", "first", "4")
    assert story.now.capped == {"basket": {"2024-W09": 4, "2024-W10": 10}}
    return story


@pytest.mark.parametrize(
    ("capped", "told"),
    [
        ({}, "counts {}, the ledger {'2024-W09': 4, '2024-W10': 10}"),
        ({"basket": {"2024-W10": 10}}, "counts {'2024-W10': 10}, the ledger"),
        ({"basket": {"2024-W09": 8, "2024-W10": 10}}, "counts {'2024-W09': 8, '2024-W10': 10}, the ledger"),
    ],
)
def test_caps_that_were_not_used_so_are_told(capped: dict[str, dict[str, int]], told: str) -> None:
    story = capped_story()
    counted = story.counted.values()
    assert proof(story.records, story.now, caps_of(story.programme), counted) == []
    [fault] = proof(story.records, replace(story.now, capped=capped), caps_of(story.programme), counted)
    assert fault.startswith(f"the cap of rule 'basket': the snapshot {told}")


def test_caps_whose_rule_changed_count_no_more_than_the_rule_gave() -> None:
    story = capped_story()
    assert proof(story.records, replace(story.now, capped={"basket": {"2024-03": 18}})) == []
    assert proof(story.records, replace(story.now, capped={"basket": {"2024-03": 19}})) == [
        "the cap of rule 'basket': the snapshot counts 19, it gave 18 in all"
    ]
    assert proof(story.records, replace(story.now, capped={"gone": {"ever": 1}})) == [
        "the cap of rule 'gone': the snapshot counts 1, it gave 0 in all"
    ]


def test_caps_are_not_held_against_a_version_of_the_programme_that_is_not_known() -> None:
    story = capped_story()
    newer = replace(story.now, capped={}, programme_version=story.programme.version + 1)
    assert proof(story.records, newer, caps_of(story.programme), story.counted.values()) == []


def test_caps_are_not_held_against_a_refund_whose_event_is_gone() -> None:
    story = capped_story()
    assert proof(story.records, replace(story.now, capped={}), caps_of(story.programme)) == []


def test_a_snapshot_without_a_ledger_is_told() -> None:
    story = Story.of(programme(per_euro()))
    assert Proof("m-1").faults(story.now) == [
        "the snapshot is at version 1, the ledger at 0",
        "the snapshot is chained to another record than the last one",
        "the snapshot's tier is not the last record's",
    ]

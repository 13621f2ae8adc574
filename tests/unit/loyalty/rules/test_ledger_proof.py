from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from support.builders import LIFETIME, cap, caps_of, flat, per_euro, programme
from support.member_scenario import MemberScenario, ledger_faults

from loyalty.commands.decision_builder import WRITE_OFFS_KEPT_MAX
from loyalty.kernel.period import ExpiryPolicy, LimitPeriod
from loyalty.model.ledger import Account, TierStatus, record_hash
from loyalty.model.lot import Lot
from loyalty.model.member import Member
from loyalty.model.programme import SpentPointsPolicy
from loyalty.rules.ledger_proof import LedgerAudit, rewind
from loyalty.rules.tier import LIFETIME_OLD_DAYS


def eventful_scenario() -> MemberScenario:
    """Return a scenario with a purchase, a deduction, an expiry, a debt and earnings that fill it."""
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(days=30)))
    scenario.buy("2024-03-01 10:00", "100", key="first")
    scenario.buy("2024-03-10 10:00", "40", key="second")
    scenario.adjust("2024-03-11 10:00", -60)
    scenario.settle("2024-04-01 00:00")
    scenario.adjust("2024-04-01 10:00", -40)
    scenario.refund("2024-04-02 10:00", "second")
    scenario.buy("2024-04-03 10:00", "50")
    scenario.refund("2024-04-04 10:00", "first", "50")
    return scenario


def before(scenario: MemberScenario, version: int) -> Member:
    """Return the member rewound to `version`."""
    member = scenario.now
    for record in reversed(scenario.records[version:]):
        member = rewind(member, record, scenario.states[record.version - 2].tier_status)
    return member


def test_scenario_has_the_expected_records() -> None:
    scenario = eventful_scenario()
    assert [state.available for state in scenario.states] == [0, 100, 140, 80, 40, 0, -40, 10, 0]
    assert scenario.points == (-100, 0, 0, 100, 0)


@pytest.mark.parametrize("version", range(1, 10))
def test_member_can_be_rewound_to_any_version(version: int) -> None:
    scenario = eventful_scenario()
    was, rewound = scenario.states[version - 1], before(scenario, version)
    assert (rewound.version, rewound.head_hash, rewound.tier_status) == (was.version, was.head_hash, was.tier_status)
    assert {account: points for account, points in rewound.balances.items() if points} == {
        account: points for account, points in was.balances.items() if points
    }
    assert [lot for lot in rewound.lots if lot.points] == [lot for lot in was.lots if lot.points]
    assert rewound.qualifying_days == was.qualifying_days
    assert ledger_faults(scenario.records[:version], rewound) == []


def test_rewinding_past_an_expiry_reopens_the_lot() -> None:
    scenario = eventful_scenario()
    assert [(lot.key.earned_on, lot.points, lot.expired_points) for lot in before(scenario, 5).lots] == [
        (date(2024, 3, 1), 0, 40),
        (date(2024, 3, 10), 40, 0),
    ]
    assert [(lot.key.earned_on, lot.points, lot.expired_points) for lot in before(scenario, 4).lots] == [
        (date(2024, 3, 1), 40, 0),
        (date(2024, 3, 10), 40, 0),
    ]


def test_rewinding_past_a_promotion_restores_the_tier_before_it() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "100")
    assert before(scenario, 1).tier_status == scenario.states[0].tier_status
    assert before(scenario, 1).tier_status.tier == "base"


def test_rewinding_keeps_profile_and_cards() -> None:
    scenario = eventful_scenario()
    assert (before(scenario, 1).profile, before(scenario, 1).cards) == (scenario.now.profile, scenario.now.cards)


def test_a_ledger_and_its_snapshot_agree() -> None:
    scenario = eventful_scenario()
    assert ledger_faults(scenario.records, scenario.now) == []
    for version, state in enumerate(scenario.states, start=1):
        assert ledger_faults(scenario.records[:version], state) == []


def test_merged_qualifying_days_match_the_ledger() -> None:
    scenario = MemberScenario.of(programme(qualification=LIFETIME), enrolled="2020-01-01 12:00")
    scenario.buy("2020-02-01 10:00", "60")
    scenario.buy("2023-01-01 10:00", "1")
    assert LIFETIME_OLD_DAYS in scenario.now.qualifying_days
    assert ledger_faults(scenario.records, scenario.now) == []


def test_a_written_off_refund_is_conserved() -> None:
    scenario = MemberScenario.of(programme(spent_points=SpentPointsPolicy.WRITE_OFF))
    scenario.buy("2024-03-01 10:00", "100", key="first")
    scenario.adjust("2024-03-02 10:00", -100)
    scenario.refund("2024-03-03 10:00", "first")
    assert ledger_faults(scenario.records, scenario.now) == []


# Faults


def test_missing_record_is_reported() -> None:
    scenario = eventful_scenario()
    faults = ledger_faults([*scenario.records[:3], *scenario.records[4:]], scenario.now)
    assert faults[:2] == ["version 3 is followed by 5", "version 5 is not chained to the one before it"]


def test_missing_last_record_is_reported() -> None:
    scenario = eventful_scenario()
    assert ledger_faults(scenario.records[:-1], scenario.now) == [
        "the snapshot is at version 9, the ledger at 8",
        "the snapshot is chained to another record than the last one",
        (
            "balances: the snapshot says deducted 100, issued -100, "
            "the ledger available 10, deducted 100, expired 40, issued -150"
        ),
        "the open lots are not those of the ledger",
        "the qualifying days are not those of the ledger",
    ]


def test_records_out_of_order_are_reported() -> None:
    scenario = eventful_scenario()
    one, two, *rest = scenario.records
    assert "version 0 is followed by 2" in ledger_faults([two, one, *rest], scenario.now)


def test_edited_record_is_detected_by_its_hash() -> None:
    scenario = eventful_scenario()
    edited = replace(scenario.records[1], cause=replace(scenario.records[1].cause, subject="somebody"))
    assert ledger_faults([scenario.records[0], edited, *scenario.records[2:]], scenario.now) == [
        "version 2 does not match its own hash"
    ]


def test_an_edited_record_with_a_new_hash_breaks_the_chain() -> None:
    scenario = eventful_scenario()
    edited = replace(scenario.records[1], cause=replace(scenario.records[1].cause, subject="somebody"))
    edited = replace(edited, hash=record_hash(edited))
    assert ledger_faults([scenario.records[0], edited, *scenario.records[2:]], scenario.now) == [
        "version 3 is not chained to the one before it"
    ]


def test_wrong_running_balance_is_reported() -> None:
    scenario = eventful_scenario()
    record = scenario.records[1]
    edited = replace(record, entries=(replace(record.entries[0], balance=99),))
    edited = replace(edited, hash=record_hash(edited))
    assert ledger_faults([scenario.records[0], edited, *scenario.records[2:]], scenario.now) == [
        "version 2 says a balance of 99, its entries give another",
        "version 3 is not chained to the one before it",
    ]


def test_unbalanced_entry_is_reported() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "100")
    record = scenario.records[1]
    entry = replace(record.entries[0])
    object.__setattr__(entry, "postings", (replace(entry.postings[0], points=-99), entry.postings[1]))
    edited = replace(record, entries=(entry,))
    faults = ledger_faults([scenario.records[0], edited], scenario.now)
    assert "version 2 has postings that do not sum to zero" in faults


def wrong(**changes: Any) -> list[str]:
    scenario = eventful_scenario()
    scenario.buy("2024-04-05 10:00", "120")
    return ledger_faults(scenario.records, replace(scenario.now, **changes))


def test_snapshot_of_another_version_is_reported() -> None:
    assert wrong(version=9) == ["the snapshot is at version 9, the ledger at 10"]


def test_snapshot_chained_to_another_record_is_reported() -> None:
    assert wrong(head_hash="") == ["the snapshot is chained to another record than the last one"]


def test_unrecorded_tier_is_reported() -> None:
    assert wrong(tier_status=TierStatus("gold", eventful_scenario().now.enrolled_at, None)) == [
        "the snapshot's tier is not the last record's"
    ]


def test_unposted_balances_are_reported() -> None:
    assert wrong(balances={Account.AVAILABLE: 121, Account.ISSUED: -220, Account.DEDUCTED: 100}) == [
        (
            "balances: the snapshot says available 121, deducted 100, issued -220, "
            "the ledger available 120, deducted 100, issued -220"
        ),
        "points are not conserved: the accounts sum to 1",
        "the open lots do not sum to the available balance",
    ]


def test_unposted_lots_are_reported() -> None:
    scenario = eventful_scenario()
    scenario.buy("2024-04-05 10:00", "120")
    [lot] = [lot for lot in scenario.now.lots if lot.points]
    assert wrong(lots=(Lot(lot.key, 119),)) == [
        "the open lots are not those of the ledger",
        "the open lots do not sum to the available balance",
    ]
    younger = replace(lot.key, expires_on=date(2099, 1, 1))
    assert wrong(lots=(Lot(younger, 120),)) == ["the open lots are not those of the ledger"]


def test_unrecorded_qualifying_points_are_reported() -> None:
    assert wrong(qualifying_days={date(2024, 4, 5): 999}) == ["the qualifying days are not those of the ledger"]
    assert wrong(qualifying_days={date(2024, 4, 6): 1}) == ["the qualifying days are not those of the ledger"]


def written_off_three_times() -> MemberScenario:
    scenario = MemberScenario.of(programme(spent_points=SpentPointsPolicy.WRITE_OFF))
    for key, euros in (("one", "10"), ("two", "20"), ("three", "30")):
        scenario.buy("2024-03-01 10:00", euros, key=key)
        scenario.adjust("2024-03-02 10:00", -int(euros))
        scenario.refund("2024-03-03 10:00", key)
    assert scenario.now.open_write_offs == ((4, 10), (7, 20), (10, 30))
    assert ledger_faults(scenario.records, scenario.now) == []
    return scenario


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
def test_unposted_write_offs_are_reported(write_offs: tuple[tuple[int, int], ...], fault: str) -> None:
    scenario = written_off_three_times()
    assert ledger_faults(scenario.records, replace(scenario.now, open_write_offs=write_offs)) == [fault]


def test_merged_write_offs_match_the_ledger() -> None:
    scenario = written_off_three_times()
    assert ledger_faults(scenario.records, replace(scenario.now, open_write_offs=((4, 30), (10, 30)))) == []


def test_write_offs_over_their_bound_match_the_ledger() -> None:
    scenario = MemberScenario.of(programme(spent_points=SpentPointsPolicy.WRITE_OFF))
    for number in range(WRITE_OFFS_KEPT_MAX + 5):
        scenario.buy("2024-03-01 10:00", "10", key=f"bought-{number}")
        scenario.adjust("2024-03-02 10:00", -10)
        scenario.refund("2024-03-03 10:00", f"bought-{number}")
    assert (len(scenario.now.open_write_offs), scenario.now.open_write_offs[0]) == (WRITE_OFFS_KEPT_MAX, (4, 60))
    assert ledger_faults(scenario.records, scenario.now) == []


def capped_story() -> MemberScenario:
    scenario = MemberScenario.of(programme(per_euro(cap=cap(10, LimitPeriod.WEEK)), flat("visit", "2", event="visit")))
    scenario.buy("2024-03-01 10:00", "8", key="first")
    scenario.buy("2024-03-09 10:00", "50", key="second")
    scenario.happen("visit", "2024-03-10 10:00")
    scenario.refund("2024-03-20 10:00", "first", "4")
    assert scenario.now.cap_usage == {"basket": {"2024-W09": 4, "2024-W10": 10}}
    return scenario


@pytest.mark.parametrize(
    ("capped", "expected"),
    [
        ({}, "counts {}, the ledger {'2024-W09': 4, '2024-W10': 10}"),
        ({"basket": {"2024-W10": 10}}, "counts {'2024-W10': 10}, the ledger"),
        ({"basket": {"2024-W09": 8, "2024-W10": 10}}, "counts {'2024-W09': 8, '2024-W10': 10}, the ledger"),
    ],
)
def test_wrong_cap_counters_are_reported(capped: dict[str, dict[str, int]], expected: str) -> None:
    scenario = capped_story()
    counted = scenario.counted.values()
    assert ledger_faults(scenario.records, scenario.now, caps_of(scenario.programme), counted) == []
    [fault] = ledger_faults(
        scenario.records, replace(scenario.now, cap_usage=capped), caps_of(scenario.programme), counted
    )
    assert fault.startswith(f"the cap of rule 'basket': the snapshot {expected}")


def test_caps_whose_rule_changed_count_no_more_than_the_rule_gave() -> None:
    scenario = capped_story()
    assert ledger_faults(scenario.records, replace(scenario.now, cap_usage={"basket": {"2024-03": 18}})) == []
    assert ledger_faults(scenario.records, replace(scenario.now, cap_usage={"basket": {"2024-03": 19}})) == [
        "the cap of rule 'basket': the snapshot counts 19, it gave 18 in all"
    ]
    assert ledger_faults(scenario.records, replace(scenario.now, cap_usage={"gone": {"ever": 1}})) == [
        "the cap of rule 'gone': the snapshot counts 1, it gave 0 in all"
    ]


def test_caps_of_an_unknown_programme_version_pass() -> None:
    scenario = capped_story()
    newer = replace(scenario.now, cap_usage={}, programme_version=scenario.programme.version + 1)
    assert ledger_faults(scenario.records, newer, caps_of(scenario.programme), scenario.counted.values()) == []


def test_caps_pass_if_the_event_of_a_refund_is_gone() -> None:
    scenario = capped_story()
    assert ledger_faults(scenario.records, replace(scenario.now, cap_usage={}), caps_of(scenario.programme)) == []


def test_snapshot_without_a_ledger_is_reported() -> None:
    scenario = MemberScenario.of(programme(per_euro()))
    assert LedgerAudit("m-1").faults(scenario.now) == [
        "the snapshot is at version 1, the ledger at 0",
        "the snapshot is chained to another record than the last one",
        "the snapshot's tier is not the last record's",
    ]

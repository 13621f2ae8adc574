from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from support.builders import programme
from support.member_scenario import MemberScenario, assert_member_invariants, posting_rows

from loyalty.kernel.channel import Channel
from loyalty.kernel.period import ExpiryPolicy
from loyalty.model.ledger import (
    Account,
    Entry,
    EntryKind,
    LotKey,
    Posting,
    Record,
    RecordRef,
    TierStatus,
    apply_entries,
    record_hash,
)

NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
LOT = LotKey(date(2024, 3, 1), None)


def entry(*postings: Posting, points: int) -> Entry:
    return Entry(EntryKind.EARN, points, points, NOON, Channel.APP, postings)


def test_an_entry_that_does_not_balance_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="its postings sum to 1, not to 0"):
        entry(Posting(Account.ISSUED, -9), Posting(Account.AVAILABLE, 10, LOT), points=10)


def test_entry_whose_points_differ_from_its_postings_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="the entry says 9 points, its postings move 10"):
        entry(Posting(Account.ISSUED, -10), Posting(Account.AVAILABLE, 10, LOT), points=9)


def test_balances_are_the_sum_of_postings() -> None:
    earned = entry(Posting(Account.ISSUED, -10), Posting(Account.AVAILABLE, 10, LOT), points=10)
    lapsed = entry(Posting(Account.AVAILABLE, -4, LOT), Posting(Account.EXPIRED, 4, LOT), points=-4)
    before = {Account.ISSUED: -1, Account.AVAILABLE: 1}
    assert apply_entries(before, [earned, lapsed]) == {
        Account.ISSUED: -11,
        Account.AVAILABLE: 7,
        Account.EXPIRED: 4,
    }
    assert before == {Account.ISSUED: -1, Account.AVAILABLE: 1}


def expired_scenario() -> MemberScenario:
    scenario = MemberScenario.of(programme(expiry=ExpiryPolicy(days=30)))
    scenario.buy("2024-03-01 10:00", "10.90", key="receipt")
    scenario.adjust("2024-03-02 10:00", -4)
    scenario.settle("2024-04-01 10:00")
    return scenario


def test_hashes_of_stored_records_never_change() -> None:
    # Stored ledgers are proved by these hashes: a change of what they cover must leave them as they are.
    last = expired_scenario().records[-1]
    assert record_hash(last) == "9ff7555dd7364eebf92291040e4722b59afb0166f5d74e12a515e9436630e98d"
    assert record_hash(replace(last, command=RecordRef("m-2", 1))) != last.hash


def test_every_kind_of_movement_has_its_postings() -> None:
    scenario = expired_scenario()
    scenario.buy("2024-04-02 10:00", "20", key="second")
    scenario.adjust("2024-04-03 10:00", 5)
    scenario.refund("2024-04-04 10:00", "second")
    kinds = [(one.kind.value, posting_rows(one)) for record in scenario.records for one in record.entries]
    assert kinds == [
        ("EARN", [("issued", -10), ("available", 10)]),
        ("ADJUST", [("available", -4), ("deducted", 4)]),
        ("EXPIRE", [("available", -6), ("expired", 6)]),
        ("EARN", [("issued", -20), ("available", 20)]),
        ("ADJUST", [("issued", -5), ("available", 5)]),
        ("REVERSE", [("issued", 20), ("available", -20)]),
    ]
    assert scenario.points == (-15, 5, 6, 4, 0)
    assert_member_invariants(scenario)


def test_entries_have_time_place_and_balance() -> None:
    scenario = expired_scenario()
    rows = [
        (one.occurred_at.isoformat(), one.channel.value, one.points, one.balance, one.label, dict(one.params))
        for record in scenario.records
        for one in record.entries
    ]
    assert rows == [
        ("2024-03-01T09:00:00+00:00", "STORE", 10, 10, "event", {"type": "purchase"}),
        ("2024-03-02T09:00:00+00:00", "AGENT", -4, 6, "adjust", {}),
        ("2024-03-31T22:00:00+00:00", "SYSTEM", -6, 0, "expire", {"day": "2024-03-01"}),
    ]


def test_records_are_chained_by_their_hashes() -> None:
    scenario = expired_scenario()
    assert [record.version for record in scenario.records] == [1, 2, 3, 4]
    assert scenario.records[0].previous_hash == ""
    for before, after in zip(scenario.records, scenario.records[1:], strict=False):
        assert after.previous_hash == before.hash
    assert scenario.now.head_hash == scenario.records[-1].hash
    assert all(record.hash == record_hash(record) for record in scenario.records)


def changed(record: Record) -> list[Record]:
    """Return the record with each of its fields changed, one at a time."""
    one = record.entries[0]
    cause = record.cause
    entries = [
        replace(one, kind=EntryKind.ADJUST),
        replace(one, balance=11),
        replace(one, occurred_at=NOON),
        replace(one, channel=Channel.WEB),
        replace(one, postings=(*one.postings[:1], replace(one.postings[1], lot=None))),
        replace(one, postings=one.postings[::-1]),
        replace(one, explanations=()),
        replace(one, explanations=(replace(one.explanations[0], points=9),)),
        replace(one, explanations=(replace(one.explanations[0], params={"cap": 1}),)),
        replace(one, label="adjust"),
        replace(one, params={"type": "visit"}),
    ]
    return [
        replace(record, member="m-2"),
        replace(record, version=3),
        replace(record, recorded_at=NOON),
        *(
            replace(record, cause=replace(cause, **{name: "other"}))
            for name in ("operation", "role", "subject", "key", "reason")
        ),
        *(replace(record, entries=(other,)) for other in entries),
        replace(record, entries=()),
        replace(record, qualifying_points=()),
        replace(record, tier_status=TierStatus("gold", record.tier_status.since, record.tier_status.guaranteed_until)),
        replace(record, tier_status=replace(record.tier_status, since=NOON)),
        replace(record, tier_status=replace(record.tier_status, guaranteed_until=NOON)),
        replace(record, previous_hash="0" * 64),
    ]


def test_the_hash_covers_every_field_of_a_record() -> None:
    scenario = MemberScenario.of(programme())
    scenario.buy("2024-03-01 10:00", "10")
    record = scenario.records[-1]
    others = changed(record)
    assert len({record_hash(other) for other in others} | {record.hash}) == len(others) + 1
    assert len(others) == 25


def test_a_record_gathers_the_explanations_of_its_entries() -> None:
    scenario = expired_scenario()
    assert [one.rule for one in scenario.records[1].explanations] == ["basket"]
    assert scenario.records[2].explanations == ()

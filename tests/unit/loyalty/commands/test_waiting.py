"""Refunds that wait for their purchase, in memory: counted, refused in the end, or settled away."""

from dataclasses import replace
from typing import Any

import pytest
from support.builders import per_euro, programme, receipt
from support.member_scenario import MemberScenario

from loyalty.commands.decide import decide
from loyalty.commands.record_event import CountWaiting, RecordEvent
from loyalty.kernel.refusal import Refusal
from loyalty.model.decision import Decision, NothingToSettle
from loyalty.model.ledger import EntryKind
from loyalty.model.member import next_settlement_at
from loyalty.model.references.senders import ReferenceFault, SenderRule, Senders
from loyalty.model.references.waiting import WAITING_MAX, WAITING_PER_MEMBER_MAX

AT = "2024-03-02 10:00"


def shop() -> MemberScenario:
    tills = Senders((SenderRule("till", ("web*",)),))
    return MemberScenario.of(replace(programme(per_euro()), senders=tills))


def refund(scenario: MemberScenario, key: str, total: str | None = None, **about: Any) -> RecordEvent:
    return scenario.event(
        "refund", AT, key=key, refund_of="basket", purchase=receipt(total) if total else None, **about
    )


def count(scenario: MemberScenario, sent: RecordEvent) -> Decision | Refusal | NothingToSettle:
    return scenario.do(CountWaiting(sent.event, sent.cause), AT)


def test_a_refund_waits_and_is_counted_under_its_own_key_once_its_purchase_is_recorded() -> None:
    scenario = shop()
    sent = refund(scenario, "back")
    waits = scenario.must(sent, AT)
    assert (waits.record.cause.operation, waits.record.cause.key, waits.record.entries) == ("wait", "back", ())
    assert isinstance(count(scenario, sent), NothingToSettle)
    scenario.buy("2024-03-02 09:00", "30.00", key="basket")
    counted = count(scenario, sent)
    assert isinstance(counted, Decision)
    assert (counted.record.cause, counted.member.waiting, counted.member.available) == (sent.cause, (), 0)
    assert [(entry.kind, entry.points) for entry in counted.record.entries] == [(EntryKind.REVERSE, -30)]
    assert isinstance(count(scenario, sent), NothingToSettle)


def test_a_refund_that_does_not_fit_its_purchase_is_refused_with_a_note_and_nothing_else() -> None:
    scenario = shop()
    sent = refund(scenario, "back", "31.00")
    scenario.must(sent, AT)
    scenario.buy("2024-03-02 09:00", "30.00", key="basket")
    before = scenario.now
    decision = count(scenario, sent)
    assert isinstance(decision, Decision)
    [refused] = decision.refused_waiting
    assert (refused.waiting.key, refused.refusal.reason) == ("back", "refund_exceeds")
    [note] = decision.record.entries
    assert (note.kind, note.points, note.label, note.postings) == (EntryKind.REVERSE, 0, "refund_refused", ())
    assert (decision.recorded_event, decision.amended_purchase) == (None, None)
    after = replace(
        decision.member,
        version=before.version,
        head_hash=before.head_hash,
        waiting=before.waiting,
    )
    assert after == before


def test_settling_refuses_what_has_waited_too_long_and_the_member_is_due_then() -> None:
    scenario = shop()
    scenario.must(refund(scenario, "back"), AT)
    until = scenario.at(AT) + WAITING_MAX
    assert next_settlement_at(scenario.now, scenario.programme.zone) == until
    decision = scenario.must(scenario.event("visit", AT), until)
    [refused] = decision.refused_waiting
    assert (refused.refusal.reason, refused.refusal.params) == ("purchase_never_arrived", {"key": "basket", "days": 30})
    assert decision.member.waiting == ()
    assert decision.record.entries[0].occurred_at == until


def test_a_sender_that_may_not_be_named_is_refused_before_it_waits() -> None:
    scenario = shop()
    assert scenario.refused(refund(scenario, "a", ref_sender="partner"), AT).reason == "purchase_not_found"
    for named in ("webshop", "till"):
        scenario.must(refund(scenario, named, ref_sender=named), AT)
    assert [one.reference for one in scenario.now.waiting] == ["webshop/basket", "till/basket"]


def test_a_member_has_a_bounded_number_of_waiting_events() -> None:
    scenario = shop()
    for number in range(WAITING_PER_MEMBER_MAX):
        scenario.must(refund(scenario, f"back-{number}"), AT)
    assert scenario.refused(refund(scenario, "one-more"), AT).reason == "waiting_max_member"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(ReferenceFault.AMBIGUOUS, "reference_ambiguous"), (ReferenceFault.REFUSED, "purchase_not_found")],
)
def test_a_reference_that_leads_nowhere_is_refused(fault: ReferenceFault, reason: str) -> None:
    scenario = shop()
    sent = refund(scenario, "back")
    facts = replace(scenario.supply.facts(sent, scenario.now, scenario.programme), reference_fault=fault)
    outcome = decide(sent, scenario.now, scenario.programme, scenario.at(AT), facts)
    assert isinstance(outcome, Refusal)
    assert outcome.reason == reason

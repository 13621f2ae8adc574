"""The audit's proof of tiers: what the points reach, and what a refund takes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.builders import LIFETIME, programme
from support.member_scenario import MemberScenario

from loyalty.model.programme import Programme, TierAfterRefund
from loyalty.rules.tier_proof import ADOPTED_WITHIN, RunningProgramme, TierAudit

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def faults(scenario: MemberScenario, running: Programme, tier: str, *, since: datetime = LONG_AGO) -> list[str]:
    """Return the faults if the newest record that changed qualifying points said `tier`."""
    audit = TierAudit()
    newest = max(record.version for record in scenario.records if record.qualifying_points)
    for record in scenario.records:
        status = replace(record.tier_status, tier=tier) if record.version == newest else record.tier_status
        audit.add(replace(record, tier_status=status))
    return audit.faults(scenario.now, RunningProgramme(running, since))


@pytest.mark.parametrize("policy", TierAfterRefund)
def test_a_tier_below_what_the_points_reach_is_a_fault(policy: TierAfterRefund) -> None:
    running = programme(qualification=LIFETIME, tier_after_refund=policy)
    scenario = MemberScenario.of(running)
    scenario.buy("2024-03-01 10:00", "100", key="first")
    scenario.adjust("2024-03-02 10:00", -10)
    reached = scenario.now.tier_status.tier
    assert reached != running.tiers[0].key
    assert faults(scenario, running, reached) == []
    [fault] = faults(scenario, running, running.tiers[0].key)
    assert fault == f"version 2 says tier {running.tiers[0].key}, and the points reach {reached}"


def test_a_tier_that_a_refund_leaves_is_a_fault_if_refunds_review_tiers() -> None:
    for policy, found in ((TierAfterRefund.REVIEWED, 1), (TierAfterRefund.KEPT, 0)):
        running = programme(qualification=LIFETIME, tier_after_refund=policy)
        scenario = MemberScenario.of(running)
        scenario.buy("2024-03-01 10:00", "100", key="first")
        reached = scenario.now.tier_status.tier
        scenario.refund("2024-03-01 11:00", "first")
        assert faults(scenario, running, scenario.now.tier_status.tier) == []
        assert len(faults(scenario, running, reached)) == found


def test_a_tier_that_points_did_not_reach_before_a_refund_is_a_promise() -> None:
    running = programme(qualification=LIFETIME)
    scenario = MemberScenario.of(running)
    scenario.buy("2024-03-01 10:00", "1", key="first")
    scenario.refund("2024-03-01 11:00", "first")
    assert faults(scenario, running, running.tiers[-1].key) == []


def test_what_an_earlier_version_of_the_programme_decided_is_not_proved() -> None:
    running = programme(qualification=LIFETIME)
    scenario = MemberScenario.of(running)
    scenario.buy("2024-03-01 10:00", "100", key="first")
    recorded_at = scenario.records[-1].recorded_at
    lowest = running.tiers[0].key
    assert faults(scenario, running, lowest, since=recorded_at - ADOPTED_WITHIN) != []
    assert faults(scenario, running, lowest, since=recorded_at - ADOPTED_WITHIN + timedelta(seconds=1)) == []
    assert TierAudit().faults(scenario.now, RunningProgramme(running, LONG_AGO)) == []

"""Events of senders whose clocks differ, and events of long ago."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.builders import moment, programme, receipt
from support.member_scenario import MemberScenario, assert_member_invariants
from support.property_settings import property_settings

from loyalty.kernel.refusal import RefusalCode
from loyalty.model.event import PURCHASE, REFUND

NOW = moment("2024-03-01 12:00")
SKEW_SECONDS = 5 * 60
SECONDS = st.integers(-SKEW_SECONDS, SKEW_SECONDS) | st.sampled_from([-SKEW_SECONDS, SKEW_SECONDS, 120])


@given(ahead=SECONDS, apart=st.integers(0, SKEW_SECONDS) | st.just(SKEW_SECONDS), share=st.sampled_from(["10", "4"]))
@property_settings(60)
def test_a_refund_may_be_stamped_before_its_purchase_by_as_much_as_clocks_may_differ(
    ahead: int, apart: int, share: str
) -> None:
    scenario = MemberScenario.of(programme())
    bought_at = NOW + timedelta(seconds=ahead)
    bought = scenario.event(PURCHASE, bought_at, purchase=receipt("10"))
    scenario.must(bought, NOW)
    back = scenario.event(
        REFUND, bought_at - timedelta(seconds=apart), purchase=receipt(share), refund_of=bought.event.key
    )
    scenario.must(back, NOW)
    assert scenario.now.available == 10 - int(share)
    assert_member_invariants(scenario)


@given(ahead=SECONDS, apart=st.integers(SKEW_SECONDS + 1, 10**6))
@property_settings(30)
def test_a_refund_that_no_difference_of_clocks_explains_is_refused(ahead: int, apart: int) -> None:
    scenario = MemberScenario.of(programme())
    bought_at = NOW + timedelta(seconds=ahead)
    bought = scenario.event(PURCHASE, bought_at, purchase=receipt("10"))
    scenario.must(bought, NOW)
    back = scenario.event(REFUND, bought_at - timedelta(seconds=apart), refund_of=bought.event.key)
    refusal = scenario.refused(back, NOW)
    assert (refusal.code, refusal.reason, refusal.path) == (
        RefusalCode.INVALID,
        "refund_before_purchase",
        ("occurredAt",),
    )

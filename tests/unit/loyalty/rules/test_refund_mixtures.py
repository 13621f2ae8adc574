"""Any mixture of refunds by total, line and quantity reverses what was earned: never more, and all of it at the end."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from support.builders import CALENDAR_YEAR, flat, line, per_euro, programme, receipt
from support.member_scenario import MemberScenario, assert_member_invariants
from support.property_settings import property_settings

from loyalty.kernel.currency import minor_unit
from loyalty.model.decision import Decision
from loyalty.model.event import Purchase, PurchaseLine, RecordedEvent
from loyalty.model.explanation import RuleOutcome
from loyalty.model.programme import Rounding
from loyalty.rules.money_paid import paid_by_part
from models.mongo.event import amended_fields, counted_event_of, event_fields

REFUSALS = {"refund_exceeds", "refund_exceeds_line", "refund_sign", "refund_done"}
RULES = (
    per_euro(points="1.3", rounding=Rounding.HALF_UP, priority=9),
    per_euro("own", points="3", lines='line.sku == "a"', priority=8),
    flat("bonus", "17", qualifying=False),
)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])


@st.composite
def purchases(draw: st.DrawFn) -> Purchase:
    """Return a receipt in any currency, with discount lines, a basket discount or a delivery, and free articles."""
    currency = draw(CURRENCIES)
    unit = minor_unit(currency)
    lines: list[PurchaseLine] = draw(
        st.lists(
            st.builds(
                lambda sku, units, quantity, off: line(
                    sku, str(-unit * units if off else unit * units), "1" if off else quantity
                ),
                st.sampled_from(["a", "b", "c"]),
                st.integers(0, 3000),
                st.sampled_from(["1", "1", "2", "3", "7", "0.345"]),
                st.sampled_from([False, False, False, True]),
            ),
            max_size=4,
        )
    )
    whole = sum((one.amount for one in lines), Decimal(0)) if lines else unit * draw(st.integers(0, 3000))
    total = max(Decimal(0), whole + unit * draw(st.sampled_from([0, 0, -37, -1, 1, 500])))
    if draw(st.integers(0, 9)) == 0:
        total = Decimal(0)
    return receipt(str(total), *lines, currency=currency)


def bought(purchase: Purchase) -> MemberScenario:
    scenario = MemberScenario.of(programme(*RULES, currency=purchase.currency, qualification=CALENDAR_YEAR))
    scenario.buy("2024-03-01 10:00", purchase, key="basket")
    return scenario


def stored(recorded: RecordedEvent) -> RecordedEvent:
    """Return a purchase as it is read again after it was stored, at first and after a refund."""
    document = {**event_fields(recorded), **amended_fields(recorded)}
    cause = {"key": recorded.event.key, "subject": recorded.event.sender}
    return counted_event_of({**document, "cause": cause, "member": recorded.member, "version": recorded.version})


def reversed_by(decision: Decision) -> dict[str, int]:
    rows = [one for one in decision.record.explanations if one.reason is RuleOutcome.REVERSED]
    return {one.rule: -one.points for one in rows}


@st.composite
def a_total(draw: st.DrawFn, sold: Purchase, unit: Decimal) -> Purchase:
    part = (sold.total * draw(st.integers(0, 4)) / 4).quantize(unit)
    return receipt(str(part), currency=sold.currency)


@st.composite
def some_lines(draw: st.DrawFn, sold: Purchase, unit: Decimal) -> Purchase:
    """Return a refund of some lines, by pieces or by money, at their price or at what was paid, with any total."""
    paid = paid_by_part(sold)
    back: list[PurchaseLine] = []
    for place in draw(st.lists(st.integers(0, len(sold.lines) - 1), min_size=1, max_size=3)):
        one = sold.lines[place]
        whole = draw(st.sampled_from([one.amount, paid[place]]))
        by_quantity = draw(st.booleans())
        pieces = draw(st.integers(1, int(one.quantity))) if one.quantity >= 1 else one.quantity
        share = Decimal(pieces) / one.quantity if by_quantity else Decimal(draw(st.integers(0, 4))) / 4
        amount = (whole * share).quantize(unit, draw(st.sampled_from([ROUND_FLOOR, ROUND_CEILING])))
        back.append(line(one.sku, str(amount), str(pieces) if by_quantity else "1"))
    amounts = sum((one.amount for one in back), Decimal(0))
    total = max(Decimal(0), draw(st.sampled_from([amounts, amounts, Decimal(0), amounts * 3 / 4, amounts + unit * 5])))
    return receipt(str(total.quantize(unit)), *back, currency=sold.currency)


@given(data=st.data())
@property_settings(250)
def test_any_mixture_reverses_what_was_earned(data: st.DataObject) -> None:
    sold = data.draw(purchases())
    unit = minor_unit(sold.currency)
    scenario = bought(sold)
    earned = {grant.rule: grant.points for grant in scenario.counted["basket"].grants}
    qualified = sum(scenario.now.qualifying_days.values())
    reversed_so_far = dict.fromkeys(earned, 0)
    before: tuple[Fraction, ...] = scenario.counted["basket"].shares_returned

    refunds = a_total(sold, unit) | some_lines(sold, unit) if sold.lines else a_total(sold, unit)
    for _ in range(data.draw(st.integers(0, 7))):
        command = scenario.event("refund", "2024-03-02 10:00", purchase=data.draw(refunds), refund_of="basket")
        outcome = scenario.do(command, "2024-03-02 10:00")
        if not isinstance(outcome, Decision):
            assert outcome.reason in REFUSALS  # type: ignore[union-attr]
            continue
        for rule, points in reversed_by(outcome).items():
            assert points >= 0
            reversed_so_far[rule] += points
        recorded = scenario.counted["basket"]
        assert stored(recorded) == recorded
        assert all(0 <= old <= new <= 1 for old, new in zip(before, recorded.shares_returned, strict=True))
        assert all(reversed_so_far[rule] <= earned[rule] for rule in earned)
        before = recorded.shares_returned
        assert_member_invariants(scenario)
    if not scenario.counted["basket"].is_returned:
        for rule, points in reversed_by(scenario.refund("2024-03-20 10:00", "basket")).items():
            reversed_so_far[rule] += points
    assert reversed_so_far == earned
    assert (scenario.now.available, sum(scenario.now.qualifying_days.values())) == (0, 0)
    assert qualified >= 0


@given(data=st.data())
@property_settings(150)
def test_all_pieces_and_all_that_is_beyond_them_are_accepted_in_any_order_and_leave_nothing(
    data: st.DataObject,
) -> None:
    sold = data.draw(purchases())
    unit, paid = minor_unit(sold.currency), paid_by_part(sold)
    scenario = bought(sold)
    at_price = data.draw(st.booleans())
    rounding = data.draw(st.sampled_from([ROUND_FLOOR, ROUND_CEILING]))
    pieces: list[Purchase] = []
    for one, money in zip(sold.lines, paid, strict=False):
        if one.amount < 0:
            continue
        number = int(one.quantity) if one.quantity >= 1 else 1
        piece = ((one.amount if at_price else money) / number).quantize(unit, rounding)
        quantity = one.quantity if one.quantity < 1 else Decimal(1)
        total = (money / number).quantize(unit, rounding)
        pieces += [receipt(str(total), line(one.sku, str(piece), str(quantity)), currency=sold.currency)] * number
    beyond = paid[len(sold.lines)] if len(paid) > len(sold.lines) else Decimal(0)
    first = data.draw(st.integers(0, int(beyond / unit))) if sold.lines else 0
    pieces += [receipt(str(part), currency=sold.currency) for part in (unit * first, beyond - unit * first) if part > 0]
    for back in data.draw(st.permutations(pieces)):
        if not scenario.counted["basket"].is_returned:
            scenario.refund("2024-03-02 10:00", "basket", back)
    if pieces:
        assert (scenario.now.available, scenario.counted["basket"].is_returned) == (0, True)


@given(
    sold=purchases(),
    parts=st.lists(st.integers(1, 9), min_size=1, max_size=6),
)
@property_settings(100)
def test_totals_that_sum_to_what_was_paid_leave_nothing(sold: Purchase, parts: list[int]) -> None:
    scenario = bought(sold)
    unit, left = minor_unit(sold.currency), sold.total
    for place, part in enumerate(parts):
        back = left if place == len(parts) - 1 else min(left, (sold.total * part / sum(parts)).quantize(unit))
        if not scenario.counted["basket"].is_returned:
            scenario.refund("2024-03-02 10:00", "basket", receipt(str(back), currency=sold.currency))
        left -= back
    assert (scenario.now.available, scenario.counted["basket"].is_returned) == (0, True)

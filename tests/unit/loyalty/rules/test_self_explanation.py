from hypothesis import given
from hypothesis import strategies as st
from support.member_histories import MemberHistory, member_histories
from support.programme_files import programme_from_file
from support.property_settings import property_settings

from loyalty.model.explanation import RuleOutcome
from loyalty.model.ledger import EntryKind
from loyalty.rules.self_explanation import explanations_of, is_of_time
from models.mongo.snapshot import entry_views

OF_NO_RULE = {EntryKind.ADJUST, EntryKind.BURN, EntryKind.HOLD, EntryKind.RELEASE, EntryKind.EXPIRE}


PROGRAMMES = [programme_from_file("grocer"), programme_from_file("coffee")]


@given(history=st.sampled_from(PROGRAMMES).flatmap(member_histories))
@property_settings(60)
def test_every_movement_of_points_explains_itself_and_the_explanations_sum_to_it(history: MemberHistory) -> None:
    for record in history.records:
        for view in entry_views(record):
            found = explanations_of(view)
            if view.kind in OF_NO_RULE:
                assert found[0].rule in {"adjustment", "order", "hold", "expiry"}
                assert sum(explanation.points for explanation in found) == view.points
                assert [*found[1:]] == [*view.explanations]
            if view.points:
                assert found, view
            if is_of_time(view):
                assert found[0].reason in {RuleOutcome.EXPIRED, RuleOutcome.LAPSED}

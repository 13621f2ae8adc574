"""Commands of several members, decided in memory: both or neither, whatever comes before and after."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.builders import per_euro, programme
from support.catalogue import reward
from support.clients.several_member_requests import GiveReward, PassPoints
from support.member_scenario import MemberScenario, assert_member_invariants
from support.order_scenario import catalogue_programme
from support.property_settings import property_settings

from loyalty.commands.decide import decide, needs
from loyalty.commands.registry import Command
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.decision import Decision
from loyalty.model.ledger import Cause, RecordRef, record_hash
from loyalty.model.programme import Programme
from loyalty.model.supply import CodeState

NOON = "2024-03-01 12:00"
IDS = ("m-1", "m-2", "m-3")


@dataclass
class Circle:
    """Three members of one programme, who share what there is."""

    programme: Programme
    stories: dict[str, MemberScenario] = field(default_factory=dict)

    def __post_init__(self) -> None:
        first = MemberScenario.of(self.programme)
        for id_ in IDS:
            story = replace(MemberScenario.of(self.programme), supply=first.supply)
            story.member = replace(story.now, id=id_)
            story.records = [replace(record, member=id_) for record in story.records]
            story.records = [replace(record, hash=record_hash(record)) for record in story.records]
            story.member = replace(story.member, head_hash=story.records[-1].hash)
            story.states = [story.member]
            self.stories[id_] = story

    def do(self, command: Command, first: str, *others: str, now: datetime) -> Any:
        """Decide a command of several members; what is refused leaves all of them as they were."""
        stories = [self.stories[id_] for id_ in (first, *others)]
        member, *rest = [story.member for story in stories]
        before = repr([story.member for story in self.stories.values()])
        facts = stories[0].supply.facts(command, member, self.programme, others=rest)
        outcome = decide(command, member, self.programme, now, facts, others=rest)
        assert repr([story.member for story in self.stories.values()]) == before
        if isinstance(outcome, Decision):
            for story, part in zip(stories, (outcome, *outcome.others), strict=True):
                story.supply.adopt(part)
                story.member = part.member
                story.states.append(part.member)
                story.records.append(part.record)
        return outcome

    def passing(self, giver: str, *to: str, points: int, now: datetime) -> Any:
        cause = Cause("pass-points", "member", "app", f"pass-{len(self.stories[giver].records)}")
        return self.do(PassPoints(to, points, cause), giver, *to, now=now)

    def available(self) -> list[int]:
        return [story.now.available for story in self.stories.values()]


def test_a_command_of_two_members_is_one_decision_with_a_record_of_each() -> None:
    circle = Circle(programme())
    first, second, _ = circle.stories.values()
    first.buy(NOON, "10")
    decision = circle.passing("m-1", "m-2", points=4, now=first.at(NOON))
    assert circle.available() == [6, 4, 0]
    [other] = decision.others
    assert (decision.record.member, decision.record.version, decision.record.command) == ("m-1", 3, None)
    assert (other.record.member, other.record.version, other.record.command) == ("m-2", 2, RecordRef("m-1", 3))
    assert (other.record.cause, other.record.hash) == (decision.record.cause, record_hash(other.record))
    # The reference is part of what the hash proves.
    assert record_hash(replace(other.record, command=None)) != other.record.hash
    assert_member_invariants(first)
    assert_member_invariants(second)


def test_a_command_of_three_members_is_refused_whole_by_the_state_of_any() -> None:
    circle = Circle(programme())
    now = circle.stories["m-1"].at(NOON)
    circle.stories["m-1"].adjust(NOON, 10)
    refused = circle.passing("m-1", "m-2", "m-3", points=6, now=now)
    assert (refused.code, refused.path) == (RefusalCode.INSUFFICIENT_POINTS, ("points",))
    circle.stories["m-3"].adjust(NOON, 999_998)
    refused = circle.passing("m-1", "m-2", "m-3", points=5, now=now)
    assert (refused.code, refused.reason) == (RefusalCode.LIMIT_REACHED, "received_max")
    assert circle.available() == [10, 0, 999_998]
    circle.passing("m-1", "m-2", "m-3", points=1, now=now)
    assert circle.available() == [8, 1, 999_999]


def test_another_member_that_does_not_exist_is_refused_under_its_own_path() -> None:
    story = MemberScenario.of(programme())
    command = PassPoints(("nobody",), 1, story.cause("pass-points"))
    refusal = decide(command, story.now, story.programme, story.at(NOON), others=(None,))
    assert refusal == Refusal(RefusalCode.NOT_FOUND, "member_not_found", ("to",))


def test_one_member_twice_is_a_fault_that_changes_nothing() -> None:
    circle = Circle(catalogue_programme(reward("mug", 10)))
    command = GiveReward("m-1", "mug", Cause("give-reward", "member", "app", "gift"))
    with pytest.raises(ValueError, match="a command names one member twice: its handler must refuse that"):
        circle.do(command, "m-1", "m-1", now=circle.stories["m-1"].at(NOON))


def test_members_of_one_command_share_what_it_takes_of_a_stock_and_a_pool() -> None:
    circle = Circle(catalogue_programme(reward("mug", 10, stock=3), reward("film", 10, pool="films")))
    shared, now = circle.stories["m-1"].supply, circle.stories["m-1"].at(NOON)
    shared.load("films", "f-1", "f-2", "f-3")

    def give(key: str, number: int) -> Any:
        command = GiveReward("m-2", key, Cause("give-reward", "member", "app", f"{key}-{number}"))
        return circle.do(command, "m-1", "m-2", now=now)

    given = give("mug", 1)
    assert [part.orders[0].member for part in (given, *given.others)] == ["m-1", "m-2"]
    assert give("mug", 2) == Refusal(RefusalCode.OUT_OF_STOCK, "out_of_stock", ("reward",), {"left": 0})
    assert shared.taken[circle.programme.catalogue.rewards["mug"].stock_counter_key] == 2
    given = give("film", 1)
    assert [part.orders[0].code for part in (given, *given.others)] == ["f-1", "f-2"]
    assert give("film", 2) == Refusal(RefusalCode.OUT_OF_STOCK, "codes_gone", ("reward",))
    assert [*shared.codes.values()] == [CodeState.ISSUED, CodeState.ISSUED, CodeState.FREE]


def test_needs_are_of_all_members() -> None:
    requested = catalogue_programme(reward("film", 10, pool="films"))
    command = GiveReward("m-2", "film", Cause("give-reward", "member", "app", "gift"))
    assert needs(command, None, requested, others=(None,)).codes == {"films": 2}


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, str, str, int, int]]:
    """Return what happens: the kind, the actor, the other member, the points, and hours that pass before."""
    step = st.tuples(
        st.sampled_from(["buy", "refund", "settle", "pass", "pass", "adjust"]),
        st.sampled_from(IDS),
        st.sampled_from(IDS),
        st.integers(1, 60),
        st.integers(0, 24 * 120),
    )
    return draw(st.lists(step, min_size=4, max_size=14))


@property_settings(150)
@given(steps())
def test_whatever_happens_points_are_conserved_and_every_ledger_proves_its_member(
    happenings: list[tuple[str, str, str, int, int]],
) -> None:
    circle = Circle(programme(per_euro()))
    now = circle.stories["m-1"].at(NOON)
    for number, (kind, first, second, points, hours) in enumerate(happenings):
        now += timedelta(hours=hours)
        story, before = circle.stories[first], circle.available()
        if kind == "buy":
            story.buy(now, str(points), key=f"buy-{number}")
        elif kind == "refund":
            bought = [key for key, counted in story.counted.items() if counted.event.type == "purchase"]
            if bought:
                story.do(story.event("refund", now, refund_of=bought[-1]), now)
        elif kind == "settle":
            story.settle(now)
        elif kind == "adjust":
            story.adjust(now, points)
        else:
            versions = [one.now.version for one in circle.stories.values()]
            outcome = circle.passing(first, second, points=points, now=now)
            moved = [one.now.version - was for one, was in zip(circle.stories.values(), versions, strict=True)]
            if isinstance(outcome, Decision):
                assert sum(circle.available()) == sum(before)
                assert sorted(moved) == [0, 1, 1]
            else:
                assert (circle.available(), moved) == (before, [0, 0, 0])
        for one in circle.stories.values():
            assert_member_invariants(one)

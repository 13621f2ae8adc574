from dataclasses import dataclass
from importlib import import_module
from pkgutil import walk_packages

import pytest
from support.builders import programme
from support.member_scenario import MemberScenario

from loyalty import commands
from loyalty.commands.adjust_points import AdjustPoints
from loyalty.commands.decide import decide
from loyalty.commands.decision_builder import DecisionBuilder
from loyalty.commands.registry import handles, kind_of, registered
from loyalty.kernel.refusal import Refusal
from loyalty.model.decision import Decision
from loyalty.model.ledger import Cause

# Keys are counted under these names for ever: a name that changes makes every key of it count a second time.
OPERATIONS = {
    "ActivateOffer": "activate",
    "AddCard": "add-card",
    "AdjustPoints": "adjust",
    "AdvanceOrder": "advance-order",
    "CancelOrder": "cancel-order",
    "CountWaiting": "count-waiting",
    "DecidePending": "decide-pending",
    "Enrol": "enrol",
    "HoldPoints": "hold",
    "RecordOfferViews": "note-offers",
    "PlaceOrder": "place-order",
    "RecordEvent": "event",
    "RedeemOffer": "redeem",
    "RedeemVoucher": "redeem-voucher",
    "RemoveCard": "remove-card",
    "ReleaseHold": "release-hold",
    "ReleaseOffer": "release-offer",
    "SetConsents": "set-consents",
    "SetPreferences": "set-preferences",
    "Settle": "settle",
    "UpdateProfile": "update-profile",
}


@dataclass(frozen=True, slots=True)
class Unheard:
    cause: Cause


def test_every_command_is_registered_by_its_own_module() -> None:
    for module in walk_packages(commands.__path__, f"{commands.__name__}."):
        import_module(module.name)
    own = {command: kind for command, kind in registered().items() if command.__module__.startswith("loyalty.")}
    assert {command.__name__: kind.operation for command, kind in own.items()} == OPERATIONS
    assert [command.__name__ for command, kind in own.items() if not kind.owns_key] == ["CountWaiting", "Settle"]
    assert [command.__name__ for command, kind in own.items() if kind.creates is not None] == ["Enrol"]
    assert all(command.__module__ == kind.handler.__module__ for command, kind in own.items())


def test_a_command_that_is_not_registered_is_a_fault_that_says_what_to_do() -> None:
    story = MemberScenario.of(programme())
    with pytest.raises(TypeError, match="Unheard is not registered as a command: decorate its handler with @handles"):
        decide(Unheard(story.cause("unheard")), story.now, story.programme, story.now.enrolled_at)


@pytest.mark.parametrize(("command", "operation"), [(AdjustPoints, "adjust-again"), (Unheard, "adjust")])
def test_a_command_and_an_operation_are_registered_once(command: type[Unheard], operation: str) -> None:
    def handler(_command: Unheard, builder: DecisionBuilder) -> Decision | Refusal:
        return builder.close(_command.cause)

    with pytest.raises(ValueError, match=f"{command.__name__} or the operation '{operation}' is registered already"):
        handles(command, operation=operation)(handler)
    assert kind_of(AdjustPoints).operation == "adjust"

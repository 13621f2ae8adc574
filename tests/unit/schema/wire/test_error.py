"""Errors as they are sent: faults in words, wrong operations as they are, and of the rest an id alone."""

import json
import logging
from typing import Any

import pytest
from graphql import GraphQLError

from loyalty.kernel.refusal import Refusal, RefusalCode
from resolvers.core.context import Context
from resolvers.core.operation_error import (
    BadInput,
    Forbidden,
    LimitExceeded,
    OperationError,
    Unauthenticated,
    Unavailable,
)
from schema.wire.error import UserError, as_refusal, fault_extensions, fault_message, formatted

PERSONAL = "ada@example.org"


def raised(original: Exception) -> GraphQLError:
    """Return what graphql-core makes of an exception of a resolver."""
    return GraphQLError(str(original), path=["me", "points"], original_error=original)


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        (Unauthenticated("token_expired"), "UNAUTHENTICATED", "Le jeton d’accès a expiré. Obtenez-en un nouveau"),
        (
            Forbidden("field_forbidden", role="till", field="Member.profile"),
            "FORBIDDEN",
            "Le rôle «\u00a0till\u00a0» ne peut pas utiliser Member.profile.",
        ),
        (BadInput("after_negative"), "BAD_USER_INPUT", "`after` "),
        (Unavailable("overloaded"), "UNAVAILABLE", ""),
    ],
)
def test_error_has_its_code_and_a_message_in_the_requested_language(
    fault: OperationError, code: str, message: str
) -> None:
    sent = formatted(raised(fault), "fr")
    assert sent["message"].startswith(message)
    assert sent["message"] == fault_message(fault, "fr")
    assert sent["extensions"] == {"code": code}
    assert sent["path"] == ["me", "points"]


def test_limit_names_itself_its_value_and_its_setting() -> None:
    fault = LimitExceeded("time", value=2.5, setting="CARILLON_LIMIT_TIME")
    assert fault_extensions(fault) == {
        "code": "LIMIT_EXCEEDED",
        "limit": "time",
        "max": 2.5,
        "setting": "CARILLON_LIMIT_TIME",
    }
    assert "2.5 s (CARILLON_LIMIT_TIME)" in formatted(raised(fault), "en")["message"]


def test_error_that_was_wrapped_again_is_still_reported() -> None:
    wrapped = GraphQLError("outer", original_error=raised(Forbidden("other_member")))
    assert formatted(wrapped, "en")["extensions"] == {"code": "FORBIDDEN"}


@pytest.mark.parametrize("error", [GraphQLError("No such field."), raised(GraphQLError("No such field."))])
def test_error_of_an_invalid_operation_is_reported_unchanged(error: GraphQLError) -> None:
    sent = formatted(error, "fr")
    assert (sent["message"], sent["extensions"]) == ("No such field.", {"code": "BAD_USER_INPUT"})


def test_internal_error_reports_only_an_id(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        sent = formatted(raised(KeyError(PERSONAL)), "en")
    id_ = sent["extensions"]["id"]
    assert sent == {
        "message": f"Something went wrong on our side. Give this id to support: {id_}.",
        "extensions": {"code": "INTERNAL", "id": id_},
        "path": ["me", "points"],
    }
    assert len(id_) == 32
    assert PERSONAL not in json.dumps(sent)


def context() -> Any:
    """Return a context that speaks French."""
    return Context(services=None, actor=None, locale="fr")  # type: ignore[arg-type]


async def test_refusal_is_reported_with_its_path_in_the_input() -> None:
    refused = Refusal(RefusalCode.INVALID, "sku_missing", ("purchase", "lines", "2", "sku"))
    error = UserError.of(refused)
    assert (error.code, error.path) == (RefusalCode.INVALID, ["input", "purchase", "lines", "2", "sku"])
    assert await error.words(context()) == "La référence est vide. Indiquez celle de l’article vendu."
    assert UserError.of(refused, "7").path == ["input", "7", "purchase", "lines", "2", "sku"]


def test_fault_of_one_event_of_a_batch_is_its_refusal() -> None:
    lost = as_refusal(Unavailable("commit_unavailable"))
    assert (lost.code, lost.reason, lost.path) == (RefusalCode.CONFLICT, "not_committed", ("key",))
    broken = as_refusal(ZeroDivisionError(PERSONAL))
    assert (broken.code, broken.reason, broken.path) == (RefusalCode.CONFLICT, "not_decided", ("key",))
    assert len(str(broken.params["id"])) == 32
    assert PERSONAL not in str(broken)

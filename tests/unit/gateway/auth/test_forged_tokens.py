"""Both verifiers accept exactly the tokens that a plain `jwt.decode` accepts, and refuse every forged one."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWK
from support.forged_tokens import CLAIMS, NEVER, Issuer, development_issuer, forged_tokens, issuer_of
from support.jwks import KeyPair
from support.property_settings import property_settings

from gateway.auth.claims import LEEWAY, REQUIRED_CLAIMS, actor_of
from gateway.auth.development_key import DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER, DevelopmentKey
from gateway.auth.jwks import JwksVerifier
from gateway.auth.verifier import Verifier
from resolvers.core.actor import Actor
from resolvers.core.operation_error import Unauthenticated

SECRET = "5f" * 32


@dataclass(frozen=True)
class Case:
    """A verifier, an issuer that it trusts, and the key of a key id as plain PyJWT takes it."""

    verifier: Verifier
    issuer: Issuer
    key_of: Callable[[str], Any]
    algorithm: str
    public_key: bytes = b""

    def plain(self, token: str) -> Actor | None:
        """Return the actor of a token by plain calls of PyJWT, None if it is refused."""
        try:
            key = self.key_of(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=[self.algorithm],
                issuer=DEVELOPMENT_ISSUER,
                audience=DEVELOPMENT_AUDIENCE,
                leeway=LEEWAY,
                options={"require": [*REQUIRED_CLAIMS]},
            )
            return actor_of(claims)
        except (jwt.InvalidTokenError, Unauthenticated):
            return None

    def verified(self, token: str) -> Actor | None:
        """Return the actor of a token by the verifier, None if it is refused."""
        try:
            return asyncio.run(self.verifier.verify(token))
        except Unauthenticated:
            return None


def development_case() -> Case:
    return Case(DevelopmentKey(SECRET), development_issuer(SECRET), lambda _: SECRET, "HS256")


def jwks_case(algorithm: str) -> Case:
    pair = KeyPair("first", algorithm)
    document = {"keys": [pair.jwk(), KeyPair("other", algorithm).jwk()]}
    keys = {jwk["kid"]: PyJWK(jwk).key for jwk in document["keys"]}
    verifier = JwksVerifier(
        "https://id.example/jwks",
        issuer=DEVELOPMENT_ISSUER,
        audience=DEVELOPMENT_AUDIENCE,
        ttl_seconds=300,
        fetch=lambda _: document,
    )
    return Case(verifier, issuer_of(pair), keys.get, algorithm, pair.pem())


@pytest.fixture(scope="module", params=["development", "RS256", "ES256"])
def case(request: pytest.FixtureRequest) -> Case:
    return development_case() if request.param == "development" else jwks_case(request.param)


def test_valid_token_is_accepted(case: Case) -> None:
    token = case.issuer.token()
    actor = case.verified(token)
    assert actor is not None
    assert actor == case.plain(token)


def test_every_forged_token_is_refused(case: Case) -> None:
    forged = forged_tokens(case.issuer, public_key=case.public_key)
    assert len(set(forged.values())) > 200
    assert [name for name, token in forged.items() if case.verified(token) is not None] == []
    assert [name for name, token in forged.items() if case.plain(token) is not None] == []


@pytest.mark.parametrize("secret", ["", "pem", '{"kty": "oct", "k": "AAAA"}'])
def test_secret_that_is_no_secret_is_refused_when_it_is_loaded(secret: str) -> None:
    with pytest.raises(jwt.InvalidKeyError):
        DevelopmentKey(KeyPair("first").pem().decode() if secret == "pem" else secret)


# Any token

VALUES = (
    *("null", "true", "false", "0", "7", "1.5", '""', '"text"', "[]", "{}", "[[]]", '["text"]', "NaN", "Infinity"),
    *("-Infinity", "1e400", "1e20", "9" * 400, f"{NEVER}", f"{NEVER}.5", f'"{NEVER}"', '"1_000"', '" 7 "', "-1"),
    *('"HS256"', '"RS256"', '"ES256"', '"none"', '["HS256"]', '"first"', '"other"', '["b64"]', '["exp"]'),
    *('"carillon"', '["carillon"]', '["x", "carillon"]', '["carillon", 7]', '[["carillon"]]', '"carillon "'),
    *('"till"', '"member"', '"manager"', '"TILL"', '["till"]', '"0123"', '"carillon-development"'),
)
HEADER_NAMES = ("alg", "kid", "typ", "crit", "b64", "jwk", "x", "cty", "zip", "enc", "\\u0061lg")
CLAIM_NAMES = (*CLAIMS, "iat", "nbf", "jti", "member", "x", "\\u0065xp", "Exp")


def json_objects(valid: Mapping[str, Any], names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Return JSON objects: a valid one, with up to three members more, repeated or left out, in any order."""
    members = [(name, json.dumps(value)) for name, value in valid.items()]
    added = st.lists(st.tuples(st.sampled_from(names), st.sampled_from(VALUES)), max_size=2)
    left_out = st.one_of(st.none(), st.none(), st.sampled_from([*valid]))
    orders = st.one_of(st.just(sorted), st.just(list), st.just(lambda pairs: [*reversed(pairs)]))

    def text(more: list[tuple[str, str]], without: str | None, order: Callable[[Any], Any]) -> str:
        pairs = order([*(pair for pair in members if pair[0] != without), *more])
        return "{" + ", ".join(f'"{name}": {value}' for name, value in pairs) + "}"

    return st.builds(text, added, left_out, orders)


def padded(part: str) -> str:
    return part + "=" * (-len(part) % 4)


EDITS: tuple[Callable[[str, str], str], ...] = (
    *(lambda part, _: part,) * 6,
    lambda part, _: padded(part),
    lambda part, _: padded(part) + "=",
    lambda part, _: part[:-1],
    lambda *_: "",
    lambda part, text: part + text,
    lambda part, text: text + part,
    lambda part, text: part[:5] + text + part[5:],
    lambda part, _: part[:-1] + chr(ord(part[-1]) ^ 1) if part else part,
)
"""Edits of a part of a token; the second argument is what some of them insert."""

INSERTED = st.sampled_from([".", "..", "=", "==", " ", "\t", "\n", "+", "/", "-", "_", "A", "AAAA", "é", "\0"])


def test_a_token_is_accepted_just_when_plain_pyjwt_accepts_it(case: Case) -> None:
    outcomes = Counter[bool]()

    @property_settings(600)
    @given(
        header=json_objects(case.issuer.header, HEADER_NAMES),
        claims=json_objects(CLAIMS, CLAIM_NAMES),
        edits=st.tuples(*[st.sampled_from(EDITS)] * 3),
        inserted=INSERTED,
        encoding=st.sampled_from(["utf-8"] * 5 + ["utf-8-sig", "utf-16", "utf-32-be"]),
        resigned=st.booleans(),
    )
    def check(
        *,
        header: str,
        claims: str,
        edits: tuple[Callable[[str, str], str], ...],
        inserted: str,
        encoding: str,
        resigned: bool,
    ) -> None:
        head, body, signature = case.issuer.token(header.encode(encoding), claims.encode(encoding)).split(".")
        head, body = edits[0](head, inserted), edits[1](body, inserted)
        if resigned:  # the edits of header and claims are the issuer's
            signature = case.issuer.signed(f"{head}.{body}").rpartition(".")[2]
        token = f"{head}.{body}.{edits[2](signature, inserted)}"
        expected = case.plain(token)
        assert case.verified(token) == expected
        outcomes[expected is not None] += 1

    check()
    assert min(outcomes[True], outcomes[False]) > 0.1 * outcomes.total()

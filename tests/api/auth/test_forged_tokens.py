"""A running gateway refuses every forged token, with the development key and with a JWKS."""

from pathlib import Path

import pytest
from support.clients.api import code_of
from support.forged_tokens import Issuer, development_issuer, forged_tokens, issuer_of
from support.jwks import KeyPair
from support.servers.gateway import GatewayProcess
from support.servers.jwks_gateway import gateway_with_jwks

from gateway.auth.development_key import DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER, DevelopmentKey

QUERY = {"query": "{ programme { name } }"}


async def accepted(gateway: GatewayProcess, issuer: Issuer, *, public_key: bytes = b"") -> list[str]:
    """Return what was wrong with the forged tokens that a gateway accepted; it accepts the valid one."""
    wrong = []
    async with gateway.client() as client:
        for name, token in {
            "nothing": issuer.token(),
            **forged_tokens(issuer, public_key=public_key),
        }.items():
            answer = await client.post("/graphql", json=QUERY, headers={"authorization": f"Bearer {token}"})
            if answer.status_code == 200:
                wrong.append(name)
            else:
                assert (answer.status_code, code_of(answer.json())) == (401, "UNAUTHENTICATED"), name
    return wrong


async def test_gateway_refuses_every_forged_token_of_its_development_key(development_gateway: GatewayProcess) -> None:
    issuer = development_issuer(DevelopmentKey.load(development_gateway.data_dir).secret)
    assert await accepted(development_gateway, issuer) == ["nothing"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_gateway_refuses_every_forged_token_of_a_published_key(
    development_gateway: GatewayProcess, tmp_path: Path, algorithm: str
) -> None:
    pair = KeyPair("first", algorithm)
    with gateway_with_jwks(
        pair,
        issuer=DEVELOPMENT_ISSUER,
        audience=DEVELOPMENT_AUDIENCE,
        data_dir=development_gateway.data_dir,
        output=tmp_path / "output.log",
    ) as gateway:
        assert await accepted(gateway, issuer_of(pair), public_key=pair.pem()) == ["nothing"]


async def test_first_of_two_authorization_headers_counts(development_gateway: GatewayProcess) -> None:
    valid, wrong = (f"Bearer {development_gateway.token('till', aud=aud)}" for aud in (DEVELOPMENT_AUDIENCE, "x"))
    async with development_gateway.client() as client:
        for texts, status in (((valid, wrong), 200), ((wrong, valid), 401), ((f"{valid}, {valid}",), 401)):
            headers = [("authorization", text) for text in texts]
            assert (await client.post("/graphql", json=QUERY, headers=headers)).status_code == status

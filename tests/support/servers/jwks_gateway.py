"""A gateway that verifies tokens with a JWKS."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.jwks import KeyPair, jwks_server
from support.servers.gateway import GatewayProcess


@contextmanager
def gateway_with_jwks(
    pair: KeyPair, *, issuer: str, audience: str, data_dir: Path, output: Path
) -> Iterator[GatewayProcess]:
    """Serve on the database of a data directory with the published key of a pair; check that it stops in order."""
    with jwks_server({"keys": [pair.jwk()]}) as url:
        gateway = GatewayProcess.start(
            "serve",
            data_dir=data_dir,
            output=output,
            CARILLON_JWKS_URL=url,
            CARILLON_JWT_ISSUER=issuer,
            CARILLON_JWT_AUDIENCE=audience,
        )
        try:
            yield gateway
        finally:
            assert gateway.stop() == 0

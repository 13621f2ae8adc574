"""Key pairs of token issuers, and a server that publishes their keys."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa


class KeyPair:
    """A key pair of a token issuer."""

    def __init__(self, kid: str | None, algorithm: str = "RS256") -> None:
        self.kid, self.algorithm = kid, algorithm
        self._key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048)
            if algorithm.startswith("RS")
            else ec.generate_private_key(ec.SECP256R1())
        )

    def jwk(self) -> dict[str, Any]:
        """Return the public key as a JWKS lists it."""
        signing = jwt.get_algorithm_by_name(self.algorithm)
        found: dict[str, Any] = json.loads(signing.to_jwk(self._key.public_key()))
        return {**found, "alg": self.algorithm, **({"kid": self.kid} if self.kid is not None else {})}

    def pem(self) -> bytes:
        """Return the public key in PEM."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_key().public_bytes(serialization.Encoding.PEM, form)

    def encoded(self, claims: dict[str, Any]) -> str:
        """Return a token signed by this key."""
        headers = {"kid": self.kid} if self.kid is not None else None
        return jwt.encode(claims, self._key, algorithm=self.algorithm, headers=headers)

    def sign(self, text: bytes) -> bytes:
        """Return the signature of bytes by this key."""
        return jwt.get_algorithm_by_name(self.algorithm).sign(text, self._key)


@contextmanager
def jwks_server(document: dict[str, Any]) -> Iterator[str]:
    """Serve a JWKS over HTTP; give its address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/jwks"
        finally:
            server.shutdown()
            serving.join()

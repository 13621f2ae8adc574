"""Tokens in every wrong form: each has the signature of its issuer, unless the signature is what is wrong."""

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jwt.utils import base64url_encode

from gateway.auth.development_key import DEVELOPMENT_AUDIENCE, DEVELOPMENT_ISSUER
from support.jwks import KeyPair

NEVER = 4102444800
"""An `exp` far in the future."""

CLAIMS: Mapping[str, Any] = {
    "iss": DEVELOPMENT_ISSUER,
    "aud": DEVELOPMENT_AUDIENCE,
    "sub": "till-7",
    "exp": NEVER,
    "role": "till",
    "programme": "grocer",
}
"""The claims of a valid token."""


def segment(content: Any) -> str:
    """Return a value as JSON in base64url; a text or bytes as they are."""
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return base64url_encode(text.encode() if isinstance(text, str) else text).decode()


@dataclass(frozen=True)
class Issuer:
    """An issuer of tokens: the header and the claims of a valid one, and its signature of bytes."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    sign: Callable[[bytes], bytes]

    def signed(self, signing_input: str) -> str:
        """Return a signing input with its signature, in whatever form the input is."""
        return f"{signing_input}.{segment(self.sign(signing_input.encode()))}"

    def token(self, header: Any = None, claims: Any = None) -> str:
        """Return a signed token; `header` and `claims` are JSON values, or texts that need not be JSON."""
        header, claims = header if header is not None else self.header, claims if claims is not None else self.claims
        return self.signed(f"{segment(header)}.{segment(claims)}")

    def header_with(self, **fields: Any) -> str:
        """Return a token whose header has other fields."""
        return self.token(header={**self.header, **fields})

    def claims_with(self, **fields: Any) -> str:
        """Return a token with other claims."""
        return self.token(claims={**self.claims, **fields})

    def without(self, name: str) -> str:
        """Return a token that lacks a claim."""
        return self.token(claims={key: value for key, value in self.claims.items() if key != name})

    def claims_text(self, ending: str) -> str:
        """Return a token whose claims end with `ending`, which may repeat names and hold what json.dumps refuses."""
        return self.token(claims=f"{json.dumps(dict(self.claims))[:-1]}, {ending}}}")


def _variants(name: str, values: Iterable[Any], **others: Any) -> dict[str, dict[str, Any]]:
    """Return fields with each of some values of one of them, by its name and value."""
    return {f"{name} {value!r}": {**others, name: value} for value in values}


_HEADERS = {
    **_variants("alg", ("none", "None", "NONE", "nOnE", "", None, 0, True, [], {}, ["HS256"], ["RS256"])),
    **_variants("alg", ("hs256", "HS256 ", " HS256", "rs256", "HS384", "HS512", "RS512", "PS256", "ES256K", "EdDSA")),
    **_variants("kid", (None, 0, 7, True, [], ["first"], {"kid": "first"}, 1.5)),
    **_variants("crit", ([], None, "b64", {}, {"b64": 1}, ["b64"], ["exp"], ["alg"], [7], [["b64"]], ["b64", "exp"])),
    "b64 false": {"b64": False},
    "b64 false, declared critical": {"b64": False, "crit": ["b64"]},
    "an unknown critical field that is there": {"crit": ["http://example.com/x"], "http://example.com/x": 1},
}

_NO_TIMES: tuple[Any, ...] = (NEVER, None, "soon", "", [], {}, 10**400, [0])
_NO_TEXTS: tuple[Any, ...] = (None, "", 7, [], ["till-7"], {}, True)

_CLAIMS = {
    **_variants("exp", (None, True, False, 0, -1, 10**20, 10**400, "soon", "", str(NEVER), [NEVER], {}, 1.5, 1e300)),
    **_variants("nbf", _NO_TIMES),
    **_variants("iat", _NO_TIMES),
    **_variants("jti", (None, 7, [], {})),
    **_variants("aud", (None, "", "another", "Carillon", "carillon ", 7, True, [], {}, [[]], [["carillon"]], [None])),
    **_variants("aud", (["carillon", 7], ["carillon", None], {"carillon": 1}, ["another"])),
    **_variants("iss", ("https://id.example.evil", *_NO_TEXTS)),
    **_variants("sub", _NO_TEXTS),
    **_variants("programme", _NO_TEXTS),
    **_variants("role", ("admin", "TILL", "till ", 0, ["till"], {"role": "till"}, *_NO_TEXTS)),
    **_variants("member", ("0123", "")),
    **_variants("member", (*_NO_TEXTS, {"$ne": None}), role="member"),
}

_CLAIM_ENDINGS = (
    *(f'"exp": {number}' for number in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 5000, '"1e400"')),
    *(f'"{name}": {number}' for name in ("nbf", "iat") for number in ("NaN", "Infinity", "-Infinity", "1e400")),
    '"exp": 1',
    '"role": "admin"',
    '"aud": "another"',
    '"iss": "another"',
    '"sub": ""',
    '"programme": null',
    '"member": "0123"',
    '"x": }',
)
"""Names that a valid token has already: the last one counts."""

_STRANGE_JSON = {
    "empty": "",
    "null": "null",
    "a number": "7",
    "a text": '"text"',
    "a list": "[]",
    "an object cut off": "{",
    "two objects": "{}{}",
    "single quotes": "{'alg': 'HS256'}",
    "deep lists": "[" * 5000,
    "deep objects": '{"a":' * 1100,
    "invalid UTF-8": b"\xff\xfe\xfd",
    "an empty object": "{}",
}


def development_issuer(secret: str) -> Issuer:
    """Return the issuer of a development key."""
    return Issuer({"alg": "HS256", "typ": "JWT"}, CLAIMS, lambda text: hmac.digest(secret.encode(), text, "sha256"))


def issuer_of(pair: KeyPair) -> Issuer:
    """Return the issuer with a key pair."""
    return Issuer({"alg": pair.algorithm, "kid": pair.kid, "typ": "JWT"}, CLAIMS, pair.sign)


def forged_tokens(issuer: Issuer, *, public_key: bytes = b"") -> dict[str, str]:
    """Return tokens that must be refused, by what is wrong with them; `public_key` is the issuer's in PEM, if any."""
    return {
        **{name: issuer.header_with(**fields) for name, fields in _HEADERS.items()},
        **{name: issuer.claims_with(**fields) for name, fields in _CLAIMS.items()},
        **{f"claims end with {text[:40]}": issuer.claims_text(text) for text in _CLAIM_ENDINGS},
        **{f"no claim {name}": issuer.without(name) for name in ("exp", "iss", "aud", "sub", "role", "programme")},
        **{f"header is {name}": issuer.token(header=text) for name, text in _STRANGE_JSON.items()},
        **{f"claims are {name}": issuer.token(claims=text) for name, text in _STRANGE_JSON.items()},
        "alg twice, last none": issuer.token(header=f'{json.dumps(dict(issuer.header))[:-1]}, "alg": "none"}}'),
        "kid twice, last a number": issuer.token(header=f'{json.dumps(dict(issuer.header))[:-1]}, "kid": 7}}'),
        **_wrong_forms(issuer),
        **_wrong_signatures(issuer, public_key),
    }


def _wrong_forms(issuer: Issuer) -> dict[str, str]:
    """Return tokens whose three parts are not separated, encoded or present as they should be."""
    valid = issuer.token()
    head, body, signature = valid.split(".")
    unusual = base64url_encode(json.dumps({**issuer.claims, "x": "?>?>~~"}).encode()).decode()
    return {
        "a dot at the end": f"{valid}.",
        "a dot at the beginning": f".{valid}",
        "two dots": f"{head}..{body}.{signature}",
        "four parts": f"{valid}.{signature}",
        "four parts, signed": issuer.signed(f"{head}.{body}.{body}"),
        "five parts, encrypted": f"{head}.{body}.{body}.{body}.{signature}",
        "two parts": f"{head}.{body}",
        "one part": head,
        "only dots": "..",
        "no header": issuer.signed(f".{body}"),
        "no claims": issuer.signed(f"{head}."),
        "detached claims": f"{segment({**issuer.header, 'b64': False, 'crit': ['b64']})}..{signature}",
        "a space in the header": issuer.signed(f"{head[:4]} {head[4:]}.{body}"),
        "a space in the claims": issuer.signed(f"{head}.{body[:4]} {body[4:]}"),
        "a space in the signature": f"{head}.{body}.{signature[:4]} {signature[4:]}",
        "a tab after a part": issuer.signed(f"{head}\t.{body}"),
        "a comma": issuer.signed(f"{head},.{body}"),
        "the alphabet with + and /": issuer.signed(f"{head}.{unusual.replace('-', '+').replace('_', '/')}+/"),
        "one padding too many": issuer.signed(f"{head}====.{body}"),
        "padding in the middle": issuer.signed(f"{head}.{body[:4]}={body[4:]}"),
        "one letter too many": issuer.signed(f"{head}.{body[: len(body) // 4 * 4]}A"),
        "bits after the end": issuer.signed(f"{segment({**issuer.header, 'x': 'y'})[:-1]}B.{body}"),
        "percent encoded": f"{head}%2E{body}%2E{signature}",
        "JSON serialisation": json.dumps({"protected": head, "payload": body, "signature": signature}).replace(" ", ""),
    }


def _wrong_signatures(issuer: Issuer, public_key: bytes) -> dict[str, str]:
    """Return tokens whose signature is not the issuer's, or not in its one form."""
    head, body, signature = issuer.token().split(".")
    others = issuer.claims_with(sub="somebody-else").split(".")[1]
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    keys = {"an empty key": b"", "the public key": public_key, "a zero": b"\0", "the header": head.encode()}
    return {
        "no signature": f"{head}.{body}.",
        "signature cut": f"{head}.{body}.{signature[:-4]}",
        "signature twice": f"{head}.{body}.{signature}{signature}",
        "signature of zeros": f"{head}.{body}.{segment(bytes(len(signature) * 3 // 4))}",
        "signature of other claims": f"{head}.{others}.{signature}",
        "signature with bits after its end": f"{head}.{body}.{signature[:-1]}{last[last.index(signature[-1]) ^ 1]}",
        "signature with a line break": f"{head}.{body}.{signature[:9]}\t{signature[9:]}",
        "an alg none without a signature": f"{segment({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        **{f"HS256 with {name}": _hs256(issuer, key, {}) for name, key in keys.items()},
        **{
            f"HS256 with a key in the header, in {name}": _hs256(issuer, b"own", {name: value})
            for name, value in {
                "jwk": {"kty": "oct", "k": segment(b"own")},
                "jku": "http://127.0.0.1:9/keys",
                "x5u": "http://127.0.0.1:9/certificate",
                "kid": "../../../dev/null",
            }.items()
        },
    }


def _hs256(issuer: Issuer, key: bytes, header: Mapping[str, Any]) -> str:
    """Return a token signed with a secret that is not the issuer's."""
    forger = replace(issuer, sign=lambda text: hmac.digest(key, text, "sha256"))
    return forger.header_with(alg="HS256", **header)

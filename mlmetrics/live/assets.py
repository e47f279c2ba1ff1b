"""The files of `static/`: read, hashed and compressed once, and named by what they contain, so that they never change.

All files share one hash, which is a folder of their addresses: a module finds the others beside itself.
"""

import gzip
from hashlib import blake2b
from importlib import resources
from pathlib import PurePosixPath
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOREVER = "public, max-age=31536000, immutable"


class Asset(NamedTuple):
    """One file, as it is sent."""

    media_type: str
    plain: bytes
    compressed: bytes


class Assets:
    """The files by name; `version` is the folder of their addresses."""

    def __init__(self) -> None:
        self.files = dict(_read())
        contents = b"".join(name.encode() + asset.plain for name, asset in sorted(self.files.items()))
        self.version = blake2b(contents, digest_size=8).hexdigest()

    @property
    def modules(self) -> list[str]:
        """The names of the JavaScript modules that the page's first one imports, directly or not."""
        return [name for name in sorted(self.files) if name.endswith(".js") and name != "theme.js"]

    def url(self, name: str) -> str:
        """Return the address of a file, relative to the page."""
        return f"static/{self.version}/{name}"

    async def serve(self, request: Request) -> Response:
        """Answer a request for a file; an address with another hash is one of another release."""
        asset = self.files.get(request.path_params["name"])
        if asset is None or request.path_params["version"] != self.version:
            return PlainTextResponse("There is no such file in this release; load the page again.\n", 404)
        headers = {"cache-control": _FOREVER, "etag": f'"{self.version}"', "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        if takes_gzip(request):
            return Response(
                asset.compressed, headers=headers | {"content-encoding": "gzip"}, media_type=asset.media_type
            )
        return Response(asset.plain, headers=headers, media_type=asset.media_type)


def takes_gzip(request: Request) -> bool:
    """Return whether the client accepts compressed answers."""
    accepted = (part.partition(";") for part in request.headers.get("accept-encoding", "").split(","))
    return any(
        name.strip() == "gzip" and weight.replace(" ", "") not in {"q=0", "q=0.0"} for name, _, weight in accepted
    )


def _read() -> list[tuple[str, Asset]]:
    found = []
    for file in resources.files("mlmetrics.live").joinpath("static").iterdir():
        media_type = _TYPES.get(PurePosixPath(file.name).suffix)
        if media_type is not None:
            plain = file.read_bytes()
            found.append((file.name, Asset(media_type, plain, gzip.compress(plain, mtime=0))))
    return found

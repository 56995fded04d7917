#!/usr/bin/env bash
# starlette-compress 2.0.0 (PyPI), with starlette 1.10.0, seen on 2026-11-29.
#
# The middleware offers zstd and Brotli beside gzip as a replacement for Starlette's
# own GZipMiddleware. An answer that is streamed as text/plain, one token a piece,
# passes Starlette's middleware piece by piece: every piece is flushed. Under
# starlette-compress the same answer arrives only at its end, whichever of the three
# encodings the client takes: compressed bytes stay in the encoder. Only
# text/event-stream is flushed piece by piece; application/x-ndjson is not compressed.
#
# So an application that streams plain text stops streaming when one middleware is
# put in the other's place, and only for clients that say they take compression.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check \
  starlette-compress==2.0.0 starlette==1.10.0
venv/bin/python - <<'PY'
import asyncio

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette_compress import CompressMiddleware

NUM_TOKENS = 20


async def answer(request):
    async def tokens():
        for n in range(NUM_TOKENS):
            yield f"data: token {n}\n\n"

    return StreamingResponse(tokens(), media_type=request.query_params["type"])


async def pieces(middleware, kind, encoding):
    """The encoding, and how many bytes each piece of the body brought."""
    app = middleware(Starlette(routes=[Route("/", answer)]))
    headers, sizes = {}, []

    async def send(message):
        if message["type"] == "http.response.start":
            headers.update(message["headers"])
        elif message.get("body"):
            sizes.append(len(message["body"]))

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": f"type={kind}".encode(),
        "headers": [(b"accept-encoding", encoding.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, asyncio.Queue().get, send)
    return headers.get(b"content-encoding", b"none").decode(), sizes


async def main():
    used, sizes = await pieces(GZipMiddleware, "text/plain", "gzip")
    print(f"GZipMiddleware      text/plain        {used:5} {len(sizes):3} pieces")
    assert used == "gzip" and len(sizes) >= NUM_TOKENS
    for encoding in ("gzip", "br", "zstd"):
        for kind in ("text/plain", "text/event-stream"):
            used, sizes = await pieces(CompressMiddleware, kind, encoding)
            print(f"CompressMiddleware  {kind:17} {used:5} {len(sizes):3} pieces")
            assert used == encoding
            if kind == "text/plain":
                assert len(sizes) <= 2, sizes
            else:
                assert len(sizes) >= NUM_TOKENS, sizes
    used, sizes = await pieces(CompressMiddleware, "application/x-ndjson", "zstd")
    print(f"CompressMiddleware  application/x-ndjson {used} {len(sizes)} pieces")
    assert used == "none" and len(sizes) >= NUM_TOKENS


asyncio.run(asyncio.wait_for(main(), 20))
PY

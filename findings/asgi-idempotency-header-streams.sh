#!/usr/bin/env bash
# asgi-idempotency-header 0.2.0 (PyPI), with starlette 1.10.0, seen on 2026-11-29.
#
# The middleware answers a repeated POST with the same Idempotency-Key from its store,
# and 409 while the first one is running. One would expect an answer that is streamed
# to pass unharmed, protected or not. Each piece of a body that is not application/json
# takes the key out of the store, and Starlette ends a stream with an empty piece. With
# the package's memory backend the second taking-out is a KeyError, so every streamed
# answer fails after its first piece. And since the key is gone with that piece, a retry
# starts the work again.
#
# For JSON answers the key alone decides: a request with the same key and another body
# gets the first one's answer, with `idempotent-replayed: true`.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check asgi-idempotency-header==0.2.0 \
  starlette==1.10.0 httpx==0.28.1 fastapi==0.165.0 redis==8.1.0
venv/bin/python - <<'PY'
import asyncio

import httpx
from idempotency_header_middleware import IdempotencyHeaderMiddleware
from idempotency_header_middleware.backends import MemoryBackend
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

started = []


async def stream(request):
    asked = await request.json()
    started.append(asked)

    async def pieces():
        for n in range(asked["num_pieces"]):
            yield f"data: {n}\n\n"

    return StreamingResponse(pieces(), media_type="text/event-stream")


async def whole(request):
    return JSONResponse({"echo": await request.json()})


routes = [Route(f"/{f.__name__}", f, methods=["POST"]) for f in (stream, whole)]
app = IdempotencyHeaderMiddleware(Starlette(routes=routes), backend=MemoryBackend())


async def main():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:

        async def post(path, key, body):
            return await client.post(path, headers={"Idempotency-Key": key}, json=body)

        for _ in range(2):  # the second time is a retry with the same key
            try:
                await post("/stream", "key-1", {"num_pieces": 2})
            except KeyError as error:
                print("a stream: KeyError", error)
            else:
                raise AssertionError("the stream passed")
        assert len(started) == 2, started

        one = await post("/whole", "key-2", {"text": "first"})
        two = await post("/whole", "key-2", {"text": "second"})
        print("JSON, other body, same key:", two.text)
        assert two.json() == one.json() == {"echo": {"text": "first"}}
        assert two.headers["idempotent-replayed"] == "true"


asyncio.run(asyncio.wait_for(main(), 20))
PY

#!/usr/bin/env bash
# huggingface_hub 2.4.0, seen on 2026-11-29.
#
# InferenceClient.chat_completion(stream=True) returns a generator of chunks.
# One would expect the generator to hold on to whatever it reads from, so that
# a function can make a client, ask, and return the stream. But the generator
# does not keep its client alive, and a client closes its connections when
# Python collects it. So the stream that such a function returns is closed
# before its first chunk is read. The same call with the client in a variable
# of the caller, with "yield from" in the function, or not streamed, works.
#
# A web handler that streams the generator has sent its status 200 by then.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet huggingface_hub==2.4.0
HF_HOME="$dir/home" "$dir/venv/bin/python" - <<'PY'
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from huggingface_hub import InferenceClient

class Handler(BaseHTTPRequestHandler):
    log_message = lambda *args: None

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        for word in ["one", "two"]:
            chunk = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": word}}]}
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

def returned(client):
    return client.chat_completion([{"role": "user", "content": "count"}], stream=True)

def yielded(client):
    yield from returned(client)

def words(stream):
    try:
        return [chunk.choices[0].delta.content for chunk in stream]
    except RuntimeError as error:
        return type(error).__name__

server = ThreadingHTTPServer(("localhost", 0), Handler)
Thread(target=server.serve_forever, daemon=True).start()
address = f"http://localhost:{server.server_port}"
seen = {
    "client kept by the caller": words(returned(kept := InferenceClient(address))),
    "client kept by a generator": words(yielded(InferenceClient(address))),
    "client kept by nobody": words(returned(InferenceClient(address))),
}
print(*seen.items(), sep="\n")
assert list(seen.values()) == [["one", "two"], ["one", "two"], "StreamClosed"]
PY

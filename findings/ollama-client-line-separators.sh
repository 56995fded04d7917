#!/usr/bin/env bash
# ollama 0.6.3 (the Python client) on httpx 0.28.1, seen on 2026-11-29.
#
# Ollama's protocol streams one JSON object a line. JSON allows U+2028, U+2029
# and U+0085 to stand in a string as they are, and none of them ends a line of
# such a stream. One would expect the client to read them as any other letter.
# But it takes its lines from httpx's iter_lines, which ends a line wherever
# Python's str.splitlines does, so the object is cut in two at each of them,
# and the chat ends with a JSONDecodeError about an unterminated string. Asked
# for the same answer without streaming, the same client returns it.
#
# A server in Python that speaks this protocol and writes its lines with
# ensure_ascii=False, as many do to keep Chinese readable, breaks its clients
# on the day when a model repeats such a character from a web page or a PDF.
# Servers do well to escape these three; readers, to split bytes at b"\n".
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet ollama==0.6.3 httpx==0.28.1
"$dir/venv/bin/python" - <<'PY'
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import ollama


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        text = asked["messages"][0]["content"]
        pieces = ["<", text, ">"] if asked["stream"] else [f"<{text}>"]
        for piece in pieces:
            line = {"model": "m", "done": piece[-1] == ">"}
            line["message"] = {"role": "assistant", "content": piece}
            self.wfile.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


server = ThreadingHTTPServer(("localhost", 0), Handler)
Thread(target=server.serve_forever, daemon=True).start()
client = ollama.Client(f"http://localhost:{server.server_port}")
for text in ["中文", "a\u2028b", "a\u2029b", "a\u0085b"]:
    ask = {"model": "m", "messages": [{"role": "user", "content": text}]}
    assert client.chat(**ask).message.content == f"<{text}>"
    try:
        streamed = "".join(part.message.content for part in client.chat(**ask, stream=True))
    except json.JSONDecodeError as error:
        streamed = type(error)
    print(ascii(text), "streamed gives", streamed)
    assert streamed == ("<中文>" if text == "中文" else json.JSONDecodeError)
PY

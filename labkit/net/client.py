"""Kernel-side client of the server: streams chat answers over real HTTP and real SSE.

It speaks to the server's own port, never through a buffering proxy, and asks for
exactly `text/event-stream`. It refuses unknown knobs before sending and turns a refusal
of the server into the error of ours that says the same. No connection is kept open
between requests, so every trace shows what connecting costs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from types import TracebackType
from typing import Any, Final

import httpx2

from labkit.clock import Clock
from labkit.config import reject_unknown
from labkit.dialects.wire import from_json, mapping_of, text_of
from labkit.errors import InputError, ProtocolError, ServerUnavailable, TraceError
from labkit.net.announced import announced_key
from labkit.net.refusals import refusal
from labkit.net.stream import ChatStream, Wire
from labkit.sequence import SamplingParams
from labkit.trace import Trace

__all__ = ["KNOBS", "LabClient", "Messages", "request_body"]

Messages = Sequence[Mapping[str, str]]

CONNECT_S: Final = 5.0
CANCEL_S: Final = 2.0  # the connection is cut then in any case
SILENCE_S: Final = 60.0  # the server's heartbeat comes every 15 s
TRACE_TRIES: Final = 40  # the run is settled just after its last frame
TRACE_WAIT_S: Final = 0.05

JSON_TO_STREAM: Final = {
    "Accept": "text/event-stream",  # a proxy streams for exactly this
    "Content-Type": "application/json",
}
_WIRE_ONLY: Final = ("logprobs", "max_completion_tokens", "metadata", "user")
KNOBS: Final = tuple(sorted({*(f.name for f in fields(SamplingParams)), *_WIRE_ONLY}))


class LabClient:
    """`LabClient(url, clock).stream(messages, temperature=0)`; threads may share it."""

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        model: str | None = None,
        key: str | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._key = key  # None: the one that the server has left for its user
        self._clock = clock
        self._wish = model
        limits = httpx2.Limits(max_keepalive_connections=0)
        timeout = httpx2.Timeout(SILENCE_S, connect=CONNECT_S)
        self._http = httpx2.Client(
            base_url=self.base_url,
            timeout=timeout,
            limits=limits,
            auth=self._with_key,
            verify=self.base_url.startswith("https"),  # certificates: 0.1 s
            trust_env=False,  # a proxy of the environment cannot see our loopback
        )

    def __repr__(self) -> str:
        return f"<LabClient: {self.base_url}>"

    def __enter__(self) -> LabClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open; streams being read break off."""
        self._http.close()

    @cached_property
    def model(self) -> str:
        """The model asked for: the one given, else the server's first."""
        return self._wish if self._wish is not None else self.models()[0]

    def stream(
        self, messages: Messages, *, idempotency_key: str | None = None, **knobs: Any
    ) -> ChatStream:
        """A chat answer as it is written; the request is sent at once.

        `knobs` are the request's fields, such as temperature, seed, stop, max_tokens.
        Sent again with the same `idempotency_key`, a request gets the same answer.
        """
        body = request_body(self.model, messages, knobs)
        headers = _key_header(idempotency_key)
        stream = ChatStream(_Call(self, self._http, body, headers), self._clock)
        stream.open()
        return stream

    def health(self) -> dict[str, Any]:
        """What the server says of itself: free blocks, running and waiting counts."""
        return self._json(self._ask("/health"))  # 503 says it too: not ready, and why

    def models(self) -> list[str]:
        """Names of the models that the server has."""
        cards = self._get("/v1/models").get("data")
        listed = cards if isinstance(cards, list) else []
        ids = [text_of(mapping_of(card).get("id")) for card in listed]
        names = [name for name in ids if name]
        if not names:
            raise ServerUnavailable(f"the server at {self.base_url} has no model")
        return names

    def cancel(self, run: str) -> bool:
        """Stop a run; False where it has ended already or nobody answers."""
        try:
            path = f"/v1/runs/{run}/cancel"
            return self._http.post(path, timeout=CANCEL_S).is_success
        except httpx2.TransportError:
            return False

    def trace_of(self, run: str) -> Trace:
        """The server's trace of `run`, waited for until the run is settled."""
        for _ in range(TRACE_TRIES):
            try:
                trace = Trace.from_dict(self._get(f"/v1/traces/{run}"))
            except InputError as error:
                raise TraceError(f"{error}; the server keeps the newest only") from None
            if trace.marks_named("finish"):
                return trace
            self._clock.sleep(TRACE_WAIT_S)
        raise TraceError(f"run {run} has not ended, so its trace is not complete yet")

    def _with_key(self, request: httpx2.Request) -> httpx2.Request:
        """Looked up each time: a server that was started anew has another key."""
        key = self._key if self._key is not None else announced_key(self.base_url)
        if key:
            request.headers["Authorization"] = f"Bearer {key}"
        return request

    def _get(self, path: str) -> dict[str, Any]:
        answer = self._ask(path)
        if not answer.is_success:
            raise refusal(answer.status_code, answer.headers, answer.content)
        return self._json(answer)

    def _ask(self, path: str) -> httpx2.Response:
        try:
            return self._http.get(path)
        except httpx2.TransportError as error:
            raise self._unavailable(error) from error

    def _json(self, answer: httpx2.Response) -> dict[str, Any]:
        found = from_json(answer.content.decode("utf-8", "replace"))
        if found is None:
            raise ProtocolError(
                f"{answer.url} answered {answer.status_code} without a JSON object: is "
                "this the address of a labkit server?"
            )
        return found

    def _unavailable(self, error: httpx2.TransportError) -> ServerUnavailable:
        what = str(error) or type(error).__name__
        return ServerUnavailable(
            f"no server answers at {self.base_url} ({what}): start one with "
            "`python -m server`, or leave the address out and lab.server starts one"
        )


def request_body(
    model: str, messages: Messages | str, knobs: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of a streamed chat completion; usage is always asked for.

    A knob that the server does not have is refused, with the nearest that it has;
    values are checked by the server, which knows their ranges.
    """
    if not knobs.keys() <= set(KNOBS):
        reject_unknown(knobs, KNOBS, "A request")
    if isinstance(messages, str) or not messages:
        raise InputError(
            f"messages={messages!r}: give a list such as "
            '[{"role": "user", "content": "Hello"}]',
            param="messages",
        )
    given = {name: value for name, value in knobs.items() if value is not None}
    if isinstance(given.get("logit_bias"), tuple | list):
        given["logit_bias"] = {str(i): bias for i, bias in given["logit_bias"]}
    if isinstance(given.get("stop"), tuple):
        given["stop"] = [*given["stop"]]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    listed = [dict(message) for message in messages]
    return {"model": model, "messages": listed, **options, **given}


def _key_header(key: str | None) -> dict[str, str]:
    if key is None:
        return {}
    if not re.fullmatch(r"[!-~]{1,255}", key):
        raise InputError(
            f"idempotency_key={key!r}: use 1 to 255 printable ASCII characters without "
            "a space, such as a UUID"
        )
    return {"Idempotency-Key": key}


class _Call:
    """One chat request on its way out; the `Exchange` of its stream."""

    def __init__(
        self,
        client: LabClient,
        http: httpx2.Client,
        body: dict[str, Any],
        headers: Mapping[str, str],
    ) -> None:
        self._client = client
        self._http = http
        self._body = body
        self._headers = {**JSON_TO_STREAM, **headers}

    def open(self, wire: Wire, composed: Callable[[], None]) -> _Answer:
        """Send it and read the answer's head; a refusal raises its own error."""
        content = _written(self._body)
        request = self._http.build_request(
            "POST",
            "/v1/chat/completions",
            content=content,
            headers=self._headers,
            extensions={"trace": wire.see, "timeout": self._http.timeout.as_dict()},
        )
        composed()
        try:
            response = self._http.send(request, stream=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise self._client._unavailable(error) from error
        except httpx2.TransportError as error:
            raise ConnectionError(_broken(error)) from error
        kind = response.headers.get("content-type", "")
        if response.status_code == 200 and kind.startswith("text/event-stream"):
            return _Answer(response, len(content))
        try:
            raise refusal(response.status_code, response.headers, response.read())
        finally:
            response.close()

    def cancel(self, run: str) -> bool:
        """Ask the server to stop `run`."""
        return self._client.cancel(run)

    def trace_of(self, run: str) -> Trace:
        """The server's own trace of `run`."""
        return self._client.trace_of(run)


class _Answer:
    """The open body of an accepted request."""

    def __init__(self, response: httpx2.Response, sent_bytes: int) -> None:
        self._response = response
        self.run = str(response.headers.get("x-request-id", ""))
        self.sent_bytes = sent_bytes

    def pieces(self) -> Iterator[bytes]:
        """The body's bytes as they come off the socket."""
        try:
            yield from self._response.iter_raw()
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise ConnectionError(_broken(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def _written(body: dict[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"the request cannot be written as JSON ({error}): use plain numbers, "
            "texts of whole characters, lists and dicts"
        ) from None


def _broken(error: Exception) -> str:
    return f"the connection broke: {str(error) or type(error).__name__}"

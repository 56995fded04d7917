"""A box for the reader's own prompt, and the answer as it arrives.

The stream is read in a thread of its own, so that Stop works while a cell runs. What is
asked is handed on once the answer has ended, so that pictures do not slow it down; a
prompt that was refused is not. It keeps the book's messages and never changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import traitlets

from labkit.errors import LabError
from labkit.figures.drawings import Table
from labkit.records import StreamChunk
from labkit.trace import Trace
from labkit.widgets.base import LabWidget, Message
from labkit.widgets.stream_run import ChatStreamLike, Messages, StreamRun

__all__ = ["MAX_CHARACTERS", "AnswerStream", "AskBox"]

MAX_CHARACTERS: Final = 8_000  # about 2,000 tokens of English
MAX_TOKENS: Final = 96


class AnswerStream(ChatStreamLike, Protocol):
    """A stream that also tells the life of its request."""

    def trace(self) -> Trace:
        """The trace, once the stream has ended."""
        ...


class AnswerSource(Protocol):
    """Whatever answers messages with such a stream, such as `lab.server`."""

    def stream(self, messages: Messages, **knobs: Any) -> AnswerStream:
        """Send the request."""
        ...


def _nothing(_: object) -> str:
    return ""


class AskBox(LabWidget, page="ask_box"):
    """`AskBox(lab.server, lab.request, hand, watch)`; `ask(text)`, `stop()`, `back()`.

    `hand(messages)` gets what was asked and says in words what it did with it;
    `watch(trace)` gets the life of the request, None for the book's.
    """

    hurried = frozenset({"stop"})  # cancelling may take a round trip
    is_gated = False

    prompt = traitlets.Unicode().tag(sync=True)  # the text that was asked last
    answer = traitlets.Unicode().tag(sync=True)  # as far as it has arrived
    status = traitlets.Unicode("idle").tag(sync=True)  # running, done, stopped, failed
    problem = traitlets.Unicode().tag(sync=True)
    is_cut = traitlets.Bool(False).tag(sync=True)  # at the limit of tokens
    note = traitlets.Unicode().tag(sync=True)  # what the pictures below do
    is_book = traitlets.Bool(True).tag(sync=True)
    limit = traitlets.Int(MAX_CHARACTERS).tag(sync=True)
    max_tokens = traitlets.Int(MAX_TOKENS).tag(sync=True)

    def __init__(
        self,
        source: AnswerSource,
        book: Sequence[Mapping[str, str]],
        hand: Callable[[Messages], str] = _nothing,
        watch: Callable[[Trace | None], object] = _nothing,
        **unknown: object,
    ) -> None:
        self._source, self._hand, self._watch = source, hand, watch
        self._book = [dict(message) for message in book]
        self._run: StreamRun | None = None
        super().__init__(unknown, prompt=self._book[-1]["content"])

    def record(self) -> Table:
        """The prompt and the answer, each cut to one line."""
        pairs = (("Prompt", self.prompt), ("Answer", self.answer))
        rows = tuple((name, _cut(text)) for name, text in pairs if text)
        told = (
            "Run the cell above (Shift+Enter) to ask the model here, on this machine."
        )
        return Table("Your own prompt", told, ("What", "Text"), rows)

    def ask(self, text: object) -> None:
        """Send `text` in place of the book's question; a bad one is told in words."""
        problem = _refusal(text)
        if problem:
            self.problem, self.status = problem, "failed"
            return
        messages = [*self._book[:-1], {"role": "user", "content": str(text)}]
        self.stop()
        with self._lock, self.hold_sync():
            self.prompt, self.is_book = str(text), messages == self._book
            self.answer = self.problem = self.note = ""
            self.status, self.is_cut = "running", False
            run = _Answer(self._source, messages, self._arrived, self._ended)
            self._run = run.reader
        run.reader.start()

    def stop(self) -> None:
        """Stop the answer that is being written, if there is one."""
        if self._run is not None:
            self._run.stop()

    def wait(self, limit_s: float = 120.0) -> bool:
        """Whether the answer has ended and was handed on, after that long at most."""
        return self._run is None or self._run.wait(limit_s)

    def back(self) -> None:
        """Go back to the book's request and its recorded life."""
        self.stop()
        with self._lock:
            self._run = None
            self.prompt, self.is_book = self._book[-1]["content"], True
            self.answer = self.problem = ""
            self.status = "idle"
        self._watch(None)
        self.note = self._hand(self._book)

    def handle(self, op: str, message: Message) -> None:
        """`ask` with a text, `stop`, `back`."""
        match op:
            case "ask":
                self.ask(message.get("text"))
            case "stop":
                self.stop()
            case "back":
                self.back()
            case _:
                super().handle(op, message)

    def _arrived(self, run: _Answer, chunk: StreamChunk) -> None:
        with self._lock:
            if run.reader is self._run:
                self.answer += chunk.text
                self.is_cut = self.is_cut or chunk.finish == "length"

    def _ended(self, run: _Answer, status: str, problem: str) -> None:
        with self._lock:
            if run.reader is not self._run:
                return
            self.status, self.problem = status, problem
        if status == "failed":
            return
        told = [] if status == "stopped" else [self._told(run)]
        told.append(self._hand(run.messages))
        self.note = " ".join(words for words in told if words)

    def _told(self, run: _Answer) -> str:
        """Show the life of the answer; what went wrong, or ""."""
        try:
            trace = run.trace()
            if trace is not None:
                self._watch(trace)
        except LabError as error:
            return f"Its life cannot be shown: {error}."
        return ""


class _Answer:
    """One question on its way, with the stream that answers it."""

    def __init__(
        self,
        source: AnswerSource,
        messages: Messages,
        on_chunk: Callable[[_Answer, StreamChunk], None],
        on_end: Callable[[_Answer, str, str], None],
    ) -> None:
        self.messages = messages
        self._source = source
        self._stream: AnswerStream | None = None
        self.reader = StreamRun(
            self._open,
            lambda _, chunk: on_chunk(self, chunk),
            lambda _, status, problem: on_end(self, status, problem),
        )

    def trace(self) -> Trace | None:
        """The life of the request; None where no stream came."""
        return None if self._stream is None else self._stream.trace()

    def _open(self) -> AnswerStream:
        knobs = {"max_tokens": MAX_TOKENS, "temperature": 0.0}
        self._stream = self._source.stream(self.messages, **knobs)
        return self._stream


def _refusal(text: object) -> str:
    """Why `text` is no prompt, "" if it is one."""
    if not isinstance(text, str):
        return f"A prompt is text in quotes, not {text!r}."
    if not text.strip():
        return "The box is empty: type a prompt first."
    if len(text) > MAX_CHARACTERS:
        return (
            f"Your prompt has {len(text):,} characters; this box takes "
            f"{MAX_CHARACTERS:,}. Shorten it, or send it with lab.server.stream(...)."
        )
    return ""


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 90 else line[:87] + "..."

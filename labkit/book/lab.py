"""The reader's handle, the same in all chapters.

Engine and server start at their first use and not before; a recording never needs
either. Whatever the handle shows works without a browser: widgets fall back to stills
and words.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from labkit.book.answers import exercise
from labkit.book.asking import Follower, Prompt
from labkit.book.contents import Contents, read_contents
from labkit.book.exercises import State
from labkit.book.gate import Gate
from labkit.book.grading import grade
from labkit.book.guesses import Cards
from labkit.book.parts import Part, layer_of
from labkit.book.progress import Times, busy_words, progress, waiting
from labkit.book.progress_file import ProgressFile
from labkit.book.serving import Serving
from labkit.book.show import Prose, as_table, source
from labkit.clock import Clock
from labkit.config import EngineConfig, from_mapping
from labkit.errors import ConfigError, TraceError
from labkit.labs.recordings import Measured, Recording, data_folders, open_recording
from labkit.net.client import LabClient
from labkit.text.tokenizer import Tokenizer
from labkit.trace import Trace
from labkit.widgets.ask_box import AskBox
from labkit.widgets.base import LabWidget
from labkit.widgets.predict import Predict
from labkit.widgets.trace_bar import TraceBar

if TYPE_CHECKING:
    from labkit.engine import Engine
    from labkit.model.loaded import LoadedModel

__all__ = ["REQUEST", "Lab"]

Messages = Sequence[Mapping[str, str]]
F = TypeVar("F", bound=Follower)
T = TypeVar("T")

# The one request that the whole book follows.
REQUEST: Messages = (
    {"role": "system", "content": "You are a careful assistant."},
    {"role": "user", "content": 'How many r\'s are in "strawberry"? 🍓'},
)


class Lab:
    """What `start()` returns."""

    def __init__(
        self,
        part: Part,
        clock: Clock,
        serving: Serving,
        *,
        seed: int = 0,
        gate: Gate,
        kept: ProgressFile,
    ) -> None:
        self.part = part
        self.seed = seed
        self.kept = kept
        self._clock = clock
        self._serving = serving
        self._gate = gate
        self._cards = Cards(part, kept, gate)
        self._prompt = Prompt(REQUEST)
        self._box: AskBox | None = None

    def __repr__(self) -> str:
        return f"<Lab: {self.part.title}, seed {self.seed}>"

    @property
    def request(self) -> list[dict[str, str]]:
        """Messages of the request that runs through the book."""
        return [dict(message) for message in REQUEST]

    @cached_property
    def model(self) -> LoadedModel:
        """The weights and their shape, fetched and read at the first use."""
        with waiting("Starting PyTorch"):
            from labkit.model.fetch import weights_path  # noqa: PLC0415  # takes 2 s
            from labkit.model.weights import load_model  # noqa: PLC0415
        path = weights_path()  # what has to be fetched shows its own progress
        with waiting("Reading the weights"):
            return load_model(path)

    @cached_property
    def engine(self) -> Engine:
        """The embedded engine; weights are fetched and read at the first use."""
        return self.engine_with()

    def engine_with(self, **config: Any) -> Engine:
        """An engine on the same weights with a pool of its own: `num_blocks=24`."""
        from labkit.engine import Engine  # noqa: PLC0415  # brings torch: 2 s

        return Engine(self.model, from_mapping(EngineConfig, config), self._clock)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer; no engine is made for it."""
        return Tokenizer.from_spec(self.model.tokenizer)

    @property
    def server(self) -> LabClient:
        """Client of the real server: found, started, or started anew if it ended."""
        return self._serving.client()

    def trace(self, prompt: str | Messages | None = None, **knobs: Any) -> Trace:
        """Record a request's life through the real server; None: the book's request."""
        with self.server.stream(self._messages(prompt), **knobs) as stream:
            for _ in stream:
                pass
        return stream.trace()

    def replay(self, name: str) -> Trace | Recording | Measured:
        """Open `chapters/data/NAME.json`, with or without the number."""
        return open_recording(name, self.part.name, data_folders(Path.cwd()))

    def replay_trace(self, name: str) -> Trace:
        """Like `replay`, for a recording that has to be a trace."""
        found = self.replay(name)
        if isinstance(found, Trace):
            return found
        raise TraceError(f"{name} holds no trace; use lab.replay({name!r})")

    def replay_streams(self, name: str) -> Recording:
        """Like `replay`, for a recording that has to hold streams."""
        found = self.replay(name)
        if isinstance(found, Recording):
            return found
        raise TraceError(f"{name} holds no streams; use lab.replay({name!r})")

    def replay_measured(self, name: str) -> Measured:
        """Like `replay`, for a recording that has to hold measured numbers."""
        found = self.replay(name)
        if isinstance(found, Measured):
            return found
        raise TraceError(f"{name} holds no measured numbers; use lab.replay({name!r})")

    def predict(
        self,
        question: str,
        options: Sequence[str] = (),
        *,
        between: tuple[float, float] | None = None,
        unit: str = "",
    ) -> Predict:
        """A guess to lock before the reveal: one of `options`, or a number.

        It begins a section: what later cells show is hidden until it is locked or
        skipped. A cell that runs again gets the same card, with the guess that it has.
        """
        return self._cards.ask(question, options, between, unit)

    def opening(self, recording: str = "10_request") -> None:
        """The chapter's first picture, the box for a prompt, and what is done so far.

        The picture is the recorded life of the book's request with this layer lit.
        """
        trace = self.replay_trace(recording)
        bar = TraceBar(trace, lit=layer_of(self.part))
        self._box = AskBox(
            self._serving,
            REQUEST,
            self._prompt.give,
            lambda found: bar.show(trace if found is None else found),
        )
        self.show(bar)
        self.show(self._box)
        if self.kept.line(self.part):
            handle = self._gate.show_lasting(self._done())
            self.kept.on_change = lambda: handle.update(self._done())

    def _done(self) -> Prose:
        line = f"So far in this chapter: {self.kept.line(self.part)}."
        return Prose(line, line)

    def ask(self, text: str | None = None) -> AskBox:
        """Ask the model `text`, and let the pictures that follow work on it.

        Without a text it goes back to the book's request.
        """
        if text is None:
            self._asking.back()
        else:
            self._asking.ask(text)
        return self._asking

    def follow(self, widget: F) -> F:
        """Let `widget` take the reader's own prompt whenever there is one."""
        return self._prompt.follow(widget)

    @property
    def _asking(self) -> AskBox:
        """The box of the opening, or one of its own where no opening was shown."""
        if self._box is None:
            self._box = AskBox(self._serving, REQUEST, self._prompt.give)
        return self._box

    def progress(
        self, items: Iterable[T], what: str, num: int | None = None
    ) -> Iterator[T]:
        """Give `items` one by one, showing how many are done and the time left."""
        return progress(items, what, num)

    def compare_times(self, measured_ms: Times, recorded_ms: Times) -> None:
        """Say so if this machine takes more than twice the recorded times."""
        words = busy_words(measured_ms, recorded_ms)
        if words:
            sys.stdout.write(f"{words}\n")

    def section(self) -> None:
        """Begin a section that asks nothing first: what follows is shown at once."""
        self._gate.end()

    def show(self, widget: LabWidget) -> None:
        """Show a widget that does not give the answer away, whatever is locked."""
        self._gate.show_openly(widget)

    def check(self, name: str, answer: object = None) -> None:
        """Check an exercise and say how it went; never fails the cell."""
        try:
            result = grade(exercise(name), answer)
        except ConfigError as error:
            sys.stdout.write(f"{State.WRONG} {error}.\n")
            return
        if result.state is State.RIGHT:
            self.kept.keep_solved(self.part, name)
        sys.stdout.write(f"{result}\n")

    @property
    def solved(self) -> set[str]:
        """Names of this part's exercises that were answered right."""
        return self.kept.solved(self.part)

    def hint(self, name: str) -> None:
        """Print the hint of an exercise."""
        try:
            one = exercise(name)
            words = (
                f"Hint for {name}: {one.hint}" if one.hint else f"{name} has no hint."
            )
        except ConfigError as error:
            words = f"{State.WRONG} {error}."
        sys.stdout.write(f"{words}\n")

    def source(self, thing: Any) -> Prose:
        """The package's own code of a function, class or module."""
        return source(thing)

    def contents(self) -> Contents:
        """The map of the book: its chapters as links, with what is done of each."""
        here = data_folders(Path.cwd())
        folders = [Path.cwd(), *(folder.parent for folder in here)]
        return read_contents(folders, self.kept.line)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Prose:
        """Rows of computed values under a head."""
        return self._gate.prose(as_table(head, rows))

    def md(self, text: str) -> Prose:
        """Prose with computed numbers, rendered."""
        return self._gate.prose(Prose(text, text))

    def _messages(self, prompt: str | Messages | None) -> Messages:
        if prompt is None:
            return self.request
        return (
            [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        )

"""A backend without an engine: the test says what each run's next step does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.clock import Clock
from labkit.errors import LabError
from labkit.records import EngineCounts, TokenEvent
from labkit.sequence import FinishReason, SamplingParams
from server.backend import BackendState, BackendStatus, Run, Served, not_ready
from server.outcomes import Advance

__all__ = ["TOTAL_BLOCKS", "ScriptedBackend"]

TOTAL_BLOCKS = 8


class ScriptedBackend:
    """Each run holds one block until its script ends or somebody aborts it.

    `script` is what every run says at once, a piece a token, then it stops; None leaves
    the runs to the test, which calls `step`, `chunk`, `break_off`.
    """

    def __init__(self, clock: Clock, script: Sequence[str] | None = None) -> None:
        self.clock = clock
        self.script = script
        self.state = BackendState.READY
        self.refusals: list[Exception] = []  # raised by the next submits
        self.live: dict[str, Run] = {}
        self.params: dict[str, SamplingParams] = {}
        self.aborted: list[str] = []
        self.prompts: list[str] = []
        self._num_said: dict[str, int] = {}

    def start(self) -> None:
        """Nothing has to be loaded."""

    def close(self, wait_s: float) -> None:
        self.state = BackendState.CLOSED
        for request in list(self.live):
            self.break_off(request, not_ready(self.status()))

    def status(self) -> BackendStatus:
        free = TOTAL_BLOCKS - len(self.live)
        counts = EngineCounts(free, TOTAL_BLOCKS, len(self.live), 0, 4)
        return BackendStatus(self.state, "scripted", counts)

    def served(self) -> Served:
        if self.state is not BackendState.READY:
            raise not_ready(self.status())
        return Served("scripted", "none", 100)

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        self.prompts.append("".join(f"<{m['role']}>{m['content']}" for m in messages))
        return self.prompts[-1]

    def encode(self, prompt: str) -> list[int]:
        return list(prompt.encode())

    def token(self, token_id: int) -> tuple[str, bytes | None]:
        return (
            (f"t{token_id}", f"t{token_id}".encode()) if token_id else ("<end>", None)
        )

    async def submit(
        self, request: str, prompt_ids: Sequence[int], params: SamplingParams
    ) -> Run:
        if self.refusals:
            raise self.refusals.pop(0)
        run = self.live[request] = Run(request)
        self.params[request] = params
        for place, text in enumerate(self.script or ()):
            is_last = place + 1 == len(self.script or ())
            self.step(request, text, FinishReason.STOP if is_last else None)
        return run

    def abort(self, request: str) -> None:
        if request in self.live:
            self.aborted.append(request)
            self.live.pop(request).put(None)

    def chunk(self, request: str) -> None:
        """A step that computes a part of the prompt."""
        self.live[request].put(self._advance(()))

    def step(
        self, request: str, text: str = "", finish: FinishReason | None = None
    ) -> None:
        """A step that samples one token."""
        index = self._num_said.get(request, 0)
        self._num_said[request] = index + 1
        event = TokenEvent(
            request,
            index,
            index,
            index + 1,
            text,
            self.clock.now(),
            logprob=-0.5,
            top=((index + 1, -0.5), (0, float("-inf"))),
            finish=finish,
        )
        self.live[request].put(self._advance((event,)))
        if finish is not None:
            del self.live[request]

    def break_off(self, request: str, error: LabError) -> None:
        """The run fails."""
        self.live.pop(request).put(error)

    def _advance(self, events: tuple[TokenEvent, ...]) -> Advance:
        now = self.clock.now()
        return Advance(0, 0, 1, now, now, now, now, events)

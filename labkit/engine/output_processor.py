"""The text side of one sequence: tokens in, text that may be shown out.

Joins the detokenizer, which holds back half characters, to the stop matcher, which
holds back what may become a stop string. It decides when a text is complete, but never
computes or schedules. The invariant: the last event carries all text still held.
"""

from __future__ import annotations

from collections.abc import Callable

from labkit.records import TokenEvent
from labkit.sampling.pipeline import Watch
from labkit.sequence import FinishReason, Sequence
from labkit.text.detokenizer import StopMatcher, StreamDetokenizer
from labkit.text.tokenizer import Tokenizer

__all__ = ["OutputProcessor"]


class OutputProcessor:
    """Turns the tokens of one sequence into events; also keeps its `watch` callback.

    Output tokens that the sequence already has are taken as reported.
    """

    def __init__(
        self,
        sequence: Sequence,
        tokenizer: Tokenizer,
        max_context: int,
        watch: Watch | None = None,
    ) -> None:
        self.sequence = sequence
        self.watch = watch
        ignore_eos = sequence.params.ignore_eos
        self._end_ids = frozenset[int]() if ignore_eos else tokenizer.eos_ids
        room = max_context - len(sequence.prompt_ids)
        self._most_out = min(sequence.params.max_tokens, room)  # tokens of output
        self._characters = StreamDetokenizer(tokenizer.token_bytes)
        self._stops = StopMatcher(sequence.params.stop)
        # Without stop strings all text may be shown as it comes, so nothing is asked.
        self._shown: Callable[[str], str] = (
            self._stops.feed if sequence.params.stop else str
        )
        self._num_out = len(sequence.output_ids)
        for token_id in sequence.output_ids:
            self._stops.feed(self._characters.feed(token_id))

    def emit(
        self,
        token_id: int,
        step: int,
        time_s: float,
        logprob: float | None = None,
        top: tuple[tuple[int, float], ...] = (),
    ) -> TokenEvent:
        """The event of the sequence's next token, with the text that it sets free."""
        self._num_out += 1
        is_end = token_id in self._end_ids  # no text of the answer, and not counted
        text = "" if is_end else self._shown(self._characters.feed(token_id))
        sequence, finish = self.sequence, None
        if is_end:
            finish = FinishReason.STOP
        elif self._num_out >= self._most_out or self._stops.matched is not None:
            finish = FinishReason.LENGTH
        if finish is not None:
            text += self._flush()
        stop = self._stops.matched
        return TokenEvent(
            request=sequence.request,
            step=step,
            index=self._num_out - 1,
            token_id=token_id,
            text=text,
            time_s=time_s,
            logprob=logprob,
            top=top,
            finish=finish if stop is None else FinishReason.STOP,
            is_counted=not is_end,
            stop=stop,
            num_cached=sequence.num_cached,
        )

    def end_early(self, reason: FinishReason, step: int, time_s: float) -> TokenEvent:
        """The last event of a sequence that is cut off: no token, the held text."""
        return TokenEvent(
            request=self.sequence.request,
            step=step,
            index=self._num_out,
            token_id=None,
            text=self._flush(),
            time_s=time_s,
            finish=reason,
            is_counted=False,
            num_cached=self.sequence.num_cached,
        )

    def _flush(self) -> str:
        """All that was held back; nothing once a stop string is complete."""
        return self._shown(self._characters.flush()) + self._stops.flush()

"""A sequence: one prompt and the tokens generated for it, as the engine sees it.

Holds numbers only: no tensors, no text, no blocks. The invariant is
`0 <= num_computed < num_tokens` until the sequence is finished: the newest token is
always known before its keys and values are computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

from labkit.errors import InputError

__all__ = ["MAX_BIASES", "FinishReason", "SamplingParams", "Sequence", "SequenceState"]


MAX_BIASES = 1024  # entries of `logit_bias`


class FinishReason(StrEnum):
    """Why a sequence ended."""

    STOP = "stop"  # end-of-text token or a stop string
    LENGTH = "length"  # max_tokens or the context was used up
    ABORT = "abort"  # the caller went away
    ERROR = "error"  # the engine failed on it


class SequenceState(StrEnum):
    """Where a sequence is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


def _require(ok: bool, param: str, value: object, remedy: str) -> None:
    if not ok:
        raise InputError(f"{param}={value!r}: {remedy}", param=param)


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Every sampling knob of one request, checked; the defaults change nothing.

    `temperature=0` means greedy. `top_logprobs` is the number of alternatives to
    report beside each chosen token; None reports no log-probabilities at all.
    """

    max_tokens: int = 256
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()  # (token id, added logit)
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    top_logprobs: int | None = None

    def __post_init__(self) -> None:
        self._check_lengths()
        self._check_filters()
        self._check_penalties()

    def _check_lengths(self) -> None:
        _require(self.max_tokens >= 1, "max_tokens", self.max_tokens, "use 1 or more")
        _require(all(self.stop), "stop", self.stop, "a stop string cannot be empty")
        top = self.top_logprobs
        _require(top is None or 0 <= top <= 20, "top_logprobs", top, "use 0 to 20")

    def _check_filters(self) -> None:
        heat = self.temperature
        heat_ok = math.isfinite(heat) and heat >= 0
        _require(heat_ok, "temperature", heat, "use a finite number, 0 or more")
        k_ok = self.top_k is None or self.top_k >= 1
        _require(k_ok, "top_k", self.top_k, "use 1 or more, or leave it out")
        for name in ("top_p", "min_p", "typical_p"):
            value = getattr(self, name)
            _require(0 <= value <= 1, name, value, "use a number from 0 to 1")

    def _check_penalties(self) -> None:
        rep = self.repetition_penalty
        rep_ok = math.isfinite(rep) and rep > 0
        _require(rep_ok, "repetition_penalty", rep, "use a number above 0; 1 is off")
        for name in ("frequency_penalty", "presence_penalty"):
            value = getattr(self, name)
            _require(math.isfinite(value), name, value, "use a finite number")
        if len(self.logit_bias) > MAX_BIASES:
            raise InputError(
                f"logit_bias has {len(self.logit_bias)} entries: "
                f"use at most {MAX_BIASES}",
                param="logit_bias",
            )
        for token_id, bias in self.logit_bias:
            bias_ok = token_id >= 0 and math.isfinite(bias)
            _require(bias_ok, "logit_bias", (token_id, bias), "use finite biases")


@dataclass(slots=True)
class Sequence:
    """One prompt on its way through the engine; only the engine changes it."""

    request: str  # the request's id
    prompt_ids: tuple[int, ...]
    params: SamplingParams
    arrival_s: float
    output_ids: list[int] = field(default_factory=list)
    num_computed: int = 0  # tokens whose keys and values are in the cache
    state: SequenceState = SequenceState.WAITING
    finish: FinishReason | None = None
    salt: str | None = None  # only sequences with the same one share cached blocks
    num_cached: int = 0  # prompt tokens that were found computed when it first ran
    num_preemptions: int = 0  # times it lost its blocks and had to start again
    parent: Sequence | None = None  # while it waits: whose blocks it wants to share
    num_shared: int = 0  # leading tokens that it has in common with `parent`

    @property
    def num_tokens(self) -> int:
        """Tokens known so far, prompt and output."""
        return len(self.prompt_ids) + len(self.output_ids)

    @property
    def num_uncomputed(self) -> int:
        """Known tokens that the model has not seen yet."""
        return self.num_tokens - self.num_computed

    @property
    def is_prefilling(self) -> bool:
        """True while more than the newest token of the output is to be computed."""
        return self.num_computed < max(len(self.prompt_ids), self.num_tokens - 1)

    @property
    def is_finished(self) -> bool:
        """True once a finish reason is set."""
        return self.state is SequenceState.FINISHED

    def ids_between(self, start: int, end: int) -> list[int]:
        """Token ids at positions `start` to `end` - 1, prompt then output."""
        prompt = len(self.prompt_ids)
        head = self.prompt_ids[start : min(end, prompt)]
        tail = self.output_ids[max(0, start - prompt) : max(0, end - prompt)]
        return [*head, *tail]

    def end(self, reason: FinishReason) -> None:
        """Mark as finished; a second reason never replaces the first."""
        assert self.finish is None, f"{self.request} already ended: {self.finish}"
        self.state = SequenceState.FINISHED
        self.finish = reason

    def check(self) -> None:
        """Assert the invariant that the module's opening states."""
        assert self.num_computed >= 0, f"{self.request}: negative num_computed"
        assert self.is_finished or self.num_computed < self.num_tokens, (
            f"{self.request}: {self.num_computed} tokens computed of "
            f"{self.num_tokens} known; the newest must still be open"
        )
        assert self.is_finished == (self.finish is not None), self.request

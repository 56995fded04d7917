"""A message that is shown before the server has it: the states it goes through.

Pure: it sends nothing and waits for nothing. Its owner tells it what happened and shows
what it says. The invariants: every attempt at one text carries the same idempotency
key, a changed text never does, and what the answer shows is one attempt's text only.
News of an attempt that was given up is late, not wrong, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from labkit.errors import (
    InputError,
    ProtocolError,
    QueueFull,
    ServerUnavailable,
)

__all__ = ["Failure", "OutgoingMessage", "SendState", "failure_of"]


class SendState(StrEnum):
    """Where a message is, in the order in which an undisturbed one passes them."""

    DRAFT = "draft"  # nobody but its writer sees it
    SENDING = "sending"  # shown in the chat already; no word from the server
    RETRIED = "retried"  # the same, for the second attempt and every further one
    ACCEPTED = "accepted"  # the server answered 200; no text yet
    STREAMING = "streaming"
    DONE = "done"
    FAILED = "failed"


UNDER_WAY = (SendState.SENDING, SendState.RETRIED)
ANSWERING = (SendState.ACCEPTED, SendState.STREAMING)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt came to nothing, and whether the same may be sent again."""

    reason: str
    may_retry: bool
    retry_after_s: float = 0.0  # not before


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """`OutgoingMessage("Hi").submit("key-1").accept(1).add("Hello", 1).finish(1)`."""

    text: str
    state: SendState = SendState.DRAFT
    key: str | None = None  # the header Idempotency-Key; None: sent without one
    attempt: int = 0  # the one that is under way, or was the last
    answer: str = ""
    failure: Failure | None = None  # in the state FAILED only

    @property
    def is_shown(self) -> bool:
        """Whether the chat shows it: from the moment of sending, whatever comes."""
        return self.state is not SendState.DRAFT

    @property
    def may_retry(self) -> bool:
        """Whether `retry` is allowed now."""
        return self.failure is not None and self.failure.may_retry

    def edit(self, text: str) -> OutgoingMessage:
        """Change the text; after a failure this is a new message, without the key."""
        self._expect("edit", SendState.DRAFT, SendState.FAILED)
        return OutgoingMessage(text)

    def submit(self, key: str | None) -> OutgoingMessage:
        """The reader sends it. `key` has to be new, and None switches keys off."""
        self._expect("submit", SendState.DRAFT)
        if not self.text.strip():
            raise InputError(f"the message {self.text!r} is empty: write something")
        return replace(self, state=SendState.SENDING, key=key, attempt=1)

    def retry(self) -> OutgoingMessage:
        """Send it again with the same key; the answer comes again from its start."""
        self._expect("retry", SendState.FAILED)
        if self.failure is not None and not self.failure.may_retry:
            raise InputError(
                f"sent again, the message would fail again ({self.failure.reason}): "
                "edit it first"
            )
        return replace(
            self,
            state=SendState.RETRIED,
            attempt=self.attempt + 1,
            answer="",
            failure=None,
        )

    def accept(self, attempt: int) -> OutgoingMessage:
        """The server answered 200."""
        if self._is_late(attempt):
            return self
        self._expect("accept", *UNDER_WAY)
        return replace(self, state=SendState.ACCEPTED)

    def add(self, text: str, attempt: int) -> OutgoingMessage:
        """A piece of the answer came."""
        if self._is_late(attempt):
            return self
        self._expect("add", *ANSWERING)
        return replace(self, state=SendState.STREAMING, answer=self.answer + text)

    def finish(self, attempt: int) -> OutgoingMessage:
        """The answer has come to its end, which may be an empty answer's."""
        if self._is_late(attempt):
            return self
        self._expect("finish", *ANSWERING)
        return replace(self, state=SendState.DONE)

    def fail(self, failure: Failure, attempt: int) -> OutgoingMessage:
        """The attempt came to nothing; what came of its answer stays on the screen."""
        if self._is_late(attempt):
            return self
        self._expect("fail", *UNDER_WAY, *ANSWERING)
        return replace(self, state=SendState.FAILED, failure=failure)

    def _is_late(self, attempt: int) -> bool:
        """Whether the news is of an attempt that is over."""
        if not 1 <= attempt <= self.attempt:
            raise InputError(
                f"attempt {attempt} was never made: the last one is {self.attempt}"
            )
        has_failed = self.state is SendState.FAILED
        return attempt < self.attempt or has_failed

    def _expect(self, verb: str, *states: SendState) -> None:
        if self.state not in states:
            raise InputError(
                f"{verb!r} is not possible in the state {self.state.value!r}, only in "
                + " or ".join(repr(state.value) for state in states)
            )


def failure_of(error: Exception) -> Failure:
    """What an error of sending means for the message.

    After a timeout or a cut nobody knows whether the server has the request: sending it
    again is safe with a key and may be answered twice without.
    """
    reason = str(error) or type(error).__name__
    if isinstance(error, QueueFull):
        return Failure(reason, may_retry=True, retry_after_s=error.retry_after_s)
    unknown = (TimeoutError, ConnectionError, ProtocolError, ServerUnavailable)
    return Failure(reason, may_retry=isinstance(error, unknown))

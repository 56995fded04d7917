"""When a request is charged, and for what: the rules of three vendors as objects.

Each says what is taken before a request is let in (`reserve`) and what it has cost when
it is over (`settle`); the difference is taken or given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from labkit.records import Usage
from server.outcomes import Outcome

__all__ = ["POLICIES", "Asked", "Policy"]

Costs = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a request before it is tokenised."""

    estimate: int  # tokens of the prompt, estimated from its characters
    max_tokens: int  # of the answer, at most


class Policy(Protocol):
    """One vendor's rules."""

    is_metered: bool  # the answer's tokens are taken one by one, as they appear

    def reserve(self, asked: Asked) -> Costs:
        """What must be there before the request is let in."""
        ...

    def settle(self, asked: Asked, usage: Usage, outcome: Outcome) -> Costs:
        """What it has cost in the end; never called for what was not let in."""
        ...


class Anthropic:
    """Input is estimated, then corrected; cached reads are free; output is metered.

    `max_tokens` plays no part.
    """

    is_metered = True

    def reserve(self, asked: Asked) -> Costs:
        """The request and the estimate of its input."""
        return {"requests": 1, "input_tokens": asked.estimate, "output_tokens": 0}

    def settle(self, asked: Asked, usage: Usage, outcome: Outcome) -> Costs:
        """The input that was not read from the cache, and what was written."""
        read = usage.prompt_tokens - usage.cached_tokens
        written = usage.completion_tokens
        return {"requests": 1, "input_tokens": read, "output_tokens": written}


class OpenAI:
    """The larger of `max_tokens` and the estimate; nothing is given back.

    Requests that fail count as well.
    """

    is_metered = False

    def reserve(self, asked: Asked) -> Costs:
        """The request and the larger of the two numbers."""
        return {"requests": 1, "tokens": max(asked.max_tokens, asked.estimate)}

    def settle(self, asked: Asked, usage: Usage, outcome: Outcome) -> Costs:
        """What was reserved."""
        return self.reserve(asked)


class Bedrock:
    """Input and `max_tokens` together are reserved; what was not used comes back."""

    is_metered = False

    def reserve(self, asked: Asked) -> Costs:
        """The request, its input and the longest answer it may get."""
        return {"requests": 1, "tokens": asked.estimate + asked.max_tokens}

    def settle(self, asked: Asked, usage: Usage, outcome: Outcome) -> Costs:
        """Input that was not read from the cache, and what was written."""
        read = usage.prompt_tokens - usage.cached_tokens
        return {"requests": 1, "tokens": read + usage.completion_tokens}


POLICIES: Mapping[str, Policy] = {
    "anthropic": Anthropic(),
    "openai": OpenAI(),
    "bedrock": Bedrock(),
}

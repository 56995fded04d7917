"""What belongs to a request as a whole: the layers it passes, and its tokens used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Layer", "Usage"]


class Layer(StrEnum):
    """The twelve layers of a request's life, in the book's order (one a chapter)."""

    CLIENT = "client"
    NETWORK = "network"
    GATEWAY = "gateway"
    SAFETY = "safety"
    CONTEXT = "context"
    TOKENS = "tokens"
    CACHE = "cache"
    COMPUTE = "compute"  # prefill and decode
    SAMPLING = "sampling"
    STREAMING = "streaming"
    TOOLS = "tools"
    BILLING = "billing"

    @property
    def chapter(self) -> int:
        """Number of the chapter about this layer, 1 to 12."""
        return list(Layer).index(self) + 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request; `cached_tokens` are part of `prompt_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

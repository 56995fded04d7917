"""The body of POST /v1/chat/completions → `ChatRequest`, strictly.

Each field the server obeys is declared here with its range; any other field is refused
by name, never ignored. null means absent, as in OpenAI's own API. Numbers are numbers:
`true` is not 1 and "5" is not 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from labkit.dialects.events import ApiError, ChatRequest, Message, Problem, Role
from labkit.sequence import SamplingParams

__all__ = ["ChatBody", "to_chat"]

LIMIT = 2**31 - 1  # a cap on token counts, far above any context
ROLES = {"developer": Role.SYSTEM}  # OpenAI's newer word for system
EXTENSIONS = ("top_p", "frequency_penalty", "presence_penalty", "seed", "ignore_eos")
FILTERS = ("top_k", "min_p", "typical_p", "repetition_penalty", "temperature")

Short = Annotated[str, Field(max_length=1000)]


class Strict(BaseModel):
    """No unknown fields, no conversions, no NaN; null is the same as absent."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _drop_null(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


class TextPart(Strict):
    """One part of a message's content; images and audio are refused."""

    type: Literal["text"]
    text: str


class MessageBody(Strict):
    """One message; the tool role comes with tools, which this server has none of."""

    role: Literal["system", "developer", "user", "assistant"]
    content: list[TextPart]

    @field_validator("content", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [{"type": "text", "text": value}] if isinstance(value, str) else value


class StreamOptions(Strict):
    """Options of a streamed answer."""

    include_usage: bool = False
    include_obfuscation: Literal[False] = False  # random padding, not offered


class ChatBody(Strict):
    """Every field that POST /v1/chat/completions obeys."""

    model: Annotated[str, Field(max_length=256)]
    messages: Annotated[list[MessageBody], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, le=LIMIT)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=LIMIT)] | None = None
    n: Literal[1] = 1
    stop: Annotated[list[Short], Field(max_length=4)] = []
    seed: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] = {}
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    # accepted because they change nothing here
    user: Short | None = None
    metadata: dict[str, Short] | None = None
    store: Literal[False] | None = None
    # extensions that OpenAI does not have; chapters 8 and 9 turn them
    ignore_eos: bool = False
    top_k: Annotated[int, Field(ge=1, le=LIMIT)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    typical_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] = 1.0

    @field_validator("stop", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


def to_chat(data: Mapping[str, Any]) -> ChatRequest:
    """Translate a JSON object; `ApiError` names the first field that is wrong."""
    try:
        body = ChatBody.model_validate(data)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0]) from None
    _check_pairs(body)
    return ChatRequest(
        model=body.model,
        messages=tuple(_message(m) for m in body.messages),
        sampling=_sampling(body),
        max_tokens=body.max_completion_tokens or body.max_tokens,
        is_stream=body.stream,
        wants_usage=bool(body.stream_options and body.stream_options.include_usage),
        wants_logprobs=body.logprobs,
    )


def _message(body: MessageBody) -> Message:
    role = ROLES.get(body.role) or Role(body.role)
    return Message(role, "".join(part.text for part in body.content))


def _sampling(body: ChatBody) -> SamplingParams:
    same = {name: getattr(body, name) for name in (*EXTENSIONS, *FILTERS)}
    return SamplingParams(
        stop=tuple(body.stop),
        logit_bias=tuple(_bias(key, value) for key, value in body.logit_bias.items()),
        top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        **same,
    )


def _bias(key: str, value: float) -> tuple[int, float]:
    if key.isascii() and key.isdigit() and len(key) <= 10:
        return int(key), value
    raise _invalid("logit_bias", f"{key[:40]!r} is not a token id; use digits only")


def _check_pairs(body: ChatBody) -> None:
    """Rules about two fields at once."""
    old, new = body.max_tokens, body.max_completion_tokens
    if old and new and old != new:
        text = f"max_tokens={old} and max_completion_tokens={new} differ; send one"
        raise _invalid("max_tokens", text)
    if body.stream_options and not body.stream:
        raise _invalid("stream_options", "only with stream: true")
    if body.top_logprobs is not None and not body.logprobs:
        raise _invalid("top_logprobs", "only with logprobs: true")


def _refusal(error: ErrorDetails) -> ApiError:
    """The first finding of pydantic, in OpenAI's way of naming fields."""
    steps = [f"[{s}]" if isinstance(s, int) else f".{s}" for s in error["loc"]]
    param = "".join(steps).lstrip(".")
    if error["type"] == "extra_forbidden":
        text = f"{param[:80]}: this server does not support the field; leave it out"
        problem = Problem(400, text, code="unsupported_parameter", param=param[:80])
        return ApiError(problem)
    if error["type"] == "missing":
        return _invalid(param, "the field is required", "missing_required_parameter")
    return _invalid(param[:80], error["msg"])


def _invalid(param: str, reason: str, code: str = "invalid_value") -> ApiError:
    return ApiError(Problem(400, f"{param}: {reason}", code=code, param=param))

"""The body of POST /v1/chat/completions → `ChatRequest`, strictly.

Each field the server obeys is declared here with its range. A field that it does not
have is accepted where it asks for what happens anyway (`IDLE`); any other is refused by
name, never ignored. null means absent, as in OpenAI's own API. Numbers are numbers:
`true` is not 1 and "5" is not 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from labkit.dialects.events import ApiError, ChatRequest, Message, Problem, Role
from labkit.sequence import SamplingParams

__all__ = ["ChatBody", "to_chat"]

LIMIT = 2**31 - 1  # a cap on token counts, far above any context
ROLES = {"developer": Role.SYSTEM}  # OpenAI's newer word for system
EXTENSIONS = ("top_p", "frequency_penalty", "presence_penalty", "seed", "ignore_eos")
FILTERS = ("top_k", "min_p", "typical_p", "repetition_penalty", "temperature")

MAX_BIASES = 1024  # entries of logit_bias
# What is wrong with a value, by pydantic's name for it; `{...}` come from its finding.
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "greater_than_equal": "{given} is too small; use {ge} or more",
        "greater_than": "{given} is too small; use more than {gt}",
        "less_than_equal": "{given} is too large; use {le} or less",
        "int_type": "{given} is not a whole number",
        "int_from_float": "{given} is not a whole number",
        "float_type": "{given} is not a number",
        "finite_number": "{given} is not a finite number",
        "bool_type": "{given} is neither true nor false",
        "string_type": "{given} is not a text",
        "list_type": "{given} is not a list",
        "dict_type": "{given} is not an object",
        "model_type": "{given} is not an object",
        "literal_error": "{given} is none of these: {expected}",
        "string_too_long": "the text is too long; use {max_length} characters or fewer",
        "too_short": "the list is too short; give {min_length} or more",
        "too_long": "there are {actual_length} entries; give {max_length} or fewer",
    }
)
ASKS_NOTHING = "this server does not support the field; leave it out"

# Fields that clients send by themselves, and the values that change nothing here: no
# tools, no other modality, no reasoning, and what vLLM's own fields are by default.
IDLE: Final[Mapping[str, tuple[object, ...]]] = MappingProxyType(
    {
        "tools": ([],),
        "tool_choice": ("none", "auto"),
        "functions": ([],),
        "function_call": ("none", "auto"),
        "parallel_tool_calls": (True, False),
        "response_format": ({"type": "text"},),
        "modalities": (["text"],),
        "service_tier": ("auto", "default"),
        "reasoning_effort": ("none",),
        "verbosity": ("medium",),
        "best_of": (1,),
        "use_beam_search": (False,),
        "min_tokens": (0,),
        "length_penalty": (1.0, 1),
        "stop_token_ids": ([],),
        "include_stop_str_in_output": (False,),
        "skip_special_tokens": (True,),
        "add_generation_prompt": (True,),
        "continue_final_message": (False,),
        "echo": (False,),
    }
)
IDLE_OF_MESSAGES: Final[Mapping[str, tuple[object, ...]]] = MappingProxyType(
    {"annotations": ([],), "tool_calls": ([],)}
)

Short = Annotated[str, Field(max_length=1000)]


class Strict(BaseModel):
    """No unknown fields, no conversions, no NaN; null is the same as absent."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    idle: ClassVar[Mapping[str, tuple[object, ...]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _drop_idle(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        idle = cls.idle
        return {
            name: value
            for name, value in data.items()
            if value is not None and not (name in idle and _is_in(value, idle[name]))
        }


def _is_in(value: object, known: tuple[object, ...]) -> bool:
    """Whether `value` is one of `known`; `true` and 1.0 are not 1 here."""
    return any(each == value and type(each) is type(value) for each in known)


def _off(value: bool) -> bool:
    if value:
        raise PydanticCustomError("not_offered", "this server only has false here")
    return value


Off = Annotated[bool, AfterValidator(_off)]


class TextPart(Strict):
    """One part of a message's content; images and audio are refused."""

    type: Literal["text"]
    text: str


class MessageBody(Strict):
    """One message; the tool role comes with tools, which this server has none of."""

    idle = IDLE_OF_MESSAGES

    role: Literal["system", "developer", "user", "assistant"]
    content: list[TextPart] | None = None  # only an answer may come without
    name: Short | None = None  # no template here shows it

    @field_validator("content", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [{"type": "text", "text": value}] if isinstance(value, str) else value


class StreamOptions(Strict):
    """Options of a streamed answer."""

    include_usage: bool = False
    include_obfuscation: Off = False  # random padding, not offered


class ChatBody(Strict):
    """Every field that POST /v1/chat/completions obeys."""

    idle = IDLE

    model: Annotated[str, Field(max_length=256)]
    messages: Annotated[list[MessageBody], Field(min_length=1)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, le=LIMIT)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=LIMIT)] | None = None
    n: Annotated[int, Field(ge=1, le=1)] = 1
    stop: Annotated[list[Short], Field(max_length=4)] = []
    seed: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(ge=0, le=1)] = 1.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    logit_bias: Annotated[
        dict[str, Annotated[float, Field(ge=-100, le=100)]],
        Field(max_length=MAX_BIASES),
    ] = {}
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    # accepted because they change nothing here
    user: Short | None = None
    metadata: dict[str, Short] | None = None
    prompt_cache_key: Short | None = None
    prompt_cache_retention: Short | None = None
    safety_identifier: Short | None = None
    store: Off = False
    # extensions that OpenAI does not have; chapters 8 and 9 turn them
    ignore_eos: bool = False
    top_k: Annotated[int, Field(ge=-1, le=LIMIT)] | None = None  # 0 and -1 are off
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
        messages=tuple(_message(i, m) for i, m in enumerate(body.messages)),
        sampling=_sampling(body),
        max_tokens=body.max_completion_tokens or body.max_tokens,
        is_stream=body.stream,
        wants_usage=bool(body.stream_options and body.stream_options.include_usage),
        wants_logprobs=body.logprobs,
    )


def _message(index: int, body: MessageBody) -> Message:
    role = ROLES.get(body.role) or Role(body.role)
    if body.content is None and role is not Role.ASSISTANT:
        param = f"messages[{index}].content"
        raise _invalid(param, "the field is required", "missing_required_parameter")
    return Message(role, "".join(part.text for part in body.content or ()))


def _sampling(body: ChatBody) -> SamplingParams:
    same = {name: getattr(body, name) for name in (*EXTENSIONS, *FILTERS)}
    if body.top_k in (0, -1):
        same["top_k"] = None
    return SamplingParams(
        stop=tuple(body.stop),
        logit_bias=_biases(body.logit_bias),
        top_logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        **same,
    )


def _biases(asked: Mapping[str, float]) -> tuple[tuple[int, float], ...]:
    """Token ids and what is added to their logits, each id once."""
    found: dict[int, float] = {}
    for key, value in asked.items():
        if not (key.isascii() and key.isdigit() and len(key) <= 10):
            raise _invalid(
                "logit_bias", f"{key[:40]!r} is not a token id; use digits only"
            )
        if int(key) in found:
            raise _invalid(
                "logit_bias", f"token {int(key)} is given twice, as {key!r} too"
            )
        found[int(key)] = value
    return tuple(found.items())


def _check_pairs(body: ChatBody) -> None:
    """Rules about two fields at once."""
    old, new = body.max_tokens, body.max_completion_tokens
    if old and new and old != new:
        text = f"max_tokens={old} and max_completion_tokens={new} differ; send one"
        raise _invalid("max_tokens", text)
    if body.stream_options and body.stream_options.include_usage and not body.stream:
        raise _invalid("stream_options", "only with stream: true")
    if body.top_logprobs and not body.logprobs:
        raise _invalid("top_logprobs", "only with logprobs: true")


def _refusal(error: ErrorDetails) -> ApiError:
    """The first finding of pydantic, in OpenAI's way of naming fields."""
    steps = [f"[{s}]" if isinstance(s, int) else f".{s}" for s in error["loc"]]
    param = "".join(steps).lstrip(".")
    if error["type"] == "extra_forbidden":
        name = str(error["loc"][-1])
        is_known = name in IDLE or name in IDLE_OF_MESSAGES
        reason = f"this server does not support {_shown(error['input'])}; leave it out"
        text = f"{param[:80]}: {reason if is_known else ASKS_NOTHING}"
        problem = Problem(400, text, code="unsupported_parameter", param=param[:80])
        return ApiError(problem)
    if error["type"] == "missing":
        return _invalid(param, "the field is required", "missing_required_parameter")
    return _invalid(param[:80], _reason(error))


def _reason(error: ErrorDetails) -> str:
    """What is wrong with the value and what to give instead."""
    words = REASONS.get(error["type"])
    if words is None:
        return error["msg"]
    return words.format(given=_shown(error["input"]), **error.get("ctx", {}))


def _invalid(param: str, reason: str, code: str = "invalid_value") -> ApiError:
    return ApiError(Problem(400, f"{param}: {reason}", code=code, param=param))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"

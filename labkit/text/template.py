"""Chat messages to one prompt string, with the model's own Jinja template.

A template is a program that came with the weights, so it runs in Jinja's immutable
sandbox: no attribute that leads out of it, no changed argument, `range` at most 100,000
long. One that cannot be used is refused when it is read. Messages that a template
refuses are an `InputError`; a template that fails on its own is a `TemplateFailed`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from jinja2 import TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from labkit.clock import SystemClock
from labkit.errors import InputError, TemplateFailed, WeightsError
from labkit.records import TokenizerSpec
from labkit.text.tokenizer import Tokenizer

__all__ = ["ChatTemplate"]

_TRIAL: Final = ({"role": "user", "content": "Hi"},)


class ChatTemplate:
    """A compiled template that was tried once; `WeightsError` where it cannot be used.

    `bos` and `eos` are the text of those special tokens. Templates that print a date
    call `strftime_now(format)`, which reads `unix`, seconds since 1970.
    """

    def __init__(
        self,
        source: str,
        *,
        bos: str = "",
        eos: str = "",
        unix: Callable[[], float] | None = None,
    ) -> None:
        self._unix = SystemClock().unix if unix is None else unix
        env = ImmutableSandboxedEnvironment(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[loopcontrols, _Generation],
        )
        env.filters["tojson"] = _to_json
        env.globals["raise_exception"] = _raise_exception
        env.globals["strftime_now"] = self._strftime_now
        self._given = {
            "bos_token": bos,
            "eos_token": eos,
            "tools": None,  # templates ask whether they are none, not only if defined
            "documents": None,
        }
        try:
            self._template = env.from_string(source)
            self._filled(_TRIAL, add_generation_prompt=True)
        except _Refused:
            pass  # it wants other messages than those
        except TemplateSyntaxError as error:
            reason = f"it cannot be read: line {error.lineno}: {error}"
            raise WeightsError(_unusable(reason)) from error
        except Exception as error:  # a foreign program: it may raise anything
            raise WeightsError(_unusable(f"it fails: {_told(error)}")) from error

    @classmethod
    def from_spec(
        cls,
        spec: TokenizerSpec,
        tokenizer: Tokenizer,
        name: str,
        unix: Callable[[], float] | None = None,
    ) -> ChatTemplate:
        """The own template of the model called `name`.

        `WeightsError` where it has none that can be used.
        """
        if spec.chat_template is None:
            raise WeightsError(
                f"{name} has no chat template: load a chat model, or add token ids "
                "of a prompt of your own"
            )
        ends = (spec.bos_id, next(iter(spec.eos_ids), None))
        bos, eos = (
            "" if i is None else tokenizer.decode([i], skip_special=False) for i in ends
        )
        try:
            return cls(spec.chat_template, bos=bos, eos=eos, unix=unix)
        except WeightsError as error:
            raise WeightsError(f"{name}: {error}") from error

    def render(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        add_generation_prompt: bool = True,
    ) -> str:
        """The prompt; `add_generation_prompt` opens the assistant's turn at its end."""
        try:
            return self._filled(messages, add_generation_prompt=add_generation_prompt)
        except _Refused as error:
            raise InputError(
                f"the model's chat template refuses these messages: {error}; give each "
                "a role and a content that the model knows",
                param="messages",
            ) from error
        except Exception as error:
            raise TemplateFailed(
                f"the model's chat template failed on these messages: {_told(error)}; "
                "the fault is the template's, so use other weights of the model or "
                "send other messages"
            ) from error

    def _filled(
        self, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool
    ) -> str:
        return self._template.render(
            messages=[dict(message) for message in messages],
            add_generation_prompt=add_generation_prompt,
            **self._given,
        )

    def _strftime_now(self, form: str) -> str:
        """The local date and time, as transformers gives it to templates."""
        return datetime.fromtimestamp(self._unix(), UTC).astimezone().strftime(form)


class _Refused(TemplateError):
    """A template called `raise_exception`."""


class _Generation(Extension):
    """`{% generation %}` marks what a model wrote, for training; it changes no text."""

    tags = {"generation"}  # noqa: RUF012  # the base class wants a plain set

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """What stands between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _unusable(reason: str) -> str:
    return (
        f"the model's chat template cannot be used, as {reason}; load other weights of "
        "the model, or add token ids of a prompt of your own"
    )


def _told(error: Exception) -> str:
    """The error's text, and its type where the text alone says little."""
    kind = type(error).__name__
    return str(error) if isinstance(error, TemplateError) else f"{kind}: {error}"


def _raise_exception(message: str) -> NoReturn:
    """What templates call to refuse messages, such as two user turns in a row."""
    raise _Refused(message)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as templates want it: not escaped for HTML, as Jinja's own filter does.

    The arguments are those that transformers gives it.
    """
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )

"""Chat messages to one prompt string, with the model's own Jinja template.

A template is a program that came with the weights, so it runs in Jinja's immutable
sandbox: no attribute that leads out of it, no changed argument, `range` at most 100,000
long. Refuses, by `InputError`, messages that the template cannot render.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from jinja2 import TemplateSyntaxError
from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from labkit.errors import InputError, WeightsError
from labkit.records import TokenizerSpec
from labkit.text.tokenizer import Tokenizer

__all__ = ["ChatTemplate"]


class ChatTemplate:
    """A compiled template. `bos` and `eos` are the text of those special tokens.

    Templates that print a date ask for `strftime_now(format)`; give it one to allow
    that. Without it such a template is refused, since its prompt would change by day.
    """

    def __init__(
        self,
        source: str,
        *,
        bos: str = "",
        eos: str = "",
        strftime_now: Callable[[str], str] | None = None,
    ) -> None:
        env = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        env.filters["tojson"] = _to_json
        env.globals["raise_exception"] = _raise_exception
        if strftime_now is not None:
            env.globals["strftime_now"] = strftime_now
        try:
            self._template = env.from_string(source)
        except TemplateSyntaxError as error:
            raise WeightsError(
                f"chat template, line {error.lineno}: {error}; fetch the weights again"
            ) from error
        self._tokens = {"bos_token": bos, "eos_token": eos}

    @classmethod
    def from_spec(
        cls, spec: TokenizerSpec, tokenizer: Tokenizer, name: str
    ) -> ChatTemplate:
        """The own template of the model called `name`; `WeightsError` without one."""
        if spec.chat_template is None:
            raise WeightsError(
                f"{name} has no chat template: load a chat model, or add token ids "
                "of a prompt of your own"
            )
        ends = (spec.bos_id, next(iter(spec.eos_ids), None))
        bos, eos = (
            "" if i is None else tokenizer.decode([i], skip_special=False) for i in ends
        )
        return cls(spec.chat_template, bos=bos, eos=eos)

    def render(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        add_generation_prompt: bool = True,
    ) -> str:
        """The prompt; `add_generation_prompt` opens the assistant's turn at its end."""
        try:
            return self._template.render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=add_generation_prompt,
                **self._tokens,
            )
        except Exception as error:  # a foreign program: whatever it raises is its fault
            raise InputError(
                f"the model's chat template cannot render these messages: {error}; "
                "give each a role and a content that the model knows",
                param="messages",
            ) from error


def _raise_exception(message: str) -> NoReturn:
    """What templates call to refuse messages, such as two user turns in a row."""
    raise TemplateError(message)


def _to_json(value: Any, indent: int | None = None) -> str:
    """JSON as templates want it: not escaped for HTML, as Jinja's own filter does."""
    return json.dumps(value, ensure_ascii=False, indent=indent)

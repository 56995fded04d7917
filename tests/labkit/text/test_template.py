"""Chat templates: the real one, the sandbox, and what they refuse."""

from __future__ import annotations

import pytest

from labkit.errors import InputError, WeightsError
from labkit.text.template import ChatTemplate
from labkit.text.tokenizer import Tokenizer

USER = {"role": "user", "content": "Hi"}
STRAWBERRY = [
    {"role": "system", "content": "You are a careful assistant."},
    {"role": "user", "content": 'How many r\'s are in "strawberry"? 🍓'},
]


def render(source: str, **tokens: str) -> str:
    return ChatTemplate(source, **tokens).render([USER])


@pytest.mark.weights
def test_the_books_request_renders_to_34_tokens(
    template: ChatTemplate, tokenizer: Tokenizer
) -> None:
    prompt = template.render(STRAWBERRY)
    assert prompt == (
        "<|im_start|>system\nYou are a careful assistant.<|im_end|>\n"
        '<|im_start|>user\nHow many r\'s are in "strawberry"? 🍓<|im_end|>\n'
        "<|im_start|>assistant\n"
    )
    assert len(tokenizer.encode(prompt, allow_special=True)) == 34


@pytest.mark.weights
def test_smollm2_adds_its_own_system_prompt_where_there_is_none(
    template: ChatTemplate,
) -> None:
    prompt = template.render([USER], add_generation_prompt=False)
    assert prompt == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by "
        "Hugging Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    )


def test_blocks_leave_no_blank_lines() -> None:
    source = (
        "{% for m in messages %}\n  {% if true %}\n{{ m.role }}\n  {% endif %}\n"
        "{% endfor %}"
    )
    assert render(source) == "user\n"


def test_bos_and_eos_are_there_by_name() -> None:
    assert (
        render("{{ bos_token }}|{{ eos_token }}", bos="<s>", eos="</s>") == "<s>|</s>"
    )


def test_tojson_does_not_escape_for_html() -> None:
    assert render("{{ ['<é>'] | tojson }}") == '["<é>"]'


def test_loop_controls_are_known() -> None:
    assert render("{% for i in range(9) %}{% break %}{{ i }}{% endfor %}x") == "x"


def test_messages_are_not_changed() -> None:
    message = dict(USER)
    with pytest.raises(InputError):
        ChatTemplate("{{ messages[0].update({'role': 'x'}) }}").render([message])
    assert message == USER


def test_a_template_may_refuse_messages() -> None:
    with pytest.raises(InputError, match="one turn at a time") as caught:
        render("{{ raise_exception('one turn at a time') }}")
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ nothing.at.all }}",
        "{{ 'a' + 1 }}",
        "{{ strftime_now('%Y') }}",
    ],
)
def test_a_template_that_breaks_out_or_fails_is_an_input_error(source: str) -> None:
    with pytest.raises(InputError, match="chat template") as caught:
        render(source)
    assert caught.value.param == "messages"


def test_a_date_comes_only_from_the_clock_that_was_given() -> None:
    template = ChatTemplate("{{ strftime_now('%d') }}", strftime_now=lambda f: f"<{f}>")
    assert template.render([USER]) == "<%d>"


def test_a_template_that_does_not_parse_is_the_weights_fault() -> None:
    with pytest.raises(WeightsError, match="chat template, line 2"):
        ChatTemplate("\n{% if %}")

"""Chat templates: the real one, the sandbox, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labkit.clock import FakeClock
from labkit.errors import InputError, TemplateFailed, WeightsError
from labkit.text.template import ChatTemplate
from labkit.text.tokenizer import Tokenizer
from tests.support.tiny import byte_tokenizer_spec

SPEC = byte_tokenizer_spec()
TOKENIZER = Tokenizer.from_spec(SPEC)
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


def test_tojson_takes_the_arguments_that_transformers_gives_it() -> None:
    source = "{{ {'b': 'é', 'a': 1} | tojson(ensure_ascii=True, sort_keys=True) }}"
    assert render(source) == '{"a": 1, "b": "\\u00e9"}'
    assert render("{{ [1, 2] | tojson(separators=(',', ':')) }}") == "[1,2]"
    assert render("{{ [1] | tojson(indent=1) }}") == "[\n 1\n]"


def test_there_are_no_tools_and_no_documents() -> None:
    source = "{% if tools is none and documents is none %}plain{% endif %}"
    assert render(source) == "plain"


def test_a_generation_block_is_what_stands_in_it() -> None:
    source = (
        "{% for m in messages %}{% generation %}{% set x = m.role %}"
        "{{ m.content }}{% endgeneration %}{{ x }}{% endfor %}"
    )
    assert render(source) == "Hiuser"


def test_the_date_is_the_clocks_in_local_time() -> None:
    unix = FakeClock(unix=1_700_000_000.0).unix
    template = ChatTemplate("{{ strftime_now('%d %b %Y') }}", unix=unix)
    assert template.render([USER]) in ("14 Nov 2023", "15 Nov 2023")


def test_a_date_is_there_without_a_clock_too() -> None:
    assert int(render("{{ strftime_now('%Y') }}")) > 2020


def test_messages_are_not_changed() -> None:
    message = dict(USER)
    source = "{% if messages[1] %}{{ messages[0].update({'role': 'x'}) }}{% endif %}"
    with pytest.raises(TemplateFailed):
        ChatTemplate(source).render([message, USER])
    assert message == USER


def test_a_template_may_refuse_messages() -> None:
    with pytest.raises(InputError, match="one turn at a time") as caught:
        render("{{ raise_exception('one turn at a time') }}")
    assert caught.value.param == "messages"


FAULTS = [
    "{{ ''.__class__.__mro__ }}",
    "{{ messages.__init__.__globals__ }}",
    "{{ raise_exception.__globals__['json'] }}",
    "{{ messages.append(1) }}",
    "{% for i in range(10 ** 9) %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ nothing.at.all }}",
    "{{ 'a' + 1 }}",
    "{{ undefined_function() }}",
    "{{ 1 // 0 }}",
]


@pytest.mark.parametrize("source", FAULTS)
def test_a_template_that_breaks_out_or_fails_is_refused_when_it_is_read(
    source: str,
) -> None:
    with pytest.raises(WeightsError, match=r"chat template cannot be used.*fails: .+"):
        ChatTemplate(source)


@pytest.mark.parametrize("source", FAULTS)
def test_a_template_that_fails_later_is_its_own_fault_with_the_reason(
    source: str,
) -> None:
    template = ChatTemplate(f"{{% if messages[1] %}}{source}{{% endif %}}")
    assert template.render([USER]) == ""
    with pytest.raises(
        TemplateFailed, match=r"failed on these messages: .+; the fault"
    ):
        template.render([USER, USER])


@pytest.mark.parametrize(
    "source",
    ["\n{% if %}", "\n{{ x | nofilter }}", "\n{% generation %}", "\n{{ x is y }}"],
)
def test_a_template_that_does_not_parse_is_the_weights_fault(source: str) -> None:
    with pytest.raises(WeightsError, match=r"cannot be used.*line 2"):
        ChatTemplate(source)


def test_a_template_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(WeightsError, match="cannot be used"):
        ChatTemplate("{% if 1 %}" * 5000 + "{% endif %}" * 5000)


def test_a_models_template_knows_its_special_tokens() -> None:
    spec = replace(SPEC, chat_template="{{ bos_token }}|{{ eos_token }}")
    template = ChatTemplate.from_spec(spec, TOKENIZER, "tiny")
    assert template.render([USER]) == "<|im_start|>|<|im_end|>"
    bare = replace(spec, bos_id=None, eos_ids=())
    assert ChatTemplate.from_spec(bare, TOKENIZER, "tiny").render([USER]) == "|"


@pytest.mark.parametrize(
    ("source", "named"),
    [(None, "tiny has no chat template"), ("{% if %}", "tiny: .*cannot be used")],
)
def test_a_model_without_a_usable_template_is_named(
    source: str | None, named: str
) -> None:
    spec = replace(SPEC, chat_template=source)
    with pytest.raises(WeightsError, match=named):
        ChatTemplate.from_spec(spec, TOKENIZER, "tiny")

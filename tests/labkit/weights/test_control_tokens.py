"""Turn marks are control tokens and ends, whatever the file says of them."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from labkit.text.tokenizer import Tokenizer
from labkit.weights.control_tokens import end_ids, marked_json, marked_types
from labkit.weights.gguf_file import GGUFFile
from labkit.weights.hf_directory import read_tokenizer
from tests.support.families import write_family
from tests.support.gguf_writer import Form, write_gguf
from tests.support.tiny import byte_tokenizer_spec, random_tensors, tiny_config

NORMAL, CONTROL, USER = 1, 3, 4
MARKS = "<|im_start|>Hi<|im_end|>"


def json_of(*added: tuple[str, int, bool], **vocab: int) -> str:
    entries = [{"content": t, "id": i, "special": s} for t, i, s in added]
    return json.dumps({"model": {"vocab": vocab}, "added_tokens": entries})


def test_turn_marks_typed_as_ordinary_tokens_of_a_gguf_are_control(tmp_path, caplog):
    spec, path = byte_tokenizer_spec(), tmp_path / "tiny.gguf"
    plain = replace(spec, token_types=(NORMAL,) * len(spec.tokens))
    write_gguf(
        path, tiny_config(), random_tensors(tiny_config(), 0), form=Form(spec=plain)
    )
    with caplog.at_level(logging.WARNING):
        read = GGUFFile(path).tokenizer
    assert "<|im_start|>, <|im_end|> as control tokens" in caplog.text
    ids = Tokenizer.from_spec(read).encode(MARKS, allow_special=True)
    assert (ids[0], ids[-1], len(ids)) == (1, 2, 4)


@pytest.mark.parametrize(
    ("token", "kind", "wanted"),
    [
        ("<|im_end|>", USER, CONTROL),
        ("<end_of_turn>", NORMAL, CONTROL),
        ("<|im_start|>", NORMAL, CONTROL),
        ("<|im_start|>", 0, CONTROL),
        ("<|fim_prefix|>", USER, USER),
        ("<｜User｜>", NORMAL, CONTROL),
        ("<||>", NORMAL, NORMAL),
        ("<|a b|>", NORMAL, NORMAL),
        ("</s>", NORMAL, NORMAL),
        ("<div>", NORMAL, NORMAL),
    ],
)
def test_a_token_is_control_by_its_name_or_look(token, kind, wanted):
    assert marked_types([token], [kind], ()) == (wanted,)


def test_a_token_that_the_file_names_as_an_end_is_control():
    assert marked_types(["</s>", "a"], [NORMAL, NORMAL], {0}) == (CONTROL, NORMAL)


def test_nothing_is_said_of_a_vocabulary_in_order(caplog):
    marked_types(["<|im_end|>", "a"], [CONTROL, NORMAL], {0})
    assert not caplog.records


def test_ends_known_by_name_follow_those_that_the_file_names():
    ids = {"<|endoftext|>": 0, "<|im_end|>": 2, "a": 3, "x": 9}
    assert end_ids([9, 0], ids, ()) == (9, 0, 2)


@pytest.mark.parametrize("name", ["</s>", "<eos>", "[EOS]", "[EOT]"])
def test_a_name_that_may_be_a_word_is_an_end_only_as_control(name):
    assert end_ids([], {name: 5}, {name}) == (5,)
    assert end_ids([], {name: 5}, ()) == ()


def test_an_answer_ends_where_the_template_ends_turns(tmp_path):
    path = tmp_path / "tiny.gguf"
    fields = {"tokenizer.ggml.eos_token_id": 0}  # <|endoftext|> alone
    tensors = random_tensors(tiny_config(), 0)
    write_gguf(path, tiny_config(), tensors, fields=fields)
    assert GGUFFile(path).tokenizer.eos_ids == (0, 2)


def test_a_directory_is_read_by_the_same_names(tmp_path):
    write_family("llama", tmp_path)
    place = tmp_path / "tokenizer.json"
    data = json.loads(place.read_text())
    data["added_tokens"] = []
    place.write_text(json.dumps(data))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": 0}))
    spec = read_tokenizer(tmp_path)
    assert spec.eos_ids == (0, 2)
    ids = Tokenizer.from_spec(spec).encode(MARKS, allow_special=True)
    assert (ids[0], ids[-1], len(ids)) == (1, 2, 4)


def test_an_added_token_becomes_special_and_keeps_what_else_it_is(caplog):
    source = json_of(("<|im_end|>", 7, False), ("<tool>", 8, False), a=0)
    text, ends = marked_json(source, (), ())
    added = {entry["content"]: entry for entry in json.loads(text)["added_tokens"]}
    assert added["<|im_end|>"]["special"] is True
    assert added["<tool>"]["special"] is False
    assert ends == (7,)
    assert "<|im_end|>" in caplog.text


def test_a_tokenizer_json_in_order_is_left_as_it_is():
    source = json_of(("</s>", 7, True), a=0)
    assert marked_json(source, (7,), (7,)) == (source, (7,))

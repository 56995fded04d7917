"""The tokenizer on a small vocabulary: special tokens, bytes, labels, refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from labkit.errors import InputError, WeightsError
from labkit.records import TokenizerSpec
from labkit.text.tokenizer import Tokenizer, byte_alphabet

NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
ALPHABET = tuple(byte_alphabet())


def spec(*merges: str, pre: str = "smollm") -> TokenizerSpec:
    """256 bytes, one control token, one user-defined token, then the merged tokens."""
    merged = tuple(merge.replace(" ", "") for merge in merges)
    return TokenizerSpec(
        eos_ids=(256,),
        chat_template=None,
        tokens=(*ALPHABET, "<end>", "<tool>", *merged),
        token_types=(*[NORMAL] * 256, CONTROL, USER_DEFINED, *[NORMAL] * len(merged)),
        merges=merges,
        pre=pre,
    )


@pytest.fixture
def tiny() -> Tokenizer:
    return Tokenizer.from_spec(spec("a b", "1 2", "Ġ ab"))


def test_alphabet_names_every_byte_once() -> None:
    assert sorted(byte_alphabet().values()) == list(range(256))
    assert byte_alphabet()["Ġ"] == ord(" ")


def test_merges_apply_best_first(tiny: Tokenizer) -> None:
    assert tiny.encode("ab ab") == [258, 260]


def test_special_text_is_plain_characters_unless_allowed(tiny: Tokenizer) -> None:
    plain = tiny.encode("ab<end>")
    assert plain[0] == 258
    assert len(plain) == 1 + len("<end>")
    assert tiny.encode("ab<end>ab", allow_special=True) == [258, 256, 258]


def test_user_defined_tokens_are_always_matched(tiny: Tokenizer) -> None:
    assert tiny.encode("ab<tool>") == [258, 257]
    assert tiny.token_bytes(257) == b"<tool>"
    assert tiny.decode([257]) == "<tool>"


def test_a_vocabulary_without_special_tokens_encodes_with_them_allowed() -> None:
    bare = replace(spec(), token_types=(NORMAL,) * 258)
    tokenizer = Tokenizer.from_spec(bare)
    assert len(tokenizer.encode("<end>", allow_special=True)) == 5
    assert tokenizer.decode([257]) == "<tool>"


def test_decode_leaves_special_tokens_out_unless_asked(tiny: Tokenizer) -> None:
    assert tiny.decode([258, 256]) == "ab"
    assert tiny.decode([258, 256], skip_special=False) == "ab<end>"


def test_decode_joins_bytes_before_reading_them(tiny: Tokenizer) -> None:
    assert tiny.decode(tiny.encode("🍓")) == "🍓"
    assert tiny.decode(tiny.encode("🍓")[:-1]) == "\ufffd"


def test_special_tokens_and_padding_rows_have_no_bytes(tiny: Tokenizer) -> None:
    assert tiny.token_bytes(256) == b""
    assert tiny.token_bytes(tiny.vocab_size + 7) == b""
    assert tiny.is_special(256)
    assert not tiny.is_special(258)
    assert not tiny.is_special(tiny.vocab_size + 7)


def test_a_negative_id_is_refused(tiny: Tokenizer) -> None:
    with pytest.raises(InputError, match="token id -1"):
        tiny.token_bytes(-1)


def test_entries_outside_the_alphabet_are_plain_text() -> None:
    plain = replace(spec(), tokens=(*ALPHABET, "<end>", "日本"))
    tokenizer = Tokenizer.from_spec(replace(plain, token_types=(NORMAL,) * 258))
    assert tokenizer.token_bytes(257) == "日本".encode()


@pytest.mark.parametrize(
    ("text", "label"),
    [(" ab", "␣ab"), ("\n", "⏎"), ("\t", "‹U+0009›"), ("\xe9", "‹C3›")],
)
def test_labels_show_what_a_reader_would_not_see(
    tiny: Tokenizer, text: str, label: str
) -> None:
    assert tiny.label(tiny.encode(text)[0]) == label


def test_labels_of_special_and_combining_tokens() -> None:
    accent = "".join(
        c for b in b"\xcc\x81" for c, v in byte_alphabet().items() if v == b
    )
    tokenizer = Tokenizer.from_spec(spec(" ".join(accent)))
    assert tokenizer.label(256) == "<end>"
    assert tokenizer.label(258) == "◌\u0301"


def test_json_gives_the_same_tokenizer_back(tiny: Tokenizer) -> None:
    again = Tokenizer.from_spec(replace(spec(), json=tiny.to_json()))
    text = "ab 12<end><tool>🍓"
    assert again.encode(text) == tiny.encode(text)
    assert again.encode(text, allow_special=True) == tiny.encode(
        text, allow_special=True
    )
    assert again.token_bytes(256) == b""
    assert again.eos_ids == {256}


def test_a_vocabulary_that_is_not_byte_level_is_refused(tiny: Tokenizer) -> None:
    other = tiny.to_json().replace(
        '"decoder":{"type":"ByteLevel"', '"decoder":{"type":"Fuse"'
    )
    with pytest.raises(WeightsError, match="byte-level"):
        Tokenizer.from_spec(replace(spec(), json=other))


def test_damaged_json_and_merges_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"tokenizer\.json cannot be read"):
        Tokenizer.from_spec(replace(spec(), json="{"))
    with pytest.raises(WeightsError, match="'ab' is not two tokens"):
        Tokenizer.from_spec(replace(spec(), merges=("ab",)))


def test_an_unknown_pre_tokenizer_is_named() -> None:
    with pytest.raises(WeightsError, match=r"'tekken'.*llama-bpe"):
        Tokenizer.from_spec(spec(pre="tekken"))


@pytest.mark.parametrize(
    ("pre", "num_tokens"), [("smollm", 2), ("qwen2", 2), ("gpt-2", 1), ("llama-bpe", 1)]
)
def test_only_some_pre_tokenizers_keep_digits_together(
    pre: str, num_tokens: int
) -> None:
    assert len(Tokenizer.from_spec(spec("1 2", pre=pre)).encode("12")) == num_tokens


def test_llama_3_takes_whole_words_before_merging() -> None:
    words = replace(
        spec("a b"), tokens=(*ALPHABET, "<end>", "<tool>", "abc"), merges=()
    )
    assert Tokenizer.from_spec(replace(words, pre="llama-bpe")).encode("abc") == [258]
    assert len(Tokenizer.from_spec(replace(words, pre="qwen2")).encode("abc")) == 3


def test_a_lone_surrogate_is_refused_with_its_place(tiny: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"U\+D83C at character 2") as caught:
        tiny.encode("ab\ud83c")
    assert caught.value.param == "messages"


COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize("pre", ["qwen2", "deepseek-r1-qwen"])
def test_qwen2_composes_characters_first(pre: str) -> None:
    tokenizer = Tokenizer.from_spec(spec("f Ã", "Ã ©", pre=pre))
    assert tokenizer.encode(DECOMPOSED) == tokenizer.encode(COMPOSED)
    both = [
        tokenizer.encode(t + "<end>", allow_special=True)
        for t in (COMPOSED, DECOMPOSED)
    ]
    assert both[0] == both[1]


@pytest.mark.parametrize("pre", ["smollm", "llama-bpe", "gpt-2"])
def test_other_tokenizers_take_characters_as_they_come(pre: str) -> None:
    tokenizer = Tokenizer.from_spec(spec(pre=pre))
    assert tokenizer.encode(DECOMPOSED) != tokenizer.encode(COMPOSED)


def test_each_of_two_ids_with_one_text_decodes_to_it() -> None:
    twice = replace(spec(), tokens=(*ALPHABET, "<end>", "<tool>", "ab", "ab", "<end>"))
    types = (*[NORMAL] * 256, CONTROL, USER_DEFINED, NORMAL, NORMAL, CONTROL)
    tokenizer = Tokenizer.from_spec(replace(twice, token_types=types))
    assert [tokenizer.decode([i]) for i in (258, 259, 256, 260)] == ["ab", "ab", "", ""]
    assert tokenizer.label(256) == tokenizer.label(260) == "<end>"
    assert tokenizer.is_special(256)
    assert tokenizer.is_special(260)
    assert tokenizer.vocab_size == 261
    encoded = tokenizer.encode("<end>ab", allow_special=True)
    assert tokenizer.decode(encoded, skip_special=False) == "<end>ab"


def test_every_id_decodes_alone_to_its_own_bytes(tiny: Tokenizer) -> None:
    assert b"".join(map(tiny.token_bytes, range(256))) == bytes(
        byte_alphabet().values()
    )


def test_a_merge_that_makes_no_token_is_refused() -> None:
    with pytest.raises(WeightsError, match="do not fit together"):
        Tokenizer.from_spec(replace(spec(), merges=("a b",)))


def test_a_tokenizer_json_with_gaps_between_its_ids_decodes(tiny: Tokenizer) -> None:
    spaced = tiny.to_json().replace('"<tool>":257', '"<tool>":300')
    spaced = spaced.replace('"id":257', '"id":300')
    tokenizer = Tokenizer.from_spec(replace(spec(), json=spaced))
    assert tokenizer.decode([300, 257, 258]) == "<tool>ab"


def edited(tiny: Tokenizer, **change: object) -> Tokenizer:
    """`tiny` from its JSON, with top-level settings changed."""
    data = json.loads(tiny.to_json()) | change
    return Tokenizer.from_spec(replace(spec(), json=json.dumps(data)))


def test_what_training_left_in_a_tokenizer_json_does_not_touch_prompts(
    tiny: Tokenizer,
) -> None:
    cut = {"max_length": 2, "stride": 0, "strategy": "LongestFirst"}
    cut |= {"direction": "Right"}
    pad = {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None}
    pad |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "<end>"}
    model = json.loads(tiny.to_json())["model"] | {"dropout": 0.9}
    other = edited(tiny, truncation=cut, padding=pad, model=model)
    for text in ("ab", "ab 12 ab 12 ab"):
        assert other.encode(text) == tiny.encode(text)


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ({}, "ab \n<end> ab", "ab \n|<end>| ab"),
        ({"rstrip": True}, "ab <end> \n ab", "ab |<end>|ab"),
        ({"lstrip": True}, "ab \n<end> ab", "ab|<end>| ab"),
        ({"single_word": True}, "ab<end>ab <end>", "ab<end>ab |<end>|"),
    ],
)
def test_a_special_token_takes_blanks_along_where_the_json_says_so(
    tiny: Tokenizer, kind: dict[str, bool], text: str, wanted: str
) -> None:
    added = json.loads(tiny.to_json())["added_tokens"]
    changed = [entry | kind if entry["special"] else entry for entry in added]
    tokenizer = edited(tiny, added_tokens=changed)
    before, end, after = wanted.split("|")
    assert tokenizer.encode(text, allow_special=True) == (
        [*tiny.encode(before), *[256] * bool(end), *tiny.encode(after)]
    )

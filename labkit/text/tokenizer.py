"""Text to token ids and back: byte-level BPE, rebuilt from a GGUF's lists or from JSON.

Refuses vocabularies that are not byte-level and pre-tokenizers it does not know, since
a near miss gives wrong ids without any error. The invariants: each id decodes to its
own text, also where two ids share one; special tokens come out of `encode` only with
`allow_special=True`, otherwise `<|im_end|>` is ten plain characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tokenizers import (
    AddedToken,
    Regex,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)
from tokenizers import Tokenizer as Engine

from labkit.errors import InputError, WeightsError
from labkit.records import TokenizerSpec

__all__ = ["Tokenizer", "byte_alphabet"]

# Token types of a GGUF vocabulary.
_CONTROL: Final = 3
_USER_DEFINED: Final = 4

# GGUF names of the pre-tokenizers that labkit knows, by how they cut text into words.
_SINGLE_DIGITS: Final = frozenset({"smollm", "starcoder", "refact", "command-r"})
_GPT2: Final = frozenset({"gpt-2", "phi-2", "olmo", "mpt"})
_LLAMA3: Final = frozenset({"llama-bpe", "llama3", "llama-v3"})
_QWEN2: Final = frozenset({"qwen2", "deepseek-r1-qwen"})  # text is made NFC first


def byte_alphabet() -> dict[str, int]:
    """The 256 printable characters of byte-level BPE, each with the byte it stands for.

    Printable Latin-1 bytes stand for themselves; the other 68 take U+0100 and up.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    return alphabet | {chr(0x100 + i): byte for i, byte in enumerate(others)}


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """What each id stands for."""

    special: Mapping[int, str]  # control tokens; their text is no text of an answer
    raw: list[bytes]  # by id; what the id adds to a text
    patterns: Mapping[str, str]  # of special texts that take blanks beside them along


class Tokenizer:
    """One model's vocabulary. It never changes, so threads may share it."""

    def __init__(
        self, engine: Engine, vocabulary: _Vocabulary, eos_ids: Iterable[int]
    ) -> None:
        engine.encode_special_tokens = True  # special text stays text, see `encode`
        self._engine = engine
        self._raw = vocabulary.raw
        self._special = vocabulary.special
        self._special_ids = {text: i for i, text in vocabulary.special.items()}
        longest_first = sorted(self._special_ids, key=len, reverse=True)
        patterns = [vocabulary.patterns.get(t, re.escape(t)) for t in longest_first]
        either = "|".join(patterns) or "(?!)"  # (?!): never
        self._special_pattern = re.compile(f"({either})")
        self.eos_ids = frozenset(eos_ids)

    @classmethod
    def from_spec(cls, spec: TokenizerSpec) -> Tokenizer:
        """Build from what the weights carry; `WeightsError` where labkit cannot."""
        if spec.json is None:
            return cls(_from_gguf(spec), _gguf_vocabulary(spec), spec.eos_ids)
        engine = _from_json(spec.json)
        return cls(engine, _json_vocabulary(engine), spec.eos_ids)

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens included."""
        return len(self._raw)

    def encode(self, text: str, *, allow_special: bool = False) -> list[int]:
        """Token ids of `text`; `allow_special` is for rendered chat templates only."""
        _refuse_surrogates(text)
        if not allow_special:
            return self._encode_plain(text)
        plain, *rest = self._special_pattern.split(text)  # plain, special, plain, ...
        ids = self._encode_plain(plain)
        for special, plain in zip(rest[::2], rest[1::2], strict=True):
            ids.append(self._special_ids[special.strip()])
            ids += self._encode_plain(plain)
        return ids

    def decode(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """Text of `ids`, all bytes joined before they are read as UTF-8."""
        whole = b"".join(
            self.token_bytes(i)
            if skip_special or i not in self._special
            else self._special[i].encode()
            for i in ids
        )
        return whole.decode("utf-8", "replace")

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes a token adds to the text.

        There are none for special tokens, nor for ids past the vocabulary: an embedding
        matrix often has padding rows, and a model may sample one.
        """
        if token_id < 0:
            raise InputError(f"token id {token_id}: ids start at 0")
        return self._raw[token_id] if token_id < len(self._raw) else b""

    def is_special(self, token_id: int) -> bool:
        """True for control tokens such as the end of a turn."""
        return token_id in self._special

    def label(self, token_id: int) -> str:
        """A token as readers can see it: `␣the`, `⏎`, `‹E2 82›` for part of a char."""
        if token_id in self._special:
            return self._special[token_id]
        data = self.token_bytes(token_id)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return f"‹{data.hex(' ').upper()}›"
        return "".join(map(_visible, text))

    def to_json(self) -> str:
        """The same vocabulary as a Hugging Face tokenizer.json, for browsers."""
        return self._engine.to_str()

    def _encode_plain(self, text: str) -> list[int]:
        return self._engine.encode(text, add_special_tokens=False).ids


def _from_gguf(spec: TokenizerSpec) -> Engine:
    """The engine for a GGUF's lists; where ids share a text, it gives the last one."""
    split = _pre_tokenizer(spec.pre)
    pairs = [_pair(merge) for merge in spec.merges]
    vocab = {token: i for i, token in enumerate(spec.tokens)}
    whole_words_first = spec.pre in _LLAMA3
    try:
        engine = Engine(models.BPE(vocab, pairs, ignore_merges=whole_words_first))
    except Exception as error:  # tokenizers raises this very class
        raise WeightsError(
            f"vocabulary and merges do not fit together ({error}); fetch the weights "
            "again"
        ) from error
    if spec.pre in _QWEN2:
        engine.normalizer = normalizers.NFC()
    engine.pre_tokenizer = split
    engine.decoder = decoders.ByteLevel()
    engine.add_special_tokens(_added(spec, _CONTROL))
    engine.add_tokens(_added(spec, _USER_DEFINED))
    return engine


def _gguf_vocabulary(spec: TokenizerSpec) -> _Vocabulary:
    kinds = dict(enumerate(spec.token_types))
    special = {i: t for i, t in enumerate(spec.tokens) if kinds[i] == _CONTROL}
    as_written = {i for i, kind in kinds.items() if kind == _USER_DEFINED}
    raw = _raw(dict(enumerate(spec.tokens)), special, as_written)
    return _Vocabulary(special, raw, patterns={})


def _json_vocabulary(engine: Engine) -> _Vocabulary:
    texts = {i: t for t, i in engine.get_vocab(with_added_tokens=True).items()}
    added = engine.get_added_tokens_decoder()
    special = {i: token.content for i, token in added.items() if token.special}
    patterns = {token.content: _pattern(token) for token in added.values()}
    return _Vocabulary(special, _raw(texts, special, added.keys()), patterns)


def _pattern(token: AddedToken) -> str:
    """What of a text becomes this token: some take the blanks beside them along."""
    word = r"(?<!\w){}(?!\w)" if token.single_word else "{}"
    before, after = (r"\s*" if blank else "" for blank in (token.lstrip, token.rstrip))
    return before + word.format(re.escape(token.content)) + after


def _raw(
    texts: Mapping[int, str], special: Collection[int], as_written: Collection[int]
) -> list[bytes]:
    """The bytes of every id up to the last one; special ids and gaps have none."""
    alphabet = byte_alphabet()
    raw = [b""] * (max(texts, default=-1) + 1)
    for i, text in texts.items():
        if i in as_written and i not in special:
            raw[i] = text.encode()
        elif i not in special:
            try:
                raw[i] = bytes(map(alphabet.__getitem__, text))
            except KeyError:  # an entry kept as plain text, outside the alphabet
                raw[i] = text.encode()
    return raw


def _added(spec: TokenizerSpec, token_type: int) -> list[AddedToken]:
    """The tokens of one type, in order, to be matched exactly as they are written."""
    return [
        AddedToken(token, special=token_type == _CONTROL, normalized=False)
        for token, kind in zip(spec.tokens, spec.token_types, strict=True)
        if kind == token_type
    ]


def _pair(merge: str) -> tuple[str, str]:
    left, space, right = merge.partition(" ")
    if not space:
        raise WeightsError(
            f"merge {merge!r} is not two tokens; fetch the weights again"
        )
    return left, right


def _from_json(source: str) -> Engine:
    try:
        engine = Engine.from_str(source)
    except Exception as error:  # tokenizers raises this very class
        raise WeightsError(f"tokenizer.json cannot be read: {error}") from error
    if "ByteLevel" not in repr(engine.decoder):
        raise WeightsError(
            f"tokenizer.json decodes with {engine.decoder!r}: labkit knows byte-level "
            "vocabularies only (Llama 3, SmolLM2, Qwen2, Qwen3)"
        )
    engine.no_truncation()  # settings of a training run would cut prompts short,
    engine.no_padding()  # or add tokens to them,
    if getattr(engine.model, "dropout", None) is not None:
        engine.model.dropout = None  # or draw the words' parts at random
    return engine


def _pre_tokenizer(name: str) -> pre_tokenizers.PreTokenizer:
    """What cuts text into words before any merge, by its GGUF name."""
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if name in _GPT2:
        return words
    if name in _SINGLE_DIGITS:
        digits = pre_tokenizers.Digits(individual_digits=True)
        return pre_tokenizers.Sequence([digits, words])
    if name in _LLAMA3:
        return _split_by(_word_pattern(max_digits=3))
    if name in _QWEN2:
        return _split_by(_word_pattern(max_digits=1))
    known = ", ".join(sorted(_SINGLE_DIGITS | _GPT2 | _LLAMA3 | _QWEN2))
    raise WeightsError(f"unknown pre-tokenizer {name!r}; labkit knows: {known}")


def _word_pattern(max_digits: int) -> str:
    """Words as Llama 3 and Qwen2 cut them; they differ only in runs of digits."""
    alternatives = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",  # English contractions
        r"[^\r\n\p{L}\p{N}]?\p{L}+",  # a word, with the one character before it
        rf"\p{{N}}{{1,{max_digits}}}",  # digits
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",  # punctuation, with the line ends after it
        r"\s*[\r\n]+",  # line ends
        r"\s+(?!\S)",  # blanks, but for the last one before a word
        r"\s+",
    )
    return "|".join(alternatives)


def _split_by(pattern: str) -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split, to_bytes])


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        char = f"U+{ord(text[error.start]):04X}"
        raise InputError(
            f"lone surrogate {char} at character {error.start}: send valid Unicode",
            param="messages",
        ) from None


def _visible(char: str) -> str:
    """`char`, or a visible stand-in where a reader would see nothing."""
    if char == " ":
        return "␣"
    if char == "\n":
        return "⏎"
    if unicodedata.combining(char):
        return "◌" + char
    return char if char.isprintable() else f"‹U+{ord(char):04X}›"

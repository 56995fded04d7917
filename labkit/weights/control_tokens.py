"""Which tokens steer a model rather than being text, where files leave it open.

Files in the wild mark `<|im_end|>` as an ordinary token, or name only end-of-text where
the chat template ends turns with another token. Then turn marks are read as text, or an
answer runs on past its end. The names below are those that llama.cpp knows as well.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from labkit.errors import WeightsError

__all__ = ["CONTROL", "NORMAL", "end_ids", "marked_json", "marked_types"]

NORMAL, CONTROL = 1, 3  # token types of a GGUF vocabulary; 0 is "undefined"

# An end of a turn or text, whatever type the file gives it.
ENDS = frozenset(
    {
        "<|eot_id|>",
        "<|im_end|>",
        "<|end|>",
        "<|return|>",
        "<|call|>",
        "<|flush|>",
        "<|calls|>",
        "<end_of_turn>",
        "<|endoftext|>",
        "<|eom_id|>",
        "<EOT>",
        "_<EOT>",
        "<|end_of_text|>",
        "<end_of_utterance>",
        "<｜end▁of▁sentence｜>",
    }
)
# These might be ordinary words, so they are an end only if the file calls them control.
ENDS_IF_CONTROL = frozenset({"</s>", "<eos>", "[EOS]", "[EOT]"})

CONTROL_LOOK = re.compile(r"<[|｜][^\s|｜<>]+[|｜]>")


def end_ids(
    declared: Iterable[int], ids: Mapping[str, int], control: Collection[str]
) -> tuple[int, ...]:
    """The ids that end an answer: those the file names, then those known by name.

    `ids` has the vocabulary's ids by text, `control` the texts of control tokens.
    """
    by_name = [ids[name] for name in sorted(ENDS) if name in ids]
    if_control = ENDS_IF_CONTROL.intersection(control)
    by_name += [ids[name] for name in sorted(if_control) if name in ids]
    return tuple(dict.fromkeys([*declared, *sorted(by_name)]))


def marked_types(
    tokens: Sequence[str], types: Sequence[int], named: Collection[int]
) -> tuple[int, ...]:
    """`types` with every token that must be control marked so; says so in the log.

    That is an end of turn, a token whose id the file names as a begin or end, and an
    ordinary token that looks like `<|this|>`.
    """
    marked = tuple(
        CONTROL if _steers(token, kind, place in named) else kind
        for place, (token, kind) in enumerate(zip(tokens, types, strict=True))
    )
    changed = [
        t for t, old, new in zip(tokens, types, marked, strict=True) if old != new
    ]
    _say(changed)
    return marked


def _steers(token: str, kind: int, is_named: bool) -> bool:
    is_plain = kind in (0, NORMAL)
    return is_named or token in ENDS or (is_plain and _looks_like_control(token))


def _looks_like_control(token: str) -> bool:
    return token[:1] == "<" and CONTROL_LOOK.fullmatch(token) is not None


def marked_json(
    source: str, named: Collection[int], declared: Collection[int]
) -> tuple[str, tuple[int, ...]]:
    """A tokenizer.json with the same tokens marked, and the ids that end an answer.

    `named` are all ids that the model's config names, `declared` those that end.
    """
    data = json.loads(source)
    added = {entry["content"]: entry for entry in data.get("added_tokens") or ()}
    vocab = (data.get("model") or {}).get("vocab")
    words: dict[str, int] = vocab if isinstance(vocab, dict) else {}
    ids = {**words, **{text: entry["id"] for text, entry in added.items()}}
    if len(set(ids.values())) != len(ids):
        raise WeightsError("two tokens have one id, so texts would come back changed")
    changed = [
        text
        for text, id in ids.items()
        if not (text in added and added[text]["special"])
        and _steers(text, 4 if text in added else NORMAL, id in named)
    ]
    for text in changed:
        added[text] = {
            **_entry(text, ids[text]),
            **added.get(text, {}),
            "special": True,
        }
    control = {text for text, entry in added.items() if entry["special"]}
    ends = end_ids(declared, ids, control)
    if not changed:
        return source, ends
    _say(changed)
    data["added_tokens"] = sorted(added.values(), key=lambda entry: entry["id"])
    return json.dumps(data, ensure_ascii=False), ends


def _entry(text: str, id: int) -> dict[str, Any]:
    off = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": id, "content": text, **off}


def _say(changed: Sequence[str]) -> None:
    if changed:
        logging.getLogger(__name__).warning(
            "the vocabulary does not mark %s as control tokens, which is probably a "
            "fault of the file; they are taken as such",
            ", ".join(changed),
        )

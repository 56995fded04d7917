// The model's own tokenizer in the page: tiktoken's WASM over the model's vocabulary. Built by
// build.mjs into static/vendor/tokenizer.js with the WASM inside, so that a page loads one file.
// Its ids are those of labkit/text/tokenizer.py; tests/widgets/test_page_tokenizer.py compares.
import { init, Tiktoken } from 'tiktoken/lite/init';
import wasm from 'tiktoken/lite/tiktoken_bg.wasm';

const UTF8 = new TextEncoder();

// `vocabulary` is what `page_vocabulary` in labkit/text/page_vocabulary.py gives, parsed.
export async function load(vocabulary) {
  await init((imports) => WebAssembly.instantiate(wasm, imports));
  return new PageTokenizer(vocabulary);
}

class PageTokenizer {
  #bpe;
  #words; // the same words as tiktoken cuts, for JavaScript's own regular expressions
  #special; // the ids of special tokens by their text
  #specialTexts;
  #isMissing = new Array(256).fill(false); // by byte: no token stands for it alone
  #ranks = null; // ids by the bytes of their tokens, made when they are first needed

  constructor({ ranks, pattern, special, missing }) {
    this.#bpe = new Tiktoken(ranks, {}, pattern);
    const blanks = pattern.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}');
    this.#words = new RegExp(blanks, 'gu');
    this.#special = new Map(Object.entries(special));
    this.#specialTexts = new RegExp(`(${[...this.#special.keys()].map(escaped).join('|')})`);
    for (const byte of missing) this.#isMissing[byte] = true;
  }

  // The ids of `text`. What reads like a special token, such as <|im_end|>, is ten plain
  // characters unless `allowSpecial`, which is for rendered chat templates only. A lone
  // surrogate counts as U+FFFD, as it would be sent. The time grows with the square of the longest
  // word's length, so who takes any text at all bounds it: 50,000 times "a" takes many seconds.
  encode(text, { allowSpecial = false } = {}) {
    if (!allowSpecial || !this.#special.size) return this.#plain(text);
    return text.split(this.#specialTexts)
      .flatMap((part, i) => (i % 2 ? [this.#special.get(part)] : this.#plain(part)));
  }

  // The bytes that the token `id` adds to a text: none for a special token.
  bytes(id) {
    return this.#bpe.decode_single_token_bytes(id);
  }

  #plain(text) {
    if (!this.#lacksTokens(UTF8.encode(text))) return Array.from(this.#bpe.encode_ordinary(text));
    return text.match(this.#words).flatMap((word) => {
      const bytes = UTF8.encode(word);
      if (!this.#lacksTokens(bytes)) return Array.from(this.#bpe.encode_ordinary(word));
      return this.#merged(bytes.filter((byte) => !this.#isMissing[byte]));
    });
  }

  #lacksTokens(bytes) {
    return bytes.some((byte) => this.#isMissing[byte]);
  }

  // Byte-level BPE of one word. The model's tokenizer leaves out bytes that have no token before
  // it merges; tiktoken's WASM would stop there for good, so such words never reach it.
  #merged(bytes) {
    this.#ranks ??= this.#allRanks();
    const parts = Array.from(bytes, (byte) => String.fromCharCode(byte));
    for (;;) {
      let best = { rank: Infinity, at: -1 };
      for (let at = 0; at + 1 < parts.length; at += 1) {
        const rank = this.#ranks.get(parts[at] + parts[at + 1]) ?? Infinity;
        if (rank < best.rank) best = { rank, at };
      }
      if (best.at < 0) return parts.map((part) => this.#ranks.get(part));
      parts.splice(best.at, 2, parts[best.at] + parts[best.at + 1]);
    }
  }

  #allRanks() {
    const all = this.#bpe.token_byte_values();
    const text = (bytes) => String.fromCharCode(...bytes);
    return new Map(all.map((bytes) => [text(bytes), this.#bpe.encode_single_token(Uint8Array.from(bytes))]));
  }
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

// The page's reader of an OpenAI event stream: text in, chunks out. Joined with lab.js.
// It never throws, and it is held to the same vectors as labkit/dialects.
const FRAME_END = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)/g;
const NEUTRAL_WORDS = new Map([['function_call', 'tool_calls'], ['abort', 'cancelled']]);

class StreamReader {
  constructor() {
    this.rest = '';
    this.isAfterCr = false; // half of a CR LF may begin the next frame
  }

  // The chunks that `text` completes, each stamped `ms`.
  feed(text, ms) {
    this.rest += text;
    const chunks = [];
    for (;;) {
      FRAME_END.lastIndex = this.isAfterCr && this.rest.startsWith('\n') ? 1 : 0;
      if (!FRAME_END.test(this.rest)) return chunks;
      const raw = this.rest.slice(0, FRAME_END.lastIndex);
      this.rest = this.rest.slice(FRAME_END.lastIndex);
      this.isAfterCr = raw.endsWith('\r');
      chunks.push({ ms, raw, kind: 'other', text: '', finish: null, usage: null, ...meaning(dataOf(raw)) });
    }
  }
}

// The data of a frame's event, or null where it dispatches none.
function dataOf(raw) {
  const found = raw.split(/\r\n|\n|\r/).filter((line) => /^data(:|$)/.test(line))
    .map((line) => line.slice(5).replace(/^ /, ''));
  return found.length ? found.join('\n') : null;
}

// What an event says of the answer number 0: its kind, text, reason to finish, usage.
function meaning(data) {
  if (data === null) return { kind: 'comment' };
  if (data === '[DONE]') return { kind: 'done' };
  const value = objectOf(data);
  if (value.error !== undefined && value.error !== null) return { kind: 'error' };
  const usage = usageOf(record(value.usage));
  const choices = Array.isArray(value.choices) ? value.choices.map(record) : [];
  const choice = choices.find((one) => (one.index ?? 0) === 0) ?? {};
  const delta = record(choice.delta);
  const text = textOf(delta.content);
  const finish = textOf(choice.finish_reason);
  if (finish) return { kind: 'finish', text: text ?? '', finish: NEUTRAL_WORDS.get(finish) ?? finish, usage };
  if (text) return { kind: 'content', text, usage };
  if (textOf(delta.role)) return { kind: 'role', usage };
  return { kind: text !== null ? 'content' : usage ? 'usage' : 'other', usage };
}

function objectOf(data) {
  try { return record(JSON.parse(data)); } catch { return {}; }
}

// A value of another type than expected counts as absent.
function record(value) {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};
}

function textOf(value) {
  return typeof value === 'string' ? value.toWellFormed?.() ?? value : null;
}

function countOf(value) {
  return Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function usageOf(told) {
  const [prompt, completion] = [countOf(told.prompt_tokens), countOf(told.completion_tokens)];
  if (prompt === null || completion === null) return null;
  const cached = countOf(record(told.prompt_tokens_details).cached_tokens) ?? 0;
  return { prompt_tokens: prompt, completion_tokens: completion, cached_tokens: cached };
}

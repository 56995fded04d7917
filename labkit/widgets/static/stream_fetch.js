// The page's own client of the server behind jupyter-server-proxy. Joined with lab.js.
// The proxy passes a stream on only for exactly this Accept header.
const EVENT_STREAM = 'text/event-stream';
const LEASE_S = 6; // the proxy hides that we left, so the server waits for our sign

class NoTransport extends Error {} // this page cannot stream; the kernel can

// Where the server is for this page, or null: VS Code and Colab have no base URL.
function serverUrl() {
  try {
    const config = document.getElementById('jupyter-config-data'); // Jupyter's own element
    const base = JSON.parse(config.textContent).baseUrl;
    return base ? `${base}labkit/` : null;
  } catch { return null; }
}

async function modelName(url) {
  for (const isLast of [false, true]) { // a server that died is started by the next request
    const answer = await fetch(`${url}v1/models`).catch(() => null);
    const isJson = answer?.headers.get('content-type')?.includes('json');
    if (answer?.ok && isJson) return (await answer.json()).data[0].id;
    if (isLast) throw new NoTransport(`no server at ${url} (${answer?.status ?? 'no answer'})`);
  }
}

// Ask, and hand each frame on with its milliseconds since the request. `signal` aborts;
// then the run is cancelled by its id, since closing does not reach the server.
async function fetchStream({ messages, knobs, signal, take }) {
  const url = serverUrl();
  if (!url) throw new NoTransport('this page has no Jupyter address');
  const body = { model: knobs.model ?? await modelName(url), messages, ...knobs, stream: true, stream_options: { include_usage: true } };
  const start = performance.now();
  const answer = await fetch(`${url}v1/chat/completions`, {
    method: 'POST',
    headers: { Accept: EVENT_STREAM, 'Content-Type': 'application/json', 'X-Lease-Seconds': String(LEASE_S) },
    body: JSON.stringify(body),
    signal,
  });
  if (!answer.headers.get('content-type')?.startsWith(EVENT_STREAM)) {
    const text = (await answer.text()).slice(0, 200);
    throw new NoTransport(`the answer ${answer.status} is no event stream: ${text}`);
  }
  const run = answer.headers.get('x-request-id');
  const post = (what) => run && fetch(`${url}v1/runs/${encodeURIComponent(run)}/${what}`, { method: 'POST', keepalive: true }).catch(() => {});
  const lease = setInterval(() => post('lease'), LEASE_S * 350);
  const cancel = () => post('cancel');
  signal.addEventListener('abort', cancel);
  try {
    for await (const raw of frames(answer.body)) take(readFrame(raw, performance.now() - start));
  } finally {
    clearInterval(lease);
    signal.removeEventListener('abort', cancel);
  }
}

// Text up to each blank line; bytes of one character may come in two pieces.
async function* frames(body) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    text += decoder.decode(value ?? new Uint8Array(), { stream: !done });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield text.slice(0, end + 2);
      text = text.slice(end + 2);
    }
    if (done) return;
  }
}

// A frame as a chunk: what it is, the visible text it adds, why it ended.
function readFrame(raw, ms) {
  const data = raw.split('\n').filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).replace(/^ /, '')).join('\n');
  const chunk = { ms, raw, kind: 'other', text: '', finish: null, usage: null };
  if (!data) return { ...chunk, kind: 'comment' };
  if (data === '[DONE]') return { ...chunk, kind: 'done' };
  let value;
  try { value = JSON.parse(data); } catch { return chunk; }
  if (value.error) return { ...chunk, kind: 'error' };
  const choice = value.choices?.[0];
  if (!choice) return value.usage ? { ...chunk, kind: 'usage', usage: value.usage } : chunk;
  const text = choice.delta?.content ?? '';
  const finish = choice.finish_reason ?? null;
  if (text) return { ...chunk, kind: 'content', text, finish };
  if (finish) return { ...chunk, kind: 'finish', finish };
  return choice.delta?.role ? { ...chunk, kind: 'role' } : chunk;
}

// The page's own client of the server behind jupyter-server-proxy. Joined with lab.js
// and stream_reader.js.
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
    const [reader, decoder, body] = [new StreamReader(), new TextDecoder(), answer.body.getReader()];
    for (;;) {
      const { done, value } = await body.read();
      if (done) return;
      const text = decoder.decode(value, { stream: true }); // a character may come in two pieces
      reader.feed(text, performance.now() - start).forEach(take);
    }
  } finally {
    clearInterval(lease);
    signal.removeEventListener('abort', cancel);
  }
}

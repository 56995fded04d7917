// A stream as it arrives. Joined with lab.js, stream_fetch.js, stream_lane.js
// and stream_text.js.
const KNOB_FIELDS = {
  max_tokens: { label: 'Max tokens', type: 'number', min: 1, max: 512, step: 1 },
  temperature: { label: 'Temperature', type: 'range', min: 0, max: 2, step: 0.1, show: (v) => v.toFixed(1) },
  top_p: { label: 'Top p', type: 'range', min: 0.05, max: 1, step: 0.05, show: (v) => v.toFixed(2) },
  seed: { label: 'Seed', type: 'number', min: 0, step: 1 },
};

function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'stream', 'A stream of text and its stamps');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const note = lab.el('p', { className: 'lab-note', role: 'status' });
  const text = new StreamText(undo, say);
  const lane = new StampLane();
  const facts = new FactList();
  let chunks = [];
  let own = null; // AbortController of a stream that this page reads itself
  let player = 0;

  const start = lab.button('Start', undo, begin);
  const stop = lab.button('Stop', undo, halt);
  const play = lab.button('Replay', undo, replay);
  start.classList.add('lab-main');
  start.dataset.layer = 'streaming';
  const knobs = Object.entries(KNOB_FIELDS).filter(([name]) => name in model.get('knobs'))
    .map(([name, { label, ...props }]) => [name, lab.field(label, undo, { ...props, value: model.get('knobs')[name] })]);
  const prompt = lab.field('Prompt', undo, { type: 'text', value: '' });
  const slider = lab.field('Show up to chunk', undo, {
    type: 'range', min: 0, max: 0, step: 1, value: 0, show: (v) => `${v} of ${chunks.length}`,
    act: (count) => { clearTimeout(player); show(count); describe(count); },
  });
  root.append(title, prompt.node,
    lab.el('div', { className: 'lab-controls' }, ...knobs.map(([, field]) => field.node), start, stop, play, slider.node),
    note, text.node, lane.node, facts.node, output);

  const isRunning = () => own !== null || model.get('status') === 'running';
  const knobValues = () => Object.fromEntries(knobs.map(([name, field]) => [name, field.read()])
    .filter(([, value]) => !Number.isNaN(value)));

  const ask = () => model.send({ op: 'start', knobs: knobValues(), prompt: prompt.read() });
  const lastOf = (messages) => messages.at(-1)?.content ?? '';
  const worded = () => model.get('messages').map((message, i, all) =>
    (i === all.length - 1 && prompt.read().trim() ? { ...message, content: prompt.read() } : message));

  async function begin() {
    clearTimeout(player);
    note.textContent = prompt.read().trim() ? '' : 'The prompt is empty: type one first.';
    if (note.textContent) return;
    if (model.get('transport') !== 'browser') { ask(); return; }
    own = new AbortController();
    reset();
    let [status, problem] = ['done', ''];
    try {
      await fetchStream({ messages: worded(), knobs: { ...model.get('knobs'), ...knobValues() }, signal: own.signal, take: add });
      if (!chunks.some((chunk) => chunk.kind === 'done')) [status, problem] = ['failed', BROKEN];
    } catch (error) {
      if (error instanceof NoTransport) {
        own = null;
        note.textContent = `The page cannot stream by itself: ${error.message}. The kernel reads instead.`;
        ask();
        return;
      }
      [status, problem] = own.signal.aborted ? ['stopped', ''] : ['failed', String(error)];
    }
    own = null;
    model.send({ op: 'report', status, problem, knobs: knobValues(), chunks });
    finish(status, problem);
  }
  function halt() {
    if (own) own.abort(); else model.send({ op: 'stop' });
    say('Stopping.');
  }
  // The recording again, in its own time.
  function replay() {
    clearTimeout(player);
    const step = (count) => {
      slider.write(count);
      show(count);
      if (count < chunks.length) {
        player = setTimeout(() => step(count + 1), chunks[count].ms - (chunks[count - 1]?.ms ?? 0));
      } else describe(count);
    };
    step(0);
    say('Replaying.');
  }
  undo.add(() => { clearTimeout(player); own?.abort(); });

  function reset() {
    clearTimeout(player);
    chunks = [];
    text.clear();
    lane.clear();
    refresh();
  }
  function add(chunk) {
    chunks.push(chunk);
    text.add(chunk);
    lane.add(chunk);
    refresh();
  }
  function load(all) {
    reset();
    for (const chunk of all) { chunks.push(chunk); lane.add(chunk); text.add(chunk); }
    show(chunks.length);
    refresh();
  }
  function show(count) {
    text.upTo(count);
    lane.upTo(count);
    facts.write(paceOf(chunks.slice(0, count)));
  }
  function describe(count) {
    const chunk = chunks[count - 1];
    say(chunk ? `Chunk ${count} of ${chunks.length}, ${chunk.kind}: ${pieceWords(chunk)}` : 'Before the first chunk.');
  }
  // Controls, title and pace for the state now.
  function refresh() {
    const isOn = isRunning();
    start.hidden = stop.hidden = prompt.node.hidden = !model.get('can_start');
    start.disabled = isOn;
    stop.disabled = !isOn;
    play.hidden = slider.node.hidden = isOn || !chunks.length;
    slider.input.max = chunks.length;
    slider.write(chunks.length);
    root.dataset.status = isOn ? 'running' : model.get('status');
    const pace = paceOf(chunks);
    title.textContent = streamTitle(pace, isOn);
    facts.write(pace);
  }
  function finish(status, problem) {
    refresh();
    if (problem) note.textContent = problem;
    say(statusWords(status, chunks.length ? `${title.textContent}.` : ''));
  }
  const fromModel = () => finish(model.get('status'), model.get('problem'));

  undo.model(model, 'msg:custom', (message) => {
    if (message.op === 'reset') { note.textContent = note.textContent.startsWith('The page') ? note.textContent : ''; reset(); }
    if (message.op === 'all') { load(message.chunks); fromModel(); }
    if (message.op !== 'chunk') return;
    if (message.at === chunks.length) add(message.chunk); else model.send({ op: 'open' });
  });
  undo.model(model, 'change:recorded', () => {
    const all = model.get('recorded');
    const isNews = all.length !== chunks.length || all.some((chunk, i) => chunk.tokens.length && !chunks[i].tokens);
    if (!own && isNews) load(all);
  });
  const reword = () => prompt.write(lastOf(model.get('messages')));
  undo.model(model, 'change:messages', () => {
    if (prompt.read() === lastOf(model.get('messages'))) return; // it was typed here
    reword();
    say('A new prompt: press Start.');
  });
  reword();
  undo.model(model, 'change:status', () => { if (!own) fromModel(); });
  load(model.get('recorded'));
  fromModel();
  model.send({ op: 'open' }); // also makes the kernel listen on a thread of its own
  return () => undo.run();
}

export default lab.widget(render);

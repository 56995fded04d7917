// A stream as it arrives. Joined with lab.js, stream_fetch.js and stream_lane.js.
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
  const letters = document.createTextNode(''); // the answer grows in this one node
  const text = lab.el('div', { className: 'lab-text' }, letters, lab.el('i', { className: 'lab-caret' }));
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
  const slider = lab.field('Show up to chunk', undo, {
    type: 'range', min: 0, max: 0, step: 1, value: 0, show: (v) => `${v} of ${chunks.length}`,
    act: (count) => { clearTimeout(player); show(count); describe(count); },
  });
  root.append(title,
    lab.el('div', { className: 'lab-controls' }, ...knobs.map(([, field]) => field.node), start, stop, play, slider.node),
    note, text, lane.node, facts.node, output);

  const isRunning = () => own !== null || model.get('status') === 'running';
  const knobValues = () => Object.fromEntries(knobs.map(([name, field]) => [name, field.read()])
    .filter(([, value]) => !Number.isNaN(value)));

  async function begin() {
    clearTimeout(player);
    note.textContent = '';
    if (model.get('transport') !== 'browser') { model.send({ op: 'start', knobs: knobValues() }); return; }
    own = new AbortController();
    reset();
    let [status, problem] = ['done', ''];
    try {
      await fetchStream({ messages: model.get('messages'), knobs: { ...model.get('knobs'), ...knobValues() }, signal: own.signal, take: add });
    } catch (error) {
      if (error instanceof NoTransport) {
        own = null;
        note.textContent = `The page cannot stream by itself: ${error.message}. The kernel reads instead.`;
        model.send({ op: 'start', knobs: knobValues() });
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
    letters.data = '';
    lane.clear();
    refresh();
  }
  function add(chunk) {
    chunks.push(chunk);
    letters.appendData(chunk.text);
    lane.add(chunk);
    refresh();
  }
  function load(all) {
    reset();
    for (const chunk of all) { chunks.push(chunk); lane.add(chunk); }
    show(chunks.length);
    refresh();
  }
  function show(count) {
    letters.data = chunks.slice(0, count).map((chunk) => chunk.text).join('');
    lane.upTo(count);
    facts.write(paceOf(chunks.slice(0, count)));
  }
  function describe(count) {
    const chunk = chunks[count - 1];
    say(chunk ? `Chunk ${count} of ${chunks.length}: ${chunk.kind} at ${lab.ms(chunk.ms)}${chunk.text ? `, ${JSON.stringify(chunk.text)}` : ''}.` : 'Before the first chunk.');
  }
  // Controls, title and pace for the state now.
  function refresh() {
    const isOn = isRunning();
    start.hidden = stop.hidden = !model.get('can_start');
    start.disabled = isOn;
    stop.disabled = !isOn;
    play.hidden = slider.node.hidden = isOn || !chunks.length;
    slider.input.max = chunks.length;
    slider.write(chunks.length);
    root.dataset.status = isOn ? 'running' : model.get('status');
    const pace = paceOf(chunks);
    const texts = chunks.filter((chunk) => chunk.text).length;
    title.textContent = texts ? `${texts} pieces of text, the first after ${lab.ms(pace['first text'])}`
      : isOn ? 'Waiting for the first text' : 'No stream yet';
    facts.write(pace);
  }
  function finish(status, problem) {
    refresh();
    if (problem) note.textContent = problem;
    const words = { idle: 'Press Start.', done: 'Done.', stopped: 'Stopped.', failed: 'Failed.', running: 'Streaming.' };
    say(`${words[status] ?? status} ${chunks.length ? `${title.textContent}.` : ''}`);
  }
  const fromModel = () => finish(model.get('status'), model.get('problem'));

  undo.model(model, 'msg:custom', (message) => {
    if (message.op === 'reset') { note.textContent = note.textContent.startsWith('The page') ? note.textContent : ''; reset(); }
    if (message.op === 'all') { load(message.chunks); fromModel(); }
    if (message.op !== 'chunk') return;
    if (message.at === chunks.length) add(message.chunk); else model.send({ op: 'open' });
  });
  undo.model(model, 'change:recorded', () => {
    if (!own && model.get('recorded').length !== chunks.length) load(model.get('recorded'));
  });
  undo.model(model, 'change:status', () => { if (!own) fromModel(); });
  load(model.get('recorded'));
  fromModel();
  model.send({ op: 'open' }); // also makes the kernel listen on a thread of its own
  return () => undo.run();
}

export default lab.widget(render);

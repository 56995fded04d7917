// Three renderers on the same stream. Joined with lab.js, race_lanes.js, race_plot.js.
const SLICE_MS = 24; // work between two frames of the page
const MAX_POINTS = 60;
const SPEEDS = [['8', 'slow: 8 chunks a second'], ['25', 'like a model: 25 a second'], ['0', 'as fast as the page can']];

function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'race', 'Three ways to render a growing Markdown text');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title('Three renderers, the same chunks');
  const lanes = STRATEGIES.map((strategy) => new RaceLane(strategy));
  undo.add(() => lanes.forEach((lane) => lane.end()));
  const plots = [
    new RacePlot('Milliseconds, added up over the characters of the answer', 'ms', lanes),
    new RacePlot('DOM nodes written, added up over the characters', 'nodes', lanes),
  ];
  const text = model.get('text');
  let vendor = null;
  let frame = 0;
  let race = null; // { size, total, done, due, seen, kept }
  let last = 0; // time of the frame before

  const start = lab.button('Start', undo, () => (frame ? pause() : go()));
  const again = lab.button('Reset', undo, () => { pause(); reset(); });
  start.classList.add('lab-main');
  start.dataset.layer = 'streaming';
  const size = lab.field('Characters a chunk', undo, {
    type: 'range', min: 1, max: 200, step: 1, value: model.get('chunk_chars'), show: (v) => String(v),
    act: (value) => { pause(); reset(); model.set('chunk_chars', value); model.save_changes(); },
  });
  const speed = lab.field('Speed', undo, { options: SPEEDS, value: '25' });
  root.append(title,
    lab.el('div', { className: 'lab-controls' }, size.node, speed.node, start, again),
    lab.el('div', { className: 'lab-plots' }, ...plots.map((plot) => plot.node)),
    lab.el('div', { className: 'lab-panes' }, ...lanes.map((lane) => lane.node)), output);
  undo.add(() => cancelAnimationFrame(frame));
  undo.model(model, 'change:chunk_chars', () => {
    if (size.read() === model.get('chunk_chars')) return;
    size.write(model.get('chunk_chars'));
    pause();
    reset();
  });

  async function go() {
    start.disabled = true;
    try {
      vendor ??= await lab.module(model, 'markdown.js');
    } catch (error) {
      say(`The renderers could not be loaded: ${error.message}`);
      return;
    } finally { start.disabled = false; }
    if (!race || race.done === race.total) begin();
    start.textContent = 'Pause';
    say(`Racing over ${race.total} chunks.`);
    last = performance.now();
    frame = requestAnimationFrame(slice);
  }
  function begin() {
    const chars = size.read();
    const total = Math.ceil(text.length / chars);
    const count = Math.min(total, MAX_POINTS);
    const kept = new Set(Array.from({ length: count }, (_, i) => Math.round(((i + 1) * total) / count)));
    race = { size: chars, total, done: 0, due: 1, seen: [], kept };
    lanes.forEach((lane) => lane.reset(vendor));
  }
  // The chunks that are due, or as many as fit between two frames; the lanes take turns
  // at going first. Waiting for a chunk is nobody's time: only the writing is measured.
  function slice() {
    const now = performance.now();
    const perSecond = Number(speed.read());
    race.due = perSecond ? race.due + ((now - last) * perSecond) / 1000 : race.total;
    last = now;
    while (race.done < Math.min(race.total, Math.floor(race.due)) && performance.now() < now + SLICE_MS) {
      const piece = text.slice(race.done * race.size, (race.done + 1) * race.size);
      race.done += 1;
      lanes.forEach((_, i) => lanes[(i + race.done) % lanes.length].write(piece, race.done === race.total));
      if (race.kept.has(race.done)) {
        race.seen.push(Math.min(text.length, race.done * race.size));
        lanes.forEach((lane) => lane.keep());
      }
    }
    draw();
    frame = race.done < race.total ? requestAnimationFrame(slice) : 0;
    if (!frame) finish();
  }
  function draw() {
    ['ms', 'nodes'].forEach((what, i) => {
      plots[i].draw(lanes.map((lane) => lane.series?.[what] ?? []), race?.seen ?? [], text.length);
    });
    if (race) lanes.forEach((lane) => lane.show());
  }
  // A race that was run before: recorded for the book, or in another view of this widget.
  function drawKnown() {
    const isOwn = Boolean(model.get('result').lanes);
    const known = isOwn ? model.get('result') : model.get('recorded');
    if (!known.lanes || known.lanes.some((lane, i) => lane.name !== lanes[i]?.name)) return;
    const chars = known.seen.at(-1);
    ['ms', 'nodes'].forEach((what, i) => plots[i].draw(known.lanes.map((lane) => lane[what]), known.seen, chars));
    title.textContent = isOwn ? 'The last race' : 'A recorded race; Start runs it on your machine';
  }
  function pause() {
    if (!frame) return;
    cancelAnimationFrame(frame);
    frame = 0;
    start.textContent = 'Continue';
    say(`Paused after ${race.done} of ${race.total} chunks.`);
  }
  function reset() {
    race = null;
    start.textContent = 'Start';
    title.textContent = 'Three renderers, the same chunks';
    lanes.forEach((lane) => { lane.end(); lane.pane.replaceChildren(); lane.series = undefined; lane.count.textContent = ''; });
    draw();
    say(`Ready: ${lab.number(text.length, 0)} characters in ${lab.number(Math.ceil(text.length / size.read()), 0)} chunks.`);
  }
  function finish() {
    start.textContent = 'Start';
    const [slow, fast] = [Math.max, Math.min].map((pick) => lanes.find((lane) => lane.ms === pick(...lanes.map((l) => l.ms))));
    title.textContent = `${slow.name} takes ${lab.number(slow.ms / Math.max(fast.ms, 0.001))} times as long as ${fast.name}`;
    say(`${lanes.map((lane) => `${lane.name}: ${lab.ms(lane.ms)}, ${lab.number(lane.nodes, 0)} nodes written`).join('; ')}. ${endWords(lanes)}`);
    model.set('result', {
      chunk_chars: race.size, num_chunks: race.total, seen: race.seen,
      lanes: lanes.map(({ name, series }) => ({ name, ...series })),
    });
    model.save_changes();
  }
  reset();
  drawKnown();
  return () => undo.run();
}

// Whether the panes ended with the same page, read off the panes themselves.
function endWords([first, ...others]) {
  return others.map((lane) => (lane.page === first.page
    ? `At the end ${lane.name} shows the same page as ${first.name}.`
    : `At the end ${lane.name} shows another page than ${first.name}.`)).join(' ');
}

export default lab.widget(render);

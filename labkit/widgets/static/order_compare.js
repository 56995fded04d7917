// The same vector and knobs through several engines' orders. Joined with lab.js and
// order_bars.js.
const COMPARE_KNOBS = {
  temperature: { label: 'Temperature', min: 0.1, max: 3, step: 0.1, show: (v) => v.toFixed(1) },
  top_k: { label: 'Top k', steps: [1, 2, 3, 5, 8, 10, 20, 30, 40, 50, 75, 100, 200, 500, 1000, 0] },
  top_p: { label: 'Top p', min: 0.05, max: 1, step: 0.05, show: (v) => v.toFixed(2) },
  min_p: { label: 'Min p', min: 0, max: 0.5, step: 0.01, show: (v) => v.toFixed(2) },
};

function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'orders', 'One distribution, four orders of the same stages');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const bars = lab.el('div', { className: 'lab-bars', role: 'list', aria: { label: 'Probability of each token in each engine' } });
  const table = lab.el('div', { className: 'lab-engines' });
  const turn = (name, value) => {
    model.set('knobs', { ...model.get('knobs'), [name]: value });
    model.save_changes();
  };
  const fields = Object.entries(COMPARE_KNOBS).map(([name, spec]) => knobField(name, spec, undo, turn));
  root.append(title, lab.el('div', { className: 'lab-controls' }, ...fields.map((field) => field.node)), bars, table, output);

  function write() { for (const field of fields) field.write(model.get('knobs')[field.name]); }
  function draw() {
    const { title: words, alt, views, tokens, tick } = model.get('result');
    title.textContent = words;
    bars.replaceChildren(...tokenBars(tokens, views));
    table.replaceChildren(engineTable(views));
    root.dataset.tick = tick;
    say(`${words}. ${alt}`);
  }
  undo.model(model, 'change:knobs', write);
  undo.model(model, 'change:result', draw);
  write();
  draw();
  return () => undo.run();
}

function knobField(name, { label, steps, ...range }, undo, turn) {
  if (!steps) {
    const field = lab.field(label, undo, { type: 'range', value: range.max, ...range, act: (v) => turn(name, v) });
    return { ...field, name };
  }
  const field = lab.field(label, undo, {
    type: 'range', min: 0, max: steps.length - 1, step: 1, value: 0,
    show: (i) => (steps[i] ? String(steps[i]) : 'off'), act: (i) => turn(name, steps[i]),
  });
  const place = (value) => steps.reduce((best, step, i) => (Math.abs(step - value) < Math.abs(steps[best] - value) ? i : best), 0);
  return { ...field, name, write: (value) => field.write(place(value)) };
}

export default lab.widget(render);

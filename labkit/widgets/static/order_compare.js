// The same vector and knobs through several engines' orders. Joined with lab.js.
const COMPARE_KNOBS = {
  temperature: { label: 'Temperature', min: 0.1, max: 3, step: 0.1, show: (v) => v.toFixed(1) },
  top_k: { label: 'Top k', steps: [1, 2, 3, 5, 8, 10, 20, 30, 40, 50, 75, 100, 200, 500, 1000, 0] },
  top_p: { label: 'Top p', min: 0.05, max: 1, step: 0.05, show: (v) => v.toFixed(2) },
  min_p: { label: 'Min p', min: 0, max: 0.5, step: 0.01, show: (v) => v.toFixed(2) },
};
const NUM_SHOWN = 6;

function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'orders', 'One distribution, four orders of the same stages');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const cards = lab.el('div', { className: 'lab-cards' });
  const table = lab.el('div', { className: 'lab-apart' });
  const turn = (name, value) => {
    model.set('knobs', { ...model.get('knobs'), [name]: value });
    model.save_changes();
  };
  const fields = Object.entries(COMPARE_KNOBS).map(([name, spec]) => knobField(name, spec, undo, turn));
  root.append(title, lab.el('div', { className: 'lab-controls' }, ...fields.map((field) => field.node)), cards, table, output);

  function write() { for (const field of fields) field.write(model.get('knobs')[field.name]); }
  function draw() {
    const { title: words, alt, views, tick } = model.get('result');
    title.textContent = words;
    const most = Math.max(...views.map((view) => view.top[0][1]));
    cards.replaceChildren(...views.map((view) => engineCard(view, most)));
    table.replaceChildren(lab.subtitle('Total variation: the share of the mass that two engines place differently'), distanceTable(views));
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

function engineCard(view, most) {
  const chips = view.stages.map((stage) => lab.el('li', { textContent: stage, data: { stage } }));
  const tokens = view.top.slice(0, NUM_SHOWN).map(([text, p]) => {
    const bar = lab.el('i');
    bar.style.width = `${(100 * p) / most}%`;
    return lab.el('div', { className: 'lab-token' },
      lab.el('span', { className: 'lab-word', textContent: text }),
      lab.el('span', { className: 'lab-track', ariaHidden: 'true' }, bar),
      lab.el('span', { className: 'lab-num', textContent: `${lab.number(100 * p, 1)} %` }));
  });
  const fact = (name, value) => lab.el('div', {}, lab.el('dt', { textContent: name }), lab.el('dd', { textContent: value }));
  return lab.el('section', { className: 'lab-engine', aria: { label: view.title } },
    lab.subtitle(view.title),
    lab.el('ol', { className: 'lab-order', aria: { label: `Order of ${view.title}` } }, ...chips),
    lab.el('dl', { className: 'lab-facts' }, fact('survivors', lab.number(view.kept, 0)), fact('entropy', `${lab.number(view.entropy, 2)} nats`)),
    ...tokens);
}

function distanceTable(views) {
  const cell = (tag, text, props = {}) => lab.el(tag, { textContent: text, ...props });
  const head = lab.el('tr', {}, cell('td', ''), ...views.map((view) => cell('th', view.title, { scope: 'col' })));
  const rows = views.map((view, i) => lab.el('tr', {}, cell('th', view.title, { scope: 'row' }),
    ...view.distances.map((distance, j) => {
      const node = cell('td', i === j ? '–' : lab.number(distance, 3));
      node.style.setProperty('--apart', `${Math.round(70 * distance)}%`);
      return node;
    })));
  return lab.el('table', {}, lab.el('tbody', {}, head, ...rows));
}

export default lab.widget(render);

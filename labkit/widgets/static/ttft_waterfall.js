// The parts of the time to first text. Joined with lab.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'ttft', 'Time to first text, part by part');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const body = lab.el('div');
  const names = model.get('names');
  const choice = lab.field('Request', undo, {
    options: names.map((name, i) => [String(i), name]),
    value: String(model.get('index')),
    act: (value) => { model.set('index', Number(value)); model.save_changes(); },
  });
  const controls = lab.el('div', { className: 'lab-controls' }, choice.node);
  controls.hidden = names.length < 2;
  root.append(title, controls, body, output);

  let rows = lab.cleaner(); // listeners of the rows shown now
  undo.add(() => rows.run());
  const longest = Math.max(...model.get('drawings').map((d) => d.total_ms));
  function draw() {
    rows.run();
    rows = lab.cleaner();
    const drawing = model.get('drawings')[model.get('index')];
    choice.write(String(model.get('index')));
    title.textContent = drawing.title;
    const parts = drawing.rows.map((row) => waterfallRow(row, longest));
    const list = lab.el('div', { role: 'listbox', aria: { label: 'Parts of the sum' } }, ...parts);
    body.replaceChildren(lab.el('div', { className: 'lab-plot' },
      waterfallPins(drawing, longest), list, waterfallTotal(drawing), waterfallAxis(longest)));
    lab.rove(parts, rows, (index) => {
      parts.forEach((part, i) => part.setAttribute('aria-selected', String(i === index)));
      say(partWords(drawing, index));
    })(0);
    say('Choose a part with the arrow keys.');
  }
  undo.model(model, 'change:index', draw);
  draw();
  return () => undo.run();
}

const percent = (value, total) => `${(100 * value) / (total || 1)}%`;

function waterfallRow(row, longest) {
  const bars = row.segments.map((part) => {
    const bar = lab.el('i');
    bar.style.left = percent(part.start_ms, longest);
    bar.style.width = percent(part.end_ms - part.start_ms, longest);
    return bar;
  });
  const isGap = row.name === 'between spans';
  return lab.el('div', { className: `lab-row${isGap ? ' lab-gap' : ''}`, role: 'option', data: { layer: row.layer } },
    lab.el('b', { textContent: row.name }),
    lab.el('div', { className: 'lab-lane' }, ...bars),
    lab.el('span', { className: 'lab-num', textContent: lab.number(row.ms, 2) }),
    lab.el('span', { className: 'lab-num lab-share', textContent: `${lab.number(100 * row.share)} %` }));
}

function waterfallTotal(drawing) {
  return lab.el('div', { className: 'lab-row lab-total' },
    lab.el('b', { textContent: 'first text' }),
    lab.el('div', { className: 'lab-lane' }),
    lab.el('span', { className: 'lab-num', textContent: lab.number(drawing.total_ms, 2) }),
    lab.el('span', { className: 'lab-num lab-share', textContent: 'ms' }));
}

// Stamps as dashed lines; each name on a line of its own, so that close ones can be read.
function waterfallPins(drawing, longest) {
  const pins = drawing.pins.map((pin, i) => {
    const words = lab.el('span', { textContent: `${pin.name} ${lab.ms(pin.time_ms)}` });
    const node = lab.el('div', { className: 'lab-pin' }, words);
    node.style.left = percent(pin.time_ms, longest);
    node.style.setProperty('--line', i);
    node.classList.toggle('lab-end', pin.time_ms > longest * 0.5);
    return node;
  });
  return lab.el('div', { className: 'lab-row lab-head' }, lab.el('b'),
    lab.el('div', { className: 'lab-lane lab-stamps' }, ...pins));
}

function waterfallAxis(longest) {
  const marks = lab.ticks(longest, 6).map((time) => {
    const node = lab.el('span', { textContent: time ? lab.number(time, 0) : '0 ms' });
    node.style.left = percent(time, longest);
    return node;
  });
  return lab.el('div', { className: 'lab-row', ariaHidden: 'true' }, lab.el('b'),
    lab.el('div', { className: 'lab-axis' }, ...marks));
}

function partWords(drawing, index) {
  const row = drawing.rows[index];
  const before = drawing.rows.slice(0, index).reduce((sum, r) => sum + r.ms, 0);
  return `${row.name} (layer ${row.layer}): ${lab.ms(row.ms, 2)}, ${lab.number(100 * row.share)} % of the time to first text; `
    + `the parts before it add up to ${lab.ms(before, 2)}.`;
}

export default lab.widget(render);

// The parts of the time to first text. Joined with lab.js and ttft_rows.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'ttft', 'Time to first text, part by part');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const body = lab.el('div');
  const names = model.get('names');
  const drawings = model.get('drawings');
  const take = (index) => { model.set('index', index); model.save_changes(); };
  const choice = lab.field('Request', undo, {
    options: names.map((name, i) => [String(i), name]),
    value: String(model.get('index')),
    act: (value) => take(Number(value)),
  });
  const totals = waterfallTotals(names, drawings, undo, take);
  const controls = lab.el('div', { className: 'lab-controls' }, choice.node, totals.node);
  controls.hidden = names.length < 2;
  root.append(title, controls, body, output);

  let rows = lab.cleaner(); // listeners of the rows shown now
  undo.add(() => rows.run());
  function draw() {
    rows.run();
    rows = lab.cleaner();
    const drawing = drawings[model.get('index')];
    choice.write(String(model.get('index')));
    totals.choose(model.get('index'));
    title.textContent = drawing.title;
    const parts = drawing.rows.map((row) => waterfallRow(row, drawing.total_ms));
    const list = lab.el('div', { role: 'listbox', aria: { label: 'Parts of the sum' } }, ...parts);
    body.replaceChildren(lab.el('div', { className: 'lab-plot' },
      waterfallPins(drawing), list, waterfallTotal(drawing), waterfallAxis(drawing.total_ms)));
    lab.rove(parts, rows, (index) => {
      parts.forEach((part, i) => part.setAttribute('aria-selected', String(i === index)));
      say(partWords(drawing, index));
    })(0);
    say('Choose a part with the arrow keys: this line says what happens in it.');
  }
  undo.model(model, 'change:index', draw);
  draw();
  return () => undo.run();
}

export default lab.widget(render);

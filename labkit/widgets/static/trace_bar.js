// The strip of time and the twelve cells of a TraceBar. Joined with lab.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const drawing = model.get('drawing');
  const root = lab.root(el, 'trace-bar', drawing.title);
  const { node: output, say } = lab.speaker(undo);
  const cells = drawing.cells.map((cell) => traceCell(cell, drawing.lit));
  const list = lab.el('div', { className: 'lab-cells', role: 'listbox', aria: { label: 'Layers' } }, ...cells);
  root.append(
    lab.title(drawing.title),
    traceStrip(drawing),
    list,
    output,
  );
  const segments = [...root.querySelectorAll('.lab-strip i')];
  const take = lab.rove(cells, undo, (index) => {
    model.set('selected', drawing.cells[index].layer);
    model.save_changes();
  });
  cells.forEach((cell, index) => undo.on(cell, 'pointerenter', () => show(index)));
  undo.on(list, 'pointerleave', draw);

  function show(index) {
    const layer = drawing.cells[index]?.layer;
    cells.forEach((cell, i) => cell.setAttribute('aria-selected', String(i === index)));
    for (const part of segments) part.classList.toggle('lab-dim', Boolean(layer) && part.dataset.layer !== layer);
    say(layer ? cellWords(drawing.cells[index], drawing) : 'Choose a layer with the arrow keys.');
  }
  function draw() {
    const index = drawing.cells.findIndex((cell) => cell.layer === model.get('selected'));
    take(Math.max(0, index));
    show(index);
  }
  undo.model(model, 'change:selected', draw);
  draw();
  return () => undo.run();
}

function traceStrip(drawing) {
  const total = drawing.total_ms || 1;
  const share = (ms) => `${(100 * ms) / total}%`;
  const parts = drawing.segments.map((part) => {
    const node = lab.el('i', { data: { layer: part.layer } });
    node.style.left = share(part.start_ms);
    node.style.width = share(part.end_ms - part.start_ms);
    return node;
  });
  const pins = drawing.pins.map((pin) => {
    const words = `${pin.name} ${lab.ms(pin.time_ms)}`;
    const node = lab.el('span', { textContent: words });
    node.style.left = share(pin.time_ms);
    node.classList.toggle('lab-end', pin.time_ms > total * 0.8);
    return node;
  });
  const times = lab.ticks(drawing.total_ms, 8).filter((t) => t < total * 0.97);
  const axis = times.map((time) => {
    const node = lab.el('span', { textContent: time ? lab.number(time, 0) : '0 ms' });
    node.style.left = share(time);
    return node;
  });
  return lab.el('div', { ariaHidden: 'true' },
    lab.el('div', { className: 'lab-pins' }, ...pins),
    lab.el('div', { className: 'lab-strip' }, ...parts),
    lab.el('div', { className: 'lab-axis' }, ...axis));
}

function traceCell(cell, lit) {
  const node = lab.el('div', { className: 'lab-cell', role: 'option', data: { layer: cell.layer } },
    lab.el('small', { textContent: cell.chapter }),
    lab.el('b', { textContent: cell.name }),
    lab.el('span', { textContent: cell.spans ? lab.ms(cell.ms) : '–' }));
  node.classList.toggle('lab-lit', cell.layer === lit);
  node.classList.toggle('lab-off', !cell.spans);
  if (cell.layer === lit) node.setAttribute('aria-current', 'true');
  return node;
}

function cellWords(cell, drawing) {
  const name = `Layer ${cell.chapter}, ${cell.name}`;
  if (!cell.spans) return `${name}: no time of its own in this recording.`;
  const share = lab.number(100 * cell.share);
  const bytes = cell.num_bytes === null ? '' : `, ${lab.number(cell.num_bytes, 0)} bytes`;
  const spans = cell.spans === 1 ? '1 span' : `${cell.spans} spans`;
  return `${name}: ${lab.ms(cell.ms, 2)} of ${lab.ms(drawing.total_ms)} (${share} %), ${spans}${bytes}.`;
}

export default lab.widget(render);

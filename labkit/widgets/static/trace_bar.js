// A TraceBar: strips of time and a cell a layer, which links to the layer's chapter. Joined
// with lab.js and trace_strip.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'trace-bar', model.get('drawing').title);
  const box = lab.el('div', { className: 'lab-trace-box' });
  root.append(box);
  let inner = { run() {} };
  const draw = () => {
    inner.run();
    inner = traceView(model, box);
    root.setAttribute('aria-label', model.get('drawing').title);
  };
  undo.model(model, 'change:drawing', draw);
  undo.add(() => inner.run());
  draw();
  return () => undo.run();
}

function traceView(model, box) {
  const undo = lab.cleaner();
  const drawing = model.get('drawing');
  const { node: output, say } = lab.speaker(undo);
  const now = lab.el('div', { className: 'lab-now', ariaHidden: 'true' });
  const hint = 'Point at the strip, or move the slider, to see what was done when.';
  const strips = new TraceStrips(drawing, undo, (words, isLoud) => {
    now.textContent = words ?? hint;
    if (isLoud) say(words);
  });
  const cells = drawing.layers.map((layer, i) => traceCell(layer, drawing, i, model.get('links')[layer.layer]));
  const label = 'Layers; Enter opens the chapter of the chosen one';
  const list = lab.el('div', { className: 'lab-cells', role: 'listbox', aria: { label } }, ...cells);
  const take = lab.rove(cells, undo, (index) => {
    model.set('selected', drawing.layers[index].layer);
    model.save_changes();
  });
  cells.forEach((cell, index) => undo.on(cell, 'pointerenter', () => show(index)));
  undo.on(list, 'pointerleave', draw);
  box.replaceChildren(lab.title(drawing.title), strips.scroller,
    lab.el('div', { className: 'lab-under' }, strips.tools, now), list, output);

  function show(index) {
    const layer = drawing.layers[index];
    cells.forEach((cell, i) => cell.setAttribute('aria-selected', String(i === index)));
    strips.dim(layer?.layer);
    say(layer ? cellWords(layer, drawing, index) : 'Choose a layer with the arrow keys.');
  }
  function draw() {
    const index = drawing.layers.findIndex((layer) => layer.layer === model.get('selected'));
    take(Math.max(0, index));
    show(index);
  }
  undo.model(model, 'change:selected', draw);
  draw();
  now.textContent = hint;
  return undo;
}

// `link` is the notebook of the layer's chapter, undefined where there is none yet.
function traceCell({ layer, chapter, name }, { lit, strips }, index, link) {
  const node = lab.el(link ? 'a' : 'div', { className: 'lab-cell', role: 'option', data: { layer } },
    lab.el('small', { textContent: chapter }), lab.el('b', { textContent: name }),
    ...strips.map(({ cells }) => lab.el('span', { textContent: cells[index].spans ? lab.ms(cells[index].ms) : 'not timed' })));
  if (link) Object.assign(node, { href: link, target: '_blank', title: `Open chapter ${chapter}` });
  node.classList.toggle('lab-lit', layer === lit);
  node.classList.toggle('lab-off', strips.every(({ cells }) => !cells[index].spans));
  if (layer === lit) node.setAttribute('aria-current', 'true');
  return node;
}

function cellWords({ chapter, name }, { strips }, index) {
  const each = strips.map((strip) => {
    const cell = strip.cells[index];
    const whose = strip.name ? `${strip.name}: ` : '';
    if (!cell.spans) return `${whose}no time of its own in this recording; what it does is inside the spans of other layers`;
    const bytes = cell.num_bytes === null ? '' : `, ${lab.count(cell.num_bytes, 'byte')}`;
    const share = lab.number(100 * cell.share);
    return `${whose}${lab.ms(cell.ms, 2)} of ${lab.ms(strip.total_ms)} (${share} %), ${lab.count(cell.spans, 'span')}${bytes}`;
  });
  return `Layer ${chapter}, ${name}: ${each.join('; ')}.`;
}

export default lab.widget(render);

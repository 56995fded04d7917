// The block pool, a slider through its steps, and the chosen block. Joined with lab.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'block-map', 'Blocks of the cache');
  const { node: output, say } = lab.speaker(undo); // the block that has the focus
  const title = lab.title('', { ariaLive: 'polite' });
  const legend = lab.el('div', { className: 'lab-legend' });
  const events = lab.el('p', { className: 'lab-events', ariaLive: 'polite' });
  const note = lab.el('p', { className: 'lab-note', ariaLive: 'polite' });
  const detail = blockDetail();
  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  const cells = new BlockCells(model.get('view').cells.length, undo, say,
    (index) => set('selected', model.get('selected') === index ? null : index));
  const last = () => model.get('num_frames') - 1;
  const play = lab.player(undo, {
    advance: () => {
      const next = model.get('frame') < last() ? model.get('frame') + 1 : 0; // from the end: anew
      set('frame', next);
      return next < last();
    },
    everyMs: 1000,
  });
  const slider = lab.field('Step', undo, {
    type: 'range', min: 0, max: 0, step: 1, value: 0,
    show: (i) => `${i} of ${last()}`, act: (i) => { play.stop(); set('frame', i); },
  });
  const button = lab.button('Run one engine step', undo, () => { play.stop(); model.send({ op: 'step' }); });
  button.classList.add('lab-main');
  button.dataset.layer = 'cache';
  root.append(title, lab.el('div', { className: 'lab-controls' }, slider.node, play.node, button), cells.node, legend, events, detail.node, note, output);

  function draw() {
    const view = model.get('view');
    title.textContent = view.title;
    slider.input.max = last();
    slider.write(model.get('frame'));
    button.hidden = !model.get('can_step');
    cells.draw(view);
    writeLegend();
    events.textContent = view.events.length ? view.alt : `${view.alt} Nothing happened to a block in this step.`;
    say(''); // the focused block was told as it was before
  }
  function writeLegend() {
    const view = model.get('view');
    const hasChain = model.get('detail').before?.length || model.get('detail').after?.length;
    legend.replaceChildren(...view.owners.map(ownerChip), edgeWords(view), meanings(view, model.get('words')),
      ...(view.copies.length ? [lineWords('lab-copy', 'copied to')] : []),
      ...(hasChain ? [lineWords('lab-chain', 'hash chain, parent to child')] : []));
  }
  function explain() {
    const found = model.get('detail');
    detail.draw(found);
    cells.select(found.block === undefined ? null : found);
    writeLegend();
  }
  undo.model(model, 'change:view change:num_frames', draw);
  undo.model(model, 'change:detail', explain);
  const tell = () => { note.textContent = model.get('note'); };
  undo.model(model, 'change:note', tell);
  draw();
  explain();
  tell();
  return () => undo.run();
}

function ownerChip(owner) {
  const swatch = lab.el('i', { data: { layer: owner.layer, pattern: owner.pattern } });
  return lab.el('span', { className: 'lab-chip' }, swatch, lab.el('b', { textContent: owner.letter }), ` ${owner.request}`);
}

// A sample of a line and what it means.
function lineWords(kind, words) {
  const sample = lab.svg('svg', { width: 30, height: 10, 'aria-hidden': 'true' }, lab.svg('g', { class: kind },
    lab.svg('path', { d: 'M2 5H26' }), lab.svg('circle', { cx: 26, cy: 5, r: 4 })));
  return lab.el('span', { className: 'lab-chip' }, sample, ` ${words}`);
}

// What a block's edge says, for the edges that are seen.
function edgeWords(view) {
  const kept = view.cells.some((cell) => cell.state === 'kept');
  return lab.el('span', { className: 'lab-edges', textContent: `solid edge: held${kept ? '; dashed: kept for reuse' : ''}; dotted: free` });
}

// The words inside blocks of this frame, explained.
function meanings(view, words) {
  const used = new Set(view.cells.flatMap((cell) => cell.marks));
  const told = words.filter(([mark]) => used.has(mark));
  return lab.el('dl', { className: 'lab-meanings' }, ...told.map(([mark, meaning]) => lab.el('div', {},
    lab.el('dt', { textContent: mark }), lab.el('dd', { textContent: meaning }))));
}

export default lab.widget(render);

// The block pool, a slider through its steps, and the chosen block. Joined with lab.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'block-map', 'Blocks of the cache');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.el('h4');
  const legend = lab.el('div', { className: 'lab-legend' });
  const events = lab.el('p', { className: 'lab-events' });
  const note = lab.el('p', { className: 'lab-note' });
  const detail = blockDetail();
  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  const cells = new BlockCells(model.get('view').cells.length, undo, say,
    (index) => set('selected', model.get('selected') === index ? null : index));
  const slider = lab.field('Step', undo, {
    type: 'range', min: 0, max: 0, step: 1, value: 0,
    show: (i) => `${i + 1} of ${model.get('num_frames')}`, act: (i) => set('frame', i),
  });
  const button = lab.button('Run one engine step', undo, () => model.send({ op: 'step' }));
  button.classList.add('lab-main');
  button.dataset.layer = 'cache';
  root.append(title, lab.el('div', { className: 'lab-controls' }, slider.node, button), cells.node, legend, events, detail.node, note, output);

  function draw() {
    const view = model.get('view');
    title.textContent = view.title;
    slider.input.max = model.get('num_frames') - 1;
    slider.write(model.get('frame'));
    button.hidden = !model.get('can_step');
    cells.draw(view);
    legend.replaceChildren(...view.owners.map(ownerChip), signWords(view, model.get('signs')));
    events.textContent = view.events.join(' ') || 'Nothing happened to a block in this step.';
    say(`${view.title}. ${view.alt}`);
  }
  function explain() {
    const found = model.get('detail');
    detail.draw(found);
    cells.select(found.block === undefined ? null : found);
  }
  undo.model(model, 'change:view change:num_frames', draw);
  undo.model(model, 'change:detail', explain);
  undo.model(model, 'change:note', () => { note.textContent = model.get('note'); });
  draw();
  explain();
  return () => undo.run();
}

function ownerChip(owner) {
  const swatch = lab.el('i', { data: { layer: owner.layer, pattern: owner.pattern } });
  return lab.el('span', { className: 'lab-chip' }, swatch, lab.el('b', { textContent: owner.letter }), ` ${owner.request}`);
}

function signWords(view, signs) {
  const used = new Set(view.cells.flatMap((cell) => [...cell.signs]));
  const words = signs.filter(([sign]) => used.has(sign)).map(([sign, word]) => `${sign} ${word}`);
  return lab.el('span', { className: 'lab-sign-words', textContent: words.join('   ') });
}

export default { render };

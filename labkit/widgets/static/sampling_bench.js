// From logits to a token, stage by stage. Joined with lab.js, bench_stages.js, bench_top.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'bench', 'From logits to a token, stage by stage');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.el('h4');
  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  const turn = (knob, value) => { told = ''; set('knobs', { ...model.get('knobs'), [knob]: value }); };
  let told = ''; // of the last move, said with its result
  const stages = new StageList(model.get('neutral'), undo, turn, (order, stage, place) => {
    told = `${stage} is now stage ${place + 1} of ${order.length}. `;
    set('order', order);
  });
  const top = new TopTokens();
  const presets = Object.keys(model.get('presets'));
  const preset = lab.field('Order of stages', undo, {
    options: [...presets, 'your own'].map((name) => [name, name]),
    act: (name) => { if (name !== 'your own') set('order', model.get('presets')[name]); },
  });
  preset.node.hidden = !presets.length;
  const seed = lab.field('Noise of the draw', undo, {
    type: 'range', min: 0, max: 99, step: 1, value: 0, show: (v) => `no. ${v}`, act: (v) => turn('seed', v),
  });
  const reset = lab.button('All knobs off', undo, () => set('knobs', { ...model.get('neutral'), seed: model.get('knobs').seed }));
  root.append(title, lab.el('div', { className: 'lab-controls' }, preset.node, seed.node, reset),
    stages.node, top.node, output);

  function write() {
    const order = model.get('order');
    stages.writeKnobs(model.get('knobs'));
    stages.arrange(order);
    seed.write(model.get('knobs').seed);
    const same = presets.find((name) => model.get('presets')[name].every((stage, i) => stage === order[i]));
    preset.write(same ?? 'your own');
  }
  function draw() {
    const result = model.get('result');
    title.textContent = result.title;
    stages.draw(result.rows, result.total);
    top.draw(result.top);
    root.dataset.tick = result.tick;
    say(`${told}${result.title}. ${result.alt}`);
  }
  undo.model(model, 'change:knobs change:order', write);
  undo.model(model, 'change:result', draw);
  write();
  draw();
  return () => undo.run();
}

export default { render };

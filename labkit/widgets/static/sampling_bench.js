// From logits to a token, stage by stage. Joined with lab.js, bench_stages.js, bench_top.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'bench', 'From logits to a token, stage by stage');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const state = () => JSON.stringify([model.get('order'), model.get('knobs')]);
  let told = {}; // words on the last move, said with its result while this is the state
  const set = (name, value, words = '') => {
    model.set(name, value);
    told = { words, state: state() };
    model.save_changes();
  };
  const turn = (knob, value) => set('knobs', { ...model.get('knobs'), [knob]: value });
  const stages = new StageList(model.get('neutral'), model.get('idle'), undo, turn, (order, stage, place) => {
    set('order', order, `${stage} is now stage ${place + 1} of ${order.length}. `);
  });
  const top = new TopTokens();
  const presets = Object.keys(model.get('presets'));
  const preset = lab.field('Order of stages', undo, {
    options: [...presets, 'your own'].map((name) => [name, name]),
    act: (name) => (name === 'your own' ? write() : set('order', model.get('presets')[name], `Order of ${name}. `)),
  });
  preset.node.hidden = !presets.length;
  const seed = lab.field('Noise of the draw', undo, {
    type: 'range', min: 0, max: 99, step: 1, value: 0, show: (v) => `no. ${v}`, act: (v) => turn('seed', v),
  });
  const reset = lab.button('All knobs off', undo, () => {
    set('knobs', { ...model.get('neutral'), seed: model.get('knobs').seed }, 'All knobs are off. ');
  });
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
    stages.draw(result.rows, result.total, result.is_greedy ? 'greedy: takes the likeliest' : `by noise no. ${model.get('knobs').seed}`);
    top.draw(result.top);
    root.dataset.tick = result.tick;
    say(`${told.state === state() ? told.words : ''}${result.title}. ${result.alt}`);
  }
  undo.model(model, 'change:knobs change:order', write);
  undo.model(model, 'change:result', draw);
  write();
  draw();
  return () => undo.run();
}

export default lab.widget(render);

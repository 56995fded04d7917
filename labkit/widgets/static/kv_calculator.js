// Controls, bars and facts of a KVCalculator. Joined with lab.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'kv', 'Memory of keys and values');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const bars = lab.el('div', { className: 'lab-bars', ariaHidden: 'true' });
  const warning = lab.el('p', { className: 'lab-note', ariaLive: 'polite' });
  const facts = lab.el('dl', { className: 'lab-facts' });
  const fields = loadFields(model, undo);
  root.append(title, lab.el('div', { className: 'lab-controls' }, ...Object.values(fields).map((f) => f.node)), warning, bars, facts, output);

  function draw() {
    const result = model.get('result');
    title.textContent = result.title;
    warning.textContent = result.warning;
    const high = Math.max(...result.others.map((part) => part.num_bytes));
    bars.replaceChildren(memoryStack(result), memoryKey(result), ...result.others.map((part) => otherBar(part, high)));
    facts.replaceChildren(...result.facts.map(([name, value]) => lab.el('div', {},
      lab.el('dt', { textContent: name }), lab.el('dd', { textContent: value }))));
    say(result.alt);
  }
  function write() {
    const load = model.get('load');
    const choices = model.get('choices');
    fields.model.write(model.get('model'));
    fields.gpu.write(model.get('gpu'));
    fields.context.write(nearest(choices.context, load.context));
    fields.batch.write(nearest(choices.batch, load.batch));
    fields.element_bits.write(String(load.element_bits));
    fields.num_gpus.write(String(load.num_gpus));
  }
  undo.model(model, 'change:result', draw);
  undo.model(model, 'change:model change:gpu change:load', write);
  write();
  draw();
  return () => undo.run();
}

function loadFields(model, undo) {
  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  const load = (name, value) => set('load', { ...model.get('load'), [name]: value });
  const choices = model.get('choices');
  const slider = (label, name) => lab.field(label, undo, {
    type: 'range', min: 0, max: choices[name].length - 1, step: 1, value: 0,
    show: (i) => lab.number(choices[name][i], 0), act: (i) => load(name, choices[name][i]),
  });
  const names = (list) => list.map((name) => [name, name]);
  return {
    model: lab.field('Model', undo, { options: names(model.get('models')), act: (v) => set('model', v) }),
    context: slider('Context, tokens', 'context'),
    batch: slider('Sequences at once', 'batch'),
    element_bits: lab.field('A number in the cache', undo, { options: choices.bits, act: (v) => load('element_bits', Number(v)) }),
    gpu: lab.field('GPU', undo, { options: names(model.get('gpus')), act: (v) => set('gpu', v) }),
    num_gpus: lab.field('How many', undo, { options: names(choices.num_gpus.map(String)), act: (v) => load('num_gpus', Number(v)) }),
  };
}

// The memory's bar: what is stacked in it, and a line where the memory ends.
function memoryStack(result) {
  const share = (bytes) => `${(100 * bytes) / result.scale}%`;
  const isOver = result.scale > result.num_bytes;
  const end = lab.el('div', { className: 'lab-end' }, lab.el('span', { textContent: result.room }));
  end.style.width = share(result.num_bytes);
  end.classList.toggle('lab-early', result.num_bytes < 0.45 * result.scale);
  const lane = lab.el('div', { className: `lab-stack${isOver ? ' lab-over' : ''}` }, end, ...result.parts.map((part) => {
    const node = lab.el('i', { data: { layer: part.layer }, title: `${part.name}: ${part.size}` });
    node.style.width = share(part.num_bytes);
    const px = (700 * part.num_bytes) / result.scale / part.pieces; // about, of one piece
    if (part.pieces > 1 && px > 3) {
      node.classList.add('lab-pieces');
      node.style.backgroundSize = `${100 / part.pieces}% 100%`;
    }
    return node;
  }));
  return lane;
}

function memoryKey(result) {
  const parts = result.parts.map((part) => lab.el('span', {}, lab.el('i', { data: { layer: part.layer } }), ` ${part.name}: `, lab.el('b', { textContent: part.size })));
  const isOver = result.scale > result.num_bytes;
  return lab.el('div', { className: 'lab-key' }, ...parts, lab.el('b', { className: isOver ? 'lab-missing' : '', textContent: result.rest }));
}

// A bar of its own on a scale that it shares with its neighbours.
function otherBar(part, high) {
  const fill = lab.el('i');
  fill.style.width = `${(100 * part.num_bytes) / (high || 1)}%`;
  return lab.el('div', { className: 'lab-bar', data: { layer: part.layer } },
    lab.el('span', { textContent: part.name }), lab.el('div', { className: 'lab-lane' }, fill),
    lab.el('span', { textContent: part.size }));
}

// The slider's place for a value that may lie between its steps.
function nearest(steps, value) {
  const distance = (i) => Math.abs(Math.log(steps[i] / value));
  return steps.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0);
}

export default lab.widget(render);

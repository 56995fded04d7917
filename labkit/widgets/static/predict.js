// A question with choices and one Lock button. Joined with lab.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'predict', model.get('question'));
  const { node: output, say } = lab.speaker(undo);
  const options = model.get('options');
  const control = options.length ? choices(model, undo, draw) : numberBox(model, undo, draw);
  const button = lab.button('Lock my prediction', undo, () => {
    model.send({ op: 'lock', choice: control.read() });
  });
  root.append(lab.el('h4', { textContent: model.get('question') }), control.node, button, output);

  function draw() {
    const isClosed = model.get('is_closed');
    const locked = model.get('locked');
    control.disable(isClosed);
    button.disabled = isClosed || !control.isReady();
    root.classList.toggle('lab-locked', isClosed);
    if (locked) control.write(locked);
    if (isClosed) say(locked ? `Locked: ${locked}.` : 'The answer was shown without a prediction.');
    else say('Choose, then lock. A locked prediction cannot be changed.');
  }
  undo.model(model, 'change:is_closed', draw);
  draw();
  return () => undo.run();
}

// Radio buttons: the arrow keys move, as everywhere.
function choices(model, undo, draw) {
  const name = `lab-${crypto.randomUUID?.() ?? Math.random()}`;
  const inputs = model.get('options').map((value) => lab.el('input', { type: 'radio', name, value }));
  for (const input of inputs) {
    lab.quiet(input, undo);
    undo.on(input, 'change', draw);
  }
  const labels = inputs.map((input) => lab.el('label', {}, input, input.value));
  const legend = lab.el('legend', { textContent: 'Your guess' });
  const node = lab.el('fieldset', { className: 'lab-choices' }, legend, ...labels);
  const chosen = () => inputs.find((input) => input.checked);
  return {
    node,
    read: () => chosen()?.value,
    write: (value) => { for (const input of inputs) input.checked = input.value === value; },
    isReady: () => Boolean(chosen()),
    disable: (yes) => { node.disabled = yes; },
  };
}

function numberBox(model, undo, draw) {
  const [min, max] = model.get('between');
  const unit = model.get('unit');
  const range = `${min} to ${max}${unit ? ` ${unit}` : ""}`;
  const field = lab.field(`Your guess, ${range}`, undo, {
    type: 'number', value: '', min, max, step: 'any', act: draw,
  });
  return {
    node: field.node,
    read: field.read,
    write: (words) => field.write(Number.parseFloat(words.replaceAll(',', ''))),
    isReady: () => Number.isFinite(field.read()) && field.input.checkValidity(),
    disable: (yes) => { field.input.disabled = yes; },
  };
}

export default { render };

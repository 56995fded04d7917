// A question with choices: Lock, Skip, and once it is closed, Guess again. Joined with the
// shared scripts.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'predict', model.get('question'));
  const { node: output, say } = lab.speaker(undo);
  lab.landing(output, undo);
  const options = model.get('options');
  const control = options.length ? choices(model, undo, draw) : numberBox(model, undo, draw);
  const send = (message) => {
    model.send(message);
    output.focus(); // the button that was pressed goes away
  };
  const lock = () => {
    if (model.get('is_closed') || !control.isReady()) return;
    send({ op: 'lock', choice: control.read() });
  };
  const button = lab.button('Lock my guess', undo, lock);
  const skip = lab.button('Skip the guess', undo, () => send({ op: 'skip' }));
  const again = lab.button('Guess again', undo, () => send({ op: 'again' }));
  for (const input of control.inputs) {
    undo.on(input, 'keydown', (event) => { if (event.key === 'Enter') lock(); });
  }
  const buttons = lab.el('div', { className: 'lab-buttons' }, button, skip, again);
  root.append(lab.title(model.get('question')), control.node, buttons, output);

  function draw() {
    const isClosed = model.get('is_closed');
    const locked = model.get('locked');
    control.disable(isClosed);
    button.hidden = skip.hidden = isClosed;
    button.disabled = !control.isReady();
    again.hidden = !isClosed;
    root.classList.toggle('lab-locked', isClosed);
    if (locked) control.write(locked);
    if (isClosed) say(locked ? `Locked: ${locked}.` : 'Skipped: the answer is shown without a guess.');
    else say(control.problem() || 'Choose, then lock. What stands below is shown then, or if you skip.');
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
    inputs,
    read: () => chosen()?.value,
    write: (value) => { for (const input of inputs) input.checked = input.value === value; },
    isReady: () => Boolean(chosen()),
    problem: () => '',
    disable: (yes) => { node.disabled = yes; },
  };
}

function numberBox(model, undo, draw) {
  const [min, max] = model.get('between');
  const unit = model.get('unit');
  const shown = (value) => value.toLocaleString('en-US');
  const range = `${shown(min)} to ${shown(max)}${unit ? ` ${unit}` : ''}`;
  const field = lab.field(`Your guess, ${range}`, undo, {
    type: 'number', value: '', min, max, step: 'any', act: draw,
  });
  const isReady = () => Number.isFinite(field.read()) && field.input.checkValidity();
  return {
    node: field.node,
    inputs: [field.input],
    read: field.read,
    write: (words) => field.write(Number.parseFloat(words.replaceAll(',', ''))),
    isReady,
    problem: () => (isReady() || Number.isNaN(field.read()) ? '' : `${shown(field.read())} is out of range: use ${range}.`),
    disable: (yes) => { field.input.disabled = yes; },
  };
}

export default lab.widget(render);

// The answer beside the guess, hidden until the card above is locked or skipped. Joined with
// the shared scripts.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'verdict', 'Answer');
  const text = lab.el('output', { className: 'lab-verdict-text', ariaLive: 'polite' });
  const wait = lab.el('p', { textContent: 'The answer is shown when your guess above is locked or skipped.' });
  lab.landing(text, undo);
  const button = lab.button('Skip the guess', undo, () => {
    model.send({ op: 'open' });
    text.focus(); // the button goes away
  });
  const line = lab.el('div', { className: 'lab-number-line', ariaHidden: 'true' }); // the text says it
  root.append(wait, button, text, line);

  function draw() {
    const isOpen = model.get('is_open');
    text.textContent = isOpen ? model.get('text') : '';
    line.hidden = !isOpen || !model.get('line').answer;
    line.replaceChildren(...(line.hidden ? [] : lineMarks(model.get('line'))));
    wait.hidden = isOpen;
    button.hidden = isOpen;
  }
  for (const trait of ['is_open', 'text', 'line']) undo.model(model, `change:${trait}`, draw);
  draw();
  return () => undo.run();
}

// The guess above the line, the answer below it. Words are as far left of their mark as the
// mark is on the line, so that they never leave it.
function lineMarks({ ticks, guess, answer }) {
  const at = (node, mark) => { node.style.setProperty('--at', mark.at); return node; };
  const mark = (one, kind) => at(lab.el('div', { className: `lab-mark lab-${kind}` },
    lab.el('span', { textContent: `${one.name} ${one.text}` }), lab.el('i')), one);
  return [
    ...ticks.map((tick) => at(lab.el('div', { className: 'lab-tick' }, lab.el('i'), lab.el('span', { textContent: tick.text })), tick)),
    ...(guess ? [mark(guess, 'guess')] : []),
    mark(answer, 'answer'),
  ];
}

export default lab.widget(render);

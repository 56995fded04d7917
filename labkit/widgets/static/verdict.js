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
  root.append(wait, button, text);

  function draw() {
    const isOpen = model.get('is_open');
    text.textContent = isOpen ? model.get('text') : '';
    wait.hidden = isOpen;
    button.hidden = isOpen;
  }
  undo.model(model, 'change:is_open', draw);
  undo.model(model, 'change:text', draw);
  draw();
  return () => undo.run();
}

export default lab.widget(render);

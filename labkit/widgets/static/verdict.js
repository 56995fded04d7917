// The verdict, hidden until the prediction is locked. Joined with lab.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'verdict', 'Answer');
  const text = lab.el('output', { className: 'lab-verdict-text', ariaLive: 'polite' });
  const wait = lab.el('p', { textContent: 'The answer shows when your prediction above is locked.' });
  lab.landing(text, undo);
  const button = lab.button('Show it without a prediction', undo, () => {
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

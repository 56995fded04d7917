// The reader's own prompt and its answer. Joined with the shared scripts.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'ask', 'Your own prompt');
  const { node: output, say } = lab.speaker(undo);
  lab.landing(output, undo);
  const box = lab.quiet(lab.el('textarea', { rows: 2, value: model.get('prompt'), spellcheck: false }), undo);
  const name = lab.el('span', { className: 'lab-label', textContent: 'Your prompt (Ctrl+Enter asks)' });
  const field = lab.el('label', { className: 'lab-field lab-ask-field' }, name, box);
  const ask = () => {
    if (start.disabled) return;
    model.send({ op: 'ask', text: box.value });
    if (document.activeElement === start) { stop.disabled = false; stop.focus(); } // Ask goes grey
    say('Asking. The first question also starts the server, which takes some seconds.');
  };
  const start = lab.button('Ask', undo, ask);
  start.classList.add('lab-main');
  start.dataset.layer = 'streaming';
  const ready = lab.reasoned(start);
  const stop = lab.button('Stop', undo, () => { model.send({ op: 'stop' }); output.focus(); });
  const back = lab.button('Back to the book’s request', undo, () => { model.send({ op: 'back' }); output.focus(); });
  const letters = lab.el('div', { className: 'lab-ask-answer', role: 'group', aria: { label: 'Answer' } });
  const note = lab.el('p', { className: 'lab-note', role: 'status' });
  root.append(lab.title('Ask your own question'), field,
    lab.el('div', { className: 'lab-buttons' }, ready.node, stop, back), letters, note, output);
  undo.on(box, 'input', refresh);
  undo.on(box, 'keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
  });

  // Why the prompt in the box cannot be sent now; "" if it can.
  function refusal() {
    const [length, limit] = [[...box.value].length, model.get('limit')];
    if (model.get('status') === 'running') return 'An answer is being written: wait for it, or press Stop.';
    if (!box.value.trim()) return 'Type a prompt first.';
    return length > limit ? `The prompt has ${lab.number(length, 0)} characters; this box takes ${lab.number(limit, 0)}.` : '';
  }
  function refresh() {
    const isRunning = model.get('status') === 'running';
    ready.refuse(refusal());
    stop.disabled = !isRunning;
    back.hidden = model.get('is_book') && !model.get('answer');
    back.disabled = isRunning;
  }
  function draw() {
    const status = model.get('status');
    letters.textContent = model.get('answer');
    letters.hidden = !letters.textContent && status !== 'running';
    root.dataset.status = status;
    note.textContent = [model.get('problem'), model.get('note')].filter(Boolean).join(' ');
    if (document.activeElement === stop && status !== 'running') output.focus();
    refresh();
    const words = {
      idle: 'This is the book’s request. Change it and press Ask: the pictures below follow.',
      running: letters.textContent ? 'The answer is arriving.' : 'Waiting for the first token.',
      done: model.get('is_cut')
        ? `Cut at ${lab.count(model.get('max_tokens'), 'token')}, which is the limit of this box.`
        : `The answer is complete: ${lab.count([...letters.textContent].length, 'character')}.`,
      stopped: 'Stopped. The answer is not complete.',
      failed: 'This did not work; the reason stands above.',
    };
    say(words[status] ?? status);
  }
  undo.model(model, 'change:prompt', () => { box.value = model.get('prompt'); refresh(); });
  for (const trait of ['answer', 'status', 'problem', 'note', 'is_book']) undo.model(model, `change:${trait}`, draw);
  draw();
  return () => undo.run();
}

export default lab.widget(render);

// Two prompts side by side, their first difference, its cause and cost. Joined with lab.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'prefix-miss', 'Why a prompt misses the cache');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const body = lab.el('div');
  const facts = lab.el('dl', { className: 'lab-facts' });
  const advice = lab.el('p', { className: 'lab-advice' });
  const note = lab.el('p', { className: 'lab-note', ariaLive: 'polite' });
  const choice = lab.field('Example', undo, {
    options: model.get('names').map((name) => [name, name]), value: model.get('name'),
    act: (value) => { model.set('name', value); model.save_changes(); },
  });
  const isBusy = () => model.get('status') === 'running';
  const button = lab.button('Run both', undo, () => { if (!isBusy()) model.send({ op: 'run' }); });
  button.classList.add('lab-main');
  button.dataset.layer = 'cache';
  button.hidden = !model.get('can_run');
  const boxes = ['First request', 'Second request'].map((name, i) => promptBox(name, undo, (text) => {
    const texts = [...model.get('texts')];
    texts[i] = text;
    model.set('texts', texts);
    model.save_changes();
  }));
  root.append(title, lab.el('div', { className: 'lab-controls' }, choice.node, button),
    lab.el('div', { className: 'lab-prompts' }, ...boxes.map((box) => box.node)), note, body, facts, advice, output);

  function draw() {
    const result = model.get('result');
    title.textContent = result.title;
    body.replaceChildren(blockStrips(result), tokenTable(result));
    advice.textContent = `${result.remedy} ${result.price}`;
    boxes.forEach((box, i) => box.mark(result.marks[i]));
    facts.replaceChildren(...result.facts.map(([name, value]) => lab.el('div', {},
      lab.el('dt', { textContent: name }), lab.el('dd', { textContent: value }))));
    say(result.alt);
  }
  function write() {
    choice.write(model.get('name'));
    model.get('texts').forEach((text, i) => boxes[i].write(text));
  }
  undo.model(model, 'change:result', draw);
  undo.model(model, 'change:name change:texts', write);
  const tell = () => { note.textContent = model.get('note'); };
  undo.model(model, 'change:note', tell);
  undo.model(model, 'change:status', () => {
    button.setAttribute('aria-disabled', String(isBusy())); // `disabled` would lose the focus
    button.textContent = isBusy() ? 'Running …' : 'Run both';
  });
  write();
  draw();
  tell();
  return () => undo.run();
}

export default lab.widget(render);

// The scheduler by slider, and its rerun. Joined with lab.js, schedule_gantt.js and
// schedule_step.js. Times and numbers come from Python; here they are only drawn.
const CHUNKS = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'scheduler', 'The scheduler, step by step');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const note = lab.el('p', { className: 'lab-note', role: 'status' });
  const facts = lab.el('table', { className: 'lab-compare' });
  const view = new ScheduleStepView();
  const gantt = new ScheduleGantt(undo, (time) => {
    const index = current().steps.findIndex((step) => step.end_ms >= time);
    play.stop();
    go(index < 0 ? last() : index);
  });

  const start = model.get('knobs');
  const sizes = [...new Set([...CHUNKS, start.max_step_tokens])].sort((a, b) => a - b);
  const labels = model.get('labels');
  const fields = {
    policy: lab.field(labels.policy, undo, { options: model.get('policies').map((name) => [name, name]), value: start.policy }),
    max_step_tokens: lab.field(labels.max_step_tokens, undo, { options: sizes.map((n) => [String(n), lab.number(n, 0)]), value: String(start.max_step_tokens) }),
    max_running: lab.field(labels.max_running, undo, { type: 'number', min: 1, step: 1, value: start.max_running }),
    num_blocks: lab.field(labels.num_blocks, undo, { type: 'number', min: 1, step: 1, value: start.num_blocks }),
  };
  // `aria-disabled`, since a disabled button loses the focus to the page.
  const isOff = (button) => button.getAttribute('aria-disabled') === 'true';
  const again = lab.button('Run the same arrivals', undo, () => {
    if (isOff(again)) { say(why.textContent); return; }
    busy(true);
    const knobs = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, name === 'policy' ? field.read() : Number(field.read())]));
    model.send({ op: 'rerun', knobs });
  });
  const keep = lab.button('Compare with this run', undo, () => {
    if (isOff(keep)) { say(why.textContent); return; }
    busy(true);
    model.send({ op: 'keep' });
  });
  again.classList.add('lab-main');
  again.dataset.layer = 'compute';
  const why = lab.el('span', { className: 'lab-why' }); // why a button is grey
  const shown = lab.field('Show the steps of', undo, {
    options: [['before', 'before'], ['after', 'after']], value: 'before',
    act: (name) => { model.set('shown', name); model.set('step', 0); model.save_changes(); },
  });
  const slider = lab.field('Step', undo, {
    type: 'range', min: 0, max: 0, step: 1, value: 0, act: (index) => { play.stop(); go(index); },
    show: (v) => `${Number(v) + 1} of ${current().steps.length}`,
  });
  slider.node.classList.add('lab-long');
  const last = () => current().steps.length - 1;
  const play = lab.player(undo, {
    everyMs: 300,
    rewind: () => go(0),
    advance: () => {
      const next = Math.min(model.get('step') + 1, last());
      go(next);
      return next < last();
    },
  });
  root.append(title,
    lab.el('div', { className: 'lab-controls' }, ...Object.values(fields).map((field) => field.node), again, keep, why),
    note, gantt.node,
    lab.el('div', { className: 'lab-controls lab-walk' }, shown.node, play.node, slider.node), view.node);
  view.side.append(output);
  view.node.append(facts);

  function current() {
    const runs = model.get('runs');
    return runs[model.get('shown') === 'after' ? runs.length - 1 : 0];
  }
  function busy(isBusy) {
    again.setAttribute('aria-disabled', String(isBusy));
    const isAlone = model.get('runs').length < 2;
    keep.setAttribute('aria-disabled', String(isBusy || isAlone));
    why.textContent = isBusy ? 'Wait for the run to end.' : isAlone ? 'Nothing to compare yet: change a setting and run.' : '';
    keep.setAttribute('aria-description', why.textContent);
    again.setAttribute('aria-description', isBusy ? why.textContent : '');
    if (isBusy) say('Running.');
  }
  function go(index) {
    model.set('step', index);
    model.save_changes();
    drawStep();
  }
  function drawRuns() {
    const runs = model.get('runs');
    title.textContent = model.get('title');
    gantt.draw(runs);
    facts.replaceChildren(...factRows(runs, model.get('facts')));
    shown.node.hidden = runs.length < 2;
    for (const [name, field] of Object.entries(fields)) field.write(String(model.get('knobs')[name]));
    busy(false);
    drawStep();
  }
  function drawStep() {
    const run = current();
    const index = Math.min(model.get('step'), run.steps.length - 1);
    shown.write(model.get('shown'));
    slider.input.max = Math.max(0, run.steps.length - 1);
    slider.write(Math.max(0, index));
    view.draw(run, index);
    gantt.point(run.steps[index]);
    const step = run.steps[index];
    if (step) say(`Step ${index + 1}: ${lab.ms(step.start_ms)} to ${lab.ms(step.end_ms)}, ${usedTokens(step)} tokens, ${step.waiting.length} waiting.`);
  }
  undo.model(model, 'change:runs', drawRuns);
  undo.model(model, 'change:shown', drawStep);
  undo.model(model, 'change:step', drawStep);
  undo.model(model, 'change:problem', () => { note.textContent = model.get('problem'); });
  undo.model(model, 'msg:custom', (message) => {
    if (message.op !== 'done') return;
    busy(false);
    say(model.get('problem') ? 'It did not run; the last run still stands.' : model.get('title'));
  });
  note.textContent = model.get('problem');
  drawRuns();
  return () => undo.run();
}

function factRows(runs, rows) {
  const head = lab.el('tr', {}, lab.el('td'), ...runNames(runs).map((textContent, k) => lab.el('th', { textContent, title: runs[k].setup.join(', '), scope: 'col' })));
  const lines = rows.map(([name, ...values]) => lab.el('tr', {},
    lab.el('th', { textContent: name, scope: 'row' }),
    ...values.map((textContent) => lab.el('td', { textContent }))));
  return [lab.el('thead', {}, head), lab.el('tbody', {}, ...lines)];
}

export default lab.widget(render);

// The stages in order: a handle to move each, a knob to turn, and what it did. Joined with
// lab.js. Rows are made once; moving one moves its node, so that reading order is the order.
const STEPS = (low, high, step) => Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => Number((low + i * step).toFixed(6)));
const STAGE_KNOBS = {
  repetition_penalty: { knob: 'repetition_penalty', label: 'Repetition penalty', steps: STEPS(0.8, 2, 0.05) },
  frequency_penalty: { knob: 'frequency_penalty', label: 'Frequency penalty', steps: STEPS(-1, 2, 0.1) },
  presence_penalty: { knob: 'presence_penalty', label: 'Presence penalty', steps: STEPS(-1, 2, 0.1) },
  temperature: { knob: 'temperature', label: 'Temperature', steps: STEPS(0, 3, 0.05), zero: 'greedy' },
  top_k: { knob: 'top_k', label: 'Top k', steps: [1, 2, 3, 5, 8, 10, 15, 20, 30, 40, 50, 75, 100, 200, 500, 1000, 5000, 0] },
  top_p: { knob: 'top_p', label: 'Top p', steps: STEPS(0.05, 1, 0.01) },
  min_p: { knob: 'min_p', label: 'Min p', steps: STEPS(0, 0.5, 0.01) },
  typical: { knob: 'typical_p', label: 'Typical p', steps: STEPS(0.05, 1, 0.05) },
};
const STAGE_FACTS = ['survivors', 'probability moved', 'entropy, nats'];

class StageList {
  // `turn(knob, value)` and `move(stage, place)` tell what the reader did; `idle` has the
  // stages whose knob can do nothing here, and why.
  constructor(neutral, idle, undo, turn, move) {
    this.rows = {};
    this.order = [];
    this.dragged = null;
    this.move = move;
    this.first = stageRow('the model', lab.el('span'), 'model');
    this.how = lab.el('span', { className: 'lab-how' });
    this.last = stageRow('draw', this.how, 'draw');
    this.list = lab.el('div', { className: 'lab-stages', role: 'rowgroup' });
    for (const [stage, spec] of Object.entries(STAGE_KNOBS)) this.add(stage, spec, neutral[spec.knob], idle[stage], undo, turn);
    const head = ['move', 'stage', 'knob', ...STAGE_FACTS].map((text) => lab.el('span', { role: 'columnheader', textContent: text }));
    this.node = lab.el('div', { className: 'lab-bench-table', role: 'table', aria: { label: 'What each stage did' } },
      lab.el('div', { className: 'lab-stage lab-stage-head', role: 'row' }, ...head),
      this.first.node, this.list, this.last.node);
  }

  add(stage, { knob, label, steps, zero }, neutral, why, undo, turn) {
    const words = (i) => why ?? (steps[i] === neutral ? `${steps[i] || ''} off`.trim() : String(steps[i] || zero || 0));
    const field = lab.field(label, undo, {
      type: 'range', min: 0, max: steps.length - 1, step: 1, value: 0, show: words, act: (i) => turn(knob, steps[i]),
    });
    field.input.disabled = Boolean(why);
    const handle = lab.button('⠿', undo, () => {});
    handle.className = 'lab-handle';
    handle.setAttribute('aria-label', `Move ${label}: arrow up or down, Home, End, or drag`);
    undo.on(handle, 'keydown', (event) => {
      const [place, last] = [this.order.indexOf(stage), this.order.length - 1];
      const goal = { ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: last }[event.key];
      if (goal === undefined) return;
      event.preventDefault();
      if (goal !== place) this.step(stage, goal, true);
    });
    undo.on(handle, 'pointerdown', (event) => { handle.setPointerCapture(event.pointerId); this.dragged = stage; row.node.classList.add('lab-dragged'); });
    undo.on(handle, 'pointermove', (event) => this.drag(event.clientY));
    for (const end of ['pointerup', 'pointercancel']) undo.on(handle, end, () => this.drop(row));
    const row = stageRow(stage, field.node, stage, handle);
    this.rows[stage] = { ...row, steps, knob, handle, write: (value) => field.write(nearest(steps, value)) };
  }

  step(stage, place, isKey) {
    if (place < 0 || place >= this.order.length) return;
    const order = this.order.filter((name) => name !== stage);
    order.splice(place, 0, stage);
    this.arrange(order);
    if (isKey) this.rows[stage].handle.focus(); // a node that moves loses the focus
    this.move(order, stage, place);
  }

  // While dragging, nodes stay where they are and only look moved: a captured pointer would be lost.
  drag(y) {
    if (!this.dragged) return;
    const others = this.order.filter((name) => name !== this.dragged);
    const place = others.filter((name) => { const box = this.rows[name].node.getBoundingClientRect(); return y > box.top + box.height / 2; }).length;
    if (place !== this.order.indexOf(this.dragged)) this.step(this.dragged, place, false);
  }

  drop(row) {
    row.node.classList.remove('lab-dragged');
    if (!this.dragged) return;
    this.dragged = null;
    this.arrange(this.order);
  }

  arrange(order) {
    const before = this.order;
    this.order = [...order];
    order.forEach((stage, i) => { this.rows[stage].node.style.order = i; });
    if (!this.dragged && (order.some((s, i) => s !== before[i]) || !this.list.childElementCount || this.isMoved())) {
      this.list.append(...order.map((stage) => this.rows[stage].node));
    }
  }

  isMoved() {
    return this.order.some((stage, i) => this.list.children[i] !== this.rows[stage].node);
  }

  writeKnobs(knobs) {
    for (const row of Object.values(this.rows)) row.write(knobs[row.knob]);
  }

  draw(rows, total, how) {
    this.how.textContent = how;
    for (const [name, kept, moved, entropy] of rows) {
      const row = { model: this.first, draw: this.last }[name] ?? this.rows[name];
      row.kept.textContent = lab.number(kept, 0);
      row.bar.style.width = `${(100 * Math.log(kept + 1)) / Math.log(total + 1)}%`;
      row.moved.textContent = lab.number(100 * moved, moved && moved < 0.1 ? 2 : 1) + ' %';
      row.shift.style.width = `${100 * moved}%`;
      row.entropy.textContent = lab.number(entropy, 3);
      row.node.classList.toggle('lab-idle', moved === 0 && name !== 'model');
    }
  }
}

function nearest(steps, value) {
  const gaps = steps.map((step) => Math.abs(step - value));
  return gaps.indexOf(Math.min(...gaps));
}

function stageRow(name, knob, stage, handle = lab.el('span')) {
  const value = () => lab.el('span', { className: 'lab-num' });
  const [kept, moved, entropy] = [value(), value(), value()];
  const [bar, shift] = [lab.el('i'), lab.el('i')];
  const lane = (node, mark) => [node, lab.el('span', { className: 'lab-track', ariaHidden: 'true' }, mark)];
  const cell = (className, ...nodes) => lab.el('span', { className, role: 'cell' }, ...nodes);
  const fact = (i, ...nodes) => lab.el('span', { className: `lab-lane lab-lane-${i}`, role: 'cell', data: { fact: STAGE_FACTS[i] } }, ...nodes);
  const node = lab.el('div', { className: 'lab-stage', role: 'row', data: { stage } },
    cell('lab-move', handle), lab.el('span', { className: 'lab-name', role: 'rowheader', textContent: name }), cell('lab-knob', knob),
    fact(0, ...lane(kept, bar)), fact(1, ...lane(moved, shift)), fact(2, entropy));
  return { node, kept, moved, entropy, bar, shift };
}

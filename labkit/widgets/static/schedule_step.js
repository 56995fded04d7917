// One step of the scheduler: its plan in words, the queues, the budget, the blocks.
class ScheduleStepView {
  constructor() {
    this.plan = lab.el('pre', { className: 'lab-plan', tabIndex: 0, aria: { label: 'The plan of this step' } });
    this.budget = stepMeter('Token budget');
    this.blocks = stepMeter('Blocks');
    this.running = stepQueue('Running');
    this.waiting = stepQueue('Waiting');
    this.preempted = stepQueue('Preempted');
    this.side = lab.el('div', {}, this.budget.node, this.blocks.node,
      this.running.node, this.waiting.node, this.preempted.node);
    this.node = lab.el('div', { className: 'lab-step' }, this.plan, this.side);
  }

  draw(run, index) {
    const step = run.steps[index];
    this.node.hidden = !step;
    if (!step) return;
    const name = (lane) => run.lanes[lane].name;
    this.plan.textContent = planWords(run, step);
    this.budget.write(step.slices.map(([lane, , count, isPrefill]) => ({
      share: count / run.budget, kind: isPrefill ? 'prefill' : 'decode', title: `${name(lane)}: ${count}`,
    })), `${usedTokens(step)} of ${lab.number(run.budget, 0)}`);
    const [free, held, cached, total] = step.blocks;
    this.blocks.write([
      { share: held / total, kind: 'held', title: `${held} held` },
      { share: cached / total, kind: 'cached', title: `${cached} kept for reuse` },
    ], `${held} held, ${cached} kept, ${free} free of ${total}`);
    this.running.write(step.running.map(name));
    this.waiting.write(step.waiting.map(name));
    this.preempted.write(step.preempted.map(name));
    this.preempted.node.hidden = !step.preempted.length;
  }
}

const usedTokens = (step) => step.slices.reduce((sum, part) => sum + part[2], 0);

// As Plan prints itself.
function planWords(run, step) {
  const wide = Math.max(...run.lanes.map((lane) => lane.name.length));
  const rows = step.slices.map(([lane, start, count, isPrefill]) => {
    const { name } = run.lanes[lane];
    const span = count > 1 ? `${start}..${start + count - 1}` : `${start}`;
    return `  ${name.padEnd(wide)}  ${isPrefill ? 'prefill' : 'decode '}  ${span.padEnd(11)} ${lab.count(count, 'token')}`;
  });
  const head = `${usedTokens(step)} of ${run.budget} tokens, ${lab.count(step.slices.length, 'sequence')}, ${step.waiting.length} waiting`;
  return [head, ...rows].join('\n');
}

// A bar of shares with its numbers in words beside it.
function stepMeter(label) {
  const bar = lab.el('div', { className: 'lab-bar', ariaHidden: 'true' });
  const words = lab.el('span', { className: 'lab-words' });
  const node = lab.el('div', { className: 'lab-meter' }, lab.el('b', { textContent: label }), words, bar);
  const write = (parts, told) => {
    words.textContent = told;
    bar.replaceChildren(...parts.map(({ share, kind, title }) => {
      const part = lab.el('i', { className: `lab-${kind}`, title });
      part.style.width = `${100 * share}%`;
      return part;
    }));
  };
  return { node, write };
}

function stepQueue(label) {
  const list = lab.el('ol');
  const node = lab.el('div', { className: 'lab-queue' }, lab.el('b', { textContent: label }), list);
  const write = (names) => {
    const items = names.length ? names : ['nobody'];
    list.replaceChildren(...items.map((name) => lab.el('li', { textContent: name, className: names.length ? '' : 'lab-none' })));
  };
  return { node, write };
}

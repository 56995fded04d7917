// Requests over time, a row for each run. Joined with lab.js.
const GANTT = { gap: 6, top: 4 };
const ganttRowHeight = (runs) => (runs.length > 1 ? 13 : 18); // two runs need two rows a request
const runNames = (runs) => (runs.length > 1 ? ['before', 'after'] : ['this run']);

class ScheduleGantt {
  constructor(undo, choose) {
    this.names = lab.el('div', { className: 'lab-names', ariaHidden: 'true' });
    this.drawing = lab.svg('svg', { preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    this.axis = lab.el('div', { className: 'lab-axis', ariaHidden: 'true' });
    this.cursor = lab.el('div', { className: 'lab-cursor' });
    const plot = lab.el('div', { className: 'lab-plot' }, this.drawing, this.cursor, this.axis);
    this.node = lab.el('div', { className: 'lab-gantt' }, ganttKey(), this.names, plot);
    undo.on(this.drawing, 'click', (event) => {
      const box = this.drawing.getBoundingClientRect();
      choose(((event.clientX - box.left) / box.width) * this.total);
    });
  }

  draw(runs) {
    const lanes = runs[0].lanes;
    const row = ganttRowHeight(runs);
    const high = row * runs.length + GANTT.gap;
    const height = GANTT.top + high * lanes.length;
    this.total = Math.max(1, ...runs.flatMap((run) => run.steps.map((step) => step.end_ms)));
    this.drawing.setAttribute('viewBox', `0 0 1000 ${height}`);
    this.drawing.style.height = `${height}px`;
    this.cursor.style.height = `${height}px`;
    const x = (time) => ((1000 * time) / this.total).toFixed(2);
    const grid = lab.ticks(this.total, 8).map((tick) => lab.svg('path', { class: 'lab-hair', d: `M${x(tick)} 0V${height}` }));
    const rows = lanes.flatMap((_, i) => runs.map((run, k) => {
      const y = GANTT.top + high * i + row * k;
      return lab.svg('g', {}, ...ganttRow({ ...run.lanes[i], gap: run.gaps[i] }, x, y, row));
    }));
    this.drawing.replaceChildren(...grid, ...rows);
    this.names.style.paddingTop = `${GANTT.top}px`;
    this.names.replaceChildren(...lanes.map((lane) => {
      const labels = runNames(runs).map((textContent) => lab.el('span', { textContent: runs.length > 1 ? textContent : '' }));
      const node = lab.el('div', {}, lab.el('b', { textContent: lane.name, title: lane.name }), ...labels);
      node.style.height = `${high}px`;
      node.style.gridAutoRows = `${row}px`;
      return node;
    }));
    const times = lab.ticks(this.total, 8).filter((time) => time < this.total * 0.97);
    this.axis.replaceChildren(...times.map((time) => {
      const node = lab.el('span', { textContent: time ? lab.number(time, 0) : '0 ms' });
      node.style.left = `${(100 * time) / this.total}%`;
      return node;
    }));
  }

  // The step under the cursor, as wide as it took.
  point(step) {
    this.cursor.hidden = !step;
    if (!step) return;
    this.cursor.style.left = `${(100 * step.start_ms) / this.total}%`;
    this.cursor.style.width = `${(100 * (step.end_ms - step.start_ms)) / this.total}%`;
  }
}

// One run of one request in a row `row` pixels high: bars, a tick a token, the worst gap.
function ganttRow(lane, x, y, row) {
  const middle = y + row / 2;
  const bars = lane.bars.map(({ kind, start_ms: start, end_ms: end }) => {
    if (kind === 'wait' || kind === 'stall') {
      return lab.svg('path', { class: `lab-${kind}`, d: `M${x(start)} ${middle}H${x(end)}`, 'vector-effect': 'non-scaling-stroke' });
    }
    const [top, high] = kind === 'prefill' ? [y + 1, row - 3] : [middle - row / 6, row / 3];
    const width = Math.max(0.8, x(end) - x(start));
    return lab.svg('rect', { class: `lab-${kind}`, x: x(start), y: top, width, height: high, 'vector-effect': 'non-scaling-stroke' });
  });
  const d = lane.tokens_ms.map((time) => `M${x(time)} ${y + row / 4}v${row / 2}`).join('');
  const [from, to] = lane.gap ?? [];
  const bracket = lane.gap ? `M${x(from)} ${y + row - 5}v4H${x(to)}v-4` : 'M0 0';
  return [...bars,
    lab.svg('path', { class: 'lab-token', d: d || 'M0 0', 'vector-effect': 'non-scaling-stroke' }),
    lab.svg('path', { class: 'lab-gap', d: bracket, 'vector-effect': 'non-scaling-stroke' })];
}

function ganttKey() {
  const bar = (kind, tokens = []) => ({ bars: [{ kind, start_ms: 1, end_ms: 25 }], tokens_ms: tokens });
  const signs = [['waits', bar('wait')], ['runs, but gets no token', bar('stall')], ['prefill', bar('prefill')],
    ['decode, a tick a token', bar('decode', [8, 17])], ['the worst gap', { bars: [], tokens_ms: [], gap: [1, 25] }]];
  const items = signs.map(([told, lane]) => lab.el('span', {},
    lab.svg('svg', { viewBox: '0 0 26 17', width: 26, height: 17 }, ...ganttRow(lane, (time) => time, 0, 17)), told));
  return lab.el('div', { className: 'lab-key', ariaHidden: 'true' }, ...items);
}

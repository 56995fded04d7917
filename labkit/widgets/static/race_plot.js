// Cumulative lines that grow while a race runs. Joined with lab.js.
const PLOT = { width: 400, height: 130 };

class RacePlot {
  constructor(title, unit, lanes) {
    this.unit = unit;
    this.lines = lanes.map((lane) => {
      const path = lab.svg('polyline', { fill: 'none', 'vector-effect': 'non-scaling-stroke' });
      path.dataset.layer = lane.layer;
      const name = lab.el('span', { data: { layer: lane.layer }, textContent: lane.name });
      return { path, name };
    });
    this.grid = lab.svg('g', { class: 'lab-grid' });
    const box = { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, preserveAspectRatio: 'none' };
    const drawing = lab.svg('svg', box, this.grid, ...this.lines.map((line) => line.path));
    this.left = lab.el('div', { className: 'lab-left' });
    this.bottom = lab.el('div', { className: 'lab-axis' });
    this.names = lab.el('div', { className: 'lab-names' }, ...this.lines.map((line) => line.name));
    this.node = lab.el('figure', { aria: { label: title } },
      lab.el('figcaption', { textContent: title }),
      lab.el('div', { className: 'lab-frame' }, this.left, drawing, this.names, this.bottom));
  }

  // `series`: one list of totals a lane; `seen`: characters at each point; `chars`: all.
  draw(series, seen, chars) {
    const top = Math.max(1, ...series.flat()) * 1.06;
    const y = (value) => PLOT.height * (1 - value / top);
    series.forEach((values, i) => {
      const points = values.map((value, k) => `${((PLOT.width * seen[k]) / chars).toFixed(1)},${y(value).toFixed(1)}`);
      this.lines[i].path.setAttribute('points', [`0,${PLOT.height}`, ...points].join(' '));
    });
    this.place(series, y);
    this.axes(top, chars, y);
  }

  // A name beside the plot, as high as its line's end; names that would touch move down.
  place(series, y) {
    const ends = series.map((values, i) => ({ i, at: (100 * y(values.at(-1) ?? 0)) / PLOT.height }));
    ends.sort((a, b) => a.at - b.at);
    let reached = -Infinity;
    const slots = ends.map((end) => { reached = Math.max(end.at, reached + 11); return reached; });
    const excess = Math.max(0, slots.at(-1) - 97);
    ends.forEach(({ i }, k) => {
      const { name } = this.lines[i];
      name.style.top = `${slots[k] - excess}%`;
      name.hidden = !series[i].length;
    });
  }

  axes(top, chars, y) {
    const levels = lab.ticks(top, 4);
    this.grid.replaceChildren(...levels.map((level) => lab.svg('path', { d: `M0 ${y(level).toFixed(1)}H${PLOT.width}`, 'vector-effect': 'non-scaling-stroke' })));
    this.left.replaceChildren(...levels.map((level) => {
      const node = lab.el('span', { textContent: lab.number(level, level % 1 ? 1 : 0) });
      node.style.top = `${(100 * y(level)) / PLOT.height}%`;
      return node;
    }));
    this.bottom.replaceChildren(...lab.ticks(chars, 4).filter((x) => x < chars * 0.95).map((x) => {
      const node = lab.el('span', { textContent: lab.number(x, 0) });
      node.style.left = `${(100 * x) / chars}%`;
      return node;
    }));
  }
}

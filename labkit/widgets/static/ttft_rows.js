// The rows of a waterfall, its stamps and its axis. Joined with lab.js.
const percent = (value, total) => `${(100 * value) / (total || 1)}%`;

// All requests on one axis of time; clicking one does what the select does.
function waterfallTotals(names, drawings, undo, take) {
  const longest = Math.max(...drawings.map((drawing) => drawing.total_ms));
  const rows = drawings.map(({ total_ms: total }, i) => {
    const bar = lab.el('i');
    bar.style.width = percent(total, longest);
    const row = lab.el('div', { className: 'lab-whole' },
      lab.el('span', { textContent: names[i] }), lab.el('div', {}, bar), lab.el('span', { textContent: lab.ms(total) }));
    undo.on(row, 'click', () => take(i));
    return row;
  });
  return {
    node: lab.el('div', { className: 'lab-wholes', ariaHidden: 'true' }, ...rows),
    choose(index) { rows.forEach((row, i) => row.classList.toggle('lab-chosen', i === index)); },
  };
}

function waterfallRow(row, total) {
  const bars = row.segments.map((part) => {
    const bar = lab.el('i');
    bar.style.left = percent(part.start_ms, total);
    bar.style.width = percent(part.end_ms - part.start_ms, total);
    return bar;
  });
  const isGap = row.name === 'between spans';
  return lab.el('div', { className: `lab-row${isGap ? ' lab-gap' : ''}`, role: 'option', title: row.about, data: { layer: row.layer } },
    lab.el('b', { textContent: row.name }),
    lab.el('div', { className: 'lab-lane' }, ...bars),
    lab.el('span', { className: 'lab-num', textContent: lab.number(row.ms, 2) }),
    lab.el('span', { className: 'lab-num lab-share', textContent: `${lab.number(100 * row.share)} %` }));
}

function waterfallTotal(drawing) {
  return lab.el('div', { className: 'lab-row lab-total' },
    lab.el('b', { textContent: 'first text' }),
    lab.el('div', { className: 'lab-lane' }),
    lab.el('span', { className: 'lab-num', textContent: lab.number(drawing.total_ms, 2) }),
    lab.el('span', { className: 'lab-num lab-share', textContent: 'ms' }));
}

// Stamps as dashed lines; each name on a line of its own, so that close ones can be read.
function waterfallPins({ pins, total_ms: total }) {
  const nodes = pins.map((pin, i) => {
    const words = lab.el('span', { textContent: `${pin.name} ${lab.ms(pin.time_ms)}` });
    const node = lab.el('div', { className: 'lab-pin' }, words);
    node.style.left = percent(pin.time_ms, total);
    node.style.setProperty('--line', i);
    node.classList.toggle('lab-end', pin.time_ms > total * 0.5);
    return node;
  });
  return lab.el('div', { className: 'lab-row lab-head' }, lab.el('b'),
    lab.el('div', { className: 'lab-lane lab-stamps' }, ...nodes));
}

function waterfallAxis(total) {
  const marks = lab.ticks(total, 6).map((time) => {
    const node = lab.el('span', { textContent: time ? lab.number(time, total < 6 ? 1 : 0) : '0 ms' });
    node.style.left = percent(time, total);
    return node;
  });
  return lab.el('div', { className: 'lab-row lab-scale', ariaHidden: 'true' }, lab.el('b'),
    lab.el('div', { className: 'lab-axis' }, ...marks));
}

function partWords(drawing, index) {
  const row = drawing.rows[index];
  const before = drawing.rows.slice(0, index).reduce((sum, r) => sum + r.ms, 0);
  const about = row.about ? `: ${row.about}` : '';
  return `${row.name} (layer ${row.layer})${about}. ${lab.ms(row.ms, 2)}, ${lab.number(100 * row.share)} % of the time to first text; `
    + `the parts before it add up to ${lab.ms(before, 2)}.`;
}

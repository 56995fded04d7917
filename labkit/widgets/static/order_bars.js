// Four bars for each token on one baseline, and one table of the engines. Joined with lab.js.
// A bar's engine is told by its pattern, its place in the group and the letter below it.
function tokenBars(tokens, views) {
  const most = Math.max(...views.flatMap((view) => view.bars.map((p) => p ?? 0)), 1e-9);
  return tokens.map((text, place) => {
    const words = views.map((view) => `${view.title} ${percent(view.bars[place])}`).join(', ');
    const bars = views.map((view) => {
      const p = view.bars[place];
      const bar = lab.el('i', { data: { engine: view.name } });
      bar.style.height = `${(100 * (p ?? 0)) / most}%`;
      return lab.el('span', { className: 'lab-bar', title: `${text}: ${view.title} ${percent(p)}` },
        lab.el('small', { textContent: p === null ? '?' : p && p < 0.0005 ? '<0.1' : lab.number(100 * p, 1) }), bar);
    });
    const letters = views.map((view) => lab.el('small', { textContent: view.title[0] }));
    return lab.el('div', { className: 'lab-group', role: 'listitem', aria: { label: `${text}: ${words}` } },
      lab.el('div', { className: 'lab-columns', ariaHidden: 'true' }, ...bars),
      lab.el('div', { className: 'lab-letters', ariaHidden: 'true' }, ...letters),
      lab.el('span', { className: 'lab-word', ariaHidden: 'true', textContent: text, title: text }));
  });
}

function percent(p) { return p === null ? 'unknown' : `${lab.number(100 * p, 1)} %`; }

function engineTable(views) {
  const cell = (tag, text, props = {}) => lab.el(tag, { textContent: text, ...props });
  const heads = ['engine', 'order of its stages', 'tokens kept', 'entropy, nats', ...views.map((view) => `distance to ${view.title}`)];
  const rows = views.map((view, i) => {
    const chips = view.stages.map((stage) => cell('li', stage, { data: { stage } }));
    const name = lab.el('th', { scope: 'row' }, lab.el('i', { className: 'lab-swatch', data: { engine: view.name } }), ` ${view.title}`);
    return lab.el('tr', {}, name,
      lab.el('td', { className: 'lab-left' }, lab.el('ol', { className: 'lab-order', aria: { label: `Order of ${view.title}` } }, ...chips)),
      cell('td', lab.number(view.kept, 0)), cell('td', lab.number(view.entropy, 2)),
      ...view.distances.map((distance, j) => {
        const node = cell('td', i === j ? '–' : lab.number(distance, 3));
        node.style.setProperty('--apart', `${Math.round(60 * distance)}%`);
        return node;
      }));
  });
  return lab.el('table', {}, lab.el('thead', {}, lab.el('tr', {}, ...heads.map((text) => cell('th', text, { scope: 'col' })))),
    lab.el('tbody', {}, ...rows));
}

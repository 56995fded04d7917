// Blocks of both requests as strips, and the tokens round the difference. Joined with lab.js.
function blockStrips(result) {
  const [first, second] = result.blocks;
  const strip = (name, blocks, isSecond) => lab.el('div', { className: 'lab-strip-row' },
    lab.el('span', { textContent: name }),
    lab.el('div', { className: 'lab-strip-blocks' }, ...blocks.map((isHit, i) => {
      const node = lab.el('i', { title: `block ${i}` });
      node.classList.toggle('lab-hit', isHit);
      node.classList.toggle('lab-first-miss', isSecond && i === result.parts_in);
      return node;
    })));
  const node = lab.el('div', { className: 'lab-strips', ariaHidden: 'true' },
    strip('first', first, false), strip('second', second, true));
  const key = lab.el('p', { className: 'lab-key' },
    lab.el('i', { className: 'lab-hit' }), ' block that both share: the second reads it   ', lab.el('i'), ' block that each computes');
  if (result.parts_in !== null) key.append('   ', lab.el('i', { className: 'lab-first-miss' }), ' the first that differs');
  node.append(key);
  return node;
}

function tokenTable(result) {
  const cell = (tag, text) => lab.el(tag, { textContent: text });
  const head = lab.el('tr', {}, ...result.head.map((text) => cell('th', text)));
  const rows = result.rows.map((row) => {
    const node = lab.el('tr', {}, ...row.map((text) => cell('td', text)));
    node.classList.toggle('lab-differs', row.at(-1) === '≠');
    return node;
  });
  return lab.el('table', { className: 'lab-near' }, lab.el('thead', {}, head), lab.el('tbody', {}, ...rows));
}

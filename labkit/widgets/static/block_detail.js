// What a chosen block holds: its tokens and the lengths of their keys. Joined with lab.js.
function blockDetail() {
  const words = lab.el('p', { className: 'lab-detail-words' });
  const tokens = lab.el('div', { className: 'lab-tokens' });
  const heat = lab.el('div', { className: 'lab-heat', role: 'img' });
  const scale = lab.el('p', { className: 'lab-scale' });
  const node = lab.el('div', { className: 'lab-detail', ariaLive: 'polite' }, words, tokens, heat, scale);
  const draw = (detail) => {
    node.hidden = detail.block === undefined;
    if (node.hidden) return;
    words.textContent = detail.words;
    const count = Math.max(1, detail.tokens.length);
    for (const part of [tokens, heat]) part.style.gridTemplateColumns = `repeat(${count}, minmax(0, 1fr))`;
    tokens.replaceChildren(...detail.tokens.map((text) => lab.el('span', { textContent: text, title: text })));
    drawHeat(heat, scale, detail);
  };
  return { node, draw };
}

// A row a layer, a column a slot; darker is longer, from the layer's shortest key to its longest.
function drawHeat(heat, scale, { norms, tokens }) {
  heat.hidden = !norms;
  const none = tokens.length ? 'No key norms were recorded.' : 'No tokens in it.';
  scale.textContent = norms ? '' : none;
  if (!norms) return;
  heat.replaceChildren(...norms.shares.flatMap((row) => row.map((share) => {
    const cell = lab.el('i');
    cell.style.opacity = String(0.06 + 0.94 * share);
    return cell;
  })));
  const words = `Key norms: a row for each of ${norms.shares.length} layers, first layer on top, a column a token; `
    + `${lab.number(norms.low, 2)} to ${lab.number(norms.high, 2)}, each row from its own smallest (pale) to its largest.`;
  heat.setAttribute('aria-label', words);
  scale.textContent = words;
}

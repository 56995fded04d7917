// What a chosen block is, in sentences, and its tokens in full. Joined with lab.js.
function blockDetail() {
  const words = lab.el('p', { className: 'lab-detail-words' });
  const tokens = lab.el('div', { className: 'lab-tokens' });
  const node = lab.el('div', { className: 'lab-detail', ariaLive: 'polite' }, words, tokens);
  const draw = (detail) => {
    node.hidden = detail.block === undefined;
    if (node.hidden) return;
    words.textContent = detail.words;
    tokens.replaceChildren(...detail.tokens.map((text) => lab.el('span', { textContent: text })));
  };
  return { node, draw };
}

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

// A button that walks through the frames, one a second, until the last one or `Pause`.
function playButton(undo, { isLast, next, rewind }) {
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; node.textContent = 'Play'; };
  const tick = () => { if (isLast()) stop(); else next(); };
  const node = lab.button('Play', undo, () => {
    if (timer) { stop(); return; }
    if (isLast()) rewind();
    timer = setInterval(tick, 1000);
    node.textContent = 'Pause';
  });
  undo.add(() => clearInterval(timer));
  return { node, stop };
}

// The text of a StreamView: one span a piece, shaded where its token was improbable.
// Joined with lab.js. A piece is appended once and never drawn again.
class StreamText {
  // `tell(words)` hears what is under the pointer.
  constructor(undo, tell) {
    this.caret = lab.el('i', { className: 'lab-caret' });
    // a long answer scrolls, so that the keyboard has to reach it
    const box = { className: 'lab-text', tabIndex: 0, role: 'group', aria: { label: 'Text of the stream' } };
    this.node = lab.quiet(lab.el('div', box, this.caret), undo);
    this.pieces = [];
    undo.on(this.node, 'pointerover', (event) => {
      const at = this.pieces.indexOf(event.target);
      if (at >= 0) tell(pieceWords(this.chunks[at]));
    });
    this.clear();
  }

  clear() {
    this.chunks = [];
    this.pieces = [];
    this.node.replaceChildren(this.caret);
  }

  add(chunk) {
    const node = lab.el('span', { textContent: chunk.text });
    const p = leastProbable(chunk);
    if (p !== null) node.style.setProperty('--doubt', (1 - p).toFixed(3));
    node.classList.toggle('lab-doubt', p !== null && p < 0.5);
    this.chunks.push(chunk);
    this.pieces.push(node);
    this.caret.before(node);
    this.node.scrollTop = this.node.scrollHeight;
  }

  // Pieces from `count` on are not there yet.
  upTo(count) {
    this.pieces.forEach((node, i) => { node.hidden = i >= count; });
  }
}

// The probability of a piece's least probable token; null where the stream has none.
function leastProbable(chunk) {
  const known = (chunk.tokens ?? []).map((token) => token.p).filter((p) => p !== null);
  return known.length ? Math.min(...known) : null;
}

// A piece in words: its time, its tokens' probabilities, what else could have come.
function pieceWords(chunk) {
  const share = ({ text, p }) => `${JSON.stringify(text)} ${p === null ? '?' : `${lab.number(100 * p)} %`}`;
  const tokens = (chunk.tokens ?? []).map((token) => {
    const others = token.others.map(share).join(', ');
    return `${share(token)}${others ? ` (instead of ${others})` : ''}`;
  });
  const head = `${chunk.text ? JSON.stringify(chunk.text) : chunk.kind} at ${lab.ms(chunk.ms)}`;
  return tokens.length ? `${head}; probability: ${tokens.join(', ')}.` : `${head}.`;
}

// One branch: its tokens, then the blocks that it stands on. Joined with lab.js.
class BranchLane {
  // `choose(lane, index)` is told which of the branch's own tokens is chosen, `enter()`
  // that the reader wants to go on to its candidates.
  constructor(branch, choose, enter) {
    this.branch = branch;
    this.undo = lab.cleaner();
    this.tokens = branch.tokens.map((token, i) => lab.el('span', {
      className: `lab-tok${branch.depth && i === 0 ? ' lab-other' : ''}`, role: 'option', textContent: token.text,
      aria: { label: `${token.text}, ${lab.number(100 * token.p, 1)} percent` },
    }));
    this.tokens.forEach((node, i) => node.style.setProperty('--p', `${Math.round(100 * branch.tokens[i].p)}%`));
    const list = lab.el('div', { className: 'lab-toks', role: 'listbox', aria: { label: `Tokens of branch ${branch.letter}`, description: 'Enter goes to the candidates of the chosen token' } }, ...this.tokens);
    const blocks = branch.blocks.map(([block, taker], i) => blockCell(block, taker, i < branch.num_shared));
    const held = branch.depth ? `${branch.num_shared} of ${blocks.length} blocks shared` : `${blocks.length} blocks`;
    const first = branch.depth ? 'to go on' : 'of the prompt';
    const words = `${held} · tokens read by the model: ${branch.num_to_go_on} ${first} + ${branch.num_fed} drawn`;
    this.node = lab.el('div', { className: 'lab-branch' },
      lab.el('div', { className: 'lab-branch-head' }, lab.el('b', { textContent: branch.letter }),
        lab.el('small', { textContent: branch.depth ? `leaves ${branch.left}` : 'the answer' })),
      lab.el('div', { className: 'lab-branch-body' }, list,
        lab.el('div', { className: 'lab-blocks' }, lab.el('ol', { aria: { label: `Blocks of branch ${branch.letter}` } }, ...blocks),
          lab.el('small', { textContent: words }))));
    this.node.style.setProperty('--depth', branch.depth);
    lab.rove(this.tokens, this.undo, (index) => choose(this, index))(0);
    for (const node of this.tokens) this.undo.on(node, 'keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      enter();
    });
  }

  mark(index) {
    this.tokens.forEach((node, i) => node.setAttribute('aria-selected', String(i === index)));
  }
}

// A block of a branch; `taker` is the branch that wrote over it since, if one did.
function blockCell(block, taker, isShared) {
  const kind = isShared ? 'shared with the parent' : 'its own';
  const fate = taker ? `, given back and taken over by branch ${taker}` : '';
  const words = `block ${block}, ${kind}${fate}`;
  return lab.el('li', {
    className: `${isShared ? 'lab-shared' : 'lab-own'}${taker ? ' lab-lost' : ''}`, title: words,
  }, lab.el('span', { ariaHidden: 'true', textContent: block }), lab.el('span', { className: 'lab-unseen', textContent: words }));
}

// One branch as a row of the tree's grid: each token stands in the column of its place in
// the output, so a branch begins below the token that it leaves. Joined with lab.js.
class BranchLane {
  // `choose(lane, index)` is told which of the branch's own tokens is chosen, `enter()`
  // that the reader wants to go on to its candidates.
  constructor(branch, row, choose, enter) {
    this.branch = branch;
    this.undo = lab.cleaner();
    this.tokens = branch.tokens.map((token, i) => lab.el('span', {
      className: `lab-tok${branch.parent && i === 0 ? ' lab-other' : ''}`, role: 'option', textContent: token.text,
      aria: { label: `${token.text}, ${lab.number(100 * token.p, 1)} percent` },
    }));
    this.tokens.forEach((node, i) => node.style.setProperty('--p', `${Math.round(100 * branch.tokens[i].p)}%`));
    const list = lab.el('div', { className: 'lab-toks', role: 'listbox', aria: { label: `Tokens of branch ${branch.letter}`, description: 'Enter goes to the candidates of the chosen token' } }, ...this.tokens);
    list.style.gridColumn = `${branch.start + 2} / span ${this.tokens.length}`;
    const blocks = branch.blocks.map(([block, taker], i) => blockCell(block, taker, i < branch.num_shared));
    const left = branch.parent ? `leaves ${branch.left}` : 'the answer';
    this.node = lab.el('div', { className: 'lab-branch' },
      lab.el('div', { className: 'lab-branch-head', title: left }, lab.el('b', { textContent: branch.letter }), lab.el('span', { className: 'lab-unseen', textContent: left })),
      list, lab.el('ol', { className: 'lab-blocks', aria: { label: `Blocks of branch ${branch.letter}` } }, ...blocks));
    this.node.style.gridRow = row + 2;
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

  // The line from the parent's row down to this branch's first token.
  stem(parentRow, row) {
    const line = lab.el('i', { className: 'lab-stem', ariaHidden: 'true' });
    line.style.gridColumn = this.branch.start + 2;
    line.style.gridRow = `${parentRow + 3} / ${row + 3}`;
    return line;
  }

  held() {
    const { letter, parent, blocks, num_shared: shared, num_to_go_on: toGoOn, num_fed: fed } = this.branch;
    const stands = parent ? `shares ${shared} of its ${blocks.length} blocks` : `has ${blocks.length} blocks`;
    return `Branch ${letter} ${stands}; the model read ${toGoOn} tokens ${parent ? 'to go on' : 'of the prompt'} and ${fed} that were drawn.`;
  }
}

// A block of a branch; `taker` is who wrote over it since, if anyone did.
function blockCell(block, taker, isShared) {
  const kind = isShared ? 'shared with the parent' : 'its own';
  const fate = taker ? `, given back and taken over by ${taker}` : '';
  const words = `block ${block}, ${kind}${fate}`;
  return lab.el('li', {
    className: `${isShared ? 'lab-shared' : 'lab-own'}${taker ? ' lab-lost' : ''}`, title: words,
  }, lab.el('span', { ariaHidden: 'true', textContent: block }), lab.el('span', { className: 'lab-unseen', textContent: words }));
}

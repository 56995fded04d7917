// One branch: its tokens, then the blocks that it stands on. Joined with lab.js.
class BranchLane {
  // `choose(lane, index)` is told which of the branch's own tokens is chosen.
  constructor(branch, choose) {
    this.branch = branch;
    this.undo = lab.cleaner();
    this.tokens = branch.tokens.map((token, i) => lab.el('span', {
      className: `lab-tok${branch.depth && i === 0 ? ' lab-other' : ''}`, role: 'option', textContent: token.text,
      aria: { label: `${token.text}, ${lab.number(100 * token.p, 1)} percent` },
    }));
    this.tokens.forEach((node, i) => node.style.setProperty('--p', `${Math.round(100 * branch.tokens[i].p)}%`));
    const list = lab.el('div', { className: 'lab-toks', role: 'listbox', aria: { label: `Tokens of branch ${branch.letter}` } }, ...this.tokens);
    const shared = branch.num_shared;
    const blocks = branch.blocks.map((block, i) => lab.el('li', {
      className: i < shared ? 'lab-shared' : 'lab-own', textContent: block,
      title: i < shared ? `block ${block}, shared with the parent` : `block ${block}, its own`,
    }));
    const words = branch.depth
      ? `${shared} of ${branch.blocks.length} blocks shared · ${branch.num_computed} tokens read by the model`
      : `${branch.blocks.length} blocks · ${branch.num_computed} tokens read by the model`;
    this.node = lab.el('div', { className: 'lab-branch' },
      lab.el('div', { className: 'lab-branch-head' }, lab.el('b', { textContent: branch.letter }),
        lab.el('small', { textContent: branch.depth ? `leaves ${branch.left}` : 'the answer' })),
      lab.el('div', { className: 'lab-branch-body' }, list,
        lab.el('div', { className: 'lab-blocks' }, lab.el('ol', { aria: { label: `Blocks of branch ${branch.letter}` } }, ...blocks),
          lab.el('small', { textContent: words }))));
    this.node.style.setProperty('--depth', branch.depth);
    lab.rove(this.tokens, this.undo, (index) => choose(this, index))(0);
  }

  mark(index) {
    this.tokens.forEach((node, i) => node.setAttribute('aria-selected', String(i === index)));
  }
}

// The candidates at the chosen token, with a button each. Joined with lab.js.
class BranchPick {
  // `go(token)` goes on with a candidate, `show(name)` leads to the branch that has it,
  // `remove(branch)` takes the chosen branch away.
  constructor({ go, show, remove }) {
    this.acts = { go, show, remove };
    this.undo = lab.cleaner();
    this.node = lab.el('div', { className: 'lab-candidates', role: 'group', aria: { label: 'Candidates at the chosen token' } });
  }

  draw(lane, index, letterOf) {
    const { branch } = lane;
    const token = branch.tokens[index];
    this.undo.run();
    this.undo = lab.cleaner();
    const back = () => lane.tokens[index].focus();
    const head = lab.subtitle(`Branch ${branch.letter}, token ${branch.start + index + 1}: what could have stood here`);
    const rows = token.top.map(([id, text, p, taker]) => {
      const isChosen = id === token.id;
      const letter = taker && !isChosen ? letterOf(taker) : '';
      return this.row({ id, text, p, isChosen, letter, taker }, back);
    });
    const out = lab.button(`Remove branch ${branch.letter}`, this.undo, () => this.acts.remove(branch));
    out.hidden = !branch.parent;
    this.undo.on(out, 'keydown', (event) => { if (event.key === 'Escape') back(); });
    this.node.replaceChildren(head, ...rows, lab.el('p', { className: 'lab-held' }, lab.el('span', { textContent: lane.held() }), out));
  }

  row({ id, text, p, isChosen, letter, taker }, back) {
    const bar = lab.el('i');
    bar.style.width = `${100 * p}%`;
    const button = lab.button(isChosen ? 'chosen' : letter ? `branch ${letter}` : 'Go on', this.undo, () => (letter ? this.acts.show(taker) : this.acts.go(id, text)));
    const words = isChosen ? `${text} was chosen` : letter ? `${text} is branch ${letter}: go to it` : `Go on with ${text}`;
    button.setAttribute('aria-label', words);
    button.disabled = isChosen;
    this.undo.on(button, 'keydown', (event) => { if (event.key === 'Escape') back(); });
    return lab.el('div', { className: 'lab-candidate' }, lab.el('span', { className: 'lab-word', textContent: text }),
      lab.el('span', { className: 'lab-track', ariaHidden: 'true' }, bar),
      lab.el('span', { className: 'lab-num', textContent: `${lab.number(100 * p, 2)} %` }), button);
  }

  // While Python works nothing else can be asked for; what was off stays off.
  wait(isWaiting) {
    for (const node of this.node.querySelectorAll(isWaiting ? 'button:enabled' : 'button[data-waits]')) {
      node.disabled = isWaiting;
      if (isWaiting) node.dataset.waits = 'yes'; else delete node.dataset.waits;
    }
  }

  focus() { this.node.querySelector('button:enabled')?.focus(); }
}

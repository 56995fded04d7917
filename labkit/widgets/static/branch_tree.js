// A tree of answers on shared blocks. Joined with lab.js and branch_lane.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'branches', 'Branches of an answer and the blocks they share');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const lanes = lab.el('div', { className: 'lab-lanes' });
  const note = lab.el('p', { className: 'lab-note', role: 'status' });
  const lost = lab.el('span', {}, lab.el('i', { className: 'lab-own lab-lost', textContent: '2' }), ' given back, now a later branch’s  ');
  const key = lab.el('p', { className: 'lab-branch-key' },
    lab.el('i', { className: 'lab-shared', textContent: '=' }), ' shared block  ', lab.el('i', { className: 'lab-own' }), ' own block  ', lost, '· underline: the model’s probability',
    lab.el('br'), 'Arrow keys walk along a branch; Enter goes to the candidates of a token, Escape back to it.');
  const candidates = lab.el('div', { className: 'lab-candidates', role: 'group', aria: { label: 'Candidates at the chosen token' } });
  root.append(title, lanes, key, candidates, note, output);
  let drawn = [];
  let buttons = lab.cleaner();
  let pressed = null; // has the focus again if Python refuses
  undo.add(() => { buttons.run(); drawn.forEach((lane) => lane.undo.run()); });

  function choose(lane, index) {
    drawn.forEach((other) => other.mark(other === lane ? index : -1));
    const { branch } = lane;
    const token = branch.tokens[index];
    const at = branch.start + index;
    buttons.run();
    buttons = lab.cleaner();
    const back = () => lane.tokens[index].focus();
    const rows = token.top.map(([id, text, p]) => candidate(text, p, id === token.id, back, () => {
      note.textContent = '';
      pressed = document.activeElement;
      say(`Going on with ${text}.`);
      candidates.querySelectorAll('button').forEach((node) => { node.disabled = true; });
      model.send({ op: 'fork', branch: branch.name, at, id });
    }));
    candidates.replaceChildren(lab.subtitle(`Branch ${branch.letter}, token ${at + 1}: what could have stood here`), ...rows);
    const others = token.top.filter(([id]) => id !== token.id).map(([, text, p]) => `${text} ${lab.number(100 * p, 1)} %`).join(', ');
    say(`Branch ${branch.letter}, token ${at + 1}: ${token.text} with ${lab.number(100 * token.p, 1)} %. Rejected: ${others || 'none known'}.`);
  }
  function enter() { candidates.querySelector('button:enabled')?.focus(); }
  function candidate(text, p, isChosen, back, act) {
    const bar = lab.el('i');
    bar.style.width = `${100 * p}%`;
    const button = lab.button(isChosen ? 'chosen' : 'Go on', buttons, act);
    button.setAttribute('aria-label', isChosen ? `${text} was chosen` : `Go on with ${text}`);
    button.disabled = isChosen;
    buttons.on(button, 'keydown', (event) => { if (event.key === 'Escape') back(); });
    return lab.el('div', { className: 'lab-candidate' }, lab.el('span', { className: 'lab-word', textContent: text }),
      lab.el('span', { className: 'lab-track', ariaHidden: 'true' }, bar),
      lab.el('span', { className: 'lab-num', textContent: `${lab.number(100 * p, 2)} %` }), button);
  }
  function draw() {
    const branches = model.get('drawn');
    const isNew = drawn.length && branches.length > drawn.length;
    drawn.forEach((lane) => lane.undo.run());
    drawn = branches.map((branch) => new BranchLane(branch, choose, enter));
    lanes.replaceChildren(...drawn.map((lane) => lane.node));
    const last = branches.at(-1);
    if (!last) return;
    title.textContent = last.title;
    lost.hidden = !branches.some((branch) => branch.blocks.some(([, taker]) => taker));
    choose(drawn.at(-1), 0);
    if (isNew) drawn.at(-1).tokens[0].focus(); // where the reader's choice now stands
    say(`${last.title}. ${last.alt}.`);
  }
  undo.model(model, 'change:drawn', draw);
  undo.model(model, 'change:problem', () => {
    note.textContent = model.get('problem');
    candidates.querySelectorAll('button[aria-label^="Go on"]').forEach((node) => { node.disabled = false; });
    if (note.textContent) pressed?.focus();
  });
  draw();
  return () => undo.run();
}

export default lab.widget(render);

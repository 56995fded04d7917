// A tree of answers on shared blocks. Joined with lab.js, branch_lane.js, branch_pick.js.
function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'branches', 'Branches of an answer and the blocks they share');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const grid = lab.el('div', { className: 'lab-tree' });
  const note = lab.el('p', { className: 'lab-note', role: 'status' });
  const lost = lab.el('span', {}, lab.el('i', { className: 'lab-own lab-lost', textContent: '2' }), ' given back and since written over  ');
  const key = lab.el('p', { className: 'lab-branch-key' },
    lab.el('i', { className: 'lab-shared', textContent: '=' }), ' shared block  ', lab.el('i', { className: 'lab-own' }), ' own block  ', lost, '· underline: probability',
    lab.el('br'), 'Arrow keys walk along a branch; Enter goes to the candidates of a token, Escape back to it.');
  let lanes = new Map(); // by name
  let chosen = null;
  let pressed = null; // has the focus again if Python refuses
  const ask = (message, words) => {
    note.textContent = '';
    pressed = document.activeElement;
    say(words);
    pick.wait(true);
    model.send(message);
  };
  const pick = new BranchPick({
    go: (id, text) => ask({ op: 'fork', branch: chosen.branch.name, at: chosen.at, id }, `Going on with ${text}.`),
    show: (name) => lanes.get(name).tokens[Math.max(0, chosen.at - lanes.get(name).branch.start)].focus(),
    remove: (branch) => ask({ op: 'remove', branch: branch.name }, `Removing branch ${branch.letter}.`),
  });
  root.append(title, lab.el('div', { className: 'lab-scroll' }, grid), key, pick.node, note, output);
  undo.add(() => { pick.undo.run(); lanes.forEach((lane) => lane.undo.run()); });

  function choose(lane, index) {
    const { branch } = lane;
    lanes.forEach((other) => other.mark(other === lane ? index : -1));
    chosen = { branch, at: branch.start + index };
    pick.draw(lane, index, (name) => lanes.get(name).branch.letter);
    const token = branch.tokens[index];
    const others = token.top.filter(([id]) => id !== token.id).map(([, text, p]) => `${text} ${lab.number(100 * p, 1)} %`).join(', ');
    say(`Branch ${branch.letter}, token ${chosen.at + 1}: ${token.text} with ${lab.number(100 * token.p, 1)} %. Rejected: ${others || 'none known'}.`);
  }

  function draw() {
    const branches = model.get('drawn');
    const before = lanes;
    if (!branches.length) return;
    before.forEach((lane) => lane.undo.run());
    lanes = new Map(branches.map((branch, row) => [branch.name, new BranchLane(branch, row, choose, () => pick.focus())]));
    const rows = new Map(branches.map((branch, row) => [branch.name, row]));
    const stems = branches.filter((branch) => branch.parent).map((branch) => lanes.get(branch.name).stem(rows.get(branch.parent), rows.get(branch.name)));
    const width = Math.max(...branches.map((branch) => branch.start + branch.tokens.length));
    grid.style.gridTemplateColumns = `max-content repeat(${width}, max-content) 1fr`;
    const places = Array.from({ length: width }, (_, place) => lab.el('small', { ariaHidden: 'true', textContent: place + 1 }));
    places.forEach((node, place) => { node.style.gridArea = `1 / ${place + 2}`; });
    grid.replaceChildren(...places, ...stems, ...[...lanes.values()].map((lane) => lane.node));
    title.textContent = model.get('title');
    lost.hidden = !branches.some((branch) => branch.blocks.some(([, taker]) => taker));
    land(before, branches);
    say(`${title.textContent}.`);
  }

  // The focus goes to a branch that is new, or to where a removed one left its parent.
  function land(before, branches) {
    const isOurs = root.contains(pressed) || pressed === document.activeElement;
    const fresh = branches.filter((branch) => !before.has(branch.name)).at(-1);
    const gone = chosen && !lanes.has(chosen.branch.name) ? chosen.branch : null;
    const parent = gone && lanes.get(gone.parent);
    const lane = parent ?? lanes.get((fresh ?? chosen?.branch ?? branches[0]).name) ?? lanes.get(branches[0].name);
    const index = parent ? gone.start - parent.branch.start : 0;
    choose(lane, index);
    if (isOurs && pressed && (fresh || parent)) lane.tokens[index].focus();
    pressed = null;
  }
  undo.model(model, 'change:drawn', draw);
  undo.model(model, 'change:problem', () => {
    note.textContent = model.get('problem');
    if (!note.textContent) return;
    pick.wait(false);
    pressed?.focus();
  });
  draw();
  return () => undo.run();
}

export default lab.widget(render);

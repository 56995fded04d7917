// The cells of a BlockMap and the lines between them. Joined with lab.js.
class BlockCells {
  constructor(count, undo, say, choose) {
    this.items = Array.from({ length: count }, () => blockItem());
    this.lines = lab.svg('svg', { class: 'lab-lines', 'aria-hidden': 'true' });
    this.grid = lab.el('div', { className: 'lab-grid', role: 'listbox', aria: { label: 'Blocks of the pool' } },
      ...this.items.map((item) => item.node));
    this.node = lab.el('div', { className: 'lab-pool' }, this.grid, this.lines);
    const nodes = this.items.map((item) => item.node);
    lab.rove(nodes, undo, (index) => { if (this.view) say(cellWords(this.view.cells[index], this.view.block_size)); })(0);
    nodes.forEach((node, index) => {
      undo.on(node, 'click', () => choose(index));
      undo.on(node, 'keydown', (event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        choose(index);
      });
    });
    const observer = new ResizeObserver(() => this.connect());
    observer.observe(this.grid);
    undo.add(() => observer.disconnect());
  }

  draw(view) {
    this.view = view;
    view.cells.forEach((cell, i) => this.items[i].write(cell, view.block_size));
    this.connect();
  }

  // `chain` is {block, before, after}; nothing is selected without it.
  select(chain) {
    this.chain = chain;
    const linked = new Set([...(chain?.before ?? []), ...(chain?.after ?? [])]);
    this.items.forEach((item, i) => {
      item.node.setAttribute('aria-selected', String(i === chain?.block));
      item.node.classList.toggle('lab-linked', linked.has(i));
    });
    this.connect();
  }

  // Lines: the hash chain of the chosen block, and arrows of copies made in this step.
  connect() {
    if (!this.view) return;
    const { before = [], after = [], block } = this.chain ?? {};
    const path = [...before].reverse().concat(block === undefined ? [] : [block]);
    const links = path.slice(1).map((to, i) => [path[i], to]);
    after.forEach((to) => links.push([block, to]));
    this.lines.replaceChildren(
      ...links.map(([a, b]) => this.line(a, b, 'lab-chain')),
      ...this.view.copies.map(([a, b]) => this.line(a, b, 'lab-copy')));
  }

  line(from, to, kind) {
    const [a, b] = [from, to].map((i) => this.items[i].node);
    const top = (n) => [n.offsetLeft + n.offsetWidth / 2, n.offsetTop + 3]; // clear of the words
    const [[x1, y1], [x2, y2]] = [top(a), top(b)];
    const gap = 6; // above a block: half the space between two rows, and its edge
    const data = y1 === y2 ? `M${x1} ${y1}Q${(x1 + x2) / 2} ${y1 - 22} ${x2} ${y2}`
      : `M${x1} ${y1}V${y1 - gap}H${b.offsetLeft - 3.5}V${y2 - gap}H${x2}V${y2}`; // between blocks
    const group = lab.svg('g', { class: y1 === y2 ? kind : `${kind} lab-far` });
    group.append(lab.svg('path', { d: data }), lab.svg('circle', { cx: x2, cy: y2, r: 4 }));
    return group;
  }
}

// One block: number and owners, its tokens, what happened to it, and a bar of its owners' colours.
function blockItem() {
  const part = (className) => lab.el('span', { className });
  const [number, owner, tokens, marks, fill] = ['lab-number', 'lab-owner', 'lab-texts', 'lab-marks', 'lab-fill'].map(part);
  const node = lab.el('div', { className: 'lab-block', role: 'option' }, number, owner, tokens, marks, fill);
  const write = (cell, size) => {
    node.dataset.state = cell.state;
    node.dataset.layer = cell.layers[0] ?? '';
    node.setAttribute('aria-description', cellWords(cell, size)); // its name is what is written on it
    node.title = cell.tokens.join(' ');
    number.textContent = cell.block;
    const name = cell.label.replaceAll('+', '') || (cell.state === 'kept' ? 'kept' : '');
    owner.textContent = cell.ref_count > 1 ? `${name} ×${cell.ref_count}` : name;
    const empty = cell.state === 'held' ? Array(size - cell.tokens.length).fill('') : [];
    tokens.replaceChildren(...cell.tokens.concat(empty).map((text) => lab.el('i', { textContent: text, className: text ? '' : 'lab-empty' })));
    marks.textContent = cell.marks.join(', ');
    fill.replaceChildren(...cell.layers.map((layer, i) => lab.el('b', { data: { layer, pattern: cell.patterns[i] } })));
  };
  return { node, write };
}

function cellWords(cell, size) {
  const owners = cell.label ? `held by ${cell.label.replaceAll('+', ' and ')}` : cell.state === 'kept' ? 'kept for reuse' : 'free';
  const now = cell.marks.length ? `; in this step ${cell.marks.join(', ')}` : '';
  return `Block ${cell.block}: ${owners}, ${cell.num_filled} of ${size} slots${now}. ${cell.tokens.join(' ')}`;
}

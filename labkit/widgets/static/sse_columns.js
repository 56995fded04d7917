// Three linked columns over the same bytes. Joined with lab.js.
// A row knows its byte range; choosing one lights what overlaps it in the other columns.
class LinkedColumns {
  constructor(say) {
    this.say = say;
    this.undo = lab.cleaner();
    this.node = lab.el('div', { className: 'lab-columns' });
  }

  draw(result) {
    this.undo.run();
    const pieces = result.pieces.map((piece, i) => ({ ...piece, head: `${lab.number(piece.ms, 0)} ms`, num: i + 1 }));
    const frames = result.blocks.map((block, i) => ({ ...block, head: `${block.end - block.start} B`, num: i + 1 }));
    const events = result.blocks.map((block, i) => ({ ...block, text: block.event, brief: undefined, head: '', num: i + 1 }));
    this.columns = [
      this.column('Bytes, as they arrive', 'piece', pieces, result.num_pieces),
      this.column('Frames, up to a blank line', 'frame', frames, frames.length),
      this.column('Events, from the real parser', 'event', events, events.length),
    ];
    this.node.replaceChildren(...this.columns.map((column) => column.node));
  }

  column(title, kind, rows, total) {
    const items = rows.map((row) => {
      const item = lab.el('div', { role: 'option', className: 'lab-item' },
        lab.el('small', { textContent: row.head ? `${row.num} · ${row.head}` : String(row.num) }),
        lab.el('span', { textContent: row.brief ?? row.text }));
      item.classList.toggle('lab-cut', Boolean(row.is_cut));
      item.classList.toggle('lab-none', row.has_event === false && kind === 'event');
      return item;
    });
    const list = lab.el('div', { className: 'lab-list', role: 'listbox', aria: { label: title } }, ...items);
    const column = { kind, rows, items, node: lab.el('div', { className: `lab-column lab-column-${kind}` }, lab.subtitle(title), list) };
    if (total > rows.length) list.append(lab.el('p', { className: 'lab-more', textContent: `and ${total - rows.length} more` }));
    lab.rove(items, this.undo, (index) => this.choose(column, index))(0);
    return column;
  }

  choose(chosen, index) {
    const { start, end } = chosen.rows[index];
    const found = {};
    for (const column of this.columns) {
      found[column.kind] = column.rows.flatMap((row, i) => (row.start < end && start < row.end ? [i] : []));
      column.items.forEach((item, i) => {
        const isChosen = column === chosen && i === index;
        const { text, brief = text } = column.rows[i];
        item.setAttribute('aria-selected', String(isChosen));
        item.lastElementChild.textContent = isChosen ? text : brief; // the chosen row in full
        item.classList.toggle('lab-linked', found[column.kind].includes(i));
      });
      if (column !== chosen) reveal(column, found[column.kind][0]);
    }
    const count = (kind) => `${found[kind].length} ${kind}${found[kind].length === 1 ? '' : 's'}`;
    const others = ['piece', 'frame', 'event'].filter((kind) => kind !== chosen.kind).map(count).join(' and ');
    const { text, brief = text } = chosen.rows[index];
    this.say(`${chosen.kind} ${index + 1}: bytes ${start} to ${end - 1}, in ${others}. ${brief.slice(0, 120)}`);
  }
}

// Scroll a column, not the page, to its first linked row.
function reveal(column, index) {
  const item = column.items[index];
  if (!item) return;
  const list = item.parentElement;
  list.scrollTop = item.offsetTop - list.offsetTop - list.clientHeight / 3;
}

// A text box that tells what is in it once typing has paused, never while a word is composed,
// and shows through itself which part of the text differs. Joined with lab.js.
function promptBox(name, undo, act) {
  const input = lab.quiet(lab.el('textarea', { rows: 5, spellcheck: false }), undo);
  const behind = lab.el('div', { className: 'lab-behind', ariaHidden: 'true' });
  let timer = 0;
  const later = () => { behind.replaceChildren(); clearTimeout(timer); timer = setTimeout(() => act(input.value), 300); };
  const follow = () => { behind.scrollTop = input.scrollTop; };
  undo.add(() => clearTimeout(timer));
  undo.on(input, 'input', (event) => { if (!event.isComposing) later(); });
  undo.on(input, 'compositionend', later);
  undo.on(input, 'scroll', follow);
  const write = (text) => { if (input.value !== text && document.activeElement !== input) input.value = text; };
  const mark = (parts) => {
    if (parts.join('') !== input.value) return; // typed since
    const [before, differing, after] = parts;
    const found = lab.el('mark', { textContent: differing });
    behind.replaceChildren(before, found, after, '\u200b'); // the last line has its height
    if (document.activeElement !== input) input.scrollTop = Math.max(0, found.offsetTop - 24);
    follow();
  };
  const node = lab.el('label', { className: 'lab-prompt' },
    lab.el('span', { className: 'lab-label', textContent: name }), lab.el('span', { className: 'lab-layers' }, behind, input));
  return { node, write, mark };
}

// A plotly figure whose bundle crosses the wire once a page, not once a figure. Joined
// with lab.js. The bundle's own widget does the drawing; it is loaded inside render, since
// the page forgives no slow initialize.
export default () => {
  let inner;
  const load = async (model) => {
    const { default: factory } = await lab.module(model, 'plotly.js');
    const widget = factory();
    await lab.ask(model, { op: 'sync' }, lab.patienceMs); // what changed while nobody was listening
    await widget.initialize({ model });
    return widget;
  };
  return {
    async render(view) {
      inner ??= load(view.model);
      const words = view.model.get('_lab_words');
      view.el.classList.add('lab', 'lab-figure');
      view.el.setAttribute('role', 'group');
      view.el.setAttribute('aria-label', words);
      const undo = await (await inner).render(view);
      const note = lab.el('p', { className: 'lab-words', textContent: words });
      view.el.append(note);
      return () => { note.remove(); undo?.(); };
    },
  };
};

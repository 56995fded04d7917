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
  return lab.widget(async (view) => {
    inner ??= load(view.model);
    const title = view.model.get('_lab_title');
    view.el.classList.add('lab', 'lab-figure');
    view.el.setAttribute('role', 'group');
    view.el.setAttribute('aria-label', title);
    // Of its own height: plotly takes its host's at every change of the window's size.
    const plot = lab.own(lab.el('div', { className: 'lab-plot' })); // plotly needs no kernel
    plot.style.height = `${view.model.get('_widget_layout').height}px`;
    const words = lab.el('p', { className: 'lab-words', textContent: view.model.get('_lab_words') });
    view.el.replaceChildren(lab.title(title), plot, words);
    const undo = await (await inner).render({ ...view, el: plot });
    const width = followed(plot);
    return () => { width.disconnect(); undo?.(); };
  });
};

// plotly follows the window only; a side bar that opens changes the plot's room as well.
function followed(plot) {
  const observer = new ResizeObserver(() => {
    const drawn = plot.querySelector('.main-svg');
    const room = plot.clientWidth;
    if (drawn && room && Math.abs(drawn.clientWidth - room) > 1) window.dispatchEvent(new Event('resize'));
  });
  observer.observe(plot);
  return observer;
}

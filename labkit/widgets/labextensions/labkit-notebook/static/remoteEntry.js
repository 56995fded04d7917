// A plugin of JupyterLab and Notebook, written as the module that they load, without a build.
// A widget whose kernel is gone shows the picture that its output was saved with, where the
// widget manager would say "model not found"; links of widgets to other notebooks open there.
(() => {
  const WIDGET = 'application/vnd.jupyter.widget-view+json';
  const WORDS = 'This is from an earlier run. To make it live again, run the cells above it '
    + 'and then its own (Shift+Enter).';

  // Every widget's output also holds HTML: its still, or its words.
  const showSaved = async (renderer, model, create) => {
    const { node } = renderer;
    if (!node.textContent.startsWith('Error displaying widget') || !model.data['text/html']) return;
    const saved = create('text/html');
    await saved.renderModel(model);
    const note = document.createElement('p');
    note.className = 'lab-earlier';
    note.textContent = WORDS;
    note.style.cssText = 'margin: 0 0 6px; padding: 4px 12px; border-left: 4px solid var(--jp-warn-color1);'
      + 'background: var(--jp-layout-color2); color: var(--jp-content-font-color1);'
      + 'font: 13px/1.45 var(--jp-ui-font-family);';
    node.classList.remove('jupyter-widgets');
    node.replaceChildren(note, saved.node);
    renderer.disposed.connect(() => saved.dispose());
  };

  const keepStills = (rendermime) => {
    const create = rendermime.createRenderer.bind(rendermime);
    rendermime.createRenderer = (type) => {
      const renderer = create(type);
      if (type !== WIDGET) return renderer;
      const renderLive = renderer.renderModel.bind(renderer);
      renderer.renderModel = async (model) => { // called again once the manager knows its models
        await renderLive(model);
        await showSaved(renderer, model, create);
      };
      return renderer;
    };
  };

  // A plain click on a widget's link to a notebook opens it beside this one.
  const openLinks = (app) => document.addEventListener('click', (event) => {
    const link = event.target.closest?.('.lab a[href$=".ipynb"]');
    const path = app.shell.currentWidget?.context?.path;
    if (!link || path === undefined || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const folder = path.split('/').slice(0, -1);
    const target = [...folder, link.getAttribute('href')].join('/');
    app.commands.execute('docmanager:open', { path: target });
  });

  const plugin = {
    id: 'labkit-notebook:plugin',
    autoStart: true,
    activate(app) {
      const createNew = (panel) => keepStills(panel.content.rendermime);
      app.docRegistry.addWidgetExtension('Notebook', { createNew });
      openLinks(app);
    },
  };

  const containers = (window._JUPYTERLAB ??= {});
  containers['labkit-notebook'] = {
    init() {},
    async get() { return () => ({ __esModule: true, default: plugin }); },
  };
})();

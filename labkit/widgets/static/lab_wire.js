// What a page and Python say to each other besides state, and whether Python still listens.
// Joined with lab.js.
Object.assign(lab, {
  // One copy of a vendor file a page, whichever widget asks first; never in initialize().
  asset(model, name) {
    const cache = (globalThis.__labAssets ??= new Map());
    if (!cache.has(name)) {
      const answer = lab.ask(model, { op: 'asset', name }, lab.patienceMs).then(([bytes]) => bytes);
      cache.set(name, answer);
      answer.catch(() => cache.delete(name));
    }
    return cache.get(name);
  },

  // The module in a vendor file.
  module(model, name) {
    const cache = (globalThis.__labModules ??= new Map());
    if (!cache.has(name)) {
      const loaded = lab.asset(model, name).then((bytes) => {
        const url = URL.createObjectURL(new Blob([bytes], { type: 'text/javascript' }));
        return import(url).finally(() => URL.revokeObjectURL(url));
      });
      cache.set(name, loaded);
      loaded.catch(() => cache.delete(name));
    }
    return cache.get(name);
  },

  patienceMs: 900000, // what a drawing waits for may stand behind a whole Run All

  // Send a message, wait for the answer with the same id: its buffers.
  ask(model, message, limitMs = 30000) {
    return new Promise((resolve, reject) => {
      const id = crypto.randomUUID?.() ?? String(Math.random());
      const listen = (answer, buffers) => {
        if (answer.id !== id) return;
        finish();
        if (answer.error) reject(new Error(answer.error)); else resolve(buffers);
      };
      const finish = () => { clearTimeout(timer); model.off('msg:custom', listen); };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`no answer to ${message.op} from Python; is the kernel running?`));
      }, limitMs);
      model.on('msg:custom', listen);
      model.send({ ...message, id });
    });
  },

  // What a widget's file exports: `render` draws into a host of its own, above which stands
  // a note once the kernel that the widget talks to has ended. A kernel that is busy has not.
  widget(render) {
    return {
      async render(view) {
        const host = lab.el('div');
        const note = lab.el('p', { className: 'lab-asleep', role: 'status', hidden: true });
        view.el.replaceChildren(note, host);
        const unwatch = lab.kernelEnd(view.model, () => {
          note.textContent = lab.asleepWords;
          note.hidden = false;
          lab.disableAll(host);
        });
        const undo = await lab.behindVeil(view.model, host, () => render({ ...view, el: host }));
        return () => { unwatch(); undo(); };
      },
    };
  },

  // Draws into `host`, or shows the words of the trait `veil` there for as long as it has any:
  // a question above is open, and the picture would give its answer away.
  async behindVeil(model, host, draw) {
    let isGone = false;
    let undo = null;
    const look = async () => {
      const words = model.get('veil');
      undo?.();
      undo = null;
      if (words) {
        const node = lab.el('p', { className: 'lab-veil', textContent: words });
        host.replaceChildren(lab.el('div', { className: 'lab' }, node));
        return;
      }
      host.replaceChildren();
      undo = (await draw()) ?? null;
      if (isGone) undo?.();
    };
    model.on('change:veil', look);
    await look();
    return () => { isGone = true; model.off('change:veil', look); undo?.(); };
  },

  asleepWords: 'The kernel behind this picture has ended, so the controls that need it are switched off. '
    + 'Run its cell (Shift+Enter) to make it live again; after a restart, the cells above it first.',

  // Calls `act` once when the kernel of `model` ends, restarts or is replaced, which JupyterLab
  // and Notebook tell; other pages do not say, and there nothing is watched.
  kernelEnd(model, act) {
    const session = model.widget_manager?.context?.sessionContext;
    if (!session) return () => {};
    const ended = ['dead', 'terminating', 'restarting', 'autorestarting'];
    const stop = () => {
      session.statusChanged.disconnect(status);
      session.kernelChanged.disconnect(changed);
    };
    const end = () => { stop(); act(); };
    const status = (_, now) => { if (ended.includes(now)) end(); };
    const changed = (_, { oldValue, newValue }) => { if (oldValue?.id !== newValue?.id) end(); };
    session.statusChanged.connect(status);
    session.kernelChanged.connect(changed);
    return stop;
  },

  // Disables every control in `host` that needs Python, also those that are drawn later.
  disableAll(host) {
    const controls = 'button, input, select, textarea';
    const sleep = () => {
      for (const node of host.querySelectorAll(controls)) {
        if (!node.closest('[data-own]')) node.disabled = true;
      }
    };
    sleep();
    new MutationObserver(sleep).observe(host, { childList: true, subtree: true });
  },

  // Marks a control that works in the page alone, so that it stays in use without a kernel.
  own(node) {
    node.dataset.own = '';
    return node;
  },
});

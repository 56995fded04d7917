// Shared by all widgets. Python joins this file and static/NAME.js into one module, so
// there is nothing to import; what a widget may use is the object `lab`.
const lab = {
  // An element with properties, `data` and `aria` sets, and children.
  el(tag, { data = {}, aria = {}, role, ...props } = {}, ...children) {
    const node = Object.assign(document.createElement(tag), props);
    Object.assign(node.dataset, data);
    for (const [name, value] of Object.entries(aria)) node.setAttribute(`aria-${name}`, value);
    if (role) node.setAttribute('role', role);
    node.append(...children);
    return node;
  },

  // An SVG element; attributes only.
  svg(tag, attributes = {}, ...children) {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  },

  // A list of things to undo; `undo.run()` is what a widget returns from render.
  cleaner() {
    const steps = [];
    return {
      add(step) { steps.push(step); },
      on(target, type, listener) {
        target.addEventListener(type, listener);
        steps.push(() => target.removeEventListener(type, listener));
      },
      model(model, event, listener) {
        model.on(event, listener);
        steps.push(() => model.off(event, listener));
      },
      run() { while (steps.length) steps.pop()(); },
    };
  },

  // Keys pressed on `node` stay with it: JupyterLab would take `b`, `x`, `d d` as its own.
  // The attribute works on the focused element only, never on a parent.
  quiet(node, undo) {
    node.setAttribute('data-lm-suppress-shortcuts', 'true');
    for (const type of ['keydown', 'keyup', 'keypress']) {
      undo.on(node, type, (event) => event.stopPropagation());
    }
    return node;
  },

  // Where the focus lands when what had it goes away or dead; not a stop of the Tab key.
  landing(node, undo) {
    node.tabIndex = -1;
    return lab.quiet(node, undo);
  },

  button(text, undo, act) {
    const node = lab.quiet(lab.el('button', { type: 'button', textContent: text }), undo);
    undo.on(node, 'click', act);
    return node;
  },

  // A labelled input, select or range: the label is part of the control, so it is its name.
  // `act(value)` gets a number for number and range, true or false for a checkbox.
  field(label, undo, { type = 'text', options, value, act, show, ...props }) {
    const input = lab.el(options ? 'select' : 'input', options ? {} : { type, ...props });
    for (const [key, text] of options ?? []) {
      input.append(lab.el('option', { value: key, textContent: text }));
    }
    const isNumber = type === 'number' || type === 'range';
    const read = () => (type === 'checkbox' ? input.checked : isNumber ? input.valueAsNumber : input.value);
    const shown = lab.el('span', { className: 'lab-value', ariaHidden: 'true' });
    const write = (next) => {
      if (type === 'checkbox') input.checked = Boolean(next); else input.value = next;
      if (show) {
        shown.textContent = show(read());
        input.setAttribute('aria-valuetext', shown.textContent);
      }
    };
    write(value);
    lab.quiet(input, undo);
    undo.on(input, options || type === 'checkbox' ? 'change' : 'input', () => {
      if (show) write(input.value);
      act?.(read());
    });
    const name = lab.el('span', { className: 'lab-label', textContent: label });
    const kind = `lab-field lab-field-${options ? 'select' : type}`;
    const node = lab.el('label', { className: kind }, name, input, ...(show ? [shown] : []));
    return { node, input, read, write };
  },

  // Arrow, Home and End keys move through `items`; one of them is in the tab order.
  rove(items, undo, choose) {
    const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 };
    const take = (index) => {
      items.forEach((item, i) => { item.tabIndex = i === index ? 0 : -1; });
    };
    items.forEach((item, index) => {
      lab.quiet(item, undo);
      undo.on(item, 'keydown', (event) => {
        const move = moves[event.key];
        if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        const next = Math.min(items.length - 1, Math.max(0, index + move));
        items[next].focus();
      });
      undo.on(item, 'focus', () => { take(index); choose(index); });
      undo.on(item, 'pointerdown', () => item.focus());
    });
    return take;
  },

  // Words about the state; screen readers hear the last of quick changes only.
  speaker(undo) {
    const node = lab.el('output', { className: 'lab-say', ariaLive: 'polite' });
    let timer = 0;
    undo.add(() => clearTimeout(timer));
    const say = (words) => {
      clearTimeout(timer);
      timer = setTimeout(() => { if (node.textContent !== words) node.textContent = words; }, 150);
    };
    return { node, say };
  },

  // Root of a widget: a named group with the widget's class.
  root(host, name, title) {
    const node = lab.el('div', { className: `lab lab-${name}`, role: 'group', aria: { label: title } });
    host.replaceChildren(node);
    return node;
  },

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

  // 1234.5 -> "1,234.5"; the same in every locale, as in the stills.
  number(value, digits = 1) {
    return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  },
  ms(value, digits = 1) { return `${lab.number(value, digits)} ms`; },

  // Round values from 0 to `high`, about `count` of them.
  ticks(high, count = 6) {
    if (!(high > 0)) return [0];
    const raw = high / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
    return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, i) => Number((i * step).toPrecision(10)));
  },
};

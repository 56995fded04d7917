// Shared by all widgets. Python joins the lab*.js files and static/NAME.js into one module,
// so there is nothing to import; what a widget may use is the object `lab`.
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
};

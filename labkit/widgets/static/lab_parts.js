// Parts that several widgets have in common: titles, words for numbers, a play button, a
// control with the reason why it cannot be used now. Joined with lab.js.
Object.assign(lab, {
  // The title of a widget, and of a part of it. Neither is a heading of the page: a widget
  // stands below headings of any level, and its root has the title as its name.
  title(text = '', props = {}) {
    return lab.el('div', { className: 'lab-title', textContent: text, ...props });
  },
  subtitle(text = '', props = {}, ...children) {
    const node = lab.el('div', { className: 'lab-subtitle', textContent: text, ...props });
    node.append(...children);
    return node;
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

  // 1, 'piece' -> "1 piece"; 2000, 'piece' -> "2,000 pieces". A word whose plural takes more
  // than an s is given both ways: (3, 'entry', 'entries').
  count(number, one, many = `${one}s`) {
    return `${lab.number(number, 0)} ${number === 1 ? one : many}`;
  },

  // A control and, while it cannot be used, the reason in words beside it:
  // `start.refuse('Give a prompt first.')` disables it, `start.refuse('')` enables it.
  reasoned(control) {
    const words = lab.el('small', { className: 'lab-why', hidden: true });
    const node = lab.el('span', { className: 'lab-reasoned' }, control, words);
    const refuse = (why) => {
      const target = control.matches('label') ? control.querySelector('input, select, textarea') : control;
      if (target.disabled === Boolean(why) && words.textContent === why) return;
      target.disabled = Boolean(why);
      if (why) target.setAttribute('aria-description', why); else target.removeAttribute('aria-description');
      words.textContent = why;
      words.hidden = !why;
    };
    return { node, control, refuse };
  },

  // A Play button. While it plays, `advance(ms)` is called with the time since the last call,
  // every `everyMs` (0: before each frame that is drawn), until it returns false. `rewind()` is
  // called where it is pressed at the end. `play.stop()` is for whoever moves by hand.
  player(undo, { advance, rewind = () => {}, everyMs = 700, name = 'Play' }) {
    let timer = 0;
    let last = 0;
    let isAtEnd = false;
    const wait = everyMs > 0 ? (f) => setTimeout(f, everyMs, 0) : requestAnimationFrame;
    const cancel = everyMs > 0 ? clearTimeout : cancelAnimationFrame;
    const show = () => { node.textContent = timer ? 'Pause' : name; };
    const tick = () => {
      const now = performance.now();
      isAtEnd = advance(now - last) === false;
      last = now;
      timer = isAtEnd ? 0 : wait(tick);
      show();
    };
    const stop = () => { cancel(timer); timer = 0; isAtEnd = false; show(); };
    const start = () => {
      if (isAtEnd) rewind();
      isAtEnd = false;
      last = performance.now();
      timer = wait(tick);
      show();
    };
    const node = lab.button(name, undo, () => (timer ? stop() : start()));
    node.classList.add('lab-play');
    undo.add(stop);
    return { node, start, stop, isPlaying: () => timer !== 0 };
  },

  // Whether the reader has asked for less motion.
  isStill() { return matchMedia('(prefers-reduced-motion: reduce)').matches; },
});

// Strips of time on one scale: a span under the pointer is named, the strips can be zoomed,
// and a cursor plays them in slow motion. Joined with lab.js.
const SLOW = 200; // times slower than it was, unless that takes longer than this many ms:
const LONGEST_PLAY_MS = 12000;
const MOST_ZOOM = 64;
const JUMP_MS = 500; // between two places of the cursor where the reader asked for less motion

class TraceStrips {
  // `tell(words, isLoud)` shows what is under the cursor or the pointer.
  constructor(drawing, undo, tell) {
    this.drawing = drawing;
    this.tell = tell;
    this.zoom = 1;
    this.at = 0;
    this.total = drawing.total_ms || 1;
    this.cursor = lab.el('div', { className: 'lab-cursor', hidden: true });
    this.axis = lab.el('div', { className: 'lab-axis' });
    this.inner = lab.el('div', { className: 'lab-strips' }, ...drawing.strips.map((strip) => this.strip(strip)), this.axis, this.cursor);
    this.scroller = lab.quiet(lab.el('div', { className: 'lab-scroll', role: 'group', tabIndex: -1, aria: { label: 'The request over time' } }, this.inner), undo);
    this.segments = [...this.inner.querySelectorAll('.lab-strip i')];
    undo.on(this.inner, 'pointermove', (event) => this.hover(event));
    undo.on(this.inner, 'pointerleave', () => tell(null));
    this.tools = this.controls(undo);
    this.ticks();
  }

  share(ms) { return `${(100 * ms) / this.total}%`; }

  strip({ name, total_ms, segments, pins }) {
    const parts = segments.map((part) => {
      const node = lab.el('i', { data: { layer: part.layer } });
      node.style.left = this.share(part.start_ms);
      node.style.width = this.share(part.end_ms - part.start_ms);
      return node;
    });
    const marks = pins.map((pin, i) => {
      const node = lab.el('span', { textContent: `${pin.name} ${lab.ms(pin.time_ms)}` });
      node.style.left = this.share(pin.time_ms);
      node.style.setProperty('--row', pins.length - 1 - i); // the later one is nearer the strip
      node.classList.toggle('lab-end', pin.time_ms > this.total * 0.6);
      return node;
    });
    const head = lab.el('div', { className: 'lab-pins' }, ...marks);
    head.style.setProperty('--rows', Math.max(1, pins.length));
    const label = name ? [lab.el('b', { className: 'lab-whose', textContent: `${name}: ${lab.ms(total_ms)}` })] : [];
    return lab.el('div', { ariaHidden: 'true' }, ...label, head, lab.el('div', { className: 'lab-strip' }, ...parts));
  }

  controls(undo) {
    this.slow = Math.min(SLOW, LONGEST_PLAY_MS / this.total);
    this.play = lab.player(undo, {
      name: `Play, ${speedInWords(this.slow)}`,
      everyMs: lab.isStill() ? JUMP_MS : 0,
      rewind: () => this.put(0),
      advance: (ms) => this.put((this.at < this.total ? this.at : 0) + ms / this.slow),
    });
    const zoom = (name, by) => lab.own(lab.button(name, undo, () => this.magnify(this.zoom * by)));
    this.out = zoom('Zoom out', 0.5);
    this.in = zoom('Zoom in', 2);
    this.limits();
    const pick = (ms) => { this.play.stop(); this.put(ms, true); };
    this.moment = lab.field('Moment', undo, { type: 'range', min: 0, max: this.total, step: this.total / 1000, value: 0, show: (ms) => lab.ms(ms), act: pick });
    return lab.el('div', { className: 'lab-tools' }, lab.own(this.play.node), lab.own(this.moment.node), this.in, this.out);
  }

  // Puts the cursor at a time; false once it is at the end.
  put(ms, isLoud = false) {
    this.at = Math.min(ms, this.total);
    this.moment.write(this.at);
    this.cursor.hidden = false;
    this.cursor.style.left = this.share(this.at);
    const x = (this.inner.clientWidth * this.at) / this.total;
    if (this.zoom > 1) this.scroller.scrollLeft = x - this.scroller.clientWidth / 2;
    const isMore = this.at < this.total;
    this.tell(isMore ? this.words(this.at) : `At ${lab.ms(this.total)}: the end.`, isLoud || !isMore);
    return isMore;
  }

  // Twice as wide keeps in sight what the cursor, or else the middle, was at.
  magnify(zoom) {
    const { scroller, inner } = this;
    const middle = (scroller.scrollLeft + scroller.clientWidth / 2) / inner.clientWidth;
    const place = this.cursor.hidden ? middle : this.at / this.total;
    this.zoom = Math.min(MOST_ZOOM, Math.max(1, zoom));
    inner.style.width = `${100 * this.zoom}%`;
    scroller.scrollLeft = place * inner.clientWidth - scroller.clientWidth / 2;
    scroller.tabIndex = this.zoom > 1 ? 0 : -1; // scrolled with the arrow keys
    this.limits();
    this.ticks();
    this.tell(this.zoom === 1 ? 'The whole request is in sight.' : `${lab.number(this.zoom, 0)} times as wide; scroll with the arrow keys.`, true);
  }

  limits() {
    this.out.disabled = this.zoom === 1;
    this.out.title = this.zoom === 1 ? 'The whole request is in sight already.' : '';
    this.in.disabled = this.zoom === MOST_ZOOM;
    this.in.title = this.zoom === MOST_ZOOM ? `${MOST_ZOOM} times as wide is the most.` : '';
  }

  ticks() {
    const times = lab.ticks(this.total, 8 * this.zoom).filter((t) => t < this.total * (1 - 0.03 / this.zoom));
    this.axis.replaceChildren(...times.map((time, i) => {
      const digits = this.total / (8 * this.zoom) < 1 ? 2 : 0;
      const node = lab.el('span', { textContent: i ? lab.number(time, digits) : '0 ms' });
      node.style.left = this.share(time);
      return node;
    }));
  }

  hover(event) {
    if (this.play.isPlaying()) return;
    const box = this.inner.getBoundingClientRect();
    this.tell(this.words((this.total * (event.clientX - box.left)) / box.width));
  }

  // What each request did at a time.
  words(ms) {
    const each = this.drawing.strips.map(({ name, segments, total_ms }) => {
      const part = segments.findLast((x) => x.start_ms <= ms && ms < x.end_ms);
      const who = name ? `${name}: ` : '';
      if (!part) return `${who}${ms < total_ms ? 'between two spans' : 'already done'}`;
      const layer = this.drawing.layers.find((x) => x.layer === part.layer);
      const title = `${part.name}, layer ${layer.chapter} (${layer.name})`;
      return `${who}${title}, ${lab.ms(part.end_ms - part.start_ms, 2)} from ${lab.ms(part.start_ms)}`;
    });
    return `At ${lab.ms(ms)}: ${each.join('; ')}.`;
  }

  // Dims every layer but one; none for a layer that has no time.
  dim(layer) {
    const isTimed = this.segments.some((part) => part.dataset.layer === layer);
    for (const part of this.segments) part.classList.toggle('lab-dim', isTimed && part.dataset.layer !== layer);
  }
}

// How fast a trace is played, against the clock that recorded it.
function speedInWords(slow) {
  const times = lab.number(Math.max(slow, 1 / slow), 0);
  if (times === '1') return 'as fast as it was';
  return `${times} times ${slow > 1 ? 'slower' : 'faster'}`;
}

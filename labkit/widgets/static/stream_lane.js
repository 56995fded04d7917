// What a StreamView draws: stamps on a lane of time, and the pace. Joined with lab.js.
// The lane is scaled by one CSS number, so that a longer stream moves every stamp at once.
class StampLane {
  constructor() {
    this.dots = lab.el('div', { className: 'lab-dots' });
    this.axis = lab.el('div', { className: 'lab-axis' });
    const key = lab.el('p', { className: 'lab-key' },
      lab.el('i', { className: 'lab-stamp' }), ' text, the bar is its gap  ',
      lab.el('i', { className: 'lab-stamp lab-plain' }), ' role, finish, usage  ',
      lab.el('span', { className: 'lab-doubt', textContent: 'word' }), ' less probable than 1 in 2');
    this.node = lab.el('div', { className: 'lab-lane', ariaHidden: 'true' }, this.dots, this.axis, key);
    this.clear();
  }

  clear() {
    this.dots.replaceChildren();
    this.stamps = [];
    this.last = null; // time of the text before
    this.total = 0;
    this.longest = 0;
    this.scale(100);
  }

  add(chunk) {
    const gap = chunk.text && this.last !== null ? chunk.ms - this.last : 0;
    if (chunk.text) this.last = chunk.ms;
    const stamp = lab.el('i', { className: `lab-stamp${chunk.text ? '' : ' lab-plain'}` });
    stamp.style.setProperty('--at', chunk.ms);
    stamp.style.setProperty('--gap', gap);
    this.dots.append(stamp);
    this.stamps.push(stamp);
    this.longest = Math.max(this.longest, gap);
    this.dots.style.setProperty('--longest', this.longest || 1);
    if (chunk.ms > this.total) this.scale(chunk.ms > 100 ? chunk.ms : 100, chunk.ms);
  }

  // Stamps from `count` on are not there yet.
  upTo(count) {
    this.stamps.forEach((stamp, i) => stamp.classList.toggle('lab-later', i >= count));
  }

  scale(total, reached = 0) {
    this.total = total;
    this.dots.style.setProperty('--total', total);
    this.reached = reached;
    const marks = lab.ticks(total, 7).filter((time) => time < total * 0.98).map((time) => {
      const node = lab.el('span', { textContent: time ? lab.number(time, 0) : '0 ms' });
      node.style.left = `${(100 * time) / total}%`;
      return node;
    });
    this.axis.replaceChildren(...marks);
  }
}

// The smallest value that at least `percent` of `values` do not exceed; as in Python.
function percentile(values, percent) {
  const rank = Math.max(1, Math.ceil((values.length * percent) / 100));
  return values.length ? [...values].sort((a, b) => a - b)[rank - 1] : null;
}

function paceOf(chunks) {
  const texts = chunks.filter((chunk) => chunk.text).map((chunk) => chunk.ms);
  const gaps = texts.slice(1).map((time, i) => time - texts[i]);
  const p50 = percentile(gaps, 50);
  const p99 = percentile(gaps, 99);
  return {
    'first chunk': chunks[0]?.ms ?? null,
    'first text': texts[0] ?? null,
    'gap p50': p50,
    'gap p99': p99,
    'jitter p99 − p50': p50 === null ? null : p99 - p50,
    'text chunks': `${texts.length} of ${chunks.length}`,
  };
}

const BROKEN = 'The stream broke off: its end, [DONE], never came. What is shown is not the whole answer: press Start to ask again.';
const STATUS_WORDS = { idle: 'Press Start.', done: 'Done.', stopped: 'Stopped.', failed: 'Failed.', running: 'Streaming.' };

function streamTitle(pace, isOn) {
  const texts = Number(pace['text chunks'].split(' ')[0]);
  if (!texts) return isOn ? 'Waiting for the first text' : 'No text yet';
  return `${texts} ${texts === 1 ? 'piece' : 'pieces'} of text, the first after ${lab.ms(pace['first text'])}`;
}

// While a stream runs its figures change with every chunk, so they are not spoken.
function statusWords(status, summary) {
  const words = STATUS_WORDS[status] ?? status;
  return status === 'running' || !summary ? words : `${words} ${summary}`;
}

// A list of facts that is written in place.
class FactList {
  constructor() { this.node = lab.el('dl', { className: 'lab-facts' }); this.cells = new Map(); }

  write(facts) {
    for (const [name, value] of Object.entries(facts)) {
      if (!this.cells.has(name)) {
        const cell = lab.el('dd');
        this.cells.set(name, cell);
        this.node.append(lab.el('div', {}, lab.el('dt', { textContent: name }), cell));
      }
      this.cells.get(name).textContent = value === null ? '–' : typeof value === 'number' ? lab.ms(value) : value;
    }
  }
}

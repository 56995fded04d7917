// Three ways to render Markdown that grows. Joined with lab.js; `vendor` is markdown.js.
// A model's text is untrusted: no raw HTML survives, links are http, https or mailto, and
// no image is loaded, since its address alone can carry data away.
const SAFE_LINK = /^(?:https?:|mailto:)/i;
const PURIFY = { FORBID_TAGS: ['img', 'style', 'form', 'input', 'button', 'video', 'audio', 'svg'], FORBID_ATTR: ['style', 'id', 'name'], ALLOWED_URI_REGEXP: SAFE_LINK };

// Raw HTML and images are shown as the text they hold; the filter would drop that text.
const escaped = (text) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
const AS_TEXT = {
  html: ({ text, block }) => (block ? `<p>${escaped(text)}</p>` : escaped(text)),
  image: ({ text }) => escaped(text),
};
const markedOf = (vendor) => new vendor.Marked({ async: false, renderer: AS_TEXT });

// Everything again with every piece: parse the whole text, replace the whole page.
class FullReparse {
  constructor(pane, vendor) {
    this.pane = pane;
    this.text = '';
    this.marked = markedOf(vendor);
    this.clean = (html) => vendor.DOMPurify.sanitize(html, PURIFY);
  }
  write(piece) {
    this.text += piece;
    this.pane.innerHTML = this.clean(this.marked.parse(this.text));
  }
  end() {}
}

// Split the whole text into blocks, render only those whose source changed; all at the end.
class BlockMemo {
  constructor(pane, vendor) {
    this.pane = pane;
    this.text = '';
    this.sources = [];
    this.marked = markedOf(vendor);
    this.clean = (html) => vendor.DOMPurify.sanitize(html, PURIFY);
  }
  write(piece) {
    this.text += piece;
    const blocks = this.marked.lexer(this.text);
    blocks.forEach((block, i) => {
      if (this.sources[i] === block.raw) return;
      this.sources[i] = block.raw;
      const node = this.pane.children[i] ?? this.pane.appendChild(document.createElement('div'));
      node.innerHTML = this.clean(this.marked.parser([block]));
    });
    this.sources.length = blocks.length;
    while (this.pane.children.length > blocks.length) this.pane.lastElementChild.remove();
  }
  // Everything once more: a link may be defined after the block that uses it.
  end() { this.pane.innerHTML = this.clean(this.marked.parse(this.text)); }
}

// Never look back: each piece is parsed once, nodes are appended and grow.
class StreamingParser {
  constructor(pane, { smd }) {
    this.smd = smd;
    const renderer = smd.default_renderer(pane);
    renderer.set_attr = (data, type, value) => {
      if (type === smd.Attr.Src) return;
      if (type === smd.Attr.Href && !SAFE_LINK.test(value.trim())) return;
      smd.default_set_attr(data, type, value);
    };
    this.parser = smd.parser(renderer);
  }
  write(piece) { this.smd.parser_write(this.parser, piece); }
  end() { this.smd.parser_end(this.parser); }
}

const STRATEGIES = [['full re-parse', FullReparse, 'streaming'], ['block memo', BlockMemo, 'network'], ['streaming parser', StreamingParser, 'sampling']];

// One strategy with its pane and its totals.
class RaceLane {
  constructor([name, Strategy, layer]) {
    Object.assign(this, { name, Strategy, layer });
    this.pane = lab.el('div', { className: 'lab-pane' });
    this.pane.addEventListener('click', (event) => event.preventDefault()); // no link is followed
    this.count = lab.el('span');
    this.node = lab.el('div', { className: 'lab-racer', data: { layer } },
      lab.subtitle('', {}, lab.el('b', { textContent: name }), this.count), this.pane);
  }

  reset(vendor) {
    this.observer?.disconnect();
    this.pane.replaceChildren();
    this.ms = 0;
    this.nodes = 0;
    this.series = { ms: [], nodes: [] };
    this.renderer = new this.Strategy(this.pane, vendor);
    this.observer = new MutationObserver(() => {}); // read by hand, right after each write
    this.observer.observe(this.pane, { childList: true, subtree: true, characterData: true });
    this.show();
  }

  write(piece, isLast) {
    const start = performance.now();
    this.renderer.write(piece);
    if (isLast) this.renderer.end();
    this.ms += performance.now() - start;
    this.nodes += written(this.observer.takeRecords());
  }

  keep() {
    this.series.ms.push(Number(this.ms.toFixed(3)));
    this.series.nodes.push(this.nodes);
  }

  show() {
    this.count.textContent = `${lab.ms(this.ms)} · ${lab.number(this.nodes, 0)} nodes`;
    this.pane.scrollTop = this.pane.scrollHeight;
    for (const link of this.pane.querySelectorAll('a')) link.tabIndex = -1; // text to look at
  }

  // What is on the screen, whichever nodes it is made of.
  get page() {
    const tags = [...this.pane.querySelectorAll('*')].filter((node) => node.tagName !== 'DIV').map((node) => node.tagName);
    return `${tags.join()} ${this.pane.textContent.replace(/\s+/g, ' ').trim()}`;
  }

  end() { this.observer?.disconnect(); }
}

// Nodes that were added or whose text changed, each counted once a write.
function written(records) {
  const seen = new Set();
  const take = (node) => { seen.add(node); node.childNodes.forEach(take); };
  for (const record of records) {
    if (record.type === 'characterData') seen.add(record.target);
    record.addedNodes.forEach(take);
  }
  return seen.size;
}

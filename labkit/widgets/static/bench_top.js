// The likeliest tokens after the last stage, beside what the model gave them. Joined with
// lab.js.
class TopTokens {
  constructor() {
    this.list = lab.el('div', { className: 'lab-top', role: 'list', aria: { label: 'The likeliest tokens after the last stage' } });
    this.node = lab.el('div', { className: 'lab-top-box' },
      lab.subtitle('Probability after the last stage (bar) and from the model (line)'), this.list);
  }

  draw(tokens) {
    const most = Math.max(...tokens.map(([, p, model]) => Math.max(p ?? 0, model ?? 0)), 1e-9);
    this.list.replaceChildren(...tokens.map(([text, p, model, isPicked]) => {
      const bar = lab.el('i');
      bar.style.width = `${(100 * (p ?? 0)) / most}%`;
      const line = lab.el('b');
      line.style.left = `${(100 * (model ?? 0)) / most}%`;
      line.hidden = model === null;
      const share = p === null ? 'below the ten' : `${lab.number(100 * p, 2)} %`;
      return lab.el('div', { className: `lab-token${isPicked ? ' lab-picked' : ''}`, role: 'listitem' },
        lab.el('span', { className: 'lab-word', textContent: text }),
        lab.el('span', { className: 'lab-track', ariaHidden: 'true' }, bar, line),
        lab.el('span', { className: 'lab-num', textContent: share }),
        lab.el('span', { className: 'lab-flag', textContent: isPicked ? '◀ picked' : '' }));
    }));
  }
}

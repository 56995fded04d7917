// Bytes, frames, events and two readings. Joined with lab.js and sse_columns.js.
const PIECES = [['', 'as sent'], ['1', '1 byte'], ['3', '3 bytes'], ['7', '7 bytes'], ['64', '64 bytes'], ['1400', '1,400 bytes (a packet)']];

function render({ model, el }) {
  const undo = lab.cleaner();
  const root = lab.root(el, 'sse', 'Bytes, frames and events of a stream');
  const { node: output, say } = lab.speaker(undo);
  const title = lab.title();
  const columns = new LinkedColumns(say);
  undo.add(() => columns.undo.run());
  const verdict = lab.el('div', { className: 'lab-verdict' });
  const fields = faultFields(model, undo);
  root.append(title, lab.el('div', { className: 'lab-controls' }, ...Object.values(fields).map((f) => f.node)),
    columns.node, verdict, output);

  function draw() {
    const result = model.get('result');
    title.textContent = result.title;
    columns.draw(result);
    verdict.replaceChildren(readingCard('Real parser', result.real, result.real, columns.undo),
      readingCard('Naive parser', result.naive, result.real, columns.undo));
    say(result.alt);
  }
  function write() {
    const [bytes, frames] = model.get('sizes')[model.get('dialect')];
    const faults = model.get('faults');
    fields.dialect.write(model.get('dialect'));
    fields.chunk_bytes.write(String(faults.chunk_bytes ?? ''));
    fields.coalesce.write(faults.coalesce);
    fields.duplicate_at.input.max = frames;
    fields.duplicate_at.write(faults.duplicate_at === null ? 0 : faults.duplicate_at + 1);
    fields.drop_at.input.max = bytes;
    fields.drop_at.write(faults.drop_at ?? bytes);
    fields.stall_s.write(faults.stall_s);
    fields.split_utf8.write(faults.split_utf8);
  }
  undo.model(model, 'change:result', draw);
  undo.model(model, 'change:dialect change:faults', write);
  write();
  draw();
  return () => undo.run();
}

function faultFields(model, undo) {
  const set = (name, value) => { model.set(name, value); model.save_changes(); };
  const fault = (name, value) => set('faults', { ...model.get('faults'), [name]: value });
  const size = () => model.get('sizes')[model.get('dialect')][0];
  return {
    dialect: lab.field('Recording', undo, {
      options: model.get('names').map((name) => [name, name]),
      act: (value) => { model.set('faults', { ...model.get('faults'), drop_at: null, duplicate_at: null }); set('dialect', value); },
    }),
    chunk_bytes: lab.field('Cut into pieces of', undo, { options: PIECES, act: (v) => fault('chunk_bytes', v ? Number(v) : null) }),
    coalesce: lab.field('Frames joined', undo, {
      type: 'range', min: 1, max: 8, step: 1, value: 1, show: (v) => String(v), act: (v) => fault('coalesce', v) }),
    duplicate_at: lab.field('Frame sent twice', undo, {
      type: 'range', min: 0, max: 1, step: 1, value: 0, show: (v) => (v ? `no. ${v}` : 'none'),
      act: (v) => fault('duplicate_at', v ? v - 1 : null) }),
    drop_at: lab.field('Connection lost after', undo, {
      type: 'range', min: 0, max: size(), step: 1, value: size(), show: (v) => (v >= size() ? 'never' : `${v} B`),
      act: (v) => fault('drop_at', v >= size() ? null : v) }),
    stall_s: lab.field('Stall half-way', undo, {
      type: 'range', min: 0, max: 3, step: 0.25, value: 0, show: (v) => `${v} s`, act: (v) => fault('stall_s', v) }),
    split_utf8: lab.field('Cut inside characters', undo, { type: 'checkbox', act: (v) => fault('split_utf8', v) }),
  };
}

// What a client has in the end; told apart by words and a sign, not by colour.
function readingCard(name, reading, truth, undo) {
  const box = { className: 'lab-recovered', tabIndex: 0, role: 'group', aria: { label: `Text, ${name}` } };
  const text = lab.quiet(lab.el('div', { ...box, textContent: reading.text || '(no text)' }), undo);
  const isRight = reading.text === truth.text && !reading.lost;
  const facts = new FactRow([
    ['events read', String(reading.read)],
    ['unreadable', String(reading.lost)],
    ['last known usage', reading.usage],
    ['end of stream', reading.end],
  ]);
  const sign = isRight ? '✓' : '✗';
  return lab.el('div', { className: `lab-reading${isRight ? '' : ' lab-wrong'}` },
    lab.subtitle(`${sign} ${name}`),
    text, facts.node);
}

class FactRow {
  constructor(facts) {
    this.node = lab.el('dl', { className: 'lab-facts' }, ...facts.map(([name, value]) =>
      lab.el('div', {}, lab.el('dt', { textContent: name }), lab.el('dd', { textContent: value }))));
  }
}

export default lab.widget(render);

'use strict';

// The page of Semblance: one file, no build, nothing from elsewhere. All text goes
// into the page as text, never as HTML: file names and notes are foreign.

const $ = (id) => document.getElementById(id);
const pageSize = 10; // files of one screenful
const candidatesShown = 5;

let token = sessionStorage.getItem('semblance-token') || '';
let job = null;
let shown = { exhibit: '', next: '' };
let notices = { ids: [], next: 0 }; // on the screen and not seen yet; id after which more follow

// el makes an element: properties, then children; text stays text.
function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (k in e) e[k] = v; else e.setAttribute(k, v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== ''));
  return e;
}

// facts is a list of names and values, without those that have none.
function facts(pairs) {
  const dl = el('dl');
  for (const [name, value] of pairs) {
    if (value === undefined || value === null || value === '') continue;
    dl.append(el('dt', {}, name), el('dd', {}, value instanceof Node ? value : String(value)));
  }
  return dl;
}

// table is one with a head; cells are text or elements.
function table(caption, head, rows) {
  return el('table', {}, el('caption', {}, caption), el('thead', {}, el('tr', {}, ...head.map((h) => el('th', { scope: 'col' }, h)))),
    el('tbody', {}, ...rows.map((r) => el('tr', {}, ...r.map((c) => el('td', {}, c instanceof Node ? c : String(c === undefined || c === null ? '' : c)))))));
}

const moment = (text) => text.slice(0, 16).replace('T', ' ');
const mono = (text) => el('span', { className: 'mono' }, text || '');
const four = (n) => Number(n).toFixed(4);
const plural = (n, one, many) => `${n} ${n === 1 ? one : many}`;
const casePath = (rest) => `/v1/cases/${encodeURIComponent($('case').value)}${rest}`;

class Problem extends Error {
  constructor(p, status) {
    super([p.detail || `The service answered with status ${status}.`, p.hint, ...(p.errors || []).map((e) => `${e.pointer}: ${e.detail}`)].filter(Boolean).join('\n'));
    this.status = status;
  }
}

// call asks the service, and throws its problem when it has one.
async function call(path, options = {}) {
  const headers = { Authorization: `Bearer ${token}`, 'Semblance-Client': 'page', ...(options.headers || {}) };
  const res = await fetch(path, { ...options, headers });
  if (res.ok) return res;
  let p = {};
  try { p = await res.json(); } catch { /* not a problem of the service: a proxy's */ }
  throw new Problem(p, res.status);
}

const get = async (path) => (await call(path)).json();
const post = async (path, body) => (await call(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })).json();

function tell(err) {
  $('problem').hidden = !err;
  $('problem').textContent = err ? err.message : '';
  if (err && err.status === 401) logout();
}

// doing runs an action of a person and shows what goes wrong.
function doing(f) {
  return async (...args) => {
    if (args[0] instanceof Event) args[0].preventDefault();
    tell(null);
    try { await f(...args); } catch (err) { tell(err); }
  };
}

function logout() {
  token = '';
  sessionStorage.removeItem('semblance-token');
  $('login').hidden = false;
  $('work').hidden = true;
  $('forget').hidden = true;
  clear();
  $('token').focus();
}

// clear takes away what is of another case.
function clear() {
  for (const id of ['results', 'jobs', 'notices', 'links']) $(id).replaceChildren();
  for (const id of ['more', 'more-notices', 'seen']) $(id).hidden = true;
  notices = { ids: [], next: 0 };
}

async function login() {
  await loadCases('');
  sessionStorage.setItem('semblance-token', token);
  $('token').value = '';
  $('login').hidden = true;
  $('work').hidden = false;
  $('forget').hidden = false;
  await loadCollections();
  await chooseCase();
}

async function loadCases(choose) {
  const { cases } = await get('/v1/cases');
  $('case').replaceChildren(...cases.map((c) => {
    const o = el('option', { value: c.number }, `${c.number} (${c.agency}, ${c.country})`);
    o.facts = `${c.purpose}; ${c.basis}`;
    return o;
  }));
  if (choose) $('case').value = choose;
  $('new-case').open = cases.length === 0;
}

async function chooseCase() {
  const o = $('case').selectedOptions[0];
  $('case-facts').textContent = o ? `Purpose and basis: ${o.facts}` : 'There is no case yet: create one.';
  clear();
  for (const id of ['show-jobs', 'show-notices', 'show-links']) $(id).disabled = !o;
  label();
  ready();
  if (o) await loadExhibits('');
}

async function loadExhibits(choose) {
  const { exhibits } = await get(casePath('/exhibits'));
  exhibits.sort((a, b) => b.created.localeCompare(a.created));
  $('exhibits').replaceChildren(...exhibits.map((x) => el('option', { value: x.label }, `${x.label} (${x.source}, ${x.created.slice(0, 16).replace('T', ' ')})`)));
  if (choose) $('exhibits').value = choose;
  $('show').disabled = exhibits.length === 0;
}

async function loadCollections() {
  const { collections } = await get('/v1/collections');
  const rows = collections.map((c, i) => {
    const holds = c.kind === 'faces' ? `${plural(c.subjects, 'subject', 'subjects')}, ${plural(c.entries, 'reference', 'references')}, ${c.engine}, up to ${four(c.face_distance)}`
      : `${plural(c.entries, 'value', 'values')}` + (c.kind === 'hashes' ? `, PDQ up to ${c.pdq_distance} bits` : '');
    const box = el('input', { type: 'checkbox', id: `collection-${i}`, value: c.name, checked: true, onchange: ready });
    return el('div', { className: 'choice' }, box, el('label', { htmlFor: `collection-${i}` }, c.name), el('span', {}, `${c.kind}, ${c.owner} (${c.country}): ${holds}`));
  });
  $('collections').replaceChildren($('collections').firstElementChild, ...(rows.length ? rows : [el('p', { className: 'quiet' }, 'There is no collection yet: semblance collection create makes one.')]));
}

const chosen = () => [...$('collections').querySelectorAll('input:checked')].map((b) => b.value);

// ready lets the upload start when it can.
function ready() {
  $('start').disabled = !$('case').value || chosen().length === 0 || $('files').files.length === 0 || job !== null;
}

// label proposes a label that the case does not have.
function label() {
  const now = new Date();
  const two = (n) => String(n).padStart(2, '0');
  $('exhibit').value = `upload ${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
}

async function upload() {
  const exhibit = $('exhibit').value.trim();
  const form = new FormData();
  for (const f of $('files').files) form.append('file', f, f.name);
  const query = new URLSearchParams({ exhibit, against: chosen().join(',') });
  $('job').hidden = false;
  $('bar').removeAttribute('value');
  $('state').textContent = `Uploading ${plural($('files').files.length, 'file', 'files')}`;
  job = { id: '' };
  ready();
  try {
    job = await (await call(casePath(`/uploads?${query}`), { method: 'POST', body: form })).json();
    $('files').value = '';
    const ended = await follow(job.id);
    if (ended.state !== 'done') throw new Error(ended.error || `The job is ${ended.state}.`);
    await loadExhibits(exhibit);
    await show(exhibit);
  } finally {
    job = null;
    label();
    ready();
  }
}

// follow reads a job's events until it has ended, and goes on where it was when the
// connection breaks.
async function follow(id) {
  let last = '';
  for (let tries = 0; tries < 20; tries++) {
    try {
      const res = await call(`/v1/jobs/${id}/events`, { headers: last ? { 'Last-Event-ID': last } : {} });
      for await (const ev of events(res.body)) {
        tries = 0;
        if (ev.id) last = ev.id;
        if (!ev.data) continue;
        const j = JSON.parse(ev.data);
        progress(j);
        if (ev.event === 'end') return j;
      }
    } catch (err) {
      if (err instanceof Problem) throw err;
    }
    await new Promise((wake) => setTimeout(wake, 1000));
  }
  throw new Error('The service cannot be reached. The job goes on; look at the exhibit later.');
}

// events splits a stream into server-sent events.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    let end;
    while ((end = text.indexOf('\n\n')) >= 0) {
      const ev = {};
      for (const line of text.slice(0, end).split('\n')) {
        const at = line.indexOf(': ');
        if (at > 0) ev[line.slice(0, at)] = line.slice(at + 2);
      }
      text = text.slice(end + 2);
      yield ev;
    }
  }
}

// working says what takes long with one file, while no other may come to its end.
function working(p) {
  return (p.works || []).map((w) => `; ${w.what === 'inside' ? 'inside' : `${w.what} of`} ${w.path}${w.total_bytes ? ` ${Math.floor(100 * w.bytes / w.total_bytes)}%` : ''}`).join('');
}

function progress(j) {
  const p = j.progress;
  if (p && p.total_items) $('bar').value = p.items / p.total_items;
  if (j.state === 'done') $('bar').value = 1;
  const goesOn = ['queued', 'running', 'paused'].includes(j.state);
  $('cancel').hidden = $('pause').hidden = !goesOn;
  $('pause').textContent = j.state === 'paused' ? 'Resume' : 'Pause';
  $('state').textContent = j.state === 'done' && j.summary
    ? `Done: ${outcome(j.summary)}`
    : `The job is ${j.state}` + (p ? `: ${p.items} of ${p.total_items} files, ${plural(p.findings, 'finding', 'findings')}` : '') + (j.error ? `: ${j.error}` : '');
}

// outcome says what a scan or an upload that has ended saw and found.
const outcome = (s) => `${plural(s.new + s.duplicate + s.known_good + s.unsupported + s.failed + s.unchanged, 'file', 'files')}, ${plural(s.hits, 'hit', 'hits')}, ${plural(s.near_matches, 'near match', 'near matches')}, ${plural(s.candidates, 'candidate', 'candidates')}, ${plural(s.contradictions, 'contradiction', 'contradictions')}, ${s.failed} failed`;

async function showJobs() {
  const { jobs } = await get(`/v1/jobs?case=${encodeURIComponent($('case').value)}`);
  jobs.sort((a, b) => b.created.localeCompare(a.created));
  const change = (j, verb, text) => el('button', { type: 'button', onclick: doing(async () => {
    try { await post(`/v1/jobs/${j.id}/${verb}`, {}); } finally { await showJobs(); }
  }) }, text);
  const changes = (j) => {
    const out = el('span');
    if (['queued', 'running'].includes(j.state)) out.append(change(j, 'pause', 'Pause'));
    if (['paused', 'interrupted'].includes(j.state)) out.append(change(j, 'resume', 'Resume'));
    if (!['done', 'failed', 'canceled'].includes(j.state)) out.append(change(j, 'cancel', 'Cancel'));
    return out;
  };
  const far = (j) => (j.progress && j.progress.total_items ? `${j.progress.items} of ${j.progress.total_items} files${working(j.progress)}` : '');
  const says = (j) => [j.error, j.summary && j.summary.case ? outcome(j.summary) : ''].filter(Boolean).join('; ');
  $('jobs').replaceChildren(jobs.length ? table(plural(jobs.length, 'job', 'jobs'), ['Job', 'Kind', 'Exhibit', 'State', 'Done', 'Since', 'What it says', ''],
    jobs.map((j) => [mono(j.id.slice(0, 8)), j.kind, j.exhibit, j.state, far(j), `${moment(j.updated)} UTC`, says(j), changes(j)])) : el('p', {}, 'The case has no jobs.'));
}

// moreNotices shows the next notices. What is marked as seen is what was shown, never more.
async function moreNotices() {
  const query = new URLSearchParams({ limit: 100, after: notices.next });
  if ($('all-notices').checked) query.set('all', 'true');
  const page = await get(casePath(`/notices?${query}`));
  notices.next = page.next || 0;
  notices.ids.push(...page.notices.filter((n) => !n.acknowledged).map((n) => n.id));
  const what = (n) => (['changed', 'withdrawn'].includes(n.what) ? `${n.kind} ${n.what}` : n.what);
  const places = (n) => n.items.map((i) => `${i.exhibit}: ${i.path}`).join('\n') + (n.item_count > n.items.length ? `\nand ${n.item_count - n.items.length} more` : '');
  if (page.notices.length) {
    $('notices').append(table(plural(page.notices.length, 'notice', 'notices'), ['Notice', 'Made', 'What', 'Collection', 'Media', 'Where', 'Remark', 'Seen by'],
      page.notices.map((n) => [n.id, `${moment(n.made)} UTC`, what(n), [n.collection, n.other].filter(Boolean).join(' and '), mono(n.media.slice(0, 16)), el('span', { className: 'lines' }, places(n)), n.remark, n.acknowledged_by])));
  } else if (!$('notices').children.length) {
    $('notices').append(el('p', {}, $('all-notices').checked ? 'The case has no notices.' : 'There is no notice that nobody has seen.'));
  }
  $('more-notices').hidden = !notices.next;
  $('seen').hidden = notices.ids.length === 0;
}

async function showNotices() {
  $('notices').replaceChildren();
  notices = { ids: [], next: 0 };
  await moreNotices();
}

async function seen() {
  await post(casePath('/notices/acknowledge'), { ids: notices.ids });
  await showNotices();
}

async function showLinks() {
  const query = new URLSearchParams({ limit: 100 });
  if ($('all-cases').checked) query.set('all', 'true'); else query.set('case', $('case').value);
  const l = await get(`/v1/links?${query}`);
  const at = (x) => `${x.case} ${x.exhibit}: ${plural(x.items, 'item', 'items')}, ${x.path}${x.carved ? ' (carved)' : x.deleted ? ' (deleted)' : ''}`;
  const what = (x) => [['same media', 'near media', 'near video', 'near frame'].includes(x.kind) ? '' : x.value, x.label, x.distance === undefined ? '' : `${x.distance} bits`, x.transform || '', x.second === undefined ? '' : `at ${x.second} s`, x.overlap ? `${x.overlap.seconds} s in common, ${x.overlap.first_percent}% of the first and ${x.overlap.second_percent}% of the second${x.overlap.mirrored ? ', mirrored' : ''}` : ''].filter(Boolean).join(', ');
  const first = (x) => { const y = x.first_seen_on === undefined ? null : x.exhibits[x.first_seen_on]; return y ? `${y.case} ${y.exhibit}, ${moment(y.time)} UTC` : 'not known'; };
  const out = [el('p', {}, `${plural(l.exhibits, 'exhibit', 'exhibits')} of ${plural(l.cases.length, 'case', 'cases')} compared; ${plural(l.total, 'link', 'links')}` + (l.total > l.links.length ? `, the first ${l.links.length} are below; semblance links tells more` : ''))];
  for (const n of l.notes || []) out.push(el('p', { className: 'quiet' }, n));
  if (l.links.length) out.push(table('Links', ['Kind', 'What', 'On', 'First seen on'], l.links.map((x) => [x.kind, what(x), el('span', { className: 'lines' }, x.exhibits.map(at).join('\n')), first(x)])));
  const kinds = (p) => Object.entries(p.kinds).map(([k, n]) => `${k} ${n}`).join(', ');
  if (l.pairs.length) {
    const most = l.pairs.slice(0, 50);
    out.push(table(most.length < l.pairs.length ? `Pairs of exhibits, ${most.length} of ${l.pairs.length}` : 'Pairs of exhibits', ['Exhibit', 'Exhibit', 'Shared', 'Only these two', 'Kinds'],
      most.map((p) => [`${p.case_a} ${p.exhibit_a}`, `${p.case_b} ${p.exhibit_b}`, p.shared, p.only_these_two, kinds(p)])));
  }
  $('links').replaceChildren(...out);
}

async function show(exhibit) {
  shown = { exhibit, next: '' };
  $('results').replaceChildren();
  await more();
  $('results').focus({ preventScroll: true });
}

// more shows the next screenful: its items, what is known of each, and all small
// pictures with one call, which is one entry in the audit chain.
async function more() {
  const query = new URLSearchParams({ exhibit: shown.exhibit, limit: pageSize });
  if (shown.next) query.set('after', shown.next);
  const page = await get(casePath(`/items?${query}`));
  shown.next = page.next || '';
  const known = await Promise.all(page.items.map(({ item }) => (item.sha256 ? get(casePath(`/media/${item.sha256}`)) : null)));
  const pictures = await loadPictures(known);
  $('results').append(...page.items.map(({ item }, i) => itemView(item, known[i], pictures)));
  $('more').hidden = !shown.next;
  if (!page.items.length && !$('results').children.length) $('results').append(el('p', {}, 'The exhibit has no items.'));
}

// shownFace tells whether a face has its place on the page: a long video has hundreds, of
// which those without a candidate are counted from some number on.
const facesShown = 50;
const candidatesOf = (m, set, n) => (m.findings.candidates || []).filter((c) => c.engine === set.engine && c.face === n);
const shownFace = (m, set, n) => n < facesShown || candidatesOf(m, set, n).length > 0;

const pictureKey = (p) => [p.kind, p.media || '', p.engine || '', p.face || 0, p.reference || ''].join(' ');

async function loadPictures(known) {
  const wanted = new Map();
  const want = (p) => wanted.set(pictureKey(p), p);
  for (const m of known) {
    if (!m || !m.analysis) continue;
    want({ kind: 'thumbnail', media: m.sha256 });
    if (m.analysis.video && m.analysis.video.sheet) want({ kind: 'sheet', media: m.sha256 });
    for (const set of m.analysis.face_sets || []) {
      set.faces.forEach((_, n) => { if (shownFace(m, set, n)) want({ kind: 'face', media: m.sha256, engine: set.engine, face: n }); });
    }
    for (const c of m.findings.candidates || []) {
      if (c.rank <= candidatesShown) want({ kind: 'reference', reference: c.reference });
    }
  }
  const out = new Map();
  const list = [...wanted.values()];
  for (let i = 0; i < list.length; i += 200) {
    const answer = await post(casePath('/pictures'), { pictures: list.slice(i, i + 200) });
    for (const p of answer.pictures) if (p.jpeg) out.set(pictureKey(p), p.jpeg);
  }
  return out;
}

// picture is a blurred picture that is seen while it is held.
function picture(pictures, name, what) {
  const jpeg = pictures.get(pictureKey(name));
  if (!jpeg) return el('div', { className: 'nopicture' }, 'no picture kept');
  const b = el('button', { type: 'button', className: name.kind === 'sheet' ? 'picture sheet' : 'picture' }, el('img', { src: `data:image/jpeg;base64,${jpeg}`, alt: '', draggable: false }));
  b.setAttribute('aria-label', `${what}, blurred; hold to see it`);
  const on = () => b.classList.add('shown');
  const off = () => b.classList.remove('shown');
  b.addEventListener('pointerdown', on);
  for (const name of ['pointerup', 'pointerleave', 'pointercancel', 'blur', 'keyup']) b.addEventListener(name, off);
  b.addEventListener('keydown', (e) => { if (e.key === ' ' || e.key === 'Enter') { e.preventDefault(); on(); } });
  b.addEventListener('contextmenu', (e) => e.preventDefault());
  return b;
}

function itemView(item, m, pictures) {
  const head = el('div', {}, el('p', { className: 'name' }, item.path), el('span', { className: 'tag' }, item.status));
  for (const mark of ['deleted', 'carved']) if (item[mark]) head.append(el('span', { className: 'tag warn' }, mark));
  if (item.reason) head.append(el('p', { className: 'quiet' }, item.reason));
  if (!m) return el('article', { className: 'item' }, el('div', { className: 'head' }, el('div', { className: 'nopicture' }, 'not read'), head));
  const a = m.analysis;
  const f = m.findings;
  for (const [n, one, many, warn] of [[f.hits, 'hit', 'hits', true], [f.near_matches, 'near match', 'near matches', true], [f.candidates, 'candidate', 'candidates', true],
    [f.contradictions, 'contradiction', 'contradictions', true], [f.known_good, 'known-good', 'known-good', false]]) {
    if (n && n.length) head.append(el('span', { className: warn ? 'tag warn' : 'tag' }, plural(n.length, one, many)));
  }
  if (a && a.partial) head.append(el('span', { className: 'tag warn' }, `only a part: ${a.partial}`));
  head.append(facts([['type', a ? `${a.type}, ${a.width} by ${a.height} pixels, ${a.decoder}` : ''], ['size', `${m.size} bytes`], ['SHA-256', mono(m.sha256)]]));
  const out = el('article', { className: 'item' },
    el('div', { className: 'head' }, a ? picture(pictures, { kind: 'thumbnail', media: m.sha256 }, `Thumbnail of ${item.path}`) : el('div', { className: 'nopicture' }, 'not decoded'), head));
  if (a && a.video) out.append(...videoView(m, a, item, pictures));
  out.append(...(f.hits || []).map((h) => hitView('Hit', h)), ...(f.near_matches || []).map(nearView),
    ...(f.contradictions || []).map((c) => el('div', { className: 'finding' }, el('strong', {}, 'Contradiction: '), c.message)), ...(f.known_good || []).map((h) => hitView('Known-good', h)));
  for (const set of (a && a.face_sets) || []) out.append(...facesView(m, set, pictures));
  if (!f.hits && !f.near_matches && !f.candidates && !f.contradictions && !f.known_good) out.append(el('p', { className: 'quiet' }, 'Nothing was found in the collections it was compared with. That does not mean that it is harmless, or that a person is absent.'));
  return out;
}

// shownAlgorithm is what a hit rests on: a selector's kind, or the algorithm. A user name is
// not an account: the same one may be anybody's.
function shownAlgorithm(name) {
  const kind = /^selector\/(.+)-\d+$/.exec(name);
  if (!kind) return name;
  return kind[1] === 'user' ? 'user (the name alone)' : kind[1];
}

function hitView(title, h) {
  return el('div', { className: 'finding' }, el('strong', {}, `${title} in ${h.collection}`), ` (${h.owner})`, h.weak ? el('span', { className: 'tag warn' }, 'weak: MD5 alone') : '',
    facts([['by', shownAlgorithm(h.algorithm)], ['value', mono(h.value)], ['written', h.place && h.raw], ['at', h.place && `${h.place}${h.count > 1 ? `, ${h.count} times` : ''}`], ['agree', (h.agree || []).map(shownAlgorithm).join(', ')], ['note', h.note], ['source', [h.source, h.record].filter(Boolean).join(', ')]]));
}

// secondsOf says which seconds of a video are which seconds of the entry.
function secondsOf(n) {
  const at = (s) => `${Number(s).toFixed(1)} s`;
  if (n.video) return (n.video.segments || []).map((s) => `${at(s.probe_from)} to ${at(s.probe_to)} is ${at(s.reference_from)} to ${at(s.reference_to)} of the entry${s.uncertain ? ' (uncertain: the picture hardly changes)' : ''}`).join('; ');
  if (n.second !== undefined) return `at ${at(n.second)} of this video`;
  return n.entry_second !== undefined ? `at ${at(n.entry_second)} of the entry, a video` : '';
}

function nearView(n) {
  return el('div', { className: 'finding' }, el('strong', {}, `Near match in ${n.collection}`), ` (${n.owner}) `, el('span', { className: 'tag warn' }, 'unverified: a person has to look'),
    facts([['by', n.algorithm], ['distance', `${n.distance} ${!n.metric || n.metric === 'hamming' ? 'bits' : n.metric}, threshold ${n.threshold}`], ['seconds', secondsOf(n)], ['frames', n.video && n.video.probe_frames ? `${n.video.probe_near_percent}% of this one's are near one of the entry's, ${n.video.reference_near_percent}% of the entry's near one of this` : ''], ['transform', n.transform], ['quality', n.video ? '' : `${n.quality} of this, ${n.entry_quality < 0 ? 'unknown' : n.entry_quality} of the entry`],
      ['this', n.value && mono(n.value)], ['entry', n.entry_value && mono(n.entry_value)],  ['agree', (n.agree || []).join(', ')], ['note', n.note], ['source', [n.source, n.record].filter(Boolean).join(', ')]]));
}

// seenIn says at which seconds of a video a face is seen.
const seenIn = (x) => (x ? `${x.from.toFixed(1)} s to ${x.until.toFixed(1)} s, in ${plural(x.frames, 'frame', 'frames')} looked at; this one at ${x.second.toFixed(1)} s` : '');

// videoView shows the contact sheet, and what is known of a video besides.
function videoView(m, a, item, pictures) {
  const v = a.video;
  const made = (a.metadata && a.metadata.video) || {};
  const sound = (made.audio || []).map((s) => `${s.codec}, ${plural(s.channels || 0, 'channel', 'channels')}`).join('; ');
  const out = [facts([['length', `${(v.seen / 1e9).toFixed(1)} s seen` + (v.duration ? ` of ${(v.duration / 1e9).toFixed(1)} s by the header` : '')], ['container', `${v.format}, ${v.codec}`], ['sound', sound || 'none'],
    ['looked at', v.looked ? `${plural(v.looked, 'frame', 'frames')} of ${plural(a.frames, 'frame', 'frames')}, in ${plural(v.scenes || 0, 'scene', 'scenes')}` : 'no frame'], ['tags', (made.tags || []).map((t) => `${t.name}: ${t.value}`).join('; ')]])];
  if (v.sheet) {
    out.push(el('figure', {}, picture(pictures, { kind: 'sheet', media: m.sha256 }, `Contact sheet of ${item.path}`),
      el('figcaption', {}, `${v.sheet.columns} by ${v.sheet.rows} frames, row by row at second ${v.sheet.seconds.map((s) => s.toFixed(1)).join(', ')}`)));
  }
  return out;
}

function facesView(m, set, pictures) {
  const out = [el('h3', {}, `${plural(set.faces.length, 'face', 'faces')}, engine ${set.engine}`)];
  let hidden = 0;
  set.faces.forEach((face, n) => {
    if (!shownFace(m, set, n)) { hidden++; return; }
    const mine = candidatesOf(m, set, n);
    const box = el('div', { className: 'face' });
    const probe = { kind: 'face', media: m.sha256, engine: set.engine, face: n };
    const says = facts([['face', n], ['seen', seenIn(face.appearance)], ['quality', `${Math.round(face.quality)} of 100`], ['less reliable', (face.reliability || []).join(', ')], ['lowered by', (face.reasons || []).join('; ')], ['detector score', Number(face.score).toFixed(2)]]);
    if (mine.length) {
      box.append(says, el('div', { className: 'candidates' }, ...mine.filter((c) => c.rank <= candidatesShown).map((c) => candidateView(c, probe, pictures))));
      if (mine.length > candidatesShown) box.append(el('p', { className: 'quiet' }, `${plural(mine.length - candidatesShown, 'more candidate, farther away, is', 'more candidates, farther away, are')} in the report.`));
    } else {
      box.append(el('div', { className: 'pair' }, picture(pictures, probe, `Face ${n}`), says),
        el('p', { className: 'quiet' }, face.quality < 20 ? 'Not searched: the face is too poor to compare.' : 'No candidate within the thresholds. That does not mean the person is absent.'));
    }
    out.push(box);
  });
  if (hidden) out.push(el('p', { className: 'quiet' }, `${plural(hidden, 'more face', 'more faces')} without a candidate.`));
  const gone = (m.findings.candidates || []).filter((c) => c.engine === set.engine && c.face < 0);
  if (gone.length) {
    out.push(el('p', { className: 'quiet' }, `${plural(gone.length, 'candidate is', 'candidates are')} of an earlier look at this picture, whose face is not among these; scan the exhibit again to compare it anew: `
      + gone.map((c) => `${c.subject} (${c.collection}), distance ${c.distance.toFixed(4)}`).join('; ')));
  }
  if (m.limits[set.engine]) out.push(el('p', { className: 'quiet' }, m.limits[set.engine]));
  return out;
}

function candidateView(c, probe, pictures) {
  return el('div', { className: 'candidate' },
    el('div', { className: 'pair' },
      el('figure', {}, picture(pictures, probe, `Probe, face ${c.face}`), el('figcaption', {}, 'probe')),
      el('figure', {}, picture(pictures, { kind: 'reference', reference: c.reference }, `Reference of ${c.subject}`), el('figcaption', {}, 'reference'))),
    el('p', { className: 'lead' }, 'Candidate: a lead for an examiner, not an identification'),
    facts([['rank', c.rank], ['subject', c.subject], ['seen', seenIn(c.appearance)], ['age at capture', c.age_at_capture ?? 'unknown'], ['collection', `${c.collection} (${c.owner})`], ['distance', `${four(c.distance)} (${c.metric})`], ['margin', c.margin === undefined ? '' : `${four(c.margin)} to the next subject`], ['threshold', four(c.threshold)],
      ['band', c.band], ['quality', `${Math.round(c.quality)} of the probe, ${Math.round(c.reference_quality)} of the reference`],
      ['less reliable', [...(c.reliability || []).map((l) => `probe: ${l}`), ...(c.reference_reliability || []).map((l) => `reference: ${l}`)].join(', ')],
      ['references', c.references ? `${c.references} of the subject within the threshold` : ''], ['captured', c.captured],
      ['second engine', c.reranked ? `${c.reranked.engine}: ${c.reranked.distance === undefined ? c.reranked.why : four(c.reranked.distance)}, rank ${c.reranked.first_rank} before` : ''],
      ['engine', `${c.engine} version ${c.version}`], ['source', c.source], ['review', c.review]]));
}

$('login').addEventListener('submit', doing(async () => {
  token = $('token').value.trim();
  await login();
}));
$('forget').addEventListener('click', doing(logout));
$('case').addEventListener('change', doing(chooseCase));
$('create').addEventListener('submit', doing(async () => {
  const c = await post('/v1/cases', Object.fromEntries(new FormData($('create'))));
  $('create').reset();
  await loadCases(c.number);
  await chooseCase();
}));
$('files').addEventListener('change', ready);
$('upload').addEventListener('submit', doing(upload));
$('pause').addEventListener('click', doing(async () => {
  if (job && job.id) progress(await post(`/v1/jobs/${job.id}/${$('pause').textContent === 'Resume' ? 'resume' : 'pause'}`, {}));
}));
$('cancel').addEventListener('click', doing(async () => { if (job && job.id) progress(await post(`/v1/jobs/${job.id}/cancel`, {})); }));
$('show').addEventListener('click', doing(() => show($('exhibits').value)));
$('more').addEventListener('click', doing(more));
$('show-jobs').addEventListener('click', doing(showJobs));
$('show-notices').addEventListener('click', doing(showNotices));
$('more-notices').addEventListener('click', doing(moreNotices));
$('seen').addEventListener('click', doing(seen));
$('show-links').addEventListener('click', doing(showLinks));
for (const [name, over] of [['dragover', true], ['dragleave', false], ['drop', false]]) {
  $('drop').addEventListener(name, (e) => {
    e.preventDefault();
    $('drop').classList.toggle('over', over);
    if (name === 'drop' && e.dataTransfer.files.length) {
      $('files').files = e.dataTransfer.files;
      ready();
    }
  });
}

if (token) doing(login)(); else logout();

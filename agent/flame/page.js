
'use strict';

/* The page's script. Names come from the profiled program and are hostile: they reach the document
 * as text only (textContent, fillText), never as markup. The format of the data is in page.h. */

const $ = (id) => document.getElementById(id);
const ROW = 19; /* height of a frame, in CSS pixels */
const PRINT_HEIGHT = 12000; /* browsers refuse canvases that are much higher */
const GAP = 0.5; /* narrower frames are drawn together */
const ROOT = 0;

/* ---- the data ---------------------------------------------------------------------------- */

const DIGITS = '#$%&\'()*+,-./0123456789:;=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~';
const KNOWN_CHILDREN = 63;

/* Reads one column of the data. */
class Column {
  static values = Uint8Array.from({ length: 128 }, (_, i) => Math.max(DIGITS.indexOf(String.fromCharCode(i)), 0));

  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  digit() {
    return Column.values[this.text.charCodeAt(this.at++)];
  }

  number() {
    let high = 0;
    let digit = this.digit();

    for (; digit >= 64; digit = this.digit()) high = high * 26 + digit - 63;
    return high * 64 + digit;
  }
}

/* The tree as columns, depth first; row 0 is the root. A frame's name is names[frame[row]]. */
function decode(data) {
  const n = data.children.length ? countNumbers(data.children) : 0;
  const tree = {
    n,
    names: [...data.names, 'all'],
    kinds: Uint8Array.from([...data.kind].map((c) => DIGITS.indexOf(c))),
    frame: new Uint32Array(n), parent: new Uint32Array(n), depth: new Uint32Array(n), end: new Uint32Array(n),
    self: new Float64Array(n), total: new Float64Array(n), start: new Float64Array(n),
    levels: [],
  };
  const children = new Column(data.children), self = new Column(data.self), frames = new Column(data.frames);
  const known = new Map(); /* frame -> the frames seen under it */
  const open = []; /* of the rows above: how many children are still to come */
  let newest = 0;
  let parent = ROOT;

  for (let i = 0; i < n; i++) {
    if (i > 0) {
      while (open[parent] === 0) parent = tree.parent[parent];
      open[parent]--;
      tree.parent[i] = parent;
      tree.depth[i] = tree.depth[parent] + 1;
    }
    open[i] = children.number();
    tree.self[i] = tree.total[i] = self.number();
    tree.end[i] = i + 1;
    tree.frame[i] = i > 0 ? nextFrame(tree.frame[parent]) : data.names.length;
    (tree.levels[tree.depth[i]] ??= []).push(i);
    parent = i;
  }
  for (let i = n - 1; i > 0; i--) {
    const p = tree.parent[i];
    tree.total[p] += tree.total[i];
    if (tree.end[p] < tree.end[i]) tree.end[p] = tree.end[i];
  }
  const filled = new Float64Array(n); /* how far the children of a row reach */
  for (let i = 1; i < n; i++) {
    const p = tree.parent[i];
    tree.start[i] = tree.start[p] + filled[p];
    filled[p] += tree.total[i];
  }
  return tree;

  function nextFrame(under) {
    const digit = frames.digit();
    let list = known.get(under);

    if (!list) known.set(under, list = []);
    if (digit > 0) return list[digit - 1];
    const number = frames.number();
    const frame = number === 0 ? newest++ : number - 1;
    if (list.length < KNOWN_CHILDREN) list.push(frame);
    return frame;
  }
}

function countNumbers(text) {
  let n = 0;

  for (let i = 0; i < text.length; i++) if (Column.values[text.charCodeAt(i)] < 64) n++;
  return n;
}

const data = JSON.parse($('data').textContent);
const header = data.header;
const tree = decode(data);
const name = (row) => tree.names[tree.frame[row]];
const isInside = (row, outer) => row >= outer && row < tree.end[outer];

/* ---- numbers and text ---------------------------------------------------------------------- */

const count = (n) => n.toLocaleString('en-US');
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;

function percent(part, whole) {
  const share = whole > 0 ? (part / whole) * 100 : 0;

  if (share === 0) return '0 %';
  if (share < 0.01) return '< 0.01 %';
  return `${share.toFixed(share < 1 ? 2 : share < 99.95 ? 1 : 0)} %`;
}

function duration(ms) {
  const seconds = Math.round(ms / 1000);

  if (ms < 60000) return `${(ms / 1000).toFixed(ms % 1000 < 50 ? 0 : 1)} s`;
  return [[Math.floor(seconds / 3600), 'h'], [Math.floor(seconds / 60) % 60, 'm'], [seconds % 60, 's']]
    .filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}`).join(' ');
}

function numbersOf(row) {
  const total = tree.total[row];

  if (row === ROOT) return [plural(total, 'sample')];
  return [plural(total, 'sample'), `${percent(total, tree.total[ROOT])} of all`,
    `${percent(total, tree.total[tree.parent[row]])} of its caller`,
    `${percent(tree.self[row], tree.total[ROOT])} itself`, data.kinds[tree.kinds[tree.frame[row]]]];
}

function element(tag, text, attributes = {}) {
  const e = document.createElement(tag);

  if (text !== undefined) e.textContent = text;
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return e;
}

/* ---- colours ------------------------------------------------------------------------------- */

/* Hue, saturation and lightness of each kind by day and by night; the name shifts them a little. */
const PALETTE = {
  process: [[220, 13, 82], [220, 10, 36]],
  thread: [[220, 13, 88], [220, 9, 31]],
  kernel: [[36, 88, 68], [34, 66, 42]],
  native: [[10, 82, 74], [10, 52, 46]],
  go: [[188, 58, 66], [190, 52, 35]],
  jit: [[134, 42, 68], [140, 34, 36]],
  interpreted: [[216, 76, 77], [216, 46, 49]],
  baseline: [[90, 46, 70], [92, 34, 36]],
  optimised: [[158, 46, 64], [162, 42, 32]],
  inlined: [[336, 68, 82], [336, 36, 46]],
  unknown: [[40, 6, 76], [40, 4, 37]],
  note: [[268, 42, 82], [268, 28, 44]],
};
const night = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => night.matches && !printing;
let printing = false;
let colors = [];

function hash(text) {
  let h = 2166136261;

  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return (h ^ (h >>> 15)) >>> 0;
}

function colorOf(kindName, text) {
  const [hue, saturation, lightness] = (PALETTE[kindName] ?? PALETTE.unknown)[isDark() ? 1 : 0];
  const h = text === undefined ? 0 : hash(text);
  const shift = text === undefined ? 0 : 1;

  return `hsl(${hue + shift * ((h % 17) - 8)} ${saturation}% ${lightness + shift * (((h >> 8) % 9) - 4)}%)`;
}

function paint(frame) {
  return (colors[frame] ??= frame < tree.kinds.length
    ? colorOf(data.kinds[tree.kinds[frame]], tree.names[frame]) : isDark() ? '#3a3733' : '#e4e0da');
}

/* ---- state --------------------------------------------------------------------------------- */

const view = $('view'), canvas = $('canvas'), context = canvas.getContext('2d');
const FONT = `12px ${getComputedStyle(document.documentElement).fontFamily}`;
let zoom = ROOT; /* the row that fills the width */
let cursor = ROOT; /* the row that the keyboard is at */
let hover = -1;
let icicle = false;
let below = 0; /* how much of the extent is under the view */
let steps = 0; /* how often Back can be used */
let matches = null; /* the frames that match: one flag a frame; null without a search */
let found = []; /* the rows that match */
const widths = []; /* of the names, as drawn */

const levelHeight = () => tree.levels.length * ROW;
const extent = () => Math.max(levelHeight() + 8, view.clientHeight);
const topOf = (row) => (icicle ? 4 + tree.depth[row] * ROW : extent() - 4 - (tree.depth[row] + 1) * ROW);

/* Where a row lies on the canvas; the callers of the zoomed row take the whole width. */
function spanOf(row, width) {
  if (isInside(zoom, row)) return [0, width];
  const scale = width / tree.total[zoom];
  return [(tree.start[row] - tree.start[zoom]) * scale, tree.total[row] * scale];
}

/* The place in @level of the first row that ends after the sample @at. */
function firstAfter(level, at) {
  let low = 0, high = level.length;

  while (low < high) {
    const middle = (low + high) >> 1;
    if (tree.start[level[middle]] + tree.total[level[middle]] > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/* ---- drawing ------------------------------------------------------------------------------- */

let pending = 0;

function redraw() {
  if (!pending) pending = requestAnimationFrame(() => { pending = 0; draw(); });
}

function draw() {
  const width = view.clientWidth, height = printing ? Math.min(levelHeight() + 8, PRINT_HEIGHT) : view.clientHeight;
  const ratio = devicePixelRatio || 1;

  $('extent').style.height = `${printing ? height : extent()}px`;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = FONT;
  context.textBaseline = 'middle';
  context.direction = 'ltr';
  if (tree.total[ROOT] === 0) return;
  const offset = !printing ? view.scrollTop : icicle ? 0 : extent() - height;
  tree.levels.forEach((level, depth) => {
    const y = topOf(level[0]) - offset;
    if (y + ROW < 0 || y > height) return;
    drawLevel(level, depth, y, width);
  });
}

function drawLevel(level, depth, y, width) {
  const from = tree.start[zoom], until = from + tree.total[zoom];
  const step = (tree.total[zoom] / width) * GAP;

  for (let at = firstAfter(level, from); at < level.length && tree.start[level[at]] < until;) {
    const row = level[at];
    const [x, w] = spanOf(row, width);

    drawFrame(row, x, y, w, depth);
    if (w >= GAP) at++;
    else at = Math.max(at + 1, firstAfter(level, tree.start[row] + step));
  }
}

function drawFrame(row, x, y, w) {
  const frame = tree.frame[row];
  const isMatch = matches !== null && matches[frame] === 1;
  const isCaller = row < zoom && isInside(zoom, row);
  const gap = w > 3 ? 1 : 0;

  context.globalAlpha = matches !== null && !isMatch ? 0.38 : isCaller ? 0.6 : 1;
  context.fillStyle = isMatch ? (isDark() ? '#c026d3' : '#e879f9') : paint(frame);
  context.fillRect(x, y, Math.max(w - gap, GAP), ROW - 1);
  context.globalAlpha = Math.min(1, context.globalAlpha * 2);
  if (w > 24) drawName(frame, x + 5, y + ROW / 2, w - 9);
  context.globalAlpha = 1;
  if (row === hover || (row === cursor && (row !== zoom || document.activeElement === view))) {
    context.strokeStyle = isDark() ? '#fff' : '#000';
    context.lineWidth = row === cursor ? 2 : 1;
    context.strokeRect(x + 1, y + 1, Math.max(w - gap - 2, 1), ROW - 3);
  }
}

function drawName(frame, x, y, room) {
  let text = tree.names[frame];
  const width = (widths[frame] ??= context.measureText(text).width);

  if (width > room) {
    let fit = Math.floor((text.length * room) / width);
    while (fit > 1 && context.measureText(`${text.slice(0, fit)}…`).width > room) fit--;
    if (fit < 2) return;
    text = `${text.slice(0, fit).replace(/[\ud800-\udbff]$/, '')}…`;
  }
  context.fillStyle = isDark() ? '#f5f1ec' : '#1d1b19';
  context.fillText(text, x, y);
}

function rowAt(event) {
  const box = canvas.getBoundingClientRect();
  const x = event.clientX - box.left, y = event.clientY - box.top + view.scrollTop;
  const depth = Math.floor((icicle ? y - 4 : extent() - 4 - y) / ROW);
  const level = tree.levels[depth];

  if (!level || x < 0 || x >= box.width || tree.total[ROOT] === 0) return -1;
  const at = tree.start[zoom] + (x / box.width) * tree.total[zoom];
  const row = level[firstAfter(level, at)];
  return row !== undefined && tree.start[row] <= at ? row : -1;
}

/* ---- moving around ------------------------------------------------------------------------- */

function hashText() {
  const state = new URLSearchParams();

  if (zoom !== ROOT) state.set('zoom', zoom);
  if ($('query').value) state.set('search', $('query').value);
  if (icicle) state.set('icicle', '1');
  return `#${state}`;
}

/* The address says what is shown, so that a link or the browser's Back shows it again. */
function remember(isStep) {
  if (isStep) steps++;
  try {
    history[isStep ? 'pushState' : 'replaceState']({ steps }, '', hashText());
  } catch {
    /* a page in a sandbox has no history */
  }
}

function restore() {
  const state = new URLSearchParams(location.hash.slice(1));
  const row = Number(state.get('zoom') ?? ROOT);

  steps = history.state?.steps ?? 0;
  icicle = state.has('icicle');
  zoom = cursor = Number.isInteger(row) && row > 0 && row < tree.n ? row : ROOT;
  if ($('query').value !== (state.get('search') ?? '')) $('query').value = state.get('search') ?? '';
  search();
  showZoom();
  reveal(zoom);
}

function zoomTo(row) {
  cursor = row;
  hover = -1;
  hideTip();
  if (row !== zoom) {
    zoom = row;
    remember(true);
  }
  showZoom();
  reveal(row);
  say(row, row === ROOT ? 'Showing everything. ' : 'Zoomed into ');
}

function showZoom() {
  const path = [];

  for (let row = zoom; row !== ROOT; row = tree.parent[row]) path.unshift(row);
  const shown = path.length > 5 ? path.slice(-4) : path;
  $('path').replaceChildren(crumb(ROOT), ...(shown === path ? [] : [element('li', '…')]), ...shown.map(crumb));
  $('back').disabled = steps === 0;
  $('reset').disabled = zoom === ROOT;
  $('flip').setAttribute('aria-pressed', icicle);
  showDetails(cursor);
  redraw();
}

function crumb(row) {
  const item = element('li'), button = element('button', name(row), { type: 'button' });

  if (row === zoom) button.setAttribute('aria-current', 'true');
  button.addEventListener('click', () => zoomTo(row));
  item.append(button);
  return item;
}

/* Scrolls a row into the middle half of the view, or to where the zoomed tree starts. */
function reveal(row) {
  $('extent').style.height = `${extent()}px`;
  const y = topOf(row), height = view.clientHeight;

  if (row === ROOT) view.scrollTop = icicle ? 0 : extent();
  else if (y < view.scrollTop + ROW || y > view.scrollTop + height - 2 * ROW)
    view.scrollTop = y - height * (icicle ? 0.25 : 0.75);
  redraw();
}

function moveTo(row) {
  if (row === undefined || row < 0) return;
  cursor = row;
  if (!isInside(row, zoom) && !isInside(zoom, row)) {
    zoom = ROOT;
    remember(true);
    showZoom();
  }
  showDetails(row);
  reveal(row);
  say(row);
}

/* The next row of the same depth in the shown part; -1 when there is none. */
function beside(row, direction) {
  const level = tree.levels[tree.depth[row]];
  const next = level[firstAfter(level, tree.start[row]) + direction];

  return next !== undefined && isInside(next, zoom) ? next : -1;
}

/* The greatest child. */
function childOf(row) {
  let best = -1;

  for (let i = row + 1; i < tree.end[row]; i = tree.end[i]) if (best < 0 || tree.total[i] > tree.total[best]) best = i;
  return best;
}

function say(row, prefix = '') {
  $('live').textContent = `${prefix}${name(row)}, ${numbersOf(row).join(', ')}, depth ${tree.depth[row]}`;
}

function showDetails(row) {
  const text = element('bdi', name(row));

  $('details').replaceChildren(text, ` — ${numbersOf(row).join(' · ')}`);
}

/* ---- search -------------------------------------------------------------------------------- */

function search() {
  const text = $('query').value;
  let expression = null;
  let invalid = false;

  try {
    expression = text ? new RegExp(text, /[A-Z]/.test(text) ? 'u' : 'iu') : null;
  } catch {
    invalid = true;
  }
  $('query').setAttribute('aria-invalid', invalid);
  found = [];
  matches = expression ? Uint8Array.from(data.names, (n) => (expression.test(n) ? 1 : 0)) : null;
  let samples = 0;
  if (matches) {
    for (let i = 1, covered = 0; i < tree.n; i++) {
      if (!matches[tree.frame[i]]) continue;
      found.push(i);
      if (i >= covered) { /* a match under a match counts once */
        samples += tree.total[i];
        covered = tree.end[i];
      }
    }
  }
  const share = percent(samples, tree.total[ROOT]);
  $('matched').textContent = invalid ? 'not a regexp' : matches ? share : '';
  $('matched').dataset.help = matches ? `${plural(found.length, 'frame')} match; they cover ${plural(samples, 'sample')}, ${share} of all` : '';
  $('previous').disabled = $('next').disabled = found.length === 0;
  redraw();
  return matches ? `${plural(found.length, 'match').replace(/matchs$/, 'matches')}, ${share} of all samples` : '';
}

function step(direction) {
  if (found.length === 0) return;
  let at = direction > 0 ? found.findIndex((row) => row > cursor) : found.findLastIndex((row) => row < cursor);

  if (at < 0) at = direction > 0 ? 0 : found.length - 1;
  moveTo(found[at]);
  $('matched').textContent = `${at + 1} of ${count(found.length)}`;
}

/* ---- tooltip ------------------------------------------------------------------------------- */

function showTip(x, y, title, text) {
  const tip = $('tip');

  tip.replaceChildren(...(title ? [element('strong', title)] : []), element('span', text));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 20 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18}px`;
}

function hideTip() {
  $('tip').hidden = true;
}

/* ---- events -------------------------------------------------------------------------------- */

view.addEventListener('pointermove', (event) => {
  if (event.pointerType === 'touch') return;
  const row = rowAt(event);

  view.classList.toggle('over', row >= 0);
  if (row !== hover) {
    hover = row;
    redraw();
  }
  if (row < 0) hideTip();
  else showTip(event.clientX, event.clientY, name(row), numbersOf(row).join('\n'));
});
view.addEventListener('pointerleave', () => {
  hover = -1;
  hideTip();
  redraw();
});
/* A mouse has shown what it points at before it clicks; a finger shows first, then zooms. */
view.addEventListener('click', (event) => {
  const row = rowAt(event);

  if (row < 0) return;
  if (event.pointerType !== 'touch' || row === cursor) {
    zoomTo(row);
    return;
  }
  moveTo(row);
  showTip(event.clientX, event.clientY, name(row), `${numbersOf(row).join('\n')}\nTap again to zoom.`);
});
view.addEventListener('scroll', () => {
  below = extent() - view.clientHeight - view.scrollTop;
  hideTip();
  redraw();
});
for (const type of ['focus', 'blur']) view.addEventListener(type, redraw);

for (const type of ['pointerover', 'click'])
  document.addEventListener(type, (event) => {
    const help = event.target.closest?.('[data-help]')?.dataset.help;

    if (help) showTip(event.clientX, event.clientY, '', help);
    else if (!view.contains(event.target)) hideTip();
  });

$('query').addEventListener('input', () => {
  $('live').textContent = search();
  remember(false);
});
$('query').addEventListener('keydown', (event) => {
  if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
});
$('previous').addEventListener('click', () => step(-1));
$('next').addEventListener('click', () => step(1));
$('back').addEventListener('click', () => history.back());
$('reset').addEventListener('click', () => zoomTo(ROOT));
$('flip').addEventListener('click', flip);
$('keys').addEventListener('click', () => $('help').showModal());

function flip() {
  icicle = !icicle;
  remember(false);
  showZoom();
  reveal(zoom);
}

function escape() {
  if ($('query').value) {
    $('query').value = '';
    search();
    remember(false);
  } else if (zoom !== ROOT) zoomTo(ROOT);
  view.focus();
}

const KEYS = {
  '/': () => $('query').select(),
  Escape: escape,
  Enter: () => zoomTo(cursor),
  Backspace: () => steps > 0 && history.back(),
  0: () => zoomTo(ROOT),
  Home: () => moveTo(zoom),
  n: () => step(1),
  N: () => step(-1),
  i: flip,
  '?': () => $('help').showModal(),
  ArrowLeft: () => moveTo(beside(cursor, -1)),
  ArrowRight: () => moveTo(beside(cursor, 1)),
  ArrowUp: () => moveTo(icicle ? callerOf(cursor) : childOf(cursor)),
  ArrowDown: () => moveTo(icicle ? childOf(cursor) : callerOf(cursor)),
};
const callerOf = (row) => (row === ROOT ? -1 : tree.parent[row]);

document.addEventListener('keydown', (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === 'f' && document.activeElement !== $('query')) {
    event.preventDefault();
    $('query').select();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
  const typing = event.target.matches?.('input');
  const pressing = event.target.matches?.('button') && (event.key === 'Enter' || event.key === ' ');
  if ((typing && event.key !== 'Escape') || pressing || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  if (event.key.startsWith('Arrow')) view.focus();
  KEYS[event.key]();
});

/* ---- header and legend --------------------------------------------------------------------- */

function fact(label, value, help, isNotable) {
  const item = element('div', undefined, { 'data-help': help, 'aria-description': help });

  if (isNotable) item.className = 'notable';
  item.append(element('dt', label), element('dd', value));
  $('facts').append(item);
}

function showHeader() {
  const { samples, lost, truncated, unknown, prunedSamples, prunedFrames } = header;
  const taken = samples + lost;
  const share = (n) => (n > 0 ? `${count(n)} (${percent(n, taken)})` : '0');
  const isNotable = (n) => n > taken * 0.02;

  document.title = `${header.pod ?? header.target ?? 'CPU'} – flame graph`;
  $('subject').textContent = header.pod ?? header.target ?? 'CPU flame graph';
  $('container').textContent = header.container ?? '';
  if (header.pod && header.target) fact('Target', header.target, 'What was profiled');
  if (header.node) fact('Node', header.node, 'The machine that the pod ran on');
  if (header.started) fact('Started', header.started.replace('T', ' ').replace('Z', ' UTC'), 'When the first sample could be taken');
  if (header.duration_ms > 0) fact('Duration', duration(header.duration_ms), 'How long samples were taken');
  if (header.frequency > 0) fact('Rate', `${count(header.frequency)} Hz`, 'Samples a second on each CPU that the target keeps busy');
  fact('Samples', count(samples), 'Stacks that were recorded; every share on this page is of these');
  if (header.duration_ms > 0 && header.frequency > 0)
    fact('CPU', `${(taken / header.frequency / (header.duration_ms / 1000)).toFixed(2)} cores`, 'CPU time that the target used on average: samples ÷ rate ÷ duration');
  if (header.processes > 0) fact('Processes', count(header.processes), 'Processes that were seen running');
  fact('Lost', share(lost), 'Samples that could not be kept because a buffer was full; they are not in the graph', isNotable(lost));
  fact('Truncated', share(truncated), 'Samples whose outer callers could not be found; they start with a frame that says why, such as [truncated: caller in no code]', isNotable(truncated));
  fact('Unknown', share(unknown), 'Samples with a frame that has no name; it is shown as [module+address]', isNotable(unknown));
  fact('Pruned', prunedSamples > 0 ? `${share(prunedSamples)}${prunedFrames > 0 ? `, ${plural(prunedFrames, 'frame')}` : ''}` : '0',
    'Samples whose innermost frames were merged into [pruned] to keep this page small; they still count for their callers', isNotable(prunedSamples));
  if (header.kernel) fact('Kernel', header.kernel, 'The Linux release of the node');
  if (header.version) fact('PodFlame', header.version, 'The version that made this page');

  if (taken > 0 && lost + truncated + unknown > taken * 0.05) {
    const parts = [[lost, 'were lost'], [truncated, 'are truncated'], [unknown, 'have frames without a name']].filter(([n]) => n > 0);
    $('warning').textContent = `Read with care: of ${plural(taken, 'sample')}, ${parts.map(([n, what]) => `${percent(n, taken)} ${what}`).join(', ')}.`;
    $('warning').hidden = false;
  }
  if (header.notes.length > 0) {
    $('notes').querySelector('summary').textContent = `${plural(header.notes.length, 'note')} on what limits this profile`;
    $('notes').querySelector('ul').replaceChildren(...header.notes.map((text) => element('li', text)));
    $('notes').hidden = false;
  }
  if (samples === 0 && lost > 0) $('empty').textContent = 'No samples: all that were taken were lost.';
  $('empty').hidden = tree.total[ROOT] > 0;
}

function showLegend() {
  const own = data.kinds.map(() => 0);
  const seen = data.kinds.map(() => false);

  for (let i = 1; i < tree.n; i++) {
    own[tree.kinds[tree.frame[i]]] += tree.self[i];
    seen[tree.kinds[tree.frame[i]]] = true;
  }
  $('legend').replaceChildren(...data.kinds.flatMap((kindName, i) => {
    if (!seen[i]) return [];
    const item = element('li'), swatch = element('i');
    swatch.style.background = colorOf(kindName);
    item.append(swatch, own[i] > 0 ? `${kindName} ${percent(own[i], tree.total[ROOT])}` : kindName);
    return [item];
  }));
}

/* ---- start --------------------------------------------------------------------------------- */

function recolor() {
  colors = [];
  showLegend();
  redraw();
}

night.addEventListener('change', recolor);
addEventListener('popstate', restore);
new ResizeObserver(() => {
  if (!icicle) view.scrollTop = extent() - view.clientHeight - below; /* a flame stands on its root */
  draw();
}).observe(view);
for (const [type, on] of [['beforeprint', true], ['afterprint', false]])
  addEventListener(type, () => {
    printing = on;
    recolor();
    draw();
  });
showHeader();
showLegend();
restore();

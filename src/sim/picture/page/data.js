// The run as it lies in the page: columns of numbers, with each text once (`html.rs` writes the same columns).
const run = JSON.parse(document.getElementById("run").textContent);
const texts = run.texts;
const END = Math.max(run.ended, 1);

// Times are written as differences from the one before.
function times(differences) {
  const at = new Float64Array(differences.length);
  let sum = 0;
  for (let i = 0; i < at.length; i++) at[i] = sum += differences[i];
  return at;
}

// What each place names, by its sort.
function spread(sorts, values, Type) {
  const all = new Type(sorts.length);
  for (let i = 0; i < all.length; i++) all[i] = values[sorts[i]];
  return all;
}

function table({ at, columns }, ...names) {
  const rows = { count: at.length, at: times(at) };
  names.forEach((name, i) => { rows[name] = new Uint32Array(columns[i]); });
  return rows;
}

const events = table(run.events, "lane", "class", "kind", "text");
const bands = table(run.bands, "length", "lane", "kind", "text");
const messages = table(run.messages, "length", "sort");
// There are many messages of few sorts.
["from", "to", "kind", "fate", "text"].forEach((name, i) => {
  messages[name] = spread(messages.sort, run.sorts.map(sort => sort[i]), Uint32Array);
});
run.events = run.bands = run.messages = null;

// The longest message: how far back one has to look for those that are still under way.
let longest = 0;
for (let i = 0; i < messages.count; i++) if (messages.length[i] > longest) longest = messages.length[i];

// The place of the first that is not before `time`.
function lower(at, time, from = 0, to = at.length) {
  while (from < to) {
    const middle = (from + to) >> 1;
    if (at[middle] < time) from = middle + 1; else to = middle;
  }
  return from;
}

const ORDER = ["group", "member", "observer", "plane", "gateway", "network", "clients"];
const lanes = run.lanes.map((lane, id) => ({
  id, name: lane.name, kind: lane.kind,
  strips: lane.strips.map(([name, flat]) => ({
    name,
    at: Float64Array.from(flat.filter((_, i) => i % 2 === 0)),
    state: flat.filter((_, i) => i % 2 === 1).map(text => texts[text]),
  })),
  events: [], bands: [], shades: [],
}));
const shown = [...lanes].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || a.id - b.id);
const planes = lanes.filter(lane => lane.kind === "plane").map(lane => lane.name.slice("plane ".length));

for (let i = 0; i < events.count; i++) lanes[events.lane[i]].events.push(i);
for (const lane of lanes) {
  lane.events = Uint32Array.from(lane.events);
  lane.at = Float64Array.from(lane.events, i => events.at[i]);
}

// What is dead or paused is a shade over the whole lane; other faults lie in rows, side by side where they overlap.
const SHADES = ["dead", "paused"];
const ROWS = 4;
const rowOf = new Uint8Array(bands.count);
for (let i = 0; i < bands.count; i++) {
  const lane = lanes[bands.lane[i]];
  if (SHADES.includes(texts[bands.kind[i]])) { lane.shades.push(i); continue; }
  lane.ends = lane.ends || [];
  let row = lane.ends.findIndex(end => end <= bands.at[i]);
  if (row < 0) row = Math.min(lane.ends.length, ROWS - 1);
  lane.ends[row] = Math.max(lane.ends[row] || 0, bands.at[i] + bands.length[i]);
  rowOf[i] = row;
  lane.bands.push(i);
}

// The state of a strip at a time.
function stateAt(strip, time) {
  const i = lower(strip.at, time + 0.5) - 1;
  return i < 0 ? "" : strip.state[i];
}

// `12.345678 s`, as exact as `step` asks for.
function clock(time, step = 1) {
  const digits = step >= 1e6 ? 0 : Math.min(6, 6 - Math.floor(Math.log10(Math.max(step, 1))));
  return (time / 1e6).toFixed(digits) + " s";
}

function lasting(time) {
  if (time >= 1e6) return (time / 1e6).toFixed(time >= 1e7 ? 1 : 2) + " s";
  return time >= 1e3 ? (time / 1e3).toFixed(1) + " ms" : time + " µs";
}

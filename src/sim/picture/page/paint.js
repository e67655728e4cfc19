// Draws what is seen. What is too dense for single marks is drawn by columns of pixels: the work is bounded by the
// width of the picture, not by the length of the run.
const picture = document.getElementById("picture");
const overlay = document.getElementById("overlay");
const overview = document.getElementById("overview");
const axis = document.getElementById("axis");
const FONT = "11px system-ui, 'DejaVu Sans', sans-serif";

function prepare(canvas, width, height) {
  const ratio = page.ratio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
  }
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  c.font = FONT;
  c.textBaseline = "middle";
  return c;
}

const widths = new Map();
function widthOf(c, text) {
  let width = widths.get(text);
  if (width === undefined) {
    if (widths.size > 5000) widths.clear();
    widths.set(text, width = c.measureText(text).width);
  }
  return width;
}

// A text that fits, cut short if that leaves enough of it.
function fit(c, text, room) {
  if (room < 18) return "";
  if (text.length < 200 && widthOf(c, text) <= room) return text;
  const letters = Math.floor(room / 6) - 1;
  return letters < 4 ? "" : text.slice(0, letters) + "…";
}

const hatches = new Map();
function hatch(colour, gap) {
  const key = colour + gap + page.ratio;
  if (!hatches.has(key)) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = gap;
    const t = tile.getContext("2d");
    t.strokeStyle = colour;
    t.lineWidth = 1.4;
    for (const shift of [-gap, 0, gap]) {
      t.beginPath();
      t.moveTo(shift - 1, gap + 1);
      t.lineTo(shift + gap + 1, -1);
      t.stroke();
    }
    hatches.set(key, t.createPattern(tile, "repeat"));
  }
  return hatches.get(key);
}

// Steps of 1, 2 and 5, some 90 pixels wide.
function stepOf() {
  const least = (view.to - view.from) / inner() * 90;
  const power = 10 ** Math.floor(Math.log10(least));
  return Math.max([1, 2, 5, 10].map(n => n * power).find(step => step >= least), 1);
}

function ticks() {
  const step = stepOf(), list = [];
  for (let n = Math.ceil(view.from / step); n * step <= view.to; n++) list.push(n * step);
  return list;
}

function paintAxis() {
  const c = prepare(axis, page.width, 24);
  c.fillStyle = colours.soft;
  c.fillText(page.messages && dense() ? "messages: zoom in" : "true time", 12, 12);
  const step = stepOf();
  for (const time of ticks()) {
    const x = xOf(time);
    c.fillRect(Math.round(x), 17, 1, 7);
    const text = clock(time, step);
    const left = Math.min(Math.max(x - widthOf(c, text) / 2, GUTTER - 20), page.width - widthOf(c, text) - 3);
    c.fillText(text, left, 9);
  }
}

function paintLanes(c) {
  shown.forEach((lane, place) => {
    c.fillStyle = place % 2 ? colours.odd : colours.back;
    c.fillRect(GUTTER, lane.y, page.width, lane.height);
  });
  c.fillStyle = colours.line;
  for (const time of ticks()) c.fillRect(Math.round(xOf(time)), 0, 1, page.height);
  if (page.messages && dense()) paintMessages(c);
  for (const lane of shown) {
    paintShades(c, lane);
    for (const strip of lane.strips) paintStrip(c, lane, strip);
    paintBands(c, lane);
  }
}

function paintStrip(c, lane, strip) {
  let i = Math.max(lower(strip.at, view.from + 0.5) - 1, 0);
  let filled = -1;
  for (; i < strip.at.length && strip.at[i] <= view.to; i++) {
    const next = i + 1 < strip.at.length ? strip.at[i + 1] : END;
    const left = Math.max(Math.round(xOf(strip.at[i])), GUTTER);
    const right = Math.min(Math.max(Math.round(xOf(next)), left + 1), page.width - PAD);
    if (right <= filled) continue;
    const state = strip.state[i];
    const colour = colourOf(lane, strip, state);
    c.fillStyle = colour;
    c.fillRect(left, strip.y, right - left, strip.height);
    filled = right;
    const text = right - left > 30 ? fit(c, state, right - left - 10) : "";
    if (text) {
      c.fillStyle = inkOn(colour);
      c.fillText(text, left + 5, strip.y + strip.height / 2 + 0.5);
    }
  }
}

function spanOf(i) {
  const left = Math.max(xOf(bands.at[i]), GUTTER);
  return [left, Math.min(Math.max(xOf(bands.at[i] + bands.length[i]), left + 2), page.width - PAD)];
}

const seen = i => bands.at[i] <= view.to && bands.at[i] + bands.length[i] >= view.from;

function paintShades(c, lane) {
  for (const i of lane.shades) {
    if (!seen(i)) continue;
    const [left, right] = spanOf(i);
    const colour = texts[bands.kind[i]] === "dead" ? colours.role.dead : colours.role.paused;
    c.globalAlpha = 0.16;
    c.fillStyle = colour;
    c.fillRect(left, lane.y + 1, right - left, lane.height - 2);
    c.globalAlpha = 0.35;
    c.fillStyle = hatch(colour, 8);
    c.fillRect(left, lane.y + 1, right - left, lane.height - 2);
    c.globalAlpha = 1;
  }
}

function paintBands(c, lane) {
  const filled = new Float64Array(ROWS).fill(-1);
  for (const i of lane.bands) {
    if (!seen(i)) continue;
    const [left, right] = spanOf(i), row = rowOf[i];
    if (right <= filled[row]) continue;
    filled[row] = right;
    const y = lane.bandsY + row * (size.band + 1);
    c.fillStyle = mix(colours.fault, colours.back, 0.22);
    c.fillRect(left, y, right - left, size.band);
    c.fillStyle = hatch(mix(colours.fault, colours.back, 0.42), 7);
    c.fillRect(left, y, right - left, size.band);
    c.fillStyle = colours.fault;
    c.fillRect(left, y, 2, size.band);
    if (bands.at[i] + bands.length[i] < END) c.fillRect(right - 2, y, 2, size.band);
    const text = fit(c, texts[bands.text[i]], right - left - 12);
    if (!text) continue;
    c.fillStyle = mix(colours.fault, colours.back, 0.1);
    c.fillRect(left + 4, y + 1, Math.min(widthOf(c, text) + 4, right - left - 6), size.band - 2);
    c.fillStyle = colours.ink;
    c.fillText(text, left + 6, y + size.band / 2 + 0.5);
  }
}

const classes = ["decision", "fault", "word", "detail"];
const ranks = Uint8Array.from(events.class, text => classes.indexOf(texts[text]));
const rank = i => ranks[i];

function mark(c, kind, x, y) {
  c.beginPath();
  if (kind === 0) { c.moveTo(x, y - 6); c.lineTo(x + 5, y); c.lineTo(x, y + 6); c.lineTo(x - 5, y); }
  else if (kind === 1) { c.moveTo(x, y - 5); c.lineTo(x + 5, y + 4); c.lineTo(x - 5, y + 4); }
  else if (kind === 2) c.arc(x, y, 3, 0, 7);
  else c.rect(x - 0.5, y - 3, 1, 6);
  c.fill();
}

function paintEvents(c, lane) {
  const from = lower(lane.at, view.from), to = lower(lane.at, view.to + 1);
  const wide = Math.ceil(page.width) + 1;
  const counts = new Uint32Array(wide), first = new Int32Array(wide).fill(-1);
  let columns = 0;
  for (let n = from; n < to; n++) {
    const i = lane.events[n], kind = rank(i);
    if (kind === 3 && !page.details) continue;
    const x = Math.round(xOf(lane.at[n]));
    if (counts[x]++ === 0) columns++;
    if (first[x] < 0 || kind < rank(first[x])) first[x] = i;
  }
  const y = lane.eventsY + size.events / 2;
  // Marks overlap where more than every fourth column has one: columns then, the higher the more.
  const dense = columns > inner() / 4;
  const places = [];
  for (let x = 0; x < wide; x++) if (first[x] >= 0) places.push(x);
  places.sort((a, b) => rank(first[b]) - rank(first[a]) || a - b);
  for (const x of places) {
    const i = first[x], kind = rank(i);
    c.fillStyle = colours.events[classes[kind]];
    if (dense && kind > 1) {
      const high = Math.min(2 + 2 * Math.log2(counts[x] + 1), size.events - 4);
      c.globalAlpha = 0.55;
      c.fillRect(x, y - high / 2, 1, high);
      c.globalAlpha = 1;
    } else mark(c, kind, x, y);
  }
  if (!dense) paintLabels(c, lane, first, y);
}

// Words beside marks, where there is room until the next one.
function paintLabels(c, lane, first, y) {
  let last = -1, x = 0;
  const put = until => {
    if (last < 0 || rank(first[last]) > 1) return;
    const text = texts[events.kind[first[last]]];
    if (widthOf(c, text) + 12 > until - last) return;
    c.fillStyle = colours.events[classes[rank(first[last])]];
    c.fillText(text, last + 8, y + 0.5);
  };
  for (; x < first.length; x++) if (first[x] >= 0) { put(x - 4); last = x; }
  put(page.width - PAD);
}

const WIRES = ["other", "append", "probe", "vote", "bad"];
const BAD = ["lost", "cut", "nobody", "failed"];
const kindWire = texts.map(kind =>
  kind.includes("vote") ? 3 : kind.includes("append") || kind === "snapshot" ? 1 : kind === "probe" ? 2 : 0);
const wireOf = Uint8Array.from(messages.kind, (kind, i) => BAD.includes(texts[messages.fate[i]]) ? 4 : kindWire[kind]);

const wireY = id => lanes[id].y + 6 + (lanes[id].strips[0] ? lanes[id].strips[0].height / 2 : 8);

// Which messages are seen: a range, of which some ended before.
const wires = () => [lower(messages.at, view.from - longest), lower(messages.at, view.to + 1)];

// Too many for single lines: then they lie behind the strips, and some stand for all.
const dense = () => { const [from, to] = wires(); return to - from > 3000; };

function paintMessages(c) {
  const [from, to] = wires(), many = dense();
  const all = lanes.length, taken = new Uint8Array(many ? Math.ceil(page.width / 6 + 1) * all * all * 2 : 0);
  const paths = WIRES.map(() => new Path2D());
  let count = 0;
  for (let i = from; i < to; i++) {
    const ended = messages.at[i] + messages.length[i];
    if (ended < view.from) continue;
    const x = xOf(messages.at[i]), wire = wireOf[i];
    if (many) {
      if (x < 0) continue;
      const key = ((Math.floor(x / 6) * all + messages.from[i]) * all + messages.to[i]) * 2 + (wire === 4);
      if (taken[key]) continue;
      taken[key] = 1;
      paths[wire].moveTo(x, wireY(messages.from[i]));
      paths[wire].lineTo(xOf(ended), wireY(messages.to[i]));
    } else wirePath(paths[wire], i, x, xOf(ended));
    count++;
  }
  c.save();
  c.beginPath();
  c.rect(GUTTER, 0, page.width - GUTTER - PAD, page.height);
  c.clip();
  paths.forEach((path, wire) => {
    c.globalAlpha = many ? 0.3 : wire === 0 ? 0.55 : 0.85;
    c.strokeStyle = colours.wires[WIRES[wire]];
    c.lineWidth = wire === 0 || many ? 0.8 : 1.2;
    c.stroke(path);
  });
  c.globalAlpha = 1;
  page.wires = count;
  if (count < 90) labelMessages(c, from, to);
  c.restore();
}

function wirePath(path, i, x, end) {
  const y1 = wireY(messages.from[i]), y2 = wireY(messages.to[i]);
  const fate = texts[messages.fate[i]];
  if (fate === "lost") {
    const stop = y1 + (y2 - y1) / 3;
    path.moveTo(x, y1);
    path.lineTo(x + 3, stop);
    cross(path, x + 3, stop);
    return;
  }
  path.moveTo(x, y1);
  path.lineTo(end, y2);
  if (fate === "cut" || fate === "nobody") cross(path, end, y2);
  else { path.moveTo(end + 2, y2); path.arc(end, y2, 2, 0, 7); }
}

function cross(path, x, y) {
  path.moveTo(x - 3, y - 3); path.lineTo(x + 3, y + 3);
  path.moveTo(x - 3, y + 3); path.lineTo(x + 3, y - 3);
}

function labelMessages(c, from, to) {
  for (let i = from; i < to; i++) {
    const left = xOf(messages.at[i]), right = xOf(messages.at[i] + messages.length[i]);
    const text = texts[messages.kind[i]];
    if (right - left < widthOf(c, text) + 12) continue;
    const y = (wireY(messages.from[i]) + wireY(messages.to[i])) / 2;
    c.fillStyle = colours.back;
    c.fillRect((left + right) / 2 - widthOf(c, text) / 2 - 2, y - 7, widthOf(c, text) + 4, 14);
    c.fillStyle = colours.wires[WIRES[wireOf[i]]];
    c.fillText(text, (left + right) / 2 - widthOf(c, text) / 2, y);
  }
}

function paintGutter(c) {
  c.fillStyle = colours.gutter;
  c.fillRect(0, 0, GUTTER - 1, page.height);
  c.fillStyle = colours.strong;
  c.fillRect(GUTTER - 1, 0, 1, page.height);
  for (const lane of shown) {
    c.fillStyle = colours.line;
    c.fillRect(0, lane.y, page.width, 1);
    c.fillStyle = colours.ink;
    c.font = "600 " + FONT;
    const room = lane.strips.length ? GUTTER - 78 : GUTTER - 20;
    const words = lane.height < 40 ? [lane.name] : lane.name.split(/ (.*)/, 2);
    words.forEach((word, n) => c.fillText(word, 12, lane.y + 14 + n * 15, lane.height < 40 ? GUTTER - 56 : room));
    c.font = FONT;
    c.fillStyle = colours.soft;
    for (const strip of lane.strips) {
      const text = fit(c, strip.name, 66);
      c.fillText(text, GUTTER - 8 - widthOf(c, text), strip.y + strip.height / 2 + 0.5);
    }
  }
}

// What was found: a mark at the foot of its lane, with a line through the lane where there are few.
function paintFound(c) {
  const wide = Math.ceil(page.width) + 1, columns = new Uint8Array(wide * lanes.length), places = [];
  for (const code of search.matches) {
    const time = timeOfItem(code);
    if (time < view.from || time > view.to) continue;
    const key = laneOfItem(code).id * wide + Math.round(xOf(time));
    if (!columns[key]) places.push(key);
    columns[key] = 1;
  }
  c.fillStyle = colours.highlight;
  for (const key of places) {
    const lane = lanes[Math.floor(key / wide)], x = key % wide;
    c.fillRect(x - 1, lane.y + lane.height - 5, 3, 4);
    if (places.length > 300) continue;
    c.globalAlpha = 0.35;
    c.fillRect(x, lane.y + 3, 1, lane.height - 6);
    c.globalAlpha = 1;
  }
}

// The whole run in a narrow line: routes, faults, decisions, what is found, and which part is seen.
function paintOverview() {
  const c = prepare(overview, page.width, 42);
  const at = time => GUTTER + time / END * inner();
  c.fillStyle = colours.soft;
  c.fillText("whole run", 12, 13);
  c.fillText(lasting(view.to - view.from) + " seen", 12, 29);
  const groups = shown.filter(lane => lane.kind === "group");
  groups.forEach((lane, n) => {
    const high = 12 / groups.length, strip = lane.strips[0];
    for (let i = 0; i < strip.at.length; i++) {
      const next = i + 1 < strip.at.length ? strip.at[i + 1] : END;
      c.fillStyle = colourOf(lane, strip, strip.state[i]);
      c.fillRect(at(strip.at[i]), 5 + n * high, Math.max(at(next) - at(strip.at[i]), 0.5), high);
    }
  });
  c.fillStyle = colours.fault;
  c.globalAlpha = 0.5;
  for (let i = 0; i < bands.count; i++) {
    c.fillRect(at(bands.at[i]), 19, Math.max(bands.length[i] / END * inner(), 1), 5);
  }
  c.globalAlpha = 1;
  const wide = Math.ceil(page.width) + 1, columns = new Uint8Array(wide);
  for (let i = 0; i < events.count; i++) if (rank(i) === 0) columns[Math.round(at(events.at[i]))] = 1;
  c.fillStyle = colours.events.decision;
  for (let x = 0; x < wide; x++) if (columns[x]) c.fillRect(x, 27, 1, 8);
  c.fillStyle = colours.highlight;
  columns.fill(0);
  for (const code of search.matches) columns[Math.round(at(timeOfItem(code)))] = 1;
  for (let x = 0; x < wide; x++) if (columns[x]) c.fillRect(x - 1, 25, 2, 12);
  c.fillStyle = colours.shade;
  c.globalAlpha = 0.18;
  c.fillRect(GUTTER, 0, at(view.from) - GUTTER, 42);
  c.fillRect(at(view.to), 0, GUTTER + inner() - at(view.to), 42);
  c.globalAlpha = 1;
  c.strokeStyle = colours.ink;
  c.strokeRect(at(view.from) + 0.5, 1.5, Math.max(at(view.to) - at(view.from) - 1, 2), 38);
}

function paint() {
  const c = prepare(picture, page.width, page.height);
  page.wires = 0;
  paintLanes(c);
  if (page.messages && !dense()) paintMessages(c);
  c.save();
  c.beginPath();
  c.rect(GUTTER, 0, page.width - GUTTER, page.height);
  c.clip();
  for (const lane of shown) if (lane.events.length) paintEvents(c, lane);
  paintFound(c);
  c.restore();
  paintGutter(c);
  paintAxis();
  paintOverview();
  paintOverlay();
}

// Draws what is seen. What is too dense for single marks is drawn by columns of pixels: the work is bounded by the
// width of the picture, not by the length of the run.

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
    const until = bands.at[i] + bands.length[i];
    if (bands.at[i] >= view.from) c.fillRect(left, y, 2, size.band);
    if (until <= view.to && until < END) c.fillRect(right - 2, y, 2, size.band);
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

// Items are numbers: an event, a fault or a message, and its place. What lies under the pointer, and words for it.
const EVENT = 0, FAULT = 1, MESSAGE = 2;
const item = (type, i) => i * 3 + type;
const typeOf = code => code % 3;
const placeOf = code => Math.floor(code / 3);
const tableOf = code => [events, bands, messages][typeOf(code)];
const timeOfItem = code => tableOf(code).at[placeOf(code)];
const laneOfItem = code => lanes[typeOf(code) === MESSAGE ? messages.from[placeOf(code)] : tableOf(code).lane[placeOf(code)]];
const kindOfItem = code => texts[tableOf(code).kind[placeOf(code)]];
const textOfItem = code => texts[tableOf(code).text[placeOf(code)]];

const point = { x: -1, y: -1, under: null, chosen: -1 };

function eventAt(lane, x) {
  const reach = (view.to - view.from) / inner() * 6, time = timeOf(x);
  let best = null, near = Infinity, count = 0;
  for (let n = lower(lane.at, time - reach); n < lane.at.length && lane.at[n] <= time + reach; n++) {
    const i = lane.events[n], kind = rank(i);
    if (kind === 3 && !page.details) continue;
    count++;
    const far = Math.abs(lane.at[n] - time) / reach + kind * 0.4;
    if (far < near) { near = far; best = i; }
  }
  return best === null ? null : { code: item(EVENT, best), more: count - 1 };
}

function bandAt(lane, x, y) {
  const row = Math.floor((y - lane.bandsY) / (size.band + 1));
  const found = lane.bands.filter(i => {
    if (rowOf[i] !== row || !seen(i)) return false;
    const [left, right] = spanOf(i);
    return x >= left - 2 && x <= right + 2;
  });
  return found.length ? { code: item(FAULT, found[found.length - 1]), more: found.length - 1 } : null;
}

function messageAt(x, y) {
  const [from, to] = wires();
  if (to - from > 20000) return null;
  let best = null, near = 5;
  for (let i = from; i < to; i++) {
    const x1 = xOf(messages.at[i]), x2 = xOf(messages.at[i] + messages.length[i]);
    if (x < x1 - 5 || x > x2 + 8) continue;
    const y1 = wireY(messages.from[i]), y2 = wireY(messages.to[i]);
    if (y < Math.min(y1, y2) - 3 || y > Math.max(y1, y2) + 3) continue;
    const share = y2 === y1 ? 0 : (y - y1) / (y2 - y1);
    const far = Math.abs(x1 + (x2 - x1) * share - x);
    if (far < near) { near = far; best = i; }
  }
  return best === null ? null : { code: item(MESSAGE, best), more: 0 };
}

function stripAt(lane, x, y) {
  const strip = lane.strips.find(strip => y >= strip.y - 1 && y <= strip.y + strip.height + 1);
  if (!strip) return null;
  const i = lower(strip.at, timeOf(x) + 0.5) - 1;
  if (i < 0) return null;
  return { strip, lane, state: strip.state[i], from: strip.at[i], until: strip.at[i + 1] ?? END };
}

function under(x, y) {
  if (x < GUTTER || x > page.width - PAD) return null;
  const lane = laneAt(y);
  if (!lane) return null;
  if (y >= lane.eventsY) {
    const found = eventAt(lane, x);
    if (found) return found;
  } else if (y >= lane.bandsY) {
    const found = bandAt(lane, x, y);
    if (found) return found;
  }
  const wire = page.messages ? messageAt(x, y) : null;
  if (wire) return wire;
  const shade = lane.shades.find(i => seen(i) && x >= spanOf(i)[0] && x <= spanOf(i)[1]);
  const strip = stripAt(lane, x, y);
  if (strip) return strip;
  return shade === undefined ? null : { code: item(FAULT, shade), more: 0 };
}

// Words for people; only ever put into the page as text.
function describe(code) {
  const i = placeOf(code), lane = laneOfItem(code).name;
  if (typeOf(code) === EVENT) return { head: kindOfItem(code), foot: `${clock(events.at[i])} · ${lane}`, text: textOfItem(code) };
  if (typeOf(code) === FAULT) {
    const until = bands.at[i] + bands.length[i];
    const foot = `${clock(bands.at[i])} to ${until >= END ? "the end" : clock(until)}, ${lasting(bands.length[i])} · ${lane}`;
    return { head: kindOfItem(code), foot, text: textOfItem(code) };
  }
  const fate = texts[messages.fate[i]], to = lanes[messages.to[i]].name;
  const fates = { arrived: "arrived", failed: "failed", lost: "was lost", cut: "met a cut link", nobody: "found nobody there",
    "under-way": "was under way at the end" };
  const foot = `${clock(messages.at[i])}, ${lasting(messages.length[i])} · ${fates[fate] || fate}`;
  return { head: `${kindOfItem(code)}: ${lane} → ${to}`, foot, text: textOfItem(code) };
}

function describeState({ strip, lane, state, from, until }) {
  const about = strip.name === "role" ? lane.name
    : lane.kind === "group" ? `${lane.name}: ${strip.name}`
    : lane.kind === "plane" ? `${lane.name} is active for ${strip.name}`
    : lane.kind === "gateway" ? `${lane.name} sends ${strip.name} to`
    : `${lane.name} shows ${strip.name} on`;
  const words = lane.kind === "plane" && state ? `as ${state} members show it` : state || "nothing";
  return { head: about, text: words, foot: `${clock(from)} to ${until >= END ? "the end" : clock(until)}, ${lasting(until - from)}` };
}

function element(name, text, style) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (style) made.className = style;
  return made;
}

function showTip() {
  const tip = document.getElementById("tip"), found = point.under;
  tip.hidden = !found;
  if (!found) return;
  const { head, text, foot } = found.strip ? describeState(found) : describe(found.code);
  tip.replaceChildren(element("b", head));
  if (text) tip.append(marked(text), element("br"));
  tip.append(element("small", foot + (found.more > 0 ? ` · ${found.more} more here: zoom in` : "")));
  const top = point.y - document.getElementById("scroll").scrollTop + 66;
  const chart = document.getElementById("chart").getBoundingClientRect(), box = tip.getBoundingClientRect();
  const left = point.x + 16 + box.width > chart.width ? point.x - box.width - 12 : point.x + 16;
  tip.style.left = Math.max(left, 4) + "px";
  tip.style.top = Math.max(4, top + 18 + box.height > chart.height ? top - box.height - 12 : top + 18) + "px";
}

function ring(c, code, colour) {
  const i = placeOf(code), type = typeOf(code), lane = laneOfItem(code);
  c.strokeStyle = colour;
  c.lineWidth = 2;
  if (type === EVENT) {
    const x = xOf(events.at[i]);
    if (x < GUTTER - 1 || x > page.width) return;
    c.beginPath();
    c.arc(x, lane.eventsY + size.events / 2, 8, 0, 7);
    c.stroke();
  } else if (type === FAULT && seen(i)) {
    const [left, right] = spanOf(i), shade = lane.shades.includes(i);
    if (shade) c.strokeRect(left, lane.y + 2, right - left, lane.height - 4);
    else c.strokeRect(left - 1, lane.bandsY + rowOf[i] * (size.band + 1) - 1, right - left + 2, size.band + 2);
  } else if (type === MESSAGE && page.messages) {
    const path = new Path2D();
    wirePath(path, i, xOf(messages.at[i]), xOf(messages.at[i] + messages.length[i]));
    c.stroke(path);
  }
}

function paintOverlay() {
  const c = prepare(overlay, page.width, page.height);
  c.save();
  c.beginPath();
  c.rect(GUTTER, 0, page.width - GUTTER, page.height);
  c.clip();
  if (point.x >= GUTTER) {
    c.fillStyle = colours.soft;
    c.fillRect(Math.round(point.x), 0, 1, page.height);
    const text = clock(timeOf(point.x), (view.to - view.from) / 1000);
    const wide = widthOf(c, text) + 8, left = Math.min(point.x + 3, page.width - wide - 2);
    const top = document.getElementById("scroll").scrollTop;
    c.fillStyle = colours.ink;
    c.fillRect(left, top, wide, 15);
    c.fillStyle = colours.back;
    c.fillText(text, left + 4, top + 8);
  }
  if (point.chosen >= 0) ring(c, point.chosen, colours.highlight);
  if (point.under && point.under.code >= 0) ring(c, point.under.code, colours.ink);
  c.restore();
}

// Chooses an item: shows all of it, and brings it into view.
function choose(code, { jump = true } = {}) {
  point.chosen = code;
  if (code >= 0 && jump) {
    bring(timeOfItem(code));
    const lane = laneOfItem(code), scroll = document.getElementById("scroll");
    if (lane.y < scroll.scrollTop) scroll.scrollTop = lane.y - 4;
    const bottom = lane.y + lane.height - scroll.clientHeight;
    if (bottom > scroll.scrollTop) scroll.scrollTop = bottom + 4;
  }
  showChosen();
  showRows(true);
  redraw();
}

// Puts it together: sizes, the pointer, keys; and a small hook for tests.
let waiting = false;
function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; paint(); });
}

function measure() {
  const scroll = document.getElementById("scroll");
  page.ratio = window.devicePixelRatio || 1;
  page.width = Math.max(scroll.clientWidth, 300);
  arrange(scroll.clientHeight);
  page.height = Math.max(page.height, scroll.clientHeight);
  document.getElementById("lanes").style.height = page.height + "px";
  showRows();
  paint();
}

function toggle(what) {
  page[what] = !page[what];
  document.getElementById(what).setAttribute("aria-pressed", page[what]);
  showLegend();
  if (search.words.length) {
    search.matches = matches(search.words);
    search.at = search.matches.indexOf(point.chosen);
    showFound();
  }
  if (what === "details" || lists.tab === "found") openTab(lists.tab);
  redraw();
}

const area = document.getElementById("lanes");

area.addEventListener("wheel", event => {
  // What lies over the lanes has an offset of its own.
  const x = event.clientX - area.getBoundingClientRect().left;
  const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
  // Over the names the wheel scrolls through the lanes.
  if (x < GUTTER) return;
  event.preventDefault();
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(sideways);
  else zoom(1.0016 ** (event.deltaY * (event.deltaMode === 1 ? 30 : 1)), x);
}, { passive: false });

let drag = null;
area.addEventListener("pointerdown", event => {
  if (event.button !== 0) return;
  drag = { x: event.offsetX, from: view.from, moved: false };
  area.setPointerCapture(event.pointerId);
});
area.addEventListener("pointermove", event => {
  point.x = event.offsetX;
  point.y = event.offsetY;
  if (drag) {
    if (Math.abs(point.x - drag.x) > 3) drag.moved = true;
    if (drag.moved) {
      area.classList.add("moving");
      point.under = null;
      const from = drag.from - (point.x - drag.x) / inner() * (view.to - view.from);
      look(from, from + view.to - view.from);
    }
  } else point.under = under(point.x, point.y);
  showTip();
  if (!waiting) paintOverlay();
});
area.addEventListener("pointerup", event => {
  area.classList.remove("moving");
  if (drag && !drag.moved) {
    const found = under(event.offsetX, event.offsetY);
    choose(found && found.code >= 0 ? found.code : -1, { jump: false });
  }
  drag = null;
});
area.addEventListener("pointerleave", () => {
  point.x = -1;
  point.under = null;
  showTip();
  paintOverlay();
});
area.addEventListener("dblclick", event => zoom(0.4, event.offsetX));

let chosen = null;
const overviewTime = x => Math.min(Math.max((x - GUTTER) / inner(), 0), 1) * END;
overview.addEventListener("pointerdown", event => {
  chosen = overviewTime(event.offsetX);
  overview.setPointerCapture(event.pointerId);
});
overview.addEventListener("pointermove", event => {
  const time = overviewTime(event.offsetX);
  if (chosen !== null && Math.abs(time - chosen) > END / inner() * 4) look(Math.min(chosen, time), Math.max(chosen, time));
});
overview.addEventListener("pointerup", event => {
  const time = overviewTime(event.offsetX), span = view.to - view.from;
  if (chosen !== null && Math.abs(time - chosen) <= END / inner() * 4) look(time - span / 2, time + span / 2);
  chosen = null;
});

const press = (id, act) => { document.getElementById(id).onclick = act; };
press("zoom-in", () => zoom(0.5));
press("zoom-out", () => zoom(2));
press("fit", () => look(0, END));
press("messages", () => toggle("messages"));
press("details", () => toggle("details"));
press("next", event => { event.preventDefault(); again(1); });
press("previous", () => again(-1));
press("help", () => document.getElementById("keys").showModal());

const query = document.getElementById("query");
let soon = 0;
function again(by) {
  clearTimeout(soon);
  if (query.value !== search.query) find(query.value);
  else goTo(search.at + by);
}
query.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(() => find(query.value), 150); });
document.getElementById("search").addEventListener("submit", event => { event.preventDefault(); again(1); });
query.addEventListener("keydown", event => {
  if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); again(-1); }
  if (event.key === "Escape") { query.value = ""; find(""); query.blur(); }
});

const KEYS = {
  "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), "−": () => zoom(1 / 0.6),
  "0": () => look(0, END),
  ArrowLeft: () => move(-120), ArrowRight: () => move(120),
  Home: () => look(0, view.to - view.from), End: () => look(END - view.to + view.from, END),
  ArrowUp: () => step(-1), ArrowDown: () => step(1), k: () => step(-1), j: () => step(1),
  "/": () => { query.focus(); query.select(); },
  n: () => goTo(search.at + 1), N: () => goTo(search.at - 1),
  m: () => toggle("messages"), d: () => toggle("details"),
  "?": () => document.getElementById("keys").showModal(),
  Escape: () => choose(-1, { jump: false }),
};
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === query || document.querySelector("dialog[open]")) return;
  if (event.target.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ")) return;
  const act = KEYS[event.key];
  if (act) { event.preventDefault(); act(); }
});

list.addEventListener("scroll", () => showRows());
new ResizeObserver(measure).observe(document.getElementById("chart"));
dark.addEventListener("change", () => { colours = dark.matches ? DARK : LIGHT; hatches.clear(); showLegend(); showRows(); redraw(); });

showHeader();
showLegend();
openTab("decisions");
showChosen();
measure();

// For tests, and for a console. Lanes and strips by name; times in microseconds; colours as `#rrggbb`.
function strip(laneName, stripName) {
  const lane = lanes.find(lane => lane.name === laneName);
  return [lane, lane.strips.find(strip => strip.name === stripName) || lane.strips[0]];
}
window.biplane = {
  // Milliseconds from the beginning of the navigation until the first picture was drawn.
  drawnAfter: performance.now(),
  lanes: () => shown.map(lane => ({ name: lane.name, strips: lane.strips.map(strip => strip.name) })),
  counts: () => ({ events: events.count, faults: bands.count, messages: messages.count }),
  // The state of a lane's strip (the first one, unless it is named) at a time, and its colour.
  laneStateAt: (name, micros, of) => stateAt(strip(name, of)[1], micros),
  laneColourAt: (name, micros, of) => {
    const [lane, which] = strip(name, of);
    return colourOf(lane, which, stateAt(which, micros));
  },
  // The colour that the canvas really has there, in what is seen now.
  paintedAt: (name, micros, of) => {
    paint();
    const which = strip(name, of)[1], ratio = page.ratio;
    const x = Math.round(xOf(micros) * ratio), y = Math.round((which.y + 1) * ratio);
    const [r, g, b] = picture.getContext("2d").getImageData(x, y, 1, 1).data;
    return "#" + [r, g, b].map(part => part.toString(16).padStart(2, "0")).join("");
  },
  view: () => ({ from: view.from, until: view.to }),
  // How many messages are drawn: none until they are asked for.
  messagesDrawn: () => { paint(); return page.wires; },
  chosen: () => point.chosen < 0 ? null : { ...describe(point.chosen), at: timeOfItem(point.chosen) },
  // Where something is on the screen: a time in a lane, at its events or at a strip.
  place: (name, micros, of) => {
    const lane = lanes.find(lane => lane.name === name), box = area.getBoundingClientRect();
    const y = of ? strip(name, of)[1].y + 5 : lane.eventsY + size.events / 2;
    return { x: box.left + xOf(micros), y: box.top + y };
  },
};

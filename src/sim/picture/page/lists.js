// The list of events beside the picture, and the chosen one in full. Only the rows that are seen exist.
const ROW = 54;
const list = document.getElementById("list");
const rows = document.getElementById("rows");

const TABS = [
  ["decisions", "Decisions", () => filter(i => rank(i) === 0)],
  ["faults", "Faults", () => merge(filter(i => rank(i) === 1), everyBand())],
  ["events", "All events", () => merge(filter(i => page.details || rank(i) < 3), everyBand())],
  ["found", "Found", () => search.matches],
];
const lists = { tab: "decisions", items: [] };

function filter(wanted) {
  const items = [];
  for (let i = 0; i < events.count; i++) if (wanted(i)) items.push(item(EVENT, i));
  return items;
}

const everyBand = () => Array.from({ length: bands.count }, (_, i) => item(FAULT, i));
const merge = (one, other) => one.concat(other).sort((a, b) => timeOfItem(a) - timeOfItem(b) || a - b);

function showTabs() {
  const nav = document.getElementById("tabs");
  nav.replaceChildren(...TABS.map(([key, name]) => {
    const button = element("button", name);
    button.id = "tab-" + key;
    button.setAttribute("role", "tab");
    button.setAttribute("aria-selected", key === lists.tab);
    button.onclick = () => openTab(key);
    return button;
  }));
}

function openTab(key) {
  lists.tab = key;
  lists.items = TABS.find(tab => tab[0] === key)[2]();
  showTabs();
  rows.style.height = lists.items.length * ROW + "px";
  list.scrollTop = 0;
  showRows(true);
}

// The place of an item in the list, by its time; -1 when it is not there.
function placeInList(code) {
  let from = 0, to = lists.items.length;
  const time = timeOfItem(code);
  while (from < to) {
    const middle = (from + to) >> 1;
    if (timeOfItem(lists.items[middle]) < time) from = middle + 1; else to = middle;
  }
  for (; from < lists.items.length && timeOfItem(lists.items[from]) === time; from++) {
    if (lists.items[from] === code) return from;
  }
  return -1;
}

function showRows(follow = false) {
  const place = point.chosen >= 0 ? placeInList(point.chosen) : -1;
  if (follow && place >= 0) {
    const top = place * ROW;
    if (top < list.scrollTop || top + ROW > list.scrollTop + list.clientHeight) {
      list.scrollTop = top - list.clientHeight / 2 + ROW / 2;
    }
  }
  if (!lists.items.length) {
    rows.replaceChildren(element("div", lists.tab === "found" ? "Search, and what is found is listed here." : "None.", "none"));
    return;
  }
  const from = Math.max(Math.floor(list.scrollTop / ROW) - 3, 0);
  const to = Math.min(from + Math.ceil(list.clientHeight / ROW) + 6, lists.items.length);
  const made = [];
  for (let n = from; n < to; n++) made.push(rowFor(lists.items[n], n));
  rows.replaceChildren(...made);
}

function rowFor(code, n) {
  const row = element("div", "", "row"), head = element("div", "", "head");
  row.style.top = n * ROW + "px";
  row.setAttribute("role", "option");
  row.setAttribute("aria-selected", code === point.chosen);
  const kind = element("span", kindOfItem(code), "kind");
  const type = typeOf(code) === EVENT ? classes[rank(placeOf(code))] : typeOf(code) === FAULT ? "fault" : "word";
  kind.style.color = colours.events[type];
  head.append(element("span", clock(timeOfItem(code)), "when"), kind, element("span", laneOfItem(code).name, "lane"));
  const text = element("div", "", "text");
  text.append(marked(textOfItem(code)));
  row.append(head, text);
  row.onclick = () => choose(code);
  return row;
}

function step(by) {
  if (!lists.items.length) return;
  let place = point.chosen >= 0 ? placeInList(point.chosen) : -1;
  place = place < 0 ? lower(Float64Array.from(lists.items, timeOfItem), view.from) : place + by;
  choose(lists.items[Math.min(Math.max(place, 0), lists.items.length - 1)]);
}

function showChosen() {
  const box = document.getElementById("chosen");
  if (point.chosen < 0) {
    const words = run.wrong.length ? "What is not as it must be:" : "Choose an event, a fault or a message: all of it is shown here.";
    box.replaceChildren(element("small", words));
    if (run.wrong.length) {
      const all = element("ul");
      all.append(...run.wrong.map(text => element("li", text)));
      box.append(all);
    }
    return;
  }
  const { head, text, foot } = describe(point.chosen);
  box.replaceChildren(element("b", head), element("small", foot), element("br"), marked(text));
}

function showHeader() {
  document.getElementById("title").textContent = run.title;
  const verdict = document.getElementById("verdict");
  verdict.textContent = run.passed ? "passed" : "FAILED";
  verdict.className = run.passed ? "passed" : "failed";
  const many = n => n.toLocaleString("en");
  document.getElementById("facts").textContent =
    `${lasting(END)} · ${many(events.count)} events · ${many(bands.count)} faults · ${many(messages.count)} messages`;
  document.getElementById("facts").title = `digest ${run.digest}`;
}

function showLegend() {
  const legend = document.getElementById("legend");
  const box = (words, draw) => {
    const canvas = document.createElement("canvas"), span = element("span");
    const c = prepare(canvas, 18, 12);
    draw(c);
    span.append(canvas, words);
    return span;
  };
  const plain = (words, colour) => box(words, c => { c.fillStyle = colour; c.fillRect(0, 0, 18, 12); });
  const sign = (words, kind) => box(words, c => { c.fillStyle = colours.events[classes[kind]]; mark(c, kind, 9, 6); });
  const hatched = (words, colour) => box(words, c => {
    c.fillStyle = mix(colour, colours.back, 0.22); c.fillRect(0, 0, 18, 12);
    c.fillStyle = hatch(colour, 7); c.fillRect(0, 0, 18, 12);
  });
  legend.replaceChildren(
    ...planes.map((name, n) => plain(`on ${name}`, colours.planes[n % 2])),
    plain("leads", colours.role.leads), plain("follows", colours.role.follows),
    plain("no leader, out of touch", colours.role["no leader"]),
    hatched("dead", colours.role.dead), hatched("paused", colours.role.paused),
    hatched("fault, from its beginning to its end", colours.fault), plain("switchover under way", colours.step.routing),
    sign("decision", 0), sign("fault", 1), sign("word", 2));
  const wire = (words, colour) => box(words, c => { c.fillStyle = colours.wires[colour]; c.fillRect(0, 5, 18, 2); });
  if (page.messages) {
    legend.append(wire("log", "append"), wire("vote", "vote"), wire("probe", "probe"), wire("other message", "other"),
      wire("lost, cut or failed", "bad"));
  }
}

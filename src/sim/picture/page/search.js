// Search in the text of everything: each word must be in an item's kind, lane or text.
const search = { query: "", words: [], matches: [], at: -1 };
let small = null;

function find(query) {
  search.query = query;
  search.words = query.toLowerCase().split(/\s+/).filter(Boolean);
  search.matches = search.words.length ? matches(search.words) : [];
  search.at = -1;
  if (lists.tab === "found" || search.matches.length) openTab(search.matches.length ? "found" : "decisions");
  if (search.matches.length) {
    const first = search.matches.findIndex(code => timeOfItem(code) >= view.from);
    goTo(Math.max(first, 0));
  } else {
    showFound();
    redraw();
  }
}

function matches(words) {
  small = small || texts.map(text => text.toLowerCase());
  const inText = words.map(word => Uint8Array.from(small, text => text.includes(word)));
  const inLane = words.map(word => lanes.map(lane => lane.name.toLowerCase().includes(word)));
  const found = [];
  const look = (type, rows, skip) => {
    for (let i = 0; i < rows.count; i++) {
      if (skip && skip(i)) continue;
      const lane = type === MESSAGE ? rows.from[i] : rows.lane[i], to = type === MESSAGE ? rows.to[i] : lane;
      const all = words.every((_, w) =>
        inText[w][rows.text[i]] || inText[w][rows.kind[i]] || inLane[w][lane] || inLane[w][to]);
      if (all) found.push(item(type, i));
    }
  };
  // What is hidden is not found: messages and details count while they are shown.
  look(EVENT, events, i => rank(i) === 3 && !page.details);
  look(FAULT, bands);
  if (page.messages) look(MESSAGE, messages);
  return found.sort((a, b) => timeOfItem(a) - timeOfItem(b) || a - b);
}

function goTo(place) {
  if (!search.matches.length) return;
  search.at = (place + search.matches.length) % search.matches.length;
  showFound();
  choose(search.matches[search.at]);
}

function showFound() {
  const many = search.matches.length.toLocaleString("en");
  document.getElementById("found").textContent =
    !search.words.length ? "" : search.matches.length ? `${(search.at + 1).toLocaleString("en")} of ${many}` : "nothing";
}

// The text with what is searched for marked.
function marked(text) {
  const whole = document.createDocumentFragment();
  const lowered = text.toLowerCase();
  if (!search.matches.length || lowered.length !== text.length) { whole.append(text); return whole; }
  let at = 0;
  while (at < text.length) {
    let next = -1, length = 0;
    for (const word of search.words) {
      const place = lowered.indexOf(word, at);
      if (place >= 0 && (next < 0 || place < next)) { next = place; length = word.length; }
    }
    if (next < 0) break;
    whole.append(text.slice(at, next), element("mark", text.slice(next, next + length)));
    at = next + length;
  }
  whole.append(text.slice(at));
  return whole;
}

// Which part of the run is seen, where things lie, and their colours.
const GUTTER = 148;
const PAD = 14;
const CLOSEST = 200;
const view = { from: 0, to: END };
const page = { width: 800, height: 400, messages: false, details: false, ratio: 1, wires: 0 };

const inner = () => Math.max(page.width - GUTTER - PAD, 50);
const xOf = time => GUTTER + (time - view.from) / (view.to - view.from) * inner();
const timeOf = x => view.from + (x - GUTTER) / inner() * (view.to - view.from);

function look(from, to) {
  let span = Math.min(Math.max(to - from, CLOSEST), END);
  let begin = (from + to - span) / 2;
  begin = Math.min(Math.max(begin, 0), END - span);
  view.from = begin;
  view.to = begin + span;
  redraw();
}

function zoom(factor, x = GUTTER + inner() / 2) {
  const span = Math.min(Math.max((view.to - view.from) * factor, CLOSEST), END);
  const share = Math.min(Math.max((x - GUTTER) / inner(), 0), 1);
  const from = timeOf(GUTTER + share * inner()) - share * span;
  look(from, from + span);
}

function move(pixels) {
  const by = pixels / inner() * (view.to - view.from);
  look(view.from + by, view.to + by);
}

// Brings a time into view; stays where it is if that is well inside.
function bring(time, until = time) {
  const span = view.to - view.from;
  if (time > view.from + span * 0.05 && until < view.to - span * 0.05) return;
  look(time - span / 2, time + span / 2);
}

// Each lane: its strips, then its faults, then its events. They are higher where there is room.
const size = { role: 15, strip: 12, band: 13, events: 20 };

function arrange(room) {
  Object.assign(size, { role: 15, strip: 12, band: 13, events: 20 });
  place();
  const more = Math.min(room / page.height, 1.5);
  if (more > 1.03) {
    for (const key in size) size[key] = Math.floor(size[key] * more);
    place();
  }
}

function place() {
  let y = 4;
  for (const lane of shown) {
    lane.y = y;
    y += 6;
    for (const strip of lane.strips) {
      strip.y = y;
      strip.height = strip.name === "role" ? size.role : size.strip;
      y += strip.height + 2;
    }
    lane.bandsY = y;
    y += (lane.ends ? lane.ends.length : 0) * (size.band + 1);
    lane.eventsY = y;
    if (lane.events.length) y += size.events;
    if (y - lane.y < 24) y = lane.y + 24;
    lane.height = y + 3 - lane.y;
    y = lane.y + lane.height;
  }
  page.height = y + 6;
}

const laneAt = y => shown.find(lane => y >= lane.y && y < lane.y + lane.height);

// Colours of Okabe and Ito, which differ for people who do not see some colours; hatching and words say the same.
const dark = matchMedia("(prefers-color-scheme: dark)");
const LIGHT = {
  back: "#fbfbf9", odd: "#f5f5f1", line: "#e2e2db", strong: "#c6c6bd", ink: "#22252a", soft: "#666b73", empty: "#eaeae4",
  planes: ["#3d8fc4", "#e8a91c"], fault: "#c9500a", shade: "#22252a", highlight: "#d6006e", gutter: "#f2f2ee",
  role: { leads: "#009e73", follows: "#b9dccf", "no leader": "#efe25a", "out of touch": "#efe25a", dead: "#4b4f57",
    paused: "#cc79a7", "failed disk": "#8a5a2b" },
  step: { planned: "#c9bfe3", prechecking: "#b3a4d9", routing: "#7b61b5", verifying: "#9c87cb", undoing: "#d9763a",
    stuck: "#c9500a" },
  events: { decision: "#5b3fa0", fault: "#c9500a", word: "#4d545e", detail: "#9aa0a8" },
  wires: { vote: "#8a3fa0", probe: "#2f8f83", append: "#4a74a8", other: "#8b9098", bad: "#c9500a" },
};
const DARK = {
  back: "#17191d", odd: "#1b1e23", line: "#2b2f36", strong: "#474d57", ink: "#e4e6ea", soft: "#9aa1ab", empty: "#262a30",
  planes: ["#4ba3db", "#e3a21a"], fault: "#f07b3a", shade: "#000000", highlight: "#ff5fae", gutter: "#1f2227",
  role: { leads: "#19b389", follows: "#35594d", "no leader": "#cfc24a", "out of touch": "#cfc24a", dead: "#5d636d",
    paused: "#c877a5", "failed disk": "#a8713a" },
  step: { planned: "#574b78", prechecking: "#675a91", routing: "#9c82dd", verifying: "#8069b8", undoing: "#d9763a",
    stuck: "#f07b3a" },
  events: { decision: "#b49cf2", fault: "#f07b3a", word: "#aab1bc", detail: "#6c737d" },
  wires: { vote: "#d18ae6", probe: "#5fc4b6", append: "#7fa9dd", other: "#7d848e", bad: "#f07b3a" },
};
let colours = dark.matches ? DARK : LIGHT;

function mix(one, other, share) {
  const part = (colour, i) => parseInt(colour.slice(1 + 2 * i, 3 + 2 * i), 16);
  const hex = i => Math.round(part(one, i) * share + part(other, i) * (1 - share)).toString(16).padStart(2, "0");
  return "#" + hex(0) + hex(1) + hex(2);
}

// The colour of a state: who leads or is dead, which plane is active, how many members show a group on a plane.
function colourOf(lane, strip, state) {
  if (state === "") return colours.empty;
  if (strip.name === "role" && lane.kind === "member") return colours.role[state] || colours.role["no leader"];
  if (strip.name === "switchover" && lane.kind === "group") return colours.step[state] || colours.step.verifying;
  if (lane.kind === "plane") {
    const [count, all] = state.split(" of ").map(Number);
    return mix(colours.planes[planes.indexOf(lane.name.slice("plane ".length)) % 2], colours.empty, count / all);
  }
  const plane = planes.indexOf(state);
  return plane < 0 ? colours.soft : colours.planes[plane % 2];
}

// Ink that can be read on a colour.
function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16));
  return r * 0.3 + g * 0.59 + b * 0.11 > 130 ? "#14161a" : "#ffffff";
}

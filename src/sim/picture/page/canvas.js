// The canvases, texts and hatching on them, and the axis of time.
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

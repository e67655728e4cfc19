// Messages, as lines from lane to lane.

const WIRES = ["other", "append", "probe", "vote", "bad"];
const BAD = ["lost", "cut", "nobody", "failed"];
const kindWire = texts.map(kind =>
  kind.includes("vote") ? 3 : kind.includes("append") || kind === "snapshot" ? 1 : kind === "probe" ? 2 : 0);
const sortWire = run.sorts.map(([, , kind, fate]) => BAD.includes(texts[fate]) ? 4 : kindWire[kind]);
const wireOf = spread(messages.sort, sortWire, Uint8Array);

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

// SPDX-License-Identifier: Apache-2.0
// The page of `dsmsg view`. It gets what changed as server-sent events and keeps no more than the
// command does. What messages say becomes text and attributes, never markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const MOST_EVENTS = 200;
// Pictures of cameras; the smallest that boxes fit in is taken if nothing else tells.
const SIZES = [[640, 480], [768, 576], [1280, 720], [1920, 1080], [2560, 1440], [3840, 2160], [7680, 4320]];

const byId = (id) => document.getElementById(id);
const sources = new Map(); // name: {card, last, natural, extent, size, unread}
const pictures = new Map(); // number: {last, figure}
let token = "", givenSize = null, places = {};

// Helpers.

function make(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}

function element(name, text = null, kind = "") {
  const made = document.createElement(name);
  if (text !== null) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

// The clock of a message's time, as it was written; the date stands in the title.
function clock(time) {
  const found = /T(\d\d:\d\d:\d\d(?:\.\d{1,3})?)/.exec(time);
  return found ? found[1] : time;
}

function timed(time) {
  const made = element("time", clock(time));
  made.title = time;
  return made;
}

const colorOf = (label) => {
  let hash = 0;
  for (const char of label) hash = (hash * 31 + char.codePointAt(0)) % 360;
  return `hsl(${hash} 85% 62%)`;
};
const pictureUrl = (number) => `picture/${token}/${number}`;
const short = (value) => String(Math.round(value * 100) / 100);

// The picture's size, in the pixels of the boxes.

function grow(source, objects) {
  for (const {box} of objects) {
    if (!box) continue;
    source.extent[0] = Math.max(source.extent[0], box[2]);
    source.extent[1] = Math.max(source.extent[1], box[3]);
  }
}

// Sure if it was given, or is that of a picture of the whole frame.
function sizeOf(source) {
  if (givenSize) return {size: givenSize, sure: true};
  const fits = ([width, height]) => source.extent[0] <= width + 1 && source.extent[1] <= height + 1;
  const {natural} = source;
  if (natural) {
    if (fits(natural)) return {size: natural, sure: true};
    // The stored picture was made smaller.
    const alike = SIZES.find((size) => fits(size) && Math.abs(size[0] * natural[1] - size[1] * natural[0]) <= size[0]);
    if (alike) return {size: alike, sure: false};
  }
  return {size: SIZES.find(fits) ?? source.extent.map(Math.ceil), sure: false};
}

// Drawing.

function drawBoxes(group, objects, unit) {
  group.replaceChildren(...objects.filter((each) => each.box).map((each) => {
    const [left, top, right, bottom] = each.box;
    const made = make("g", {class: "box", "data-id": each.id});
    made.append(make("rect", {
      x: left, y: top, width: Math.max(0, right - left), height: Math.max(0, bottom - top),
      stroke: colorOf(each.label), "stroke-width": unit / 5,
    }));
    const confidence = each.confidence === null ? "" : ` ${Math.round(each.confidence * 100)} %`;
    made.append(make("text", {x: left, y: Math.max(unit, top - unit / 4), "font-size": unit, "stroke-width": unit / 6},
      `${each.label} ${each.id}${confidence}`.trim()));
    return made;
  }));
}

function shapesOf(name) {
  const all = places.sources ?? {};
  return Object.hasOwn(all, name) ? all[name] : all["*"] ?? {lines: [], zones: []};
}

function drawShapes(group, source, [width, height], unit) {
  const counts = new Map(source.last.counts.map(([kind, name, value]) => [`${kind} ${name}`, value]));
  const at = ([x, y]) => (places.pixels ? [x, y] : [x * width, y * height]);
  const shapes = shapesOf(source.last.name);
  const label = (text, [x, y]) =>
    make("text", {x: x + unit / 2, y: y - unit / 2, "font-size": unit, "stroke-width": unit / 6}, text);
  const drawn = shapes.zones.map((zone) => {
    const points = zone.points.map(at);
    const inside = counts.get(`zone ${zone.name}`);
    const made = make("g", {class: counts.get(`crowded ${zone.name}`) ? "zone crowded" : "zone", "data-name": zone.name});
    made.append(make("polygon", {points: points.join(" "), "stroke-width": unit / 8}),
      label(inside === undefined ? zone.name : `${zone.name}: ${inside}`, points[0]));
    return made;
  });
  for (const line of shapes.lines) {
    const points = line.points.map(at);
    const made = make("g", {class: "line", "data-name": line.name});
    const passed = line.directions.map((way) => `${way} ${counts.get(`lineTotal ${line.name}.${way}`) ?? 0}`);
    made.append(make("polyline", {points: points.join(" "), "stroke-width": unit / 5}),
      make("path", {d: arrow(points, unit), "stroke-width": unit / 6}),
      label(`${line.name}: ${passed.join(", ")}`, points[0]));
    drawn.push(made);
  }
  group.replaceChildren(...drawn);
}

// Points to the right-hand side of the line's first part: to the first of its directions.
function arrow([[x1, y1], [x2, y2]], unit) {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [ax, ay] = [(x2 - x1) / length * unit, (y2 - y1) / length * unit];
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  const [tipX, tipY] = [x - 2 * ay, y + 2 * ax];
  return `M${x} ${y}L${tipX} ${tipY}M${tipX + ay - ax / 2} ${tipY - ax - ay / 2}L${tipX} ${tipY}L${tipX + ay + ax / 2} ${tipY - ax + ay / 2}`;
}

function drawSource(name) {
  const source = sources.get(name);
  if (!source?.last) return;
  const {size, sure} = sizeOf(source), unit = Math.max(10, size[0] / 45);
  if (source.size !== size.join()) redrawFrames(name);
  source.size = size.join();
  const scene = source.card.querySelector(".scene");
  scene.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  scene.setAttribute("aria-label", `${source.last.objects.length} objects of ${name}`);
  const background = source.unread === source.last.background ? null : pictures.get(source.last.background)?.last;
  const image = scene.querySelector("image");
  if (background) {
    image.setAttribute("href", pictureUrl(background.number));
    image.setAttribute("width", size[0]);
    image.setAttribute("height", size[1]);
    image.classList.toggle("earlier", background.time !== source.last.time);
  } else {
    image.removeAttribute("href");
  }
  drawShapes(scene.querySelector(".shapes"), source, size, unit);
  drawBoxes(scene.querySelector(".boxes"), source.last.objects, unit);
  const parts = [`objects of ${clock(source.last.time)}`];
  if (background && background.time !== source.last.time) parts.push(`picture of ${clock(background.time)}`);
  parts.push(`${size[0]} × ${size[1]}${sure ? "" : " (a guess; --size says it)"}`);
  source.card.querySelector(".caption").textContent = parts.join(" · ");
}

function drawScene(picture, rows) {
  const source = sources.get(picture.source);
  const scene = make("svg", {class: "scene", role: "img", "aria-label": picture.about});
  const size = source ? sizeOf(source).size : [1, 1];
  scene.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
  const boxes = make("g", {class: "boxes"});
  drawBoxes(boxes, picture.objects, size[0] / rows);
  const image = make("image", {width: size[0], height: size[1], preserveAspectRatio: "none"});
  image.addEventListener("error", () => tellWhy(scene, picture.number));
  image.setAttribute("href", pictureUrl(picture.number));
  scene.append(image, boxes);
  return scene;
}

// `rows`: how many of a text's heights the picture is wide.
function drawPicture(picture, rows) {
  if (picture.state !== "shown") {
    const what = picture.state === "lost" ? `Lost: ${picture.reason}` : `Not shown: ${picture.reason} (${picture.uri})`;
    return element("p", what, "none");
  }
  if (picture.kind === "frame") return drawScene(picture, rows);
  const image = element("img");
  image.src = pictureUrl(picture.number);
  image.alt = picture.about;
  image.addEventListener("error", () => tellWhy(image, picture.number));
  return image;
}

// A picture that cannot be read any more: the server says why.
async function tellWhy(drawn, number) {
  const answer = await fetch(pictureUrl(number)).catch(() => null);
  if (answer && !answer.ok) drawn.replaceWith(element("p", `Not shown: ${await answer.text()}`, "none"));
}

function drawFigure(picture) {
  const figure = element("figure");
  figure.dataset.number = picture.number;
  const drawn = drawPicture(picture, 30);
  if (picture.state === "shown") {
    const button = element("button");
    button.type = "button";
    button.append(drawn);
    button.addEventListener("click", () => enlarge(picture.number));
    figure.append(button);
  } else {
    figure.append(drawn);
  }
  const caption = element("figcaption", `${picture.source} · `);
  caption.append(timed(picture.time), ` · ${picture.kind}: ${picture.about}`);
  figure.append(caption);
  return figure;
}

function enlarge(number) {
  const picture = pictures.get(number)?.last;
  if (!picture) return;
  const figure = element("figure");
  figure.append(drawPicture(picture, 60), element("figcaption", `${picture.source} · ${picture.time} · ${picture.about}`));
  byId("large").querySelector("div").replaceChildren(figure);
  byId("large").showModal();
}

// What came.

function takeLink({state, since, reason}) {
  const link = byId("link");
  link.dataset.state = state;
  link.querySelector(".state").textContent = state === "none" ? "no link" : `link ${state}`;
  link.querySelector(".since").textContent = state === "none" ? "" : `since ${new Date(since * 1000).toLocaleTimeString()}`;
  link.querySelector(".reason").textContent = reason && `· ${reason}`;
}

function takeRates(rates) {
  for (const name of sources.keys()) {
    if (Object.hasOwn(rates, name)) continue;
    sources.get(name).card.remove();
    sources.delete(name);
  }
  for (const [name, [rate, total]] of Object.entries(rates)) {
    sources.get(name).card.querySelector(".rate").textContent = `${rate} messages/s · ${total} in all`;
  }
  byId("sources").classList.toggle("filled", sources.size > 0);
}

function takeSource(last) {
  let source = sources.get(last.name);
  if (!source) {
    const card = byId("source").content.firstElementChild.cloneNode(true);
    card.dataset.source = last.name;
    card.querySelector("h2").textContent = last.name || "(no name)";
    source = {card, natural: null, extent: [0, 0], size: "", unread: 0};
    sources.set(last.name, source);
    const after = [...byId("sources").querySelectorAll(".source")].find((each) => each.dataset.source > last.name);
    byId("sources").insertBefore(card, after ?? null);
  }
  source.last = last;
  grow(source, last.objects);
}

function takePicture(last) {
  const before = pictures.get(last.number);
  const source = sources.get(last.source);
  if (source) grow(source, last.objects);
  const figure = drawFigure(last);
  if (before) before.figure.replaceWith(figure);
  else byId("pictures").prepend(figure);
  pictures.set(last.number, {last, figure});
  if (source && !before && last.kind === "frame" && last.state === "shown") {
    const probe = new Image();
    probe.addEventListener("load", () => {
      source.natural = [probe.naturalWidth, probe.naturalHeight];
      drawSource(last.source);
    });
    probe.addEventListener("error", () => {
      source.unread = last.number;
      drawSource(last.source);
    });
    probe.src = pictureUrl(last.number);
  }
}

// Their boxes refer to the size of the source, which is known better now.
function redrawFrames(name) {
  for (const each of pictures.values()) {
    if (each.last.source !== name || each.last.kind !== "frame") continue;
    const figure = drawFigure(each.last);
    each.figure.replaceWith(figure);
    each.figure = figure;
  }
}

function keepPictures(kept) {
  const wanted = new Set(kept);
  for (const [number, {figure}] of pictures) {
    if (wanted.has(number)) continue;
    figure.remove();
    pictures.delete(number);
  }
  byId("pictures").classList.toggle("filled", pictures.size > 0);
}

function takeEvent(event) {
  const row = element("tr");
  const time = element("td");
  time.append(timed(event.time));
  const what = [event.type];
  if (event.seconds !== null) what.push(`${short(event.seconds)} s`);
  if (event.count !== null) what.push(`${short(event.count)} objects`);
  row.append(time, ...[event.source, event.object, what.join(", "), event.where].map((text) => element("td", text)));
  const cell = element("td");
  for (const number of event.pictures) {
    const picture = pictures.get(number)?.last;
    if (!picture) continue;
    if (picture.state === "shown") {
      const button = element("button", picture.kind);
      button.type = "button";
      button.addEventListener("click", () => enlarge(number));
      cell.append(button);
    } else {
      cell.append(element("span", `${picture.kind} ${picture.state === "lost" ? "lost" : "not shown"} `));
    }
  }
  row.append(cell);
  const body = byId("events").tBodies[0];
  body.prepend(row);
  while (body.rows.length > MOST_EVENTS) body.lastElementChild.remove();
  body.closest(".scroll").classList.add("filled");
}

function takeUnreadable({count, last}) {
  byId("unreadable").hidden = count === 0;
  byId("unreadable").textContent = `Messages that cannot be shown: ${count}. The last one: ${last}`;
}

function startAnew(update) {
  token = update.token;
  givenSize = update.size;
  byId("title").textContent = update.title;
  document.title = `${update.title} – dsmsg view`;
  for (const {card} of sources.values()) card.remove();
  sources.clear();
  pictures.clear();
  byId("pictures").replaceChildren();
  byId("events").tBodies[0].replaceChildren();
}

function take(update) {
  if ("token" in update) startAnew(update);
  if ("link" in update) takeLink(update.link);
  if ("places" in update) places = update.places;
  update.sources.forEach(takeSource);
  update.pictures.forEach(takePicture);
  keepPictures(update.kept);
  update.events.forEach(takeEvent);
  takeRates(update.rates);
  takeUnreadable(update.unreadable);
  const changed = "places" in update ? [...sources.keys()] : update.sources.map(({name}) => name);
  changed.forEach(drawSource);
}

const stream = new EventSource("events");
stream.addEventListener("message", ({data}) => take(JSON.parse(data)));
stream.addEventListener("open", () => { byId("page-link").hidden = true; });
stream.addEventListener("error", () => { byId("page-link").hidden = false; });

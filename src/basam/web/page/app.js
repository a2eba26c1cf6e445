// Wires the page: photos at the left, the stage in the middle, objects and answers at the right.

import * as api from "./api.js";
import { decoded, drawMask, drawSmall } from "./masks.js";
import { Stage } from "./stage.js";
import { Work, prompts } from "./work.js";

const byId = (id) => document.getElementById(id);
const each = (selector, act) => document.querySelectorAll(selector).forEach(act);
const made = (tag, values = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...children);
  return element;
};
const number = new Intl.NumberFormat("en");

let info, photo = null, method = "focus", preview = null, ready = false, corner = null;
const work = new Work(refresh, fail);
const stage = new Stage(byId("viewer"), byId("overlay"), { point, box, hover: look, leave: lookAway });

function say(text) { byId("status").textContent = text; }

function fail(error) {
  if (error.cancelled) return say("Cancelled");
  const place = byId("error");
  place.textContent = error.message;
  place.hidden = false;
  say("");
  clearTimeout(fail.timer);
  // Without the server nothing works until somebody reads this.
  if (![0, 403].includes(error.status)) fail.timer = setTimeout(() => { place.hidden = true; }, 9000);
  return undefined;
}

const attempt = (task) => async (...words) => {
  try {
    return await task(...words);
  } catch (error) {
    return fail(error);
  }
};

async function undo() {
  if (await work.undo()) say("Undone");
}

async function redo() {
  if (await work.redo()) say("Done again");
}

// Prompts.

async function point(x, y, label) {
  if (!label && !work.active) return fail(new Error("Click on the object first: a point that is not on it needs one that is."));
  return prompt(() => work.edit((object) => ({ points: [...object.points, [x, y, label]] }), method));
}

// Runs a change by prompts without a preview beside it.
async function prompt(change) {
  busy += 1;
  lookAway();
  await change();
  busy -= 1;
  tellScore();
}

async function box(...corners) {
  if (work.active?.box) work.start();
  return prompt(() => work.edit(() => ({ box: corners, candidate: null }), method));
}

async function choose(candidate) {
  const object = work.active;
  if (!object?.scores || candidate >= object.scores.length) return;
  await work.edit(() => ({ candidate }), method);
  tellScore();
}

async function useMethod(name) {
  method = name;
  showMethod();
  if (work.active?.mask && work.active.method !== name) {
    await work.edit(() => ({ method: name, candidate: null }), name);
    tellScore();
  }
}

function tellScore() {
  const object = work.active;
  if (object?.score != null) say(`${object.name}: predicted IoU ${object.score.toFixed(2)}, ${number.format(object.area)} px`);
}

const findEverything = attempt(async () => {
  if (!photo) return;
  say("Finding everything");
  busy += 1;
  const answer = await work.everything(byId("sure").value);
  busy -= 1;
  if (!answer) return;
  const { added, found } = answer;
  const more = byId("sure").selectedIndex < info.sureness.length - 1 ? " Try a less sure setting." : "";
  if (added.length) say(`${added.length} ${added.length === 1 ? "object" : "objects"} found`);
  else say(found ? "Nothing new was found." : `Nothing was found that the model is ${byId("sure").value} of.${more}`);
});

// Hover preview: one request at a time, the newest place wins.

let wanted = null, looking = false, hovering = false, busy = 0;
const hoverable = () => byId("hover").checked && ready && !work.active && !busy;
function look(x, y) {
  hovering = true;
  if (!hoverable()) return lookAway();
  wanted = [x, y];
  if (!looking) follow();
}

async function follow() {
  looking = true;
  while (wanted) {
    const [x, y] = wanted;
    wanted = null;
    try {
      const answer = await api.hover(photo.id, x, y);
      const mask = await decoded(answer.shown);
      preview = hovering && hoverable() ? mask : null;
    } catch {
      preview = null;
    }
    draw();
    await new Promise((resolve) => { setTimeout(resolve, 40); });
  }
  looking = false;
}

function lookAway() {
  wanted = null;
  hovering = false;
  if (preview) {
    preview = null;
    draw();
  }
}

// What is shown.

function draw() {
  stage.show({
    objects: work.objects, active: work.active, preview, colour: work.nextColour,
    opacity: byId("opacity").value / 100, outline: byId("outline").checked,
  });
}

function refresh() {
  draw();
  const { active, objects } = work;
  byId("undo").disabled = !work.history.length;
  byId("redo").disabled = !work.undone.length;
  byId("everything").disabled = !photo;
  byId("compare").disabled = !(active?.points.length || active?.box);
  byId("no-objects").hidden = objects.length > 0;
  byId("hint").textContent = !photo ? "" : !objects.length ? "Click the object you want to cut out." : "Click adds, right click (or Not) takes away, N starts another object.";
  byId("hint").hidden = !photo || objects.length > 1 || (active?.points.length ?? 0) > 1;
  each(".writers button", (button) => { button.disabled = !objects.length && byId("scope").value === "one"; });
  showObjects();
  showAnswers();
  if (active?.method) { method = active.method; showMethod(); }
  showPhotos();
}

function showObjects() {
  byId("objects").replaceChildren(...work.objects.map((object) => {
    const rename = (values) => { work.select(object); return work.edit(() => values, object.method); };
    const colour = made("input", { type: "color", value: object.colour, ariaLabel: `Colour of ${object.name}` });
    colour.addEventListener("change", () => rename({ colour: colour.value }));
    const name = made("input", { type: "text", value: object.name, maxLength: 80, ariaLabel: `Name of ${object.name}` });
    name.addEventListener("change", () => rename({ name: name.value }));
    const score = made("span", { className: "score", title: "Predicted IoU", textContent: object.score?.toFixed(2) ?? "" });
    const remove = made("button", { type: "button", textContent: "×", ariaLabel: `Remove ${object.name}` });
    remove.addEventListener("click", (event) => { event.stopPropagation(); work.remove(object); });
    const item = made("li", { className: object === work.active ? "active" : "" }, colour, name, score, remove);
    item.addEventListener("click", (event) => {
      if (event.target === colour || work.active === object) return;
      work.select(object).then(() => {
        if (event.target === name) byId("objects").querySelector(".active input[type=text]").focus();
      });
    });
    return item;
  }));
}

function showAnswers() {
  const object = work.active;
  byId("answers").hidden = !object?.scores;
  if (!object?.scores) return;
  const boxes = object.candidates.filter(Boolean).map((mask) => mask.box);
  byId("candidates").replaceChildren(...object.scores.map((score, index) => {
    const canvas = made("canvas", { width: 120, height: 120 });
    if (boxes.length) drawSmall(canvas, object.candidates[index], boxes, object.colour);
    const button = made("button", { type: "button", ariaPressed: String(index === object.chosen), title: `Mask ${index + 1}, key ${index + 1}`, ariaLabel: `Mask ${index + 1}, predicted IoU ${score.toFixed(2)}` }, canvas, score.toFixed(2));
    button.addEventListener("click", () => choose(index));
    return button;
  }));
  const region = object.region;
  byId("region").textContent = region
    ? `Predicted IoU. Answered on the ${number.format(region[2])} px square around it, at ${(info.trained / region[2]).toFixed(2)} model pixels per pixel.`
    : "Predicted IoU. Answered on the whole photo.";
}

function showMethod() {
  each("[data-method]", (button) => { button.ariaPressed = String(button.dataset.method === method); });
  byId("method-text").textContent = info.methods[method].split(": ")[1].replace(/^./, (letter) => letter.toUpperCase()) + ".";
}

const cells = new Map();
function showPhotos() {
  for (const one of info.photos) {
    if (!cells.has(one.id)) {
      const mark = made("b", { className: "mark" });
      const image = made("img", { alt: "", loading: "lazy", src: api.thumbnail(one), width: 120, height: 90 });
      const cell = made("button", { type: "button", title: one.name }, image, mark, made("span", { textContent: one.name }));
      cell.addEventListener("click", attempt(() => open(one)));
      byId("photos").append(made("li", {}, cell));
      cells.set(one.id, cell);
    }
    const cell = cells.get(one.id), mark = cell.querySelector(".mark");
    cell.ariaCurrent = String(one === photo);
    mark.textContent = one.done ? "✓" : one.objects || "";
    mark.hidden = !mark.textContent;
    mark.ariaLabel = one.done ? "done" : `${one.objects} objects`;
  }
  byId("empty").hidden = info.photos.length > 0;
  byId("done").ariaPressed = String(Boolean(photo?.done));
  const place = info.photos.indexOf(photo);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place >= info.photos.length - 1;
  byId("done").disabled = !photo;
}

// Photos.

async function open(one) {
  photo = one;
  ready = false;
  work.leave();
  lookAway();
  byId("photo-name").textContent = one.name;
  byId("photo-size").textContent = `${number.format(one.width)} × ${number.format(one.height)} px`;
  document.title = `${one.name} – basam`;
  history.replaceState(null, "", `#${one.id}`);
  const opened = stage.open(one, info.tile, (level, column, row) => api.tile(one, level, column, row));
  await Promise.all([opened, work.take(one)]);
  cells.get(one.id).scrollIntoView({ block: "nearest", inline: "nearest" });
  byId("viewer").focus({ preventScroll: true });
  say("Preparing the photo for clicks");
  try {
    await api.prepare(one.id, method);
  } catch (error) {
    if (photo !== one) return;
    throw error;
  }
  if (photo === one) {
    ready = true;
    say("Ready");
  }
}

async function add(files) {
  let last = null;
  for (const file of files) {
    if (file.size > info.maxUpload) throw new Error(`${file.name} has more than ${info.maxUpload >> 20} MB: open it from its folder, with basam web FOLDER`);
    say(`Reading ${file.name}`);
    last = await api.upload(file);
    info.photos.push(last);
  }
  showPhotos();
  if (last) await open(last);
}

function go(step) {
  const next = info.photos[info.photos.indexOf(photo) + step];
  if (next) attempt(open)(next);
}

const toggleDone = attempt(async () => {
  if (!photo) return;
  const answer = await api.mark(photo.id, !photo.done);
  photo.done = answer.done;
  work.revision = answer.revision;
  say(photo.done ? "Marked as done" : "Not done");
  refresh();
});

// Side by side: the view at hand, once for each method.

const compare = attempt(async () => {
  const object = work.active;
  if (!object) return;
  say("Comparing three methods");
  const answers = await api.compare(photo.id, prompts(object));
  const seen = stage.viewer.drawer.canvas, place = stage.placing();
  const cards = await Promise.all(Object.entries(answers).map(async ([name, answer]) => {
    const canvas = made("canvas", { width: seen.width, height: seen.height });
    const context = canvas.getContext("2d"), ratio = seen.width / stage.canvas.width;
    context.drawImage(seen, 0, 0);
    drawMask(context, await decoded(answer.candidates[answer.chosen]), (x, y) => place(x, y).map((value) => value * ratio), object.colour, 0.4, 3);
    const [title, text] = info.methods[name].split(": ");
    const use = made("button", { type: "button", textContent: `Use ${title}` });
    use.addEventListener("click", () => { byId("comparison").close(); useMethod(name); });
    return made("article", {}, canvas, made("h3", { textContent: `${title}, predicted IoU ${answer.scores[answer.chosen].toFixed(2)}` }), made("p", { className: "quiet", textContent: `${text[0].toUpperCase()}${text.slice(1)}.` }), use);
  }));
  byId("cards").replaceChildren(...cards);
  byId("comparison").showModal();
  say("Compared");
});

// Keys.

function boxByKeys() {
  const here = stage.crosshair;
  if (!here) return;
  if (!corner) {
    corner = here;
    say("First corner is set: move the crosshair, B sets the other");
    return;
  }
  const [[ax, ay], [bx, by]] = [corner, here];
  corner = null;
  if (ax !== bx && ay !== by) box(Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by));
}

const METHOD_ORDER = ["focus", "basam", "plain"];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = {
  n: () => work.start(), e: findEverything, d: toggleDone, c: compare, b: boxByKeys, "[": () => go(-1), "]": () => go(1),
  "+": () => stage.zoom(1.4), "=": () => stage.zoom(1.4), "-": () => stage.zoom(1 / 1.4), 0: () => stage.fit(),
  "?": () => byId("sheet").showModal(), o: () => byId("outline").click(), h: () => byId("hover").click(),
  m: () => useMethod(METHOD_ORDER[(METHOD_ORDER.indexOf(method) + 1) % 3]),
  1: () => choose(0), 2: () => choose(1), 3: () => choose(2),
  delete: () => work.active && work.remove(work.active), backspace: () => work.active && work.remove(work.active),
};

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (document.querySelector("dialog[open]") || target.matches("input:not([type=checkbox]):not([type=range]), select")) return;
  const inViewer = target === byId("viewer") || target === document.body;
  const key = event.key.toLowerCase();
  const take = (act) => { event.preventDefault(); act(); };
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") take(event.shiftKey ? redo : undo);
    if (key === "y") take(redo);
    return;
  }
  if (ARROWS[event.key] && inViewer) return take(() => stage.moveCrosshair(...ARROWS[event.key], event.shiftKey));
  if (event.key === "Enter" && inViewer) return take(() => stage.crosshair && point(...stage.crosshair, event.shiftKey ? 0 : 1));
  if (event.key === " " && inViewer) return take(() => hold(true));
  if (KEYS[key] && !event.altKey && photo) take(KEYS[key]);
});
document.addEventListener("keyup", (event) => { if (event.key === " ") hold(false); });

function hold(held) {
  stage.held = held;
  document.querySelector(".stage").classList.toggle("moving", stage.moving());
}

// Buttons.

byId("previous").onclick = () => go(-1);
byId("next").onclick = () => go(1);
byId("done").onclick = toggleDone;
byId("undo").onclick = undo;
byId("redo").onclick = redo;
byId("zoom-in").onclick = () => stage.zoom(1.4);
byId("zoom-out").onclick = () => stage.zoom(1 / 1.4);
byId("fit").onclick = () => stage.fit();
byId("help").onclick = () => byId("sheet").showModal();
byId("new-object").onclick = () => { work.start(); say("Click the next object"); };
byId("compare").onclick = compare;
byId("everything").onclick = findEverything;
byId("cancel").onclick = attempt(api.cancel);
byId("opacity").oninput = draw;
byId("outline").onchange = draw;
byId("scope").onchange = refresh;
byId("pick").onclick = byId("pick-first").onclick = () => byId("file").click();
byId("file").onchange = attempt(async (event) => {
  const files = [...event.target.files];
  event.target.value = "";
  await add(files);
});
each("[data-method]", (button) => { button.onclick = () => useMethod(button.dataset.method); });
each("[data-tool]", (button) => {
  button.onclick = () => {
    stage.tool = button.dataset.tool;
    each("[data-tool]", (other) => { other.ariaPressed = String(other === button); });
    hold(false);
  };
});

function dress(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
}
byId("theme").onclick = () => {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  localStorage.theme = dark === "dark" ? "light" : "dark";
  dress(localStorage.theme);
};

for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.querySelector(".stage").classList.toggle("dropping", name === "dragover");
    if (name === "drop") attempt(add)([...event.dataTransfer.files]);
  });
}

// Progress: what the model does, with the time that is left where it is known.

let told = null, since = 0;
function showWork() {
  const seconds = told?.running ? told.seconds + (performance.now() - since) / 1000 : 0;
  byId("work").hidden = !told?.running || told.ahead || seconds < 0.4;
  if (byId("work").hidden) return;
  const left = told.left === null ? null : told.left - (performance.now() - since) / 1000;
  byId("work-label").textContent = told.running + (left === null || left < 1 ? " …" : `, about ${Math.ceil(left)} s left`);
  if (told.share) byId("work-bar").value = told.share;
  else byId("work-bar").removeAttribute("value");
  byId("cancel").hidden = !told.own;
}
setInterval(showWork, 200);

const FIRST_WRITERS = 3; // shown at once

const start = attempt(async () => {
  dress(localStorage.theme);
  info = await api.overview();
  const writers = Object.entries(info.writers).map(([kind, label], index) => {
    const button = made("button", { type: "button", textContent: label, className: index ? "" : "primary" });
    button.onclick = attempt(async () => {
      say("Writing …");
      say(`Saved ${await api.download(kind, byId("scope").value === "one" ? photo?.id : null)}`);
    });
    return button;
  });
  byId("writers").append(...writers.slice(0, FIRST_WRITERS));
  byId("more-writers").append(...writers.slice(FIRST_WRITERS));
  byId("sure").replaceChildren(...info.sureness.map((name) => made("option", { value: name, textContent: name, selected: name === info.sure })));
  showMethod();
  refresh();
  if (info.leftOut.length) fail(new Error(`Left out: ${info.leftOut.join("; ")}`));
  api.listen((news) => { told = news; since = performance.now(); showWork(); });
  const first = info.photos.find((one) => `#${one.id}` === location.hash) ?? info.photos.find((one) => !one.done) ?? info.photos[0];
  if (first) await open(first);
});
start();

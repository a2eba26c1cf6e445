// Wires the page: photos on the left, the stage in the middle, objects and masks on the right.

import * as api from "./api.js";
import { showComparison } from "./comparing.js";
import { attempt, byId, each, fail, made, number, say } from "./elements.js";
import { Hovering } from "./hovering.js";
import { listenToKeys } from "./keys.js";
import { showAnswers, showObjects } from "./objects.js";
import { bringIntoSight, showPhotos } from "./photos.js";
import { showProgress } from "./progress.js";
import { showSaving, showWriters } from "./saving.js";
import { Stage } from "./stage.js";
import { keepTheme } from "./theme.js";
import { Work, prompts } from "./work.js";

let info, photo = null, method = "focus", ready = false, corner = null, busy = 0;
const work = new Work(refresh, fail);
const hovering = new Hovering(() => (byId("hover").checked && ready && !work.active && !busy ? photo : null), draw);
const stage = new Stage(byId("viewer"), byId("overlay"), {
  point, box, hover: (x, y) => hovering.look(x, y), leave: () => hovering.leave(),
});

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

// Runs a change by prompts, without a hover preview.
async function prompt(change) {
  busy += 1;
  hovering.leave();
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
  const one = photo;
  const answer = await work.everything(byId("sure").value);
  busy -= 1;
  if (!answer || photo !== one) return;
  const { added, found } = answer;
  const more = byId("sure").selectedIndex < info.sureness.length - 1 ? " Try a less sure setting." : "";
  if (added.length) say(`${added.length} ${added.length === 1 ? "object" : "objects"} found`);
  else say(found ? "Nothing new was found." : `Nothing was found that the model is ${byId("sure").value} of.${more}`);
});

// Display.

function draw() {
  stage.show({
    objects: work.objects, active: work.active, preview: hovering.mask, colour: work.nextColour,
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
  byId("hint").textContent = !photo ? "" : !objects.length ? "Click the object you want to cut out." : "Click adds, right click (or Not) takes away, N starts another object.";
  byId("hint").hidden = !photo || objects.length > 1 || (active?.points.length ?? 0) > 1;
  showSaving(work);
  showObjects(work);
  showAnswers(active, info.trained, choose);
  if (active?.method) { method = active.method; showMethod(); }
  showRail();
}

function showMethod() {
  each("[data-method]", (button) => { button.ariaPressed = String(button.dataset.method === method); });
  byId("method-text").textContent = info.methods[method].split(": ")[1].replace(/^./, (letter) => letter.toUpperCase()) + ".";
}

function showRail() { showPhotos(info.photos, photo, attempt(open)); }

// Photos.

async function open(one) {
  photo = one;
  ready = false;
  work.leave(one);
  hovering.leave();
  byId("photo-name").textContent = one.name;
  byId("photo-size").textContent = `${number.format(one.width)} × ${number.format(one.height)} px`;
  document.title = `${one.name} – basam`;
  history.replaceState(null, "", `#${one.id}`);
  const opened = stage.open(one, info.tile, (level, column, row) => api.tile(one, level, column, row));
  await Promise.all([opened, work.take(one)]);
  bringIntoSight(one);
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
  showRail();
  if (last) await open(last);
}

function go(step) {
  const next = info.photos[info.photos.indexOf(photo) + step];
  if (next) attempt(open)(next);
}

const toggleDone = attempt(async () => {
  const one = photo;
  if (!one) return;
  const answer = await api.mark(one.id, !one.done);
  one.done = answer.done;
  if (work.photo === one) work.revision = answer.revision;
  if (photo === one) say(one.done ? "Marked as done" : "Not done");
  refresh();
});

const compare = attempt(async () => {
  const object = work.active, one = photo;
  if (!object) return;
  say("Comparing three methods");
  const answers = await api.compare(one.id, prompts(object));
  if (photo !== one) return;
  await showComparison(answers, info.methods, object.colour, stage, useMethod);
  say("Compared");
});

// Keys.

function boxByKeys() {
  const here = stage.crosshair;
  if (!here) return say("Move the crosshair with the arrow keys first");
  if (!corner) {
    corner = stage.corner = here;
    stage.draw();
    say("First corner is set: move the crosshair, B sets the other");
    return;
  }
  const [[ax, ay], [bx, by]] = [corner, here];
  corner = stage.corner = null;
  if (ax !== bx && ay !== by) box(Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by));
}

const METHOD_ORDER = ["focus", "basam", "plain"];
const ACTS = {
  n: () => work.start(), e: findEverything, d: toggleDone, c: compare, b: boxByKeys, "[": () => go(-1), "]": () => go(1),
  "+": () => stage.zoom(1.4), "=": () => stage.zoom(1.4), "-": () => stage.zoom(1 / 1.4), 0: () => stage.fit(),
  "?": () => byId("sheet").showModal(), o: () => byId("outline").click(), h: () => byId("hover").click(),
  m: () => useMethod(METHOD_ORDER[(METHOD_ORDER.indexOf(method) + 1) % 3]),
  1: () => choose(0), 2: () => choose(1), 3: () => choose(2),
  delete: () => work.active && work.remove(work.active), backspace: () => work.active && work.remove(work.active),
};

function hold(held) {
  stage.held = held;
  document.querySelector(".stage").classList.toggle("moving", stage.moving());
}

listenToKeys(ACTS, { open: () => photo, undo, redo, point, hold, stage });

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

for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.querySelector(".stage").classList.toggle("dropping", name === "dragover");
    if (name === "drop") attempt(add)([...event.dataTransfer.files]);
  });
}

const start = attempt(async () => {
  keepTheme();
  info = await api.overview();
  showWriters(info.writers, () => photo, () => work.active);
  byId("sure").replaceChildren(...info.sureness.map((name) => made("option", { value: name, textContent: name, selected: name === info.sure })));
  showMethod();
  refresh();
  const odd = [...info.leftOut.map((line) => `Left out: ${line}`), ...info.notes];
  if (odd.length) fail(new Error(odd.join("; ")));
  showProgress();
  const first = info.photos.find((one) => `#${one.id}` === location.hash) ?? info.photos.find((one) => !one.done) ?? info.photos[0];
  if (first) await open(first);
});
start();

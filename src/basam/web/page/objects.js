// The panel on the right: the objects of the photo, and candidate masks of the active one.

import { byId, made, number } from "./elements.js";
import { drawSmall } from "./masks.js";

const items = new Map(); // by key: an item stays the same element while its object is there, so that the focus stays in it

export function showObjects(work) {
  const list = byId("objects"), keys = new Set(work.objects.map(({ key }) => key));
  byId("no-objects").hidden = keys.size > 0;
  for (const [key, item] of items) if (!keys.has(key)) remove(key, item);
  for (const object of work.objects) {
    if (!items.has(object.key)) {
      items.set(object.key, newItem(work, object.key));
      list.append(items.get(object.key));
    }
    update(items.get(object.key), object, object === work.active);
  }
}

function newItem(work, key) {
  const object = () => work.objects.find((each) => each.key === key);
  const change = (values) => { work.select({ key }); return work.edit(() => values, object().method); };
  const colour = made("input", { type: "color" });
  colour.addEventListener("change", () => change({ colour: colour.value }));
  const name = made("input", { type: "text", maxLength: 80 });
  name.addEventListener("change", () => change({ name: name.value }));
  const button = made("button", { type: "button", textContent: "×" });
  button.addEventListener("click", (event) => { event.stopPropagation(); work.remove(object()); });
  const item = made("li", {}, colour, name, made("span", { className: "score", title: "Predicted IoU" }), button);
  // By a click anywhere on it, or by moving the focus into it.
  for (const kind of ["click", "focusin"]) {
    item.addEventListener(kind, (event) => { if (event.target !== button && work.active?.key !== key) work.select({ key }); });
  }
  return item;
}

function update(item, object, active) {
  const [colour, name, score, button] = item.children;
  item.className = active ? "active" : "";
  Object.assign(colour, { value: object.colour, ariaLabel: `Colour of ${object.name}` });
  name.ariaLabel = `Name of ${object.name}`;
  if (name !== document.activeElement) name.value = object.name;
  score.textContent = object.score?.toFixed(2) ?? "";
  button.ariaLabel = `Remove ${object.name}`;
}

// Moves the focus to the same field of the next object, or to the button for a new one.
function remove(key, item) {
  const field = [...item.children].indexOf(document.activeElement);
  const next = item.nextElementSibling ?? item.previousElementSibling;
  item.remove();
  items.delete(key);
  if (field >= 0) (next?.children[field] ?? byId("new-object")).focus();
}

// `trained`: training resolution of the model; `choose(index)` is called for the chosen mask.
export function showAnswers(object, trained, choose) {
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
    ? `Predicted IoU. Predicted on the ${number.format(region[2])} px square around it, at ${(trained / region[2]).toFixed(2)} model pixels per pixel.`
    : "Predicted IoU. Predicted on the whole photo.";
}

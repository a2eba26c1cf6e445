// The panel at the right: the objects of the photo, and the masks that the model offers for the one at hand.

import { byId, made, number } from "./elements.js";
import { drawSmall } from "./masks.js";

export function showObjects(work) {
  byId("no-objects").hidden = work.objects.length > 0;
  byId("objects").replaceChildren(...work.objects.map((object) => {
    const change = (values) => { work.select(object); return work.edit(() => values, object.method); };
    const colour = made("input", { type: "color", value: object.colour, ariaLabel: `Colour of ${object.name}` });
    colour.addEventListener("change", () => change({ colour: colour.value }));
    const name = made("input", { type: "text", value: object.name, maxLength: 80, ariaLabel: `Name of ${object.name}` });
    name.addEventListener("change", () => change({ name: name.value }));
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

// `trained`: pixels along a side that the model was trained at; `choose(index)` is called for the mask that is wanted.
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
    ? `Predicted IoU. Answered on the ${number.format(region[2])} px square around it, at ${(trained / region[2]).toFixed(2)} model pixels per pixel.`
    : "Predicted IoU. Answered on the whole photo.";
}

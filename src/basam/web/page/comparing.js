// Side by side: the current view, once per method.

import { byId, made } from "./elements.js";
import { decoded, drawMask } from "./masks.js";

// `answers` and `methods` (label and description) by the name of the method; `use(name)` is called for the chosen one.
export async function showComparison(answers, methods, colour, stage, use) {
  const seen = stage.viewer.drawer.canvas, place = stage.placing(), ratio = seen.width / stage.canvas.width;
  const cards = await Promise.all(Object.entries(answers).map(async ([name, answer]) => {
    const canvas = made("canvas", { width: seen.width, height: seen.height }), context = canvas.getContext("2d");
    context.drawImage(seen, 0, 0);
    drawMask(context, await decoded(answer.candidates[answer.chosen]), (x, y) => place(x, y).map((value) => value * ratio), colour, 0.4, 3);
    const [title, text] = methods[name].split(": ");
    const button = made("button", { type: "button", textContent: `Use ${title}` });
    button.addEventListener("click", () => { byId("comparison").close(); use(name); });
    return made("article", {}, canvas, made("h3", { textContent: `${title}, predicted IoU ${answer.scores[answer.chosen].toFixed(2)}` }), made("p", { className: "quiet", textContent: `${text[0].toUpperCase()}${text.slice(1)}.` }), button);
  }));
  byId("cards").replaceChildren(...cards);
  byId("comparison").showModal();
}

// The rail on the left: the photos, their numbers of objects, and the open one.

import * as api from "./api.js";
import { byId, made } from "./elements.js";

const cells = new Map();

// `open(one)` is called for the chosen photo.
export function showPhotos(photos, photo, open) {
  for (const one of photos) {
    if (!cells.has(one.id)) cells.set(one.id, newCell(one, open));
    const cell = cells.get(one.id), mark = cell.querySelector(".mark");
    cell.ariaCurrent = String(one === photo);
    mark.textContent = one.done ? "✓" : one.objects || "";
    mark.hidden = !mark.textContent;
    mark.ariaLabel = one.done ? "done" : `${one.objects} objects`;
  }
  byId("empty").hidden = photos.length > 0;
  byId("done").ariaPressed = String(Boolean(photo?.done));
  byId("done").disabled = !photo;
  const place = photos.indexOf(photo);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place >= photos.length - 1;
}

function newCell(one, open) {
  const image = made("img", { alt: "", loading: "lazy", src: api.thumbnail(one), width: 120, height: 90 });
  const cell = made("button", { type: "button", title: one.name }, image, made("b", { className: "mark" }), made("span", { textContent: one.name }));
  cell.addEventListener("click", () => open(one));
  byId("photos").append(made("li", {}, cell));
  return cell;
}

export function bringIntoSight(photo) {
  cells.get(photo.id).scrollIntoView({ block: "nearest", inline: "nearest" });
}

// What the model does, with the time that is left where it is known.

import * as api from "./api.js";
import { byId } from "./elements.js";

let told = null, since = 0;

export function showProgress() {
  api.listen((news) => { told = news; since = performance.now(); show(); });
  setInterval(show, 200);
}

function show() {
  const seconds = told?.running ? told.seconds + (performance.now() - since) / 1000 : 0;
  byId("work").hidden = !told?.running || told.ahead || seconds < 0.4;
  if (byId("work").hidden) return;
  const left = told.left === null ? null : told.left - (performance.now() - since) / 1000;
  byId("work-label").textContent = told.running + (left === null || left < 1 ? " …" : `, about ${Math.ceil(left)} s left`);
  if (told.share) byId("work-bar").value = told.share;
  else byId("work-bar").removeAttribute("value");
  byId("cancel").hidden = !told.own;
}

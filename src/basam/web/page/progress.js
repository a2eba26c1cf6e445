// What the model does, with the time that is left where it is known.

import * as api from "./api.js";
import { byId } from "./elements.js";

let reported = null, since = 0;

export function showProgress() {
  api.listen((news) => { reported = news; since = performance.now(); show(); });
  setInterval(show, 200);
}

function show() {
  const seconds = reported?.running ? reported.seconds + (performance.now() - since) / 1000 : 0;
  byId("work").hidden = !reported?.running || reported.ahead || seconds < 0.4;
  if (byId("work").hidden) return;
  const left = reported.left === null ? null : reported.left - (performance.now() - since) / 1000;
  byId("work-label").textContent = reported.running + (left === null || left < 1 ? " …" : `, about ${Math.ceil(left)} s left`);
  if (reported.share) byId("work-bar").value = reported.share;
  else byId("work-bar").removeAttribute("value");
  byId("cancel").hidden = !reported.own;
}

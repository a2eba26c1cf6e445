// Progress of the running task and the export, with the estimated time left, and whether the server is reachable.

import * as api from "./api.js";
import { byId, fail } from "./elements.js";

// Polling instead of a stream: a browser has six connections for all windows of a server.
const IDLE = 1000, BUSY = 250;

let state = null, since = 0, lost = false;

export function showProgress() {
  setInterval(show, 200);
  follow();
}

async function follow() {
  if (!document.hidden) {
    try {
      state = await api.progress();
      since = performance.now();
      if (lost) byId("error").hidden = true;
      lost = false;
    } catch (error) {
      state = null;
      if (!lost) fail(error);
      lost = true;
    }
    show();
  }
  setTimeout(follow, state?.running || state?.export ? BUSY : IDLE);
}

function show() {
  const passed = (performance.now() - since) / 1000;
  const seconds = state?.running ? state.seconds + passed : 0;
  const saving = state?.export;
  byId("work").hidden = !saving && (!state?.running || state.ahead || seconds < 0.4);
  if (byId("work").hidden) return;
  const left = state.left == null ? null : state.left - passed;
  const share = saving ? saving.done / saving.photos : state.share;
  const label = saving ? `Saving, ${saving.done} of ${saving.photos} ${saving.photos === 1 ? "photo" : "photos"}` : state.running;
  byId("work-label").textContent = label + (saving || left === null || left < 1 ? " …" : `, about ${Math.ceil(left)} s left`);
  if (share) byId("work-bar").value = share;
  else byId("work-bar").removeAttribute("value");
  byId("cancel").hidden = !saving && !state.own;
}

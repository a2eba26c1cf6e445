// The keyboard: what every key does, and when keys are left to the browser.

import { byId, say } from "./elements.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// `acts`: by key, without a modifier, while `open()` is true (a photo is open); `point(x, y, label)` is called by Enter.
export function listenToKeys(acts, { open, undo, redo, point, hold, stage }) {
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
    if (event.key === "Enter" && inViewer) {
      return take(() => (stage.crosshair ? point(...stage.crosshair, event.shiftKey ? 0 : 1) : say("Move the crosshair with the arrow keys first")));
    }
    if (event.key === " " && inViewer) return take(() => hold(true));
    if (acts[key] && !event.altKey && open()) take(acts[key]);
  });
  document.addEventListener("keyup", (event) => { if (event.key === " ") hold(false); });
}

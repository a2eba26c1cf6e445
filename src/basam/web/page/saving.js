// The export buttons, and their scope: the active object, the photo, or all photos.

import * as api from "./api.js";
import { attempt, byId, fail, made, say } from "./elements.js";

const FIRST_WRITERS = 3; // shown at once

let writing = false; // one download at a time

// `writers`: label by kind; `photo()` and `object()` return the current ones.
export function showWriters(writers, photo, object) {
  const buttons = Object.entries(writers).map(([kind, label], index) => {
    const button = made("button", { type: "button", textContent: label, className: index ? "" : "primary" });
    button.onclick = attempt(async () => {
      if (writing) return;
      writing = true;
      say("Writing …");
      const scope = byId("scope").value;
      try {
        const { name, leftOut } = await api.download(kind, scope === "all" ? null : photo()?.id, scope === "object" ? object()?.key : null);
        say(`Saved ${name}`);
        if (leftOut.length) fail(new Error(`Left out: ${leftOut.join("; ")}`));
      } finally {
        writing = false;
      }
    });
    return button;
  });
  byId("writers").append(...buttons.slice(0, FIRST_WRITERS));
  byId("more-writers").append(...buttons.slice(FIRST_WRITERS));
}

// Whether there is something to save in the chosen scope of `work`.
export function showSaving(work) {
  const possible = { object: Boolean(work.active), photo: work.objects.length > 0, all: true }[byId("scope").value];
  document.querySelectorAll(".writers button").forEach((button) => { button.disabled = !possible; });
}

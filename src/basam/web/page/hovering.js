// Hovering previews the mask of a click: one request at a time, the newest position wins.

import * as api from "./api.js";
import { decoded } from "./masks.js";

export class Hovering {
  // `photo()` is the one at hand, or null where there is nothing to look at; `changed()` is called after every change of `mask`.
  constructor(photo, changed) {
    Object.assign(this, { photo, changed, mask: null, wanted: null, looking: false, inside: false });
  }

  look(x, y) {
    this.inside = true;
    if (!this.photo()) return this.leave();
    this.wanted = [x, y];
    if (!this.looking) this.follow();
  }

  async follow() {
    this.looking = true;
    while (this.wanted) {
      const [x, y] = this.wanted;
      this.wanted = null;
      try {
        const photo = this.photo();
        const answer = photo && await api.hover(photo.id, x, y);
        const mask = await decoded(answer?.shown);
        this.mask = this.inside && this.photo() === photo ? mask : null;
      } catch {
        this.mask = null;
      }
      this.changed();
      await new Promise((resolve) => { setTimeout(resolve, 40); });
    }
    this.looking = false;
  }

  leave() {
    this.wanted = null;
    this.inside = false;
    if (!this.mask) return;
    this.mask = null;
    this.changed();
  }
}

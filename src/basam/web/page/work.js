// The objects of the current photo: requests to the server, their order, and undo.

import * as api from "./api.js";
import { decoded } from "./masks.js";

const COLOURS = ["#e63946", "#1d78f2", "#26a65b", "#f5a623", "#8e44ad", "#00acc1"];

export class Work {
  // `changed()` is called after every change; `failed(error)` with what went wrong.
  constructor(changed, failed) {
    this.changed = changed;
    this.failed = failed;
    this.turn = Promise.resolve();
    this.leave();
  }

  // Ends the work on a photo; `wanted` is the one whose state is loaded next.
  leave(wanted = null) {
    Object.assign(this, { wanted, photo: null, objects: [], active: null, revision: 0, undone: [], history: [], made: 0 });
  }

  // Loads a photo's state from the server, unless another photo is wanted by the time it is there. `again`: of the photo that is
  // open, whose history stays; otherwise history and candidates are those that this window saved before a reload.
  async take(photo, again = false) {
    const state = await api.record(photo.id);
    const objects = await Promise.all(state.objects.map(async (each) => ({ ...each, mask: await decoded(each.shown) })));
    const saved = again ? null : restored(photo, state.revision);
    if (saved) await Promise.all(objects.map(async (each) => Object.assign(each, await candidatesOf(saved.answers[each.key]))));
    if (this.wanted !== photo || (again && state.revision < this.revision)) return;
    const active = saved ? saved.active : this.active?.key;
    Object.assign(this, { photo, objects, revision: state.revision });
    photo.objects = objects.length;
    if (!again) Object.assign(this, { history: saved?.history ?? [], undone: saved?.undone ?? [] });
    this.made = Math.max(objects.length, this.made);
    this.active = objects.find((each) => each.key === active) ?? objects.at(-1) ?? null;
    this.changed();
  }

  fresh() {
    this.made += 1;
    return { key: api.randomKey(6), name: `Object ${this.made}`, colour: COLOURS[(this.made - 1) % COLOURS.length], points: [], box: null, candidate: null };
  }

  // In turn, as changes are: an answer that is on its way makes its own object the active one.
  start() { return this.queue(async () => { this.active = null; }); }

  select({ key }) {
    return this.queue(async () => { this.active = this.objects.find((each) => each.key === key) ?? this.active; });
  }

  get nextColour() { return this.active?.colour ?? COLOURS[this.made % COLOURS.length]; }

  // Changes the active object, or a new one, by `values(object)`.
  edit(values, method) {
    return this.queue(async () => {
      const object = this.active ?? this.fresh();
      const before = this.objects.includes(object) ? prompts(object) : null;
      const after = { ...prompts(object), method: object.method ?? method, ...values(object) };
      await this.put(object.key, after);
      this.history.push({ key: object.key, before, after });
      this.undone.length = 0; // the same list: a step that waits holds it
    });
  }

  remove(object) {
    return this.queue(async () => {
      await this.put(object.key, null);
      this.history.push({ key: object.key, before: prompts(object), after: null });
      this.undone.length = 0; // the same list: a step that waits holds it
    });
  }

  // Adds all that the model finds by itself; one step of the history. Returns how many objects that were, and how many it found.
  async everything(sure) {
    let answer = null;
    await this.queue(async () => {
      answer = await this.find(sure);
      if (answer.added.length) this.history.push({ sure, found: answer.added });
      this.undone.length = 0; // the same list: a step that waits holds it
    });
    return answer;
  }

  async find(sure) {
    const { photo } = this;
    const answer = await api.everything(photo.id, sure);
    if (this.photo === photo) await this.take(photo, true);
    return answer;
  }

  undo() {
    return this.step(this.history, this.undone, async (entry) => {
      if (!entry.found) return this.put(entry.key, entry.before);
      const answer = await api.removeObjects(this.photo.id, entry.found, this.revision);
      return this.removed(entry.found, answer);
    });
  }

  redo() { return this.step(this.undone, this.history, (entry) => (entry.found ? this.find(entry.sure) : this.put(entry.key, entry.after))); }

  // Whether there was a step, and it was made.
  async step(from, to, apply) {
    let made = false;
    await this.queue(async () => {
      const entry = from.at(-1);
      if (!entry) return;
      await apply(entry);
      from.pop();
      to.push(entry);
      made = true;
    });
    return made;
  }

  removed(keys, answer) {
    this.revision = answer.revision;
    this.photo.objects = answer.objects;
    this.objects = this.objects.filter((each) => !keys.includes(each.key));
    if (!this.objects.includes(this.active)) this.active = this.objects.at(-1) ?? null;
  }

  // One change after the other: each is made to the state that the one before left.
  queue(task) {
    const photo = this.photo;
    this.turn = this.turn.then(async () => {
      if (!photo || this.photo !== photo) return;
      try {
        await task();
      } catch (error) {
        if (error.status === 409 && !error.cancelled) await this.take(photo, true).catch(() => {});
        if (this.wanted === photo || !error.cancelled) this.failed(error);
      }
      if (this.photo !== photo) return;
      this.save();
      this.changed();
    });
    return this.turn;
  }

  async put(key, values) {
    const photo = this.photo;
    const place = this.objects.findIndex((each) => each.key === key);
    if (values === null) {
      const answer = await api.removeObjects(photo.id, [key], this.revision);
      if (this.photo === photo) this.removed([key], answer);
      return;
    }
    const answer = await api.putObject(photo.id, key, { ...values, revision: this.revision });
    // As before, where only name or colour changed.
    const answered = answer.candidates ? await candidatesOf(answer) : this.objects[place] ?? {};
    const object = { ...answered, ...answer.object };
    if (this.photo !== photo) return;
    this.revision = answer.revision;
    photo.objects = answer.objects;
    if (place >= 0) this.objects[place] = object;
    else this.objects.push(object);
    this.active = object;
  }

  // Undo, redo and the candidates of the active object, for a reload of this window.
  save() {
    const answers = this.active?.answer ? { [this.active.key]: this.active.answer } : {};
    const values = { revision: this.revision, history: this.history, undone: this.undone, active: this.active?.key, answers };
    try {
      sessionStorage.setItem(placeOf(this.photo), JSON.stringify(values));
    } catch { /* no room: a reload forgets the history */ }
  }
}

const placeOf = (photo) => `basam ${photo.id} ${photo.content}`;

// What this window saved about a photo in this state; null if there is nothing.
function restored(photo, revision) {
  try {
    const values = JSON.parse(sessionStorage.getItem(placeOf(photo)));
    return values?.revision === revision ? values : null;
  } catch {
    return null;
  }
}

// The masks in the server's prediction, in the form of an object's fields.
async function candidatesOf(answer) {
  if (!answer) return {};
  const { scores, chosen, region } = answer;
  const candidates = await Promise.all(answer.candidates.map(decoded));
  return { candidates, scores, chosen, region, mask: candidates[chosen], answer: { candidates: answer.candidates, scores, chosen, region } };
}

export const prompts = ({ name, colour, points, box, method, candidate }) => ({ name, colour, points, box, method, candidate });

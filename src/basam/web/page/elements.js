// Elements of the page, its status line and its error box.

export const byId = (id) => document.getElementById(id);
export const each = (selector, act) => document.querySelectorAll(selector).forEach(act);
export const made = (tag, values = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...children);
  return element;
};
export const number = new Intl.NumberFormat("en");

export function say(text) { byId("status").textContent = text; }

export function fail(error) {
  if (error.cancelled) return say("Cancelled");
  const place = byId("error");
  place.textContent = error.message;
  place.hidden = false;
  say("");
  clearTimeout(fail.timer);
  // Without the server nothing works until somebody reads this.
  if (![0, 403].includes(error.status)) fail.timer = setTimeout(() => { place.hidden = true; }, 9000);
  return undefined;
}

export const attempt = (task) => async (...words) => {
  try {
    return await task(...words);
  } catch (error) {
    return fail(error);
  }
};

// Requests to the server of the page. Failures become an Error with the server's message.

export class ServerError extends Error {
  constructor(message, status, cancelled = false) {
    super(message);
    this.status = status;
    this.cancelled = cancelled;
  }
}

// Identifies this window to the server, so that it can cancel its own jobs only.
const WINDOW = randomKey(8);

export function randomKey(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function ask(method, path, body, raw = false) {
  let response;
  try {
    response = await fetch(path, { method, headers: { "x-basam-window": WINDOW }, body: raw || body === undefined ? body : JSON.stringify(body) });
  } catch {
    throw new ServerError("The server does not answer. Start basam web again; what was done is kept.", 0);
  }
  if (response.ok) return response;
  const text = await response.text();
  let values = { error: text };
  try {
    values = JSON.parse(text);
  } catch { /* plain text, as the guard answers */ }
  throw new ServerError(values.error, response.status, values.cancelled);
}

const json = async (...words) => (await ask(...words)).json();
const of = (photo) => `api/photos/${photo}`;

export const overview = () => json("GET", "api/overview");
export const record = (photo) => json("GET", of(photo));
export const prepare = (photo, method) => json("POST", `${of(photo)}/prepare`, { method });
export const putObject = (photo, key, values) => json("PUT", `${of(photo)}/objects/${key}`, values);
export const removeObjects = (photo, keys, revision) => json("POST", `${of(photo)}/remove`, { keys, revision });
export const everything = (photo, sure) => json("POST", `${of(photo)}/everything`, { sure });
export const compare = (photo, prompts) => json("POST", `${of(photo)}/compare`, prompts);
export const hover = (photo, x, y) => json("POST", `${of(photo)}/hover`, { x, y });
export const mark = (photo, done) => json("POST", `${of(photo)}/mark`, { done });
export const progress = () => json("GET", "api/progress");
export const cancel = () => json("POST", "api/cancel", {});
export const upload = (file) => json("POST", `api/photos?name=${encodeURIComponent(file.name)}`, file, true);
// The browser's cache is valid for one content of a photo.
export const thumbnail = (photo) => `${of(photo.id)}/thumbnail?${photo.content}`;
export const tile = (photo, level, column, row) => `${of(photo.id)}/tiles/${level}/${column}/${row}?${photo.content}`;

// For all photos, for one, or for one object of it.
export async function download(kind, photo, object) {
  const wanted = new URLSearchParams({ kind, ...(photo && { photo }), ...(object && { object }) });
  const response = await ask("GET", `api/export?${wanted}`);
  const name = decodeURIComponent(response.headers.get("content-disposition").split("''")[1]);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  return { name, leftOut: JSON.parse(decodeURIComponent(response.headers.get("x-basam-left-out"))) };
}


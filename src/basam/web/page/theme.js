// Dark or light: follows the system until the user chooses; the choice is stored in the browser.

import { byId } from "./elements.js";

export function keepTheme() {
  dress(localStorage.theme);
  byId("theme").onclick = () => {
    const now = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    localStorage.theme = now === "dark" ? "light" : "dark";
    dress(localStorage.theme);
  };
}

function dress(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
}

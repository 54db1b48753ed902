/** Light or dark: as the system has it, until somebody chooses; the choice is kept in this browser. */

import { s, set } from "./dom.js";

const KEY = "taskcopilot-theme";

const ICONS = {
  light: "M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z",
  dark: "M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.5 10.5Z",
};

/** Let a button switch the theme. */
export function startTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const chosen = stored();
    const theme = chosen ?? (system.matches ? "dark" : "light");
    set(document.documentElement, "data-theme", theme);
    button.replaceChildren(icon(ICONS[theme]));
    return theme;
  };
  button.addEventListener("click", () => {
    keep(show() === "dark" ? "light" : "dark");
    show();
  });
  system.addEventListener("change", show);
  show();
}

/** A line drawing of 24 by 24. */
export function icon(path) {
  return s("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, s("path", { d: path }));
}

function stored() {
  try {
    const value = localStorage.getItem(KEY);
    return value === "dark" || value === "light" ? value : null;
  } catch {
    return null; // storage is switched off: the system's theme it is
  }
}

function keep(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    set(document.documentElement, "data-theme", theme);
  }
}

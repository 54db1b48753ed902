/** The form that asks for a token, and the button that gives it up. */

import { find, h, text } from "./dom.js";
import { forget, keep, token } from "./session.js";

/** Why a token is asked for, by what the connection says. */
const REASONS = {
  missing: "This bridge shows its work to those who have a token.",
  bad: "The bridge does not accept this token.",
  ended: "Your token has expired or was revoked.",
  scope: "This token does not allow reading.",
};

/**
 * Fill the dialog, and return a function that opens it with a reason. Who signs in or out starts with an empty page: what
 * was shown to one token is not shown to another.
 * @param {HTMLDialogElement} dialog
 * @param {HTMLButtonElement} signOut
 * @param {() => void} again starts the page anew
 */
export function signInView(dialog, signOut, again = () => location.reload()) {
  const field = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const reason = h("p", { id: "sign-in-reason", role: "alert" });
  const form = h(
    "form",
    { class: "sign-in" },
    h("h2", { id: "sign-in-title" }, "Sign in"),
    reason,
    h("label", { for: "token" }, "Token"),
    field,
    h("p", { class: "hint" }, "Made with “taskcopilot token create”, and kept in this tab only."),
    h("button", { class: "button", type: "submit" }, "Sign in"),
  );
  dialog.append(form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (keep(field.value.trim())) again();
    else text(reason, REASONS.bad);
    field.value = "";
  });
  signOut.hidden = !token();
  signOut.addEventListener("click", () => {
    forget();
    again();
  });
  return (why) => {
    forget();
    signOut.hidden = true;
    text(reason, REASONS[why]);
    if (!dialog.open) dialog.showModal();
    find("#token", dialog).focus();
  };
}

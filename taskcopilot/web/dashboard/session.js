/**
 * The token that this tab shows the bridge. It is kept as long as the tab is, in no cookie and in no address; every
 * request and every socket of the page shows it.
 */

const KEY = "taskcopilot.token";

/** What may stand in a header and among the subprotocols of a socket: what tokens of both kinds are made of. */
const FORM = /^[A-Za-z0-9._~+-]+$/;

/** The token, or null. */
export const token = () => sessionStorage.getItem(KEY);

/** Keep a token; false for what can be none. */
export function keep(text) {
  if (!FORM.test(text)) return false;
  sessionStorage.setItem(KEY, text);
  return true;
}

/** Keep none any longer. */
export const forget = () => sessionStorage.removeItem(KEY);

/** The headers that a request adds. */
export const headers = () => (token() ? { Authorization: `Bearer ${token()}` } : {});

/** The subprotocols that a socket offers; the bridge takes the first and never answers the second. */
export const protocols = () => (token() ? ["taskcopilot", `bearer.${token()}`] : []);

/** Addresses within the page: `#/task/ID` is the page of a task, anything else none. */

const TASK = "#/task/";

/** The address of a task's page. */
export const taskAddress = (id) => TASK + encodeURIComponent(id);

/** The id in an address, or null. */
export function taskIdOf(hash) {
  if (!hash.startsWith(TASK)) return null;
  try {
    return decodeURIComponent(hash.slice(TASK.length)) || null;
  } catch {
    return null; // not what encodeURIComponent makes
  }
}

/** Call back with the id of the task that is to be shown, now and whenever that changes. */
export function onTask(show) {
  const read = () => show(taskIdOf(location.hash));
  addEventListener("hashchange", read);
  read();
}

/** Leave the page of a task, without an entry in the history and without scrolling. */
export function leaveTask() {
  history.replaceState(null, "", location.pathname + location.search);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Keys: `/` searches, Escape closes, arrows walk from card to card. */

/** Let `/` move the focus to the search, from everywhere but a field; Escape in it empties and leaves it. */
export function searchKey(field) {
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    if (field.value) {
      field.value = "";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    } else {
      field.blur();
    }
  });
}

/** Call back when Escape is pressed and nobody else wanted it. */
export function escapeKey(close) {
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) close();
  });
}

/**
 * Make the items of a grid of lists one stop of the Tab key, and let arrows, Home and End walk between them.
 * @param {Element} grid its children are the columns
 * @param {string} selector of the items, which are focusable
 */
export function arrows(grid, selector) {
  const columns = () => [...grid.children].filter((column) => !column.hidden).map((column) => [...column.querySelectorAll(selector)]);
  grid.addEventListener("focusin", ({ target }) => target.matches(selector) && stop(target));
  grid.addEventListener("keydown", (event) => {
    const target = event.target.closest?.(selector);
    const next = target && destination(columns(), target, event.key);
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  new MutationObserver(() => {
    if (!grid.querySelector(`${selector}[tabindex="0"]`)) stop(grid.querySelector(selector));
  }).observe(grid, { childList: true, subtree: true });

  function stop(item) {
    for (const other of grid.querySelectorAll(`${selector}[tabindex="0"]`)) other.tabIndex = -1;
    if (item) item.tabIndex = 0;
  }
}

/** Where a key leads from an item: up and down in its column, left and right to the same height of the next one. */
export function destination(columns, item, key) {
  const column = columns.findIndex((items) => items.includes(item));
  const row = columns[column].indexOf(item);
  switch (key) {
    case "ArrowDown":
      return columns[column][row + 1];
    case "ArrowUp":
      return columns[column][row - 1];
    case "Home":
      return columns[column][0];
    case "End":
      return columns[column].at(-1);
    case "ArrowRight":
      return beside(columns.slice(column + 1), row);
    case "ArrowLeft":
      return beside(columns.slice(0, column).reverse(), row);
    default:
      return undefined;
  }
}

function beside(columns, row) {
  const items = columns.find((each) => each.length);
  return items && items[Math.min(row, items.length - 1)];
}

function isField(target) {
  return target instanceof Element && target.matches("input, textarea, select, [contenteditable]");
}

/**
 * Making and updating elements. Text only ever becomes text: there is no way in here from a string to markup.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an HTML element.
 * @param {string} tag
 * @param {Object<string, string|number|boolean|null|undefined>} [attributes] null, undefined and false leave one out
 * @param {...(Node|string|null|undefined|false)} children strings become text nodes
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element; otherwise as `h`. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) set(element, name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Set an attribute if it differs; null, undefined and false remove it. Never for `style` or `on…`. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else {
    const text = value === true ? "" : String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/** Set the text of an element if it differs: a screen reader and a selection notice every write. */
export function text(element, value) {
  const string = String(value ?? "");
  if (element.textContent !== string) element.textContent = string;
}

/** Set a custom property if it differs. */
export function property(element, name, value) {
  if (element.style.getPropertyValue(name) !== String(value)) element.style.setProperty(name, String(value));
}

const shownIn = new WeakMap();

/**
 * Make the children of a container those of a list, touching only what differs.
 *
 * An item is updated when it is another object than before (or a different primitive), so items must not be changed in
 * place. Elements of items that stay are not moved unless their order changed: focus and scroll positions survive.
 * @template T
 * @param {Element} container holds nothing else
 * @param {T[]} items
 * @param {(item: T) => string} keyOf distinct
 * @param {(item: T) => Element} create
 * @param {(element: Element, item: T) => void} update called after create as well
 */
export function keyed(container, items, keyOf, create, update) {
  const before = shownIn.get(container) ?? new Map();
  const after = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const known = before.get(key);
    const element = known ? known.element : create(item);
    if (!known || known.item !== item) update(element, item);
    after.set(key, { element, item });
  }
  for (const [key, { element }] of before) if (!after.has(key)) element.remove();
  let next = container.firstElementChild;
  for (const { element } of after.values()) {
    if (element === next) next = next.nextElementSibling;
    else container.insertBefore(element, next);
  }
  shownIn.set(container, after);
}

/** Return the first element that matches; it must be there. */
export function find(selector, root = document) {
  const element = root.querySelector(selector);
  if (!element) throw new Error(`nothing matches ${selector}`);
  return element;
}

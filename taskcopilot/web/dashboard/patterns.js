/** Patterns of topics and event types: `*` is any run of characters, `?` exactly one, nothing else is special. */

/** Tell whether a text matches a pattern. Takes time proportional to pattern length times text length. */
export function matches(pattern, text) {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === "*") {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p += 1;
  return p === pattern.length;
}

/**
 * Return a test for events from what somebody typed: words or patterns, by spaces or commas; any of them may match.
 * A pattern is held against topic and type; a word without wildcard or colon may stand anywhere in them.
 */
export function eventFilter(typed) {
  const parts = typed.toLowerCase().split(/[\s,]+/).filter(Boolean);
  const patterns = parts.map((part) => (/[*?:]/.test(part) ? part : `*${part}*`));
  return ({ topic, type }) =>
    !patterns.length ||
    patterns.some((pattern) => matches(pattern, topic.toLowerCase()) || matches(pattern, type.toLowerCase()));
}

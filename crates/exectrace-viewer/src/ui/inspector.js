// Says in text what is selected.
// @ts-check
import { duration } from "./time.js";

/**
 * @param {string} name
 * @param {string} text
 */
function element(name, text) {
  const made = document.createElement(name);
  // Names come from the trace: they are text, whatever they hold.
  made.textContent = text;
  return made;
}

/**
 * Shows a slice; `go` leads to a row and an instant.
 * @param {HTMLElement} place
 * @param {any} slice
 * @param {(row: string, t: number) => void} go
 */
export function inspect(place, slice, go) {
  place.replaceChildren();
  place.append(element("h2", `${slice.title}, ${duration(slice.end_ns - slice.begin_ns)}`));
  const list = document.createElement("dl");
  for (const fact of slice.facts) {
    const value = document.createElement("dd");
    if (fact.link) {
      const link = /** @type {HTMLAnchorElement} */ (element("a", fact.value));
      link.href = fact.link;
      value.append(link);
    } else {
      value.textContent = fact.value;
    }
    if (fact.to) {
      const button = /** @type {HTMLButtonElement} */ (element("button", "show"));
      button.type = "button";
      button.addEventListener("click", () => go(fact.to[0], fact.to[1]));
      value.append(" ", button);
    }
    list.append(element("dt", fact.name), value);
  }
  place.append(list);
  if (slice.stack.length > 0) {
    place.append(element("p", slice.stack_title));
    const frames = document.createElement("ol");
    slice.stack.forEach((/** @type {string} */ frame) => frames.append(element("li", frame)));
    place.append(frames);
  }
}

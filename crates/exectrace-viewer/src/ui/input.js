// Pointer and keys: they change what is shown, and the next frame draws it.
// @ts-check
import { LOADS, NAMES, RULER, total, visible } from "./lanes.js";
import { moved, zoomed } from "./time.js";

/** @typedef {import("./timeline.js").Timeline} Timeline */

/** @param {Timeline} timeline */
export function listen(timeline) {
  pointer(timeline, timeline.overlay);
  timeline.canvas.addEventListener("keydown", (event) => key(timeline, event));
  document.addEventListener("keydown", (event) => {
    const isField = event.target instanceof HTMLInputElement || event.target instanceof HTMLButtonElement;
    if (!isField && event.target !== timeline.canvas) key(timeline, event);
  });
}

/** @param {Timeline} timeline @param {HTMLElement} place */
function pointer(timeline, place) {
  const { state, picture } = timeline;
  /** @type {{x: number, y: number, t: number, isRange: boolean, t0: number, t1: number, scroll: number} | null} */
  let down = null;
  place.addEventListener("wheel", (event) => {
    event.preventDefault();
    const t = picture.time(state, Math.max(NAMES, event.offsetX));
    if (event.ctrlKey || event.metaKey || event.offsetY < RULER + LOADS) {
      timeline.show(zoomed(state, Math.exp(event.deltaY * 0.0015), t, state.end));
    } else {
      const length = state.t1 - state.t0;
      timeline.scroll(event.shiftKey ? 0 : event.deltaY);
      timeline.show(moved(state, ((event.deltaX + (event.shiftKey ? event.deltaY : 0)) / 1000) * length, state.end));
    }
  }, { passive: false });
  place.addEventListener("pointerdown", (event) => {
    place.setPointerCapture(event.pointerId);
    const t = picture.time(state, event.offsetX);
    const isRange = event.offsetY < RULER + LOADS;
    down = { x: event.offsetX, y: event.offsetY, t, isRange, t0: state.t0, t1: state.t1, scroll: state.scroll };
    timeline.canvas.focus();
  });
  place.addEventListener("pointermove", (event) => {
    state.pointer = event.offsetX > NAMES ? picture.time(state, event.offsetX) : null;
    if (down?.isRange) {
      state.drag = { from: down.t, to: Math.max(0, Math.min(state.end, picture.time(state, event.offsetX))) };
    } else if (down) {
      const nsPerPixel = (down.t1 - down.t0) / (place.clientWidth - NAMES);
      timeline.show(moved({ t0: down.t0, t1: down.t1 }, (down.x - event.offsetX) * nsPerPixel, state.end));
      timeline.scroll(down.scroll + down.y - event.offsetY - state.scroll);
    }
    timeline.later();
  });
  place.addEventListener("pointerup", (event) => {
    const isClick = down !== null && Math.abs(event.offsetX - down.x) < 4 && Math.abs(event.offsetY - down.y) < 4;
    const { drag } = state;
    const was = down;
    down = null;
    state.drag = null;
    if (isClick) {
      timeline.click(event.offsetX, event.offsetY);
    } else if (was?.isRange && drag) {
      timeline.show({ t0: Math.min(drag.from, drag.to), t1: Math.max(drag.from, drag.to) });
    }
    timeline.later();
  });
  place.addEventListener("pointerleave", () => {
    state.pointer = null;
    timeline.later();
  });
}

/** @param {Timeline} timeline @param {KeyboardEvent} event */
function key(timeline, event) {
  const { state } = timeline;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const length = state.t1 - state.t0;
  const around = state.pointer ?? (state.selection ? state.selection.begin : (state.t0 + state.t1) / 2);
  /** @type {Record<string, () => void>} */
  const actions = {
    w: () => timeline.show(zoomed(state, 0.7, around, state.end)),
    s: () => timeline.show(zoomed(state, 1 / 0.7, around, state.end)),
    a: () => timeline.show(moved(state, -length / 6, state.end)),
    d: () => timeline.show(moved(state, length / 6, state.end)),
    ArrowLeft: () => timeline.show(moved(state, -length / 6, state.end)),
    ArrowRight: () => timeline.show(moved(state, length / 6, state.end)),
    ArrowUp: () => timeline.scroll(-60),
    ArrowDown: () => timeline.scroll(60),
    f: () => timeline.fit(),
    m: () => timeline.mark(around),
    ".": () => timeline.step(1),
    ",": () => timeline.step(-1),
    j: () => timeline.toRow(1),
    k: () => timeline.toRow(-1),
    "[": () => timeline.follow(),
    "]": () => timeline.toEnd(),
    "/": () => timeline.search.focus(),
    "?": () => timeline.toggleKeys(),
    Escape: () => timeline.select(null),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

/** The most that rows can be scrolled. @param {any} state @param {number} height */
export function maxScroll(state, height) {
  return Math.max(0, total(state.rows) - (height - RULER - LOADS));
}

/** The lane at a place. @param {any} state @param {number} y @param {number} height */
export function laneAt(state, y, height) {
  for (const shown of visible(state.rows, state.scroll, height)) {
    const lane = shown.lanes.find((lane) => y >= lane.y && y <= lane.y + lane.height);
    if (lane) return lane;
  }
  return null;
}

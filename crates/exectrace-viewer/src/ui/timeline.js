// The time line: one state, which input changes and frames draw.
// @ts-check
import { Blocks } from "./blocks.js";
import { MAX_RECTANGLES, Picture } from "./draw.js";
import { laneAt, listen, maxScroll } from "./input.js";
import { inspect } from "./inspector.js";
import { LOADS, NAMES, RULER, place } from "./lanes.js";
import { duration, instant } from "./time.js";
import { fromAddress, toAddress } from "./view.js";

/** @param {string} url */
async function json(url) {
  const response = await fetch(url);
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.message}: ${answer.hint}`);
  return answer;
}

/** @param {string} url */
async function bytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error((await response.json()).message);
  return response.arrayBuffer();
}

/** @template {HTMLElement} T @param {string} id @returns {T} */
function find(id) {
  return /** @type {T} */ (document.getElementById(id));
}

export class Timeline {
  /** @param {number} end */
  constructor(end) {
    const address = fromAddress(location.search, end);
    this.canvas = /** @type {HTMLCanvasElement} */ (find("picture"));
    this.overlay = /** @type {HTMLCanvasElement} */ (find("overlay"));
    this.search = /** @type {HTMLInputElement} */ (find("search"));
    this.blocks = new Blocks(bytes, () => this.later());
    this.picture = new Picture(this.canvas, this.overlay, this.blocks);
    /** @type {any} */
    this.state = {
      ...address, end: Math.max(1, end), rows: [], scroll: 0, selection: null, pointer: null, drag: null, loads: null,
    };
    this.isDrawing = false;
    this.search.value = address.search;
    listen(this);
    this.controls();
    addEventListener("resize", () => this.later());
    addEventListener("popstate", () => this.restore());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
  }

  controls() {
    document.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => {
      this.settle();
      this.state.view = /** @type {HTMLElement} */ (button).dataset.view;
      this.state.search = this.search.value = "";
      this.state.scroll = 0;
      this.loadRows(true);
    }));
    this.search.addEventListener("change", () => {
      this.settle();
      this.state.search = this.search.value;
      this.state.scroll = 0;
      this.loadRows(true);
    });
    find("fit").addEventListener("click", () => this.fit());
    find("keys").addEventListener("click", () => this.toggleKeys());
  }

  toggleKeys() {
    const list = find("key-list");
    list.hidden = !list.hidden;
    find("keys").setAttribute("aria-expanded", String(!list.hidden));
  }

  /** Shows what the address says. */
  async restore() {
    const address = fromAddress(location.search, this.state.end);
    Object.assign(this.state, address);
    this.search.value = address.search;
    await this.loadRows(false);
    await (address.row && address.at !== null ? this.selectAt(address.row, address.at, false) : this.select(null, false));
    this.showRange();
  }

  /** @param {boolean} isNew */
  async loadRows(isNew) {
    const { view, search } = this.state;
    const wanted = `api/v1/rows?view=${view}&search=${encodeURIComponent(search)}`;
    const answer = await json(wanted);
    if (this.state.view !== view || this.state.search !== search) return;
    this.state.rows = answer.rows;
    document.querySelectorAll("[data-view]").forEach((button) => {
      const { dataset } = /** @type {HTMLElement} */ (button);
      button.setAttribute("aria-pressed", String(dataset.view === view));
    });
    const more = answer.total - answer.rows.length;
    find("progress").textContent = answer.total === 0 ? "There are no such rows."
      : more > 0 ? `${more} more rows: search for those that you want.` : "";
    if (isNew) this.remember(true);
    this.later();
  }

  /** Shows a span of time. @param {{t0: number, t1: number}} range */
  show(range) {
    this.state.t0 = range.t0;
    this.state.t1 = Math.max(range.t0 + 1, range.t1);
    this.remember(false);
    this.later();
  }

  /** @param {number} pixels */
  scroll(pixels) {
    const most = maxScroll(this.state, this.canvas.clientHeight);
    this.state.scroll = Math.min(most, Math.max(0, this.state.scroll + pixels));
    this.later();
  }

  fit() {
    const { selection, end } = this.state;
    if (!selection) return this.show({ t0: 0, t1: end });
    const margin = Math.max(50, (selection.end - selection.begin) / 2);
    this.show({ t0: Math.max(0, selection.begin - margin), t1: Math.min(end, selection.end + margin) });
  }

  /** @param {number} t */
  mark(t) {
    this.state.mark = this.state.mark === null ? t : null;
    this.remember(false);
    this.later();
  }

  /** @param {number} x @param {number} y */
  async click(x, y) {
    const lane = laneAt(this.state, y, this.canvas.clientHeight);
    if (!lane || x < NAMES) return this.select(null);
    await this.selectAt(lane.key, Math.floor(this.picture.time(this.state, x)), true);
  }

  /** @param {string} row @param {number} t @param {boolean} isNew */
  async selectAt(row, t, isNew) {
    this.select(await json(`api/v1/slice?row=${row}&t=${Math.max(0, Math.round(t))}`), isNew);
    this.scrollTo(row);
  }

  /** Scrolls so that a row is seen. @param {string} key */
  scrollTo(key) {
    const { rows, scroll } = this.state;
    const at = place(rows, key);
    const space = this.canvas.clientHeight - RULER - LOADS;
    if (!at || (at.top >= scroll && at.bottom <= scroll + space)) return;
    this.scroll(at.top - space / 3 - scroll);
  }

  /** Selects what is at the same instant in another row. @param {number} step */
  async toRow(step) {
    const { rows, selection } = this.state;
    const lanes = rows.flatMap((/** @type {any} */ row) => [row.key, ...row.below]);
    if (lanes.length === 0) return;
    const at = selection ? lanes.indexOf(selection.row) + step : 0;
    const row = lanes[Math.min(lanes.length - 1, Math.max(0, at))];
    await this.selectAt(row, Math.max(selection?.begin ?? 0, this.state.t0), true);
  }

  /** Selects the slice before or after. @param {number} step */
  async step(step) {
    const { selection } = this.state;
    if (!selection) return this.toRow(0);
    const slice = await json(`api/v1/slice?row=${selection.row}&id=${selection.id}&step=${step}`);
    if (!slice) return;
    this.select(slice);
    this.reveal(slice.begin_ns, slice.end_ns);
  }

  /** To what woke the selected run. */
  follow() {
    const waker = this.slice?.facts.find((/** @type {any} */ fact) => fact.to);
    if (waker) this.go(waker.to[0], waker.to[1]);
  }

  toEnd() {
    const { selection } = this.state;
    if (selection) this.reveal(selection.end, selection.end);
  }

  /** Shows an instant of a row, in a view that has the row. @param {string} row @param {number} t */
  async go(row, t) {
    if (!this.state.rows.some((/** @type {any} */ known) => known.key === row)) {
      this.settle();
      this.state.view = "tasks";
      this.state.search = this.search.value = `#${row.slice(1)}`;
      await this.loadRows(false);
    }
    await this.selectAt(row, t, true);
    this.reveal(t, t);
  }

  /** Moves the range so that a span of time is in it. @param {number} begin @param {number} end */
  reveal(begin, end) {
    const { t0, t1 } = this.state;
    if (begin >= t0 && end <= t1) return this.later();
    const half = Math.max(t1 - t0, (end - begin) * 2) / 2;
    this.show({ t0: Math.max(0, begin - half), t1: begin + half });
  }

  /** @param {any} slice @param {boolean} [isNew] */
  select(slice, isNew = true) {
    if (isNew) this.settle();
    this.slice = slice;
    this.state.selection = slice && { row: slice.row, id: slice.id, begin: slice.begin_ns, end: slice.end_ns };
    const place = find("inspector");
    if (slice) inspect(place, slice, (row, t) => this.go(row, t));
    else place.replaceChildren();
    if (isNew) this.remember(true);
    this.later();
  }

  /** Before a step: what is shown until now stays in the address that going back leads to. */
  settle() {
    if (this.waiting === undefined) return;
    clearTimeout(this.waiting);
    this.waiting = undefined;
    history.replaceState(null, "", toAddress(this.state));
  }

  /** Writes the view into the address. @param {boolean} isStep Whether going back leads to the one before. */
  remember(isStep) {
    clearTimeout(this.waiting);
    this.waiting = undefined;
    if (isStep) history.pushState(null, "", toAddress(this.state));
    else this.waiting = setTimeout(() => this.settle(), 150);
    this.showRange();
  }

  /** Says which span of time is shown, and asks for what is drawn above the rows. */
  showRange() {
    const { t0, t1 } = this.state;
    find("range").textContent = `${instant(t0, (t1 - t0) / 1000)} + ${duration(t1 - t0)}`;
    /** @type {HTMLAnchorElement} */ (find("pages")).href = `tasks?t0=${Math.round(t0)}&t1=${Math.round(t1)}`;
    clearTimeout(this.loading);
    this.loading = setTimeout(() => this.loadLoads(), 60);
  }

  async loadLoads() {
    const [t0, t1] = [Math.floor(this.state.t0), Math.ceil(this.state.t1)];
    const parts = Math.max(1, Math.min(1024, this.canvas.clientWidth - NAMES));
    const strips = await json(`api/v1/loads?t0=${t0}&t1=${t1}&parts=${parts}`);
    this.state.loads = { t0, t1, parts, strips };
    this.later();
  }

  /** Draws in the next frame. */
  later() {
    if (this.isDrawing) return;
    this.isDrawing = true;
    requestAnimationFrame(() => {
      this.isDrawing = false;
      this.picture.draw(this.state);
      this.picture.drawOverlay(this.state);
      const isLeftOut = this.picture.rectangles > MAX_RECTANGLES;
      find("trouble").textContent = this.blocks.failed || (isLeftOut ? "Not all is drawn: zoom in, or make the window less high." : "");
    });
  }
}

async function start() {
  const progress = find("progress");
  for (;;) {
    const facts = await json("api/v1/trace");
    if (facts.duration_ns !== null) {
      const timeline = new Timeline(facts.duration_ns);
      progress.textContent = "";
      find("missing").replaceChildren(...facts.missing.map((/** @type {string} */ text) => {
        const line = document.createElement("p");
        line.className = "warning";
        line.textContent = text;
        return line;
      }));
      await timeline.restore();
      timeline.remember(false);
      // For tests and the curious: what is shown, and how long frames took.
      Object.assign(window, { __exectrace: timeline });
      return;
    }
    progress.textContent = `reading the trace: ${Math.round(facts.progress * 100)}%`;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

start().catch((error) => {
  find("progress").textContent = String(error);
});

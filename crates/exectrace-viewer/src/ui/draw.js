// Draws what is there. Two layers: the slices, and what moves with the pointer.
// @ts-check
import { css, opacity, rgb } from "./color.js";
import { LOADS, NAMES, RULER, visible } from "./lanes.js";
import { CELLS, blockNs, blocksOf, duration, instant, levelOf, roundStep } from "./time.js";

/** @typedef {import("./blocks.js").Block} Block */
/** @typedef {import("./blocks.js").Blocks} Blocks */

/** Rectangles in a frame; what is beyond comes when one zooms in. */
export const MAX_RECTANGLES = 60000;
/** Colours of the states in the strip of loads. */
const LOAD_CLASSES = /** @type {Record<string, number>} */ ({ running: 2, runnable: 14, "in system calls": 12 });

/** @param {HTMLCanvasElement} canvas */
function context(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const drawing = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  drawing.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawing.clearRect(0, 0, width, height);
  return { drawing, width, height };
}

/**
 * A block's cells as a picture, 1,024 pixels wide and one high.
 * @param {Block} block @param {boolean} dark
 */
function strip(block, dark) {
  if (block.strip && block.strip.dataset.dark === String(dark)) return block.strip;
  const canvas = document.createElement("canvas");
  canvas.width = CELLS;
  canvas.height = 1;
  canvas.dataset.dark = String(dark);
  const drawing = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = drawing.createImageData(CELLS, 1);
  const cells = /** @type {Uint8Array} */ (block.cells);
  for (let cell = 0; cell < CELLS; cell++) {
    const [red, green, blue] = rgb(cells[4 * cell + 1], dark);
    image.data.set([red, green, blue, opacity(cells[4 * cell])], 4 * cell);
  }
  drawing.putImageData(image, 0, 0);
  block.strip = canvas;
  return canvas;
}

export class Picture {
  /** @param {HTMLCanvasElement} canvas @param {HTMLCanvasElement} overlay @param {Blocks} blocks */
  constructor(canvas, overlay, blocks) {
    this.canvas = canvas;
    this.overlay = overlay;
    this.blocks = blocks;
    /** @type {number[]} How long frames took, in milliseconds: for tests. */
    this.frames = [];
    this.rectangles = 0;
  }

  /** The x of an instant. @param {any} state @param {number} t */
  x(state, t) {
    return NAMES + ((t - state.t0) / (state.t1 - state.t0)) * (this.canvas.clientWidth - NAMES);
  }

  /** The instant at an x. @param {any} state @param {number} x */
  time(state, x) {
    return state.t0 + ((x - NAMES) / (this.canvas.clientWidth - NAMES)) * (state.t1 - state.t0);
  }

  /** @param {any} state */
  draw(state) {
    const began = performance.now();
    const { drawing, width, height } = context(this.canvas);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const text = dark ? "#d6dbe0" : "#20262c";
    drawing.font = "12px system-ui, sans-serif";
    drawing.textBaseline = "middle";
    const level = levelOf((state.t1 - state.t0) / Math.max(1, width - NAMES));
    const { first, last } = blocksOf(state.t0, state.t1, level);
    const rows = visible(state.rows, state.scroll, height);
    const keys = rows.flatMap((shown) => shown.lanes.map((lane) => lane.key));
    for (let index = first; index <= last; index++) this.blocks.want(keys, level, index);
    drawing.save();
    drawing.beginPath();
    drawing.rect(NAMES, RULER + LOADS, width - NAMES, height);
    drawing.clip();
    this.rectangles = 0;
    for (const shown of rows) {
      for (const lane of shown.lanes) {
        for (let index = first; index <= last; index++) this.block(drawing, state, lane, level, index, dark);
      }
    }
    drawing.restore();
    this.names(drawing, rows, height, text, dark);
    this.ruler(drawing, state, width, text);
    this.loads(drawing, state, width, text, dark);
    this.frames.push(performance.now() - began);
    if (this.frames.length > 1000) this.frames.shift();
  }

  /**
   * @param {CanvasRenderingContext2D} drawing @param {any} state @param {{key: string, y: number, height: number}} lane
   * @param {number} level @param {number} index @param {boolean} dark
   */
  block(drawing, state, lane, level, index, dark) {
    const block = this.blocks.best(lane.key, level, index);
    const from = this.x(state, index * blockNs(level));
    const to = this.x(state, (index + 1) * blockNs(level));
    if (!block) {
      drawing.fillStyle = dark ? "#22282e" : "#eef1f4";
      drawing.fillRect(from, lane.y, to - from, lane.height);
      return;
    }
    drawing.save();
    drawing.beginPath();
    drawing.rect(from, lane.y, to - from, lane.height);
    drawing.clip();
    const begin = block.index * blockNs(block.level);
    if (block.cells) {
      const end = begin + blockNs(block.level);
      drawing.imageSmoothingEnabled = false;
      const [x, right] = [this.x(state, begin), this.x(state, end)];
      drawing.drawImage(strip(block, dark), x, lane.y, right - x, lane.height);
    } else {
      this.slices(drawing, state, lane, block, begin, dark);
    }
    drawing.restore();
  }

  /**
   * @param {CanvasRenderingContext2D} drawing @param {any} state @param {{y: number, height: number}} lane
   * @param {Block} block @param {number} begin @param {boolean} dark
   */
  slices(drawing, state, lane, block, begin, dark) {
    const slices = /** @type {Uint32Array} */ (block.slices);
    const step = 2 ** Math.max(0, block.level - 22);
    for (let at = 0; at < slices.length; at += 4) {
      const from = begin + slices[at] * step;
      const x = this.x(state, from);
      const wide = this.x(state, from + slices[at + 1] * step) - x;
      if (x + wide < NAMES || x > this.canvas.clientWidth || (this.rectangles += 1) > MAX_RECTANGLES) continue;
      drawing.fillStyle = css(slices[at + 3], dark);
      // States in which nothing runs are thin, so that runs stand out.
      const isGap = slices[at + 3] >= 14;
      const tall = isGap ? lane.height / 3 : lane.height;
      drawing.fillRect(x, lane.y + (lane.height - tall) / 2, Math.max(1, wide - (wide > 4 ? 1 : 0)), tall);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} drawing @param {any[]} rows @param {number} height @param {string} text
   * @param {boolean} dark
   */
  names(drawing, rows, height, text, dark) {
    drawing.fillStyle = dark ? "#14181c" : "#ffffff";
    drawing.fillRect(0, 0, NAMES - 6, height);
    for (const { row, y } of rows) {
      drawing.save();
      drawing.beginPath();
      drawing.rect(0, RULER + LOADS, NAMES - 10, height);
      drawing.clip();
      drawing.fillStyle = text;
      drawing.fillText(row.title, 8, y + 11, NAMES - 20);
      drawing.globalAlpha = 0.65;
      if (row.detail && row.below.length > 0) drawing.fillText(row.detail, 16, y + 28, NAMES - 28);
      drawing.restore();
    }
  }

  /** @param {CanvasRenderingContext2D} drawing @param {any} state @param {number} width @param {string} text */
  ruler(drawing, state, width, text) {
    const step = roundStep(((state.t1 - state.t0) / Math.max(1, width - NAMES)) * 110);
    drawing.fillStyle = text;
    drawing.globalAlpha = 0.7;
    for (let t = Math.ceil(state.t0 / step) * step; t <= state.t1; t += step) {
      const x = this.x(state, t);
      drawing.fillRect(x, 0, 1, RULER);
      drawing.fillText(instant(t, step), x + 4, RULER / 2);
    }
    drawing.globalAlpha = 1;
  }

  /**
   * How many tasks ran and were ready, over time.
   * @param {CanvasRenderingContext2D} drawing @param {any} state @param {number} width @param {string} text
   * @param {boolean} dark
   */
  loads(drawing, state, width, text, dark) {
    const { loads } = state;
    if (!loads) return;
    const shown = loads.strips.filter((/** @type {any} */ strip) => strip.state in LOAD_CLASSES);
    const most = Math.max(1, ...shown.flatMap((/** @type {any} */ strip) => strip.average));
    const part = (loads.t1 - loads.t0) / loads.parts;
    drawing.save();
    drawing.beginPath();
    drawing.rect(NAMES, RULER, width - NAMES, LOADS);
    drawing.clip();
    const heights = new Array(loads.parts).fill(0);
    for (const strip of shown) {
      drawing.fillStyle = css(LOAD_CLASSES[strip.state], dark);
      strip.average.forEach((/** @type {number} */ value, /** @type {number} */ index) => {
        const tall = Math.min(1, value / most) * (LOADS - 10) * 0.5;
        const x = this.x(state, loads.t0 + index * part);
        const right = this.x(state, loads.t0 + (index + 1) * part);
        drawing.fillRect(x, RULER + LOADS - 4 - heights[index] - tall, right - x + 0.5, tall);
        heights[index] += tall;
      });
    }
    drawing.restore();
    drawing.fillStyle = text;
    drawing.fillText(`tasks: running, ready, in calls (most ${most.toFixed(1)})`, 8, RULER + LOADS / 2, NAMES - 20);
  }

  /** What is selected, marked, and under the pointer. @param {any} state */
  drawOverlay(state) {
    const { drawing, height } = context(this.overlay);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    drawing.strokeStyle = dark ? "#ffffff" : "#000000";
    drawing.fillStyle = drawing.strokeStyle;
    /** @param {number} t @param {number} alpha */
    const upright = (t, alpha) => {
      const x = this.x(state, t);
      if (x < NAMES) return;
      drawing.globalAlpha = alpha;
      drawing.fillRect(x, 0, 1, height);
    };
    if (state.mark !== null) upright(state.mark, 0.8);
    if (state.pointer !== null) upright(state.pointer, 0.25);
    drawing.globalAlpha = 1;
    if (state.drag) {
      const [x, right] = [this.x(state, state.drag.from), this.x(state, state.drag.to)];
      drawing.globalAlpha = 0.2;
      drawing.fillRect(Math.min(x, right), 0, Math.abs(right - x), height);
      drawing.globalAlpha = 1;
      drawing.font = "12px system-ui, sans-serif";
      drawing.fillText(duration(Math.abs(state.drag.to - state.drag.from)), Math.min(x, right) + 4, RULER + 12);
    }
    const selected = state.selection;
    if (!selected) return;
    for (const shown of visible(state.rows, state.scroll, height)) {
      const lane = shown.lanes.find((lane) => lane.key === selected.row);
      if (!lane) continue;
      const x = Math.max(NAMES, this.x(state, selected.begin));
      const right = this.x(state, selected.end);
      if (right < NAMES) continue;
      drawing.lineWidth = 2;
      drawing.strokeRect(x - 1, lane.y - 1, Math.max(3, right - x + 2), lane.height + 2);
    }
  }
}

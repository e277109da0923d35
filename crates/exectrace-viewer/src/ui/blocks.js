// Blocks of rows: asked for some at a time, kept under a budget, drawn from the best that is there.
// @ts-check
import { CELLS, MAX_LEVEL } from "./time.js";

/**
 * @typedef {{ cells: Uint8Array | null, slices: Uint32Array | null, level: number, index: number, bytes: number,
 *   strip?: HTMLCanvasElement }} Block
 */

/** Bytes of blocks that are kept. */
const BUDGET = 64 << 20;
/** What the server could not answer is not asked again for so long. */
const RETRY_MS = 3000;
/** Rows in one request, as the server has it. */
const ROWS = 64;

/**
 * The blocks in the bytes of an answer.
 * @param {ArrayBuffer} buffer
 * @param {number} count
 * @param {number} level
 * @param {number} index
 * @returns {Block[]}
 */
export function decode(buffer, count, level, index) {
  const words = new DataView(buffer);
  const blocks = [];
  let at = 0;
  for (let row = 0; row < count; row++) {
    const isSlices = words.getUint32(at, true) === 1;
    const length = words.getUint32(at + 4, true);
    at += 8;
    const bytes = length * (isSlices ? 16 : 4);
    const data = buffer.slice(at, at + bytes);
    at += bytes;
    blocks.push({
      cells: isSlices ? null : new Uint8Array(data),
      slices: isSlices ? new Uint32Array(data) : null,
      level,
      index,
      bytes: bytes + 64,
    });
  }
  return blocks;
}

export class Blocks {
  /** @param {(url: string) => Promise<ArrayBuffer>} load @param {() => void} arrived */
  constructor(load, arrived) {
    this.load = load;
    this.arrived = arrived;
    /** @type {Map<string, Block>} */
    this.kept = new Map();
    this.bytes = 0;
    /** @type {Set<string>} */
    this.asked = new Set();
    this.failed = "";
    /** @type {Map<string, number>} When a block that could not be had is asked for again. */
    this.again = new Map();
  }

  /** @param {string} row @param {number} level @param {number} index */
  key(row, level, index) {
    return `${row}/${level}/${index}`;
  }

  /**
   * A block if it is there, else one of a coarser level that has its time in it.
   * @param {string} row @param {number} level @param {number} index
   */
  best(row, level, index) {
    for (let up = 0; level + up <= MAX_LEVEL && up < 24; up++) {
      const key = this.key(row, level + up, Math.floor(index / 2 ** up));
      const block = this.kept.get(key);
      if (block) {
        // The most recently used are last.
        this.kept.delete(key);
        this.kept.set(key, block);
        return block;
      }
    }
    return null;
  }

  /**
   * Asks for those of the blocks that are not there.
   * @param {string[]} rows @param {number} level @param {number} index
   */
  want(rows, level, index) {
    const missing = rows.filter((row) => {
      const key = this.key(row, level, index);
      return !this.kept.has(key) && !this.asked.has(key) && (this.again.get(key) ?? 0) <= Date.now();
    });
    for (let from = 0; from < missing.length; from += ROWS) {
      this.ask(missing.slice(from, from + ROWS), level, index);
    }
  }

  /** @param {string[]} rows @param {number} level @param {number} index */
  async ask(rows, level, index) {
    const keys = rows.map((row) => this.key(row, level, index));
    keys.forEach((key) => this.asked.add(key));
    try {
      const buffer = await this.load(`api/v1/block?rows=${rows.join(",")}&level=${level}&index=${index}`);
      decode(buffer, rows.length, level, index).forEach((block, row) => this.keep(keys[row], block));
      this.failed = "";
    } catch (error) {
      this.failed = String(error);
      keys.forEach((key) => this.again.set(key, Date.now() + RETRY_MS));
    }
    keys.forEach((key) => this.asked.delete(key));
    this.arrived();
  }

  /** @param {string} key @param {Block} block */
  keep(key, block) {
    this.kept.set(key, block);
    this.bytes += block.bytes;
    for (const [old, dropped] of this.kept) {
      if (this.bytes <= BUDGET) break;
      this.kept.delete(old);
      this.bytes -= dropped.bytes;
    }
  }
}

export { CELLS };

// Where rows lie in the picture.
// @ts-check

/** @typedef {import("./view.js").Row} Row */

/** The height of the ruler and of the strip of loads above the rows, and the width of the names. */
export const RULER = 22;
export const LOADS = 48;
export const NAMES = 240;
const ROW = 24;
const BELOW = 14;
const GAP = 4;

/** @param {Row} row */
export function height(row) {
  return ROW + row.below.length * BELOW + GAP;
}

/**
 * The rows that are visible, each with the lanes in it.
 * @param {Row[]} rows @param {number} scroll @param {number} bottom
 */
export function visible(rows, scroll, bottom) {
  const shown = [];
  let y = RULER + LOADS - scroll;
  for (const row of rows) {
    const tall = height(row);
    if (y + tall > RULER + LOADS && y < bottom) {
      const lanes = [{ key: row.key, y, height: ROW - 2 }];
      row.below.forEach((key, depth) => lanes.push({ key, y: y + ROW + depth * BELOW, height: BELOW - 2 }));
      shown.push({ row, y, height: tall, lanes });
    }
    y += tall;
  }
  return shown;
}

/**
 * Where a lane lies below the first row.
 * @param {Row[]} rows @param {string} key
 */
export function place(rows, key) {
  let top = 0;
  for (const row of rows) {
    const bottom = top + height(row);
    if (row.key === key || row.below.includes(key)) return { top, bottom };
    top = bottom;
  }
  return null;
}

/** @param {Row[]} rows */
export function total(rows) {
  return rows.reduce((sum, row) => sum + height(row), 0);
}

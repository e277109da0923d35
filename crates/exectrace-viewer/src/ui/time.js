// Times, and which blocks show them. Pure: no page, no server.
// @ts-check

/** Cells of a block. */
export const CELLS = 1024;
/** The longest cells there are, as a power of two of nanoseconds. */
export const MAX_LEVEL = 43;

/**
 * The level whose cells are at most a pixel wide.
 * @param {number} nsPerPixel
 */
export function levelOf(nsPerPixel) {
  return Math.min(MAX_LEVEL, Math.max(0, Math.floor(Math.log2(Math.max(1, nsPerPixel)))));
}

/**
 * The length of a block, in nanoseconds.
 * @param {number} level
 */
export function blockNs(level) {
  return CELLS * 2 ** level;
}

/**
 * The blocks that a span of time touches, the first and the last.
 * @param {number} t0
 * @param {number} t1
 * @param {number} level
 */
export function blocksOf(t0, t1, level) {
  const length = blockNs(level);
  const first = Math.max(0, Math.floor(t0 / length));
  return { first, last: Math.max(first, Math.ceil(t1 / length) - 1) };
}

/**
 * A length of time with three digits that count, as the command line has it.
 * @param {number} ns
 */
export function duration(ns) {
  for (const [unit, name] of /** @type {[number, string][]} */ ([[1e9, "s"], [1e6, "ms"], [1e3, "µs"]])) {
    const value = ns / unit;
    if (value >= 0.9995) {
      return value.toFixed(value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2) + name;
    }
  }
  return Math.round(ns) + "ns";
}

/**
 * An instant, to as many digits as the width of the picture needs.
 * @param {number} ns
 * @param {number} stepNs
 */
export function instant(ns, stepNs) {
  const digits = Math.min(9, Math.max(0, Math.ceil(9 - Math.log10(Math.max(1, stepNs)))));
  return (ns / 1e9).toFixed(digits) + "s";
}

/**
 * A round length of time: 1, 2 or 5 times a power of ten, at least so long.
 * @param {number} ns
 */
export function roundStep(ns) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, ns)));
  const factor = [1, 2, 5, 10].find((factor) => factor * power >= ns);
  return (factor ?? 10) * power;
}

/**
 * The span of time after zooming by a factor around an instant; within the trace, and at least 100 ns long.
 * @param {{t0: number, t1: number}} range
 * @param {number} factor
 * @param {number} around
 * @param {number} end
 */
export function zoomed(range, factor, around, end) {
  const length = Math.min(end, Math.max(100, (range.t1 - range.t0) * factor));
  const share = (around - range.t0) / (range.t1 - range.t0);
  return moved({ t0: around - length * share, t1: around + length * (1 - share) }, 0, end);
}

/**
 * The span of time, moved but kept within the trace.
 * @param {{t0: number, t1: number}} range
 * @param {number} ns
 * @param {number} end
 */
export function moved(range, ns, end) {
  const length = range.t1 - range.t0;
  const t0 = Math.min(Math.max(0, range.t0 + ns), Math.max(0, end - length));
  return { t0, t1: t0 + length };
}

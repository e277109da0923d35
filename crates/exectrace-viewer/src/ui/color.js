// Colours: fixed ones for states, one of twelve for a name.
// @ts-check

/** Twelve hues that differ also in lightness, so that colour-blind readers can tell neighbours apart. */
const NAMES = [
  [0x1f, 0x77, 0xb4], [0xff, 0x9f, 0x40], [0x2c, 0xa0, 0x2c], [0xb3, 0x8f, 0xd9],
  [0x8c, 0x56, 0x4b], [0xf2, 0x8e, 0xc6], [0x17, 0xa2, 0xb8], [0xbc, 0xbd, 0x22],
  [0x4e, 0x5b, 0xa6], [0x8f, 0xd1, 0xa0], [0xa0, 0x52, 0x2d], [0x6b, 0xa3, 0xe8],
];
const SYSCALL = [0x7a, 0x3e, 0x9d];
const OWN_CODE = [0x9a, 0x9a, 0x9a];
const RUNNABLE = [0xd6, 0x27, 0x28];
const WAITING = [0xcf, 0xd6, 0xdd];
const UNKNOWN = [0xe9, 0xec, 0xef];
const UNKNOWN_DARK = [0x26, 0x2d, 0x33];
const WAITING_DARK = [0x3a, 0x44, 0x4e];

/**
 * The colour of a class, as red, green and blue.
 * @param {number} number
 * @param {boolean} dark
 */
export function rgb(number, dark) {
  if (number < NAMES.length) return NAMES[number];
  if (number === 12) return SYSCALL;
  if (number === 13) return OWN_CODE;
  if (number === 14) return RUNNABLE;
  if (number === 15) return dark ? WAITING_DARK : WAITING;
  return dark ? UNKNOWN_DARK : UNKNOWN;
}

/**
 * The same for a canvas.
 * @param {number} number
 * @param {boolean} dark
 */
export function css(number, dark) {
  const [red, green, blue] = rgb(number, dark);
  return `rgb(${red} ${green} ${blue})`;
}

/**
 * How opaque a cell is drawn of which so much is covered, of 255. Never so pale that a short slice is not seen.
 * @param {number} covered
 */
export function opacity(covered) {
  return covered === 0 ? 0 : 90 + Math.round((covered / 255) * 165);
}

// The pure parts of the page. Run by `node --test`.
import assert from "node:assert/strict";
import { test } from "node:test";

import { decode } from "../../src/ui/blocks.js";
import { opacity } from "../../src/ui/color.js";
import { blockNs, blocksOf, duration, levelOf, moved, roundStep, zoomed } from "../../src/ui/time.js";
import { fromAddress, toAddress } from "../../src/ui/view.js";

test("the blocks of a range cover it, and no more than a screen and a half of cells", () => {
  for (const [t0, t1] of [[0, 1e9], [123_456_789, 123_457_000], [7, 8], [0, 3.6e12 * 24]]) {
    const level = levelOf((t1 - t0) / 1200);
    const { first, last } = blocksOf(t0, t1, level);
    assert.ok(first * blockNs(level) <= t0 && (last + 1) * blockNs(level) >= t1);
    assert.ok(last - first <= 4);
  }
});

test("zooming keeps the instant under the pointer, and the range within the trace", () => {
  const range = zoomed({ t0: 1000, t1: 3000 }, 0.5, 1500, 10_000);
  assert.equal((1500 - range.t0) / (range.t1 - range.t0), 0.25);
  assert.deepEqual(zoomed({ t0: 1000, t1: 3000 }, 100, 1500, 10_000), { t0: 0, t1: 10_000 });
  assert.deepEqual(moved({ t0: 1000, t1: 3000 }, -5000, 10_000), { t0: 0, t1: 2000 });
});

test("lengths of time are shown as on the command line", () => {
  const shown = [0, 999, 1000, 12_345, 999_500, 1_500_000, 99_960_000, 61e9].map(duration);
  assert.deepEqual(shown, ["0ns", "999ns", "1.00µs", "12.3µs", "1.00ms", "1.50ms", "100ms", "61.0s"]);
  assert.deepEqual([1, 3, 60, 110].map(roundStep), [1, 5, 100, 200]);
});

test("an address leads back to the view that it was made from", () => {
  const state = { view: "tasks", search: "a b#", t0: 17, t1: 4000, mark: 99, selection: { row: "g42r1", id: 3, begin: 20, end: 25 } };
  const back = fromAddress(toAddress(state), 10_000);
  assert.deepEqual(back, { view: "tasks", search: "a b#", t0: 17, t1: 4000, mark: 99, row: "g42r1", at: 20 });
});

test("what is wrong in an address is left out", () => {
  const whole = { view: "workers", search: "", t0: 0, t1: 500, row: "", at: null, mark: null };
  for (const wrong of ["", "?t0=x&t1=-3", "?t0=400&t1=100", "?view=%3Cb%3E&row=w1%3B", "?t0=1e9&at=now"]) {
    assert.deepEqual(fromAddress(wrong, 500), whole, wrong);
  }
});

test("blocks are read as the server writes them", () => {
  const bytes = new ArrayBuffer(8 + 4 * 1024 + 8 + 16);
  const words = new DataView(bytes);
  words.setUint32(0, 0, true);
  words.setUint32(4, 1024, true);
  words.setUint8(8 + 4 * 7, 200);
  words.setUint32(8 + 4096, 1, true);
  words.setUint32(8 + 4096 + 4, 1, true);
  words.setUint32(8 + 4096 + 8, 5, true);
  const [cells, slices] = decode(bytes, 2, 3, 0);
  assert.equal(cells.cells[4 * 7], 200);
  assert.deepEqual([...slices.slices], [5, 0, 0, 0]);
});

test("a cell of which next to nothing is covered is still seen", () => {
  assert.equal(opacity(0), 0);
  assert.ok(opacity(1) >= 64);
});

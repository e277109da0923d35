// What is shown: the range, the rows, the selection. It stands in the address, so that a reload shows the same.
// @ts-check

/** @typedef {{ key: string, title: string, detail: string, below: string[] }} Row */
/** @typedef {{ row: string, id: number, begin: number, end: number }} Selection */

export const VIEWS = ["workers", "threads", "tasks", "usertasks"];

/**
 * What an address says; what is wrong in it is left out.
 * @param {string} search
 * @param {number} end
 */
export function fromAddress(search, end) {
  const address = new URLSearchParams(search);
  /** @param {string} name */
  const time = (name) => {
    const text = address.get(name);
    return text !== null && /^\d+$/.test(text) ? Number(text) : null;
  };
  const row = address.get("row") ?? "";
  let view = address.get("view") ?? "";
  let find = address.get("search") ?? "";
  if (!VIEWS.includes(view)) {
    // A row that a link names is looked for where it is.
    view = { m: "threads", g: "tasks", u: "usertasks" }[row[0]] ?? "workers";
    if ((row[0] === "g" || row[0] === "u") && find === "") find = `#${row.slice(1).split("r")[0]}`;
  }
  const t0 = time("t0") ?? 0;
  const t1 = time("t1") ?? end;
  const isRange = t0 < t1 && t0 < end;
  return {
    view,
    search: find,
    t0: isRange ? t0 : 0,
    t1: isRange ? Math.min(t1, Math.max(end, 1)) : Math.max(end, 1),
    row: /^[wmgu]\d+(r\d+)?$/.test(row) ? row : "",
    at: time("at"),
    mark: time("mark"),
  };
}

/**
 * The address of a view.
 * @param {{ view: string, search: string, t0: number, t1: number, selection: Selection | null, mark: number | null }} state
 */
export function toAddress(state) {
  const address = new URLSearchParams();
  address.set("view", state.view);
  if (state.search) address.set("search", state.search);
  address.set("t0", String(Math.max(0, Math.round(state.t0))));
  address.set("t1", String(Math.round(state.t1)));
  if (state.selection) {
    address.set("row", state.selection.row);
    address.set("at", String(state.selection.begin));
  }
  if (state.mark !== null) address.set("mark", String(Math.round(state.mark)));
  return `?${address}`;
}

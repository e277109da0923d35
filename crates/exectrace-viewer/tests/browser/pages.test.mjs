// The viewer in a real Chromium, as a person uses it. Run by `.ci/run viewer`, which names in the environment the
// program (EXECTRACE), the traces to show (TRACES, with colons between them), the browser (CHROMIUM), playwright-core
// (PLAYWRIGHT) and a folder for pictures (PICTURES).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { after, before, describe, test } from "node:test";

const { EXECTRACE, TRACES = "", CHROMIUM, PLAYWRIGHT, PICTURES } = process.env;
const why = EXECTRACE && CHROMIUM && PLAYWRIGHT ? false : "no browser: .ci/run viewer names one";
const PAGES = ["", "timeline", "tasks", "usertasks", "regions", "latency", "workers", "syscalls", "profile/run", "logs", "help"];

for (const trace of TRACES.split(":").filter((path) => path !== "")) {
  describe(basename(trace), { skip: why }, () => shows(trace));
}

/** @param {string} trace */
function shows(trace) {
  let program, browser, url;

  before(async () => {
    const { default: playwright } = await import(PLAYWRIGHT);
    program = spawn(EXECTRACE, ["view", "--no-open", trace], { stdio: ["ignore", "pipe", "inherit"] });
    url = String(await once(program.stdout, "data")).trim();
    browser = await playwright.chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  });
  after(async () => {
    await browser?.close();
    program?.kill();
  });

  /** A page that remembers what went wrong on it. */
  async function open(path, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("request", (request) => request.url().startsWith(url) || request.url().startsWith("data:") || errors.push(`asks ${request.url()}`));
    await page.goto(url + path);
    if (path.startsWith("timeline")) await drawn(page);
    return { page, errors };
  }

  /** The time line has its rows, and all blocks that it asked for. */
  async function drawn(page) {
    await page.waitForFunction(() => {
      const timeline = window.__exectrace;
      return timeline && !timeline.isDrawing && timeline.blocks.asked.size === 0 && timeline.picture.frames.length > 0;
    });
  }

  /** What is shown, without what only the pointer changes. */
  function shown(page) {
    return page.evaluate(() => {
      const { view, search, t0, t1, selection, mark } = window.__exectrace.state;
      return { view, search, t0: Math.round(t0), t1: Math.round(t1), selection, mark };
    });
  }

  /** How many pixels of the rows are not of the background. */
  function inked(page) {
    return page.evaluate(() => {
      const canvas = document.getElementById("picture");
      const from = (240 / canvas.clientWidth) * canvas.width;
      const pixels = canvas.getContext("2d").getImageData(from, 80, canvas.width - from, canvas.height - 80).data;
      let count = 0;
      for (let at = 3; at < pixels.length; at += 4) count += pixels[at] > 0 ? 1 : 0;
      return count;
    });
  }

  for (const path of PAGES) {
    test(`the page /${path} is there in light and dark, without an error`, async () => {
      for (const colorScheme of ["light", "dark"]) {
        const { page, errors } = await open(path, { colorScheme });
        assert.notEqual(await page.title(), "");
        await page.screenshot({ path: `${PICTURES}/${basename(trace)}-${path.replace("/", "-") || "overview"}-${colorScheme}.png` });
        assert.deepEqual(errors, []);
        await page.context().close();
      }
    });
  }

  test("the address of the time line shows the same after a reload, and going back shows what was before", async () => {
    const { page, errors } = await open("timeline?view=tasks");
    assert.ok(await inked(page) > 0, "nothing is drawn");
    const row = await page.evaluate(() => window.__exectrace.state.rows[0].key);
    await page.evaluate((row) => window.__exectrace.selectAt(row, 0, true), row);
    const selected = await shown(page);
    assert.equal(selected.selection.row, row);
    await page.locator("#picture").focus();
    await page.keyboard.press("f");
    await page.keyboard.press("w");
    await page.keyboard.press("m");
    await page.waitForFunction(() => location.search.includes("mark="));
    const before = await shown(page);
    assert.ok(before.t1 - before.t0 < selected.t1 - selected.t0, "it is zoomed");
    await page.reload();
    await drawn(page);
    await page.waitForFunction(() => window.__exectrace.state.selection !== null);
    assert.deepEqual(await shown(page), before);
    await page.locator("[data-view=workers]").click();
    await page.waitForFunction(() => window.__exectrace.state.view === "workers" && location.search.includes("workers"));
    await page.goBack();
    await page.waitForFunction(() => window.__exectrace.state.view === "tasks");
    assert.deepEqual(errors, []);
    await page.context().close();
  });

  test("with keys alone one selects, steps and reads what is selected", async () => {
    const { page, errors } = await open("timeline?view=tasks");
    const row = await page.evaluate(() => window.__exectrace.state.rows[0].key);
    await page.keyboard.press(".");
    await page.waitForFunction(() => window.__exectrace.state.selection !== null);
    const first = (await shown(page)).selection;
    assert.equal(first.row, row);
    await page.keyboard.press(".");
    await page.waitForFunction((id) => window.__exectrace.state.selection.id !== id, first.id);
    const next = (await shown(page)).selection;
    assert.ok(next.begin >= first.end && next.end > next.begin, "the next one that is drawn");
    await page.keyboard.press("j");
    await page.waitForFunction((row) => window.__exectrace.state.selection.row !== row, row);
    assert.match(await page.locator("#inspector").innerText(), /begins at/);
    await page.keyboard.press("Escape");
    assert.equal((await shown(page)).selection, null);
    assert.deepEqual(errors, []);
    await page.context().close();
  });

  test("what each group of tasks took is on the page as the command line prints it", async () => {
    const command = spawn(EXECTRACE, ["--color", "never", "tasks", trace], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, COLUMNS: "1000" } });
    let printed = "";
    command.stdout.on("data", (data) => { printed += data; });
    await once(command, "close");
    const rows = printed.split("\n\n")[0].split("\n").slice(2).map((line) => line.trim().split(/ {2,}/));
    const { page } = await open("tasks");
    const shown = await page.locator("section").first().locator("tbody tr").evaluateAll((lines) => lines.map((line) => [...line.children].map((cell) => cell.textContent)));
    assert.equal(shown.length, rows.length);
    for (const [index, row] of rows.entries()) {
      const cells = shown[index].filter((text) => !text.includes("running ")).filter((text) => text !== "");
      assert.deepEqual(cells, row);
    }
    await page.context().close();
  });

  test("numbers on the first page are those of the command line", async () => {
    const command = spawn(EXECTRACE, ["--color", "never", "summary", trace], { stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    command.stdout.on("data", (data) => { printed += data; });
    await once(command, "close");
    const [, counts] = printed.split("\n").find((line) => line.includes(" async task")).match(/, ([\d,]+ events?, [\d,]+ async tasks?)/);
    const { page } = await open("");
    assert.ok((await page.locator("main").innerText()).includes(counts), counts);
    await page.context().close();
  });
}

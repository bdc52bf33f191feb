/**
 * Measures attention over a projection [B, N, 3 H D], read and written as a vision transformer does, on the device at hand:
 * products and softmax as kernels of their own, in tiles, and with f16 on a native target in matrix units, under many
 * schedules; µs by GPU timestamps, all schedules in turns so that the clock stays up, some rows of the results compared with double precision. Bundle it
 * to one file for a machine without the sources' dependencies:
 *
 *     npx rolldown bench/attention.ts --platform node --format esm --external webgpu --file out/attention.mjs
 *     node out/attention.mjs [--shapes B,N,H,D ...] [--dtype f32|f16] [--target web|native] [--most 24] [--seconds 0.1] [--json]
 *
 * `--most`: schedules of each family, those of fewest estimated cycles. With f16 what goes in and comes out is stored so.
 */
import { targetOf } from '../src/cli/devices.ts';
import { generateKernel } from '../src/codegen/generate.ts';
import { printModule } from '../src/codegen/wgsl-print.ts';
import { GraphBuilder } from '../src/graph-builder.ts';
import type { Graph, NodeId, Shape } from '../src/graph.ts';
import { lower } from '../src/lower/lower.ts';
import type { OpAttrs, OpName } from '../src/ops/types.ts';
import type { Plan } from '../src/plan.ts';
import type { Program } from '../src/kernel.ts';
import { attentionMatrixCandidates } from '../src/schedule/attention-matrix.ts';
import { attentionCandidates } from '../src/schedule/attention-tiles.ts';
import { plan } from '../src/schedule/plan.ts';
import { chooseSchedule } from '../src/schedule/rules.ts';
import type { AttentionMatrixSchedule, AttentionTilesSchedule, Schedule } from '../src/schedule.ts';
import { WEB, type Target } from '../src/targets.ts';
import { decodeF16, encodeF16 } from '../src/half.ts';
import { openDevice, option } from './device.ts';

const F16_SHAPES = ['64,197,3,64', '64,197,12,64', '1,197,12,64', '64,256,4,36', '8,1024,16,64'];
const DEFAULT_SHAPES = ['1,197,3,64', '64,197,3,64', '1,197,12,64', '64,197,12,64', '64,49,3,32', '4096,49,3,32', '4,256,4,36', '256,256,4,36', '1,1500,6,64', '1,4096,12,64'];
/** Timed passes of each. */
const ROUNDS = 5;
/** What a buffer of numbers is for; the flags are there once Dawn is. */
const usage = (): number => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;

function attention([b, n, h, d]: readonly number[]): Graph {
  const builder = new GraphBuilder();
  const op = <K extends OpName>(name: K, args: readonly NodeId[], attrs: OpAttrs[K]): NodeId => builder.push(name, args, attrs, { scope: '', block: '' });
  const like = (x: NodeId, shape: Shape): NodeId => op('broadcast', [x], { shape });
  const input = op('input', [], { name: 'x', shape: [b, n, 3 * h * d], dtype: 'f32' });
  const parts = op('transpose', [op('reshape', [input], { shape: [b, n, 3, h, d] })], { permutation: [2, 0, 3, 1, 4] });
  const [q, k, v] = [0, 1, 2].map((i) => op('reshape', [op('slice', [parts], { start: [i, 0, 0, 0, 0], size: [1, b, h, n, d], step: [1, 1, 1, 1, 1] })], { shape: [b, h, n, d] }));
  const scores = [b, h, n, n];
  const products = op('einsum', [q, k], { left: ['b', 'h', 'i', 'e'], right: ['b', 'h', 'j', 'e'], out: ['b', 'h', 'i', 'j'] });
  const scaled = op('mul', [products, like(op('constant', [], { value: d ** -0.5, dtype: 'f32' }), scores)], {});
  const along = (reduce: 'reduceMax' | 'reduceSum', x: NodeId): NodeId => like(op('reshape', [op(reduce, [x], { axes: [3] })], { shape: [b, h, n, 1] }), scores);
  const weights = op('exp', [op('sub', [scaled, along('reduceMax', scaled)], {})], {});
  const mixed = op('einsum', [op('div', [weights, along('reduceSum', weights)], {}), v], { left: ['b', 'h', 'i', 'j'], right: ['b', 'h', 'j', 'e'], out: ['b', 'h', 'i', 'e'] });
  const y = op('reshape', [op('transpose', [mixed], { permutation: [0, 2, 1, 3] })], { shape: [b, n, h * d] });
  return builder.finish({ name: 'attention', inputs: [{ name: 'x', node: input }], outputs: [{ name: 'y', node: y, attributes: [] }], weightRules: [] });
}

type Measurable = AttentionTilesSchedule | AttentionMatrixSchedule;

/** `matrix 2x4 k64 keep`: fragments of rows, subgroups, keys staged. Else: a thread's tile, threads, depth and keys staged. */
function format(s: Schedule): string {
  if (s.family === 'attentionMatrix') return `matrix ${s.fragments}x${s.subgroups} k${s.keys}${s.keep ? ' keep' : ''}`;
  if (s.family === 'attentionTiles') return `${s.threadM}x${s.threadN} ${s.groupM}x${s.groupN} k${s.tileK} v${s.tileV}${s.keep ? ' keep' : ''}${s.dots ? ' dots' : ''}`;
  return s.family;
}

/** Something to measure, ready to run. */
interface Contender {
  readonly name: string;
  /** Microseconds of a first run, the clock low. */
  readonly guess: number;
  /** Greatest error. */
  readonly error: number;
  readonly encode: (pass: GPUComputePassEncoder, count: number) => void;
  readonly destroy: () => void;
}

class Bench {
  constructor(private readonly device: GPUDevice, private readonly seconds: number) {}

  /** Compiles a plan and checks what it computes; `source` holds x as the plan stores it. */
  async prepare(name: string, made: Plan, source: GPUBuffer, check: (y: Float32Array) => number): Promise<Contender> {
    const { device } = this;
    const arena = device.createBuffer({ size: Math.ceil(made.arenaBytes / 4) * 4, usage: usage() });
    const place = (kind: string): Plan['buffers'][number] => made.buffers.find((b) => b.buffer.kind === kind)!;
    const codes = made.kernels.map((k) => generateKernel(k, made.target));
    const pipelines = await Promise.all(codes.map((c) => device.createComputePipelineAsync({ layout: 'auto', compute: { module: device.createShaderModule({ code: printModule(c.module) }), entryPoint: 'main' } })));
    const groups = made.steps.map((step) => device.createBindGroup({
      layout: pipelines[step.kernel].getBindGroupLayout(0),
      entries: step.args.map((id, binding) => {
        const { offset, bytes } = made.buffers.find((b) => b.buffer.id === id)!;
        return { binding, resource: { buffer: arena, offset, size: bytes } };
      }),
    }));
    const encode = (pass: GPUComputePassEncoder, count: number): void => {
      for (let i = 0; i < count; i++) {
        made.steps.forEach((step, s) => {
          pass.setPipeline(pipelines[step.kernel]);
          pass.setBindGroup(0, groups[s]);
          pass.dispatchWorkgroups(...codes[step.kernel].workgroups);
        });
      }
    };
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, arena, place('input').offset, source.size);
    device.queue.submit([encoder.finish()]);
    const contender = { name, guess: 0, error: 0, encode, destroy: () => arena.destroy() };
    const [[guess]] = await this.measure([contender], 1, () => 1);
    const { offset, bytes, buffer } = place('output');
    const raw = await this.read(arena, offset, bytes);
    const y = buffer.storage === 'f16' ? Float32Array.from(decodeF16(new Uint16Array(raw))) : new Float32Array(raw);
    return { ...contender, guess, error: check(y) };
  }

  /** Microseconds of each contender, the middle of several rounds in which all take turns: the device is never idle, so that its clock stays up. */
  async race(contenders: readonly Contender[]): Promise<number[]> {
    const count = ({ guess }: Contender): number => Math.min(1000, Math.max(1, Math.floor((this.seconds * 1e6) / ROUNDS / Math.max(1, guess))));
    // The first round brings the clock up.
    const times = await this.measure(contenders, ROUNDS + 1, count);
    return times.map(([, ...list]) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]);
  }

  /** Microseconds of a dispatch, by contender and round. */
  private async measure(contenders: readonly Contender[], rounds: number, count: (c: Contender) => number): Promise<number[][]> {
    const { device } = this;
    const passes = rounds * contenders.length;
    const queries = device.createQuerySet({ type: 'timestamp', count: 2 * passes });
    const resolved = device.createBuffer({ size: 16 * passes, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    for (let p = 0; p < passes; p++) {
      const contender = contenders[p % contenders.length];
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass({ timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 2 * p, endOfPassWriteIndex: 2 * p + 1 } });
      contender.encode(pass, count(contender));
      pass.end();
      device.queue.submit([encoder.finish()]);
    }
    const encoder = device.createCommandEncoder();
    encoder.resolveQuerySet(queries, 0, 2 * passes, resolved, 0);
    device.queue.submit([encoder.finish()]);
    const stamps = new BigUint64Array(await this.read(resolved, 0, 16 * passes));
    resolved.destroy();
    queries.destroy();
    return contenders.map((contender, c) => Array.from({ length: rounds }, (_, round) => {
      const p = round * contenders.length + c;
      return Number(stamps[2 * p + 1] - stamps[2 * p]) / 1e3 / count(contender);
    }));
  }

  private async read(from: GPUBuffer, offset: number, size: number): Promise<ArrayBuffer> {
    const staging = this.device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(from, offset, staging, 0, size);
    this.device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const copy = staging.getMappedRange().slice(0);
    staging.destroy();
    return copy;
  }
}

function lowered(graph: Graph, target: Target, storage: 'f32' | 'f16', attention: boolean): Program {
  const program = lower(graph, { fuse: true, attention: () => attention, target, storage });
  if (storage === 'f32') return program;
  // Inside of a model attention reads and writes what other kernels store.
  return {
    ...program,
    buffers: program.buffers.map((b) => (b.storage === 'f32' ? { ...b, storage } : b)),
    calls: program.calls.map((call) => ({ ...call, kernel: { ...call.kernel, params: call.kernel.params.map((p) => (p.storage === 'f32' ? { ...p, storage } : p)) } })),
  };
}

function compile(graph: Graph, target: Target, storage: 'f32' | 'f16', schedule?: Schedule): Plan {
  const { value, diagnostics } = plan(lowered(graph, target, storage, schedule !== undefined), target, { schedule: (k) => (k.stages.length >= 5 ? schedule : undefined) });
  if (!value || diagnostics.length > 0) throw new Error(diagnostics.map((d) => d.message).join('; '));
  return value;
}

/** Of each way to lay out the threads, the schedules of fewest estimated cycles. */
function worthMeasuring(graph: Graph, target: Target, storage: 'f32' | 'f16', most: number): { readonly schedules: Measurable[]; readonly chosen: Schedule } {
  const { calls: [{ kernel }] } = lowered(graph, target, storage, true);
  const best = <S extends Measurable>(list: readonly { readonly schedule: S; readonly cycles: number }[], layout: (s: S) => string): S[] => {
    const seen = new Map<string, number>();
    const ordered = [...list].sort((a, b) => a.cycles - b.cycles).map((c) => c.schedule);
    return ordered.filter((s) => seen.set(layout(s), (seen.get(layout(s)) ?? 0) + 1).get(layout(s))! <= 2).slice(0, most);
  };
  const matrices = best(attentionMatrixCandidates(kernel, target), (s) => [s.fragments, s.subgroups, s.keep].join());
  const tiles = best(attentionCandidates(kernel, target), (s) => [s.threadM, s.groupM, s.groupN].join());
  // Where there are matrix units, tiles are what to compare with.
  return { schedules: [...matrices, ...tiles.slice(0, matrices.length > 0 ? 4 : most)], chosen: chooseSchedule(kernel, target) };
}

/** Rows that are computed again for comparison. */
const CHECKED = 48;

/** The greatest difference of some rows from the same in double precision, over the greatest magnitude there. */
function distance(y: Float32Array, x: Float32Array, [b, n, h, d]: readonly number[]): number {
  let [most, scale] = [0, 1e-30];
  for (let trial = 0; trial < CHECKED; trial++) {
    const [picture, row, head] = [b, n, h].map((extent, i) => (Math.imul(trial + 1, [7919, 104729, 1299709][i]) >>> 0) % extent);
    const at = (part: number, token: number, e: number): number => x[((picture * n + token) * 3 + part) * h * d + head * d + e];
    const scores = Array.from({ length: n }, (_, key) => {
      let sum = 0;
      for (let e = 0; e < d; e++) sum += at(0, row, e) * at(1, key, e);
      return sum * d ** -0.5;
    });
    const top = Math.max(...scores);
    const weights = scores.map((s) => Math.exp(s - top));
    const total = weights.reduce((p, q) => p + q);
    for (let e = 0; e < d; e++) {
      const want = weights.reduce((sum, w, key) => sum + w * at(2, key, e), 0) / total;
      const difference = Math.abs(want - y[((picture * n + row) * h + head) * d + e]);
      most = Math.max(most, Number.isNaN(difference) ? Infinity : difference);
      scale = Math.max(scale, Math.abs(want));
    }
  }
  return most / scale;
}

async function main(): Promise<void> {
  const storage = option('dtype')?.[0] === 'f16' ? 'f16' : 'f32';
  const { adapter, device, name } = await openDevice();
  const native = { ...targetOf(device, adapter.info), software: false };
  const target = option('target')?.[0] === 'native' ? native : { ...WEB, limits: { ...WEB.limits, maxBufferSize: adapter.limits.maxBufferSize, maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize } };
  const bench = new Bench(device, Number(option('seconds')?.[0] ?? 0.1));
  const json = option('json') !== undefined;
  if (!json) console.log(`${name}, ${target.name}, ${storage}: * what the rules choose`);
  for (const shape of (option('shapes') ?? (storage === 'f16' ? F16_SHAPES : DEFAULT_SHAPES)).map((text) => text.split(',').map(Number))) {
    const [b, n, h, d] = shape;
    const graph = attention(shape);
    const x = Float32Array.from({ length: b * n * 3 * h * d }, (_, i) => ((Math.imul(i, 2654435761) >>> 8) % 1024) / 256 - 2);
    const held = storage === 'f16' ? encodeF16(x) : x;
    const source = device.createBuffer({ size: Math.ceil(held.byteLength / 4) * 4, usage: usage() });
    device.queue.writeBuffer(source, 0, held as GPUAllowSharedBufferSource);
    const { schedules, chosen } = worthMeasuring(graph, target, storage, Number(option('most')?.[0] ?? 24));
    const contenders: Contender[] = [];
    for (const schedule of [undefined, ...schedules]) {
      const name = schedule ? format(schedule) : 'three kernels';
      try {
        contenders.push(await bench.prepare(name, compile(graph, target, storage, schedule), source, (y) => distance(y, x, shape)));
      } catch (failure) {
        console.error(`${name}: ${(failure as Error).message.slice(0, 300)}`);
      }
    }
    const times = await bench.race(contenders);
    const results = contenders.map(({ name, error }, i) => ({ name, us: times[i], error })).sort((p, q) => p.us - q.us);
    for (const c of contenders) c.destroy();
    source.destroy();
    if (json) {
      console.log(JSON.stringify({ shape, chosen: format(chosen), results }));
      continue;
    }
    const flops = 4 * b * h * n * n * d;
    console.log(`\n${b} x ${n} x ${h} heads x ${d}`);
    for (const { name, us, error } of results) {
      const mark = name === format(chosen) ? '*' : ' ';
      const wrong = error > (storage === 'f16' ? 2e-3 : 1e-5) ? `   WRONG by ${error.toExponential(1)}` : '';
      console.log(`${mark} ${name.padEnd(32)} ${us.toFixed(2).padStart(10)} µs ${(flops / us / 1e6).toPrecision(3).padStart(8)} TFLOP/s${wrong}`);
    }
  }
  process.exit(0);
}

await main();

/**
 * Measures contraction schedules on the device at hand: TFLOP/s by GPU timestamps, many dispatches a submit, the clock
 * kept warm. Bundle it to one file for a machine without the sources' dependencies:
 *
 *     npx rolldown bench/gemm.ts --platform node --format esm --external webgpu --file out/gemm.mjs
 *     node out/gemm.mjs [--shapes M,N,K[,batch]:ORDER ...] [--dtype f32|f16|pair] [--schedules NAME ...] [--parts N ...] [--cold] [--between NAME ...] [--seconds 0.2] [--json]
 *
 * ORDER `nt`: both operands contiguous along the depth (weights as PyTorch stores them); `nn`: the right one along the
 * columns; `bt`, `bn`: the same with both operands in 16 x 16 blocks. A schedule NAME/8 is of the products of 8 parts of
 * the depth, which a second dispatch adds; `--parts` asks for such under the rules' schedules. Times are of both, and of
 * the products alone. `--cold` takes another copy of the right operand each time, as a model's layers do, so that it comes
 * from memory and not from the cache. `--between` runs these other schedules after each dispatch that is timed, and takes
 * their time away: what is left is what the dispatch takes where its code is not at hand. Ends with 1 where a result is wrong.
 */
import { generateKernel } from '../src/codegen/generate.ts';
import { printModule } from '../src/codegen/wgsl-print.ts';
import { targetOf } from '../src/cli/devices.ts';
import { contractionProblem } from '../src/kernel-contraction.ts';
import { axis } from '../src/kernel-index.ts';
import { binary, load, stageAt } from '../src/kernel-expr.ts';
import { fragmentProblem } from '../src/kernel-fragments.ts';
import { storedElements } from '../src/kernel-layout.ts';
import { BYTES_OF } from '../src/kernel.ts';
import type { Axis, Kernel, KernelParam, Layout } from '../src/kernel.ts';
import { PARTS, splitDepth, type DividesDepth, type SplitDepth } from '../src/lower/split-depth.ts';
import { contractionSchedule } from '../src/schedule/contraction.ts';
import { depthParts } from '../src/schedule/depth.ts';
import { chooseSchedule } from '../src/schedule/rules.ts';
import { fragmentsFit, subgroupMatrixSchedule } from '../src/schedule/subgroup-matrix.ts';
import type { ContractionSchedule, Schedule, SubgroupMatrixSchedule } from '../src/schedule.ts';
import type { Target } from '../src/targets.ts';
import { decodeF16, encodeF16 } from '../src/half.ts';
import { encodePairs } from '../src/pair.ts';
import { openDevice, option, steadyTime } from './device.ts';

type Order = 'nt' | 'nn' | 'bt' | 'bn';
/** `pair`: operands in pairs (src/pair.ts), the rest f32. */
type DType = 'f32' | 'f16' | 'pair';
type GemmSchedule = ContractionSchedule | SubgroupMatrixSchedule;

interface Shape { readonly M: number; readonly N: number; readonly K: number; readonly batch: number; readonly order: Order }

const DEFAULT_SHAPES = ['4096,4096,4096:nn', '4096,4096,4096:nt', '12608,768,768:nt', '12608,3072,768:nn', '12608,768,3072:nt', '197,768,768:nt', '197,3072,768:nn', '197,768,3072:nt', '197,192,192:nt', '197,192,192:nn', '197,768,192:nt', '1,1000,768:nt', '1,1000,768:nn', '197,197,64,12:nt', '197,64,197,12:nn', '197,197,64,768:nt', '197,64,197,768:nn'];

/** `s8x8,16x16,k16,s2,p`: staged, a thread's tile, threads, depth, threads that share a tile, prefetched. `d4x4,8x16`: direct. */
const DEFAULT_SCHEDULES = [
  ...['s8x8,16x16,k8', 's8x8,16x16,k16', 's8x8,8x16,k16', 's8x8,8x8,k16', 's8x4,16x16,k16', 's4x8,16x16,k16', 's4x4,16x16,k16', 's4x4,8x16,k16', 's4x4,8x8,k16', 's4x4,8x8,k32', 's4x4,4x8,k32'].flatMap((s) => [s, `${s},p`]),
  's8x8,8x8,k16,s2,p', 's8x8,8x8,k16,s4,p', 's4x4,8x8,k32,s2', 's4x4,8x8,k32,s4', 's4x4,8x8,k32,s4,p', 's4x4,4x8,k32,s4', 's4x4,4x8,k32,s8', 's4x4,4x8,k32,s8,p', 's4x4,4x4,k64,s8', 's4x4,4x4,k64,s16',
  'd4x4,8x16', 'd8x8,8x8', 'd4x4,8x8,s2', 'd4x4,4x8,s4', 'd4x4,4x8,s8', 'd4x4,2x8,s8', 'd4x4,2x8,s16', 'd4x4,2x4,s16', 'd4x4,4x4,s16', 'd1x4,1x8,s32', 'd1x4,1x16,s16', 'd1x4,1x4,s64', 'd1x1,1x4,s32', 'd1x1,1x8,s32', 'd1x1,1x4,s64',
];

const F16_SHAPES = ['4096,4096,4096:nt', '4096,4096,4096:nn', '4096,4096,4096:bt', '4096,4096,4096:bn', '12608,768,768:nt', '12608,768,768:bt', '12608,3072,768:nt', '12608,3072,768:bt', '12608,768,3072:bt', '197,768,768:bt', '197,768,768:nt', '208,768,768:nt'];
/**
 * `m4x2,2x2,k32,p`: subgroup matrices, fragments a subgroup, subgroups; depth staged (none: straight from memory), prefetched.
 * `h...`: the same of operands in two parts, f32 or pairs.
 */
const F16_SCHEDULES = ['m4x4,2x2,k32,p', 'm4x4,2x2,k16,p', 'm4x4,2x2,k32', 'm4x4,2x2,k16', 'm4x4,2x4,k32,p', 'm2x4,2x2,k32,p', 'm2x2,2x2,k32,p', 'm2x1,2x2,k32,p', 'm1x1,2x2,k32,p', 'm4x4,2x2', 'm4x2,2x2', 'm2x4,2x2', 'm4x4,1x4', 'm2x2,2x2', 'm2x2,1x1', 'm2x1,2x2', 'm1x2,2x2', 'm1x1,2x2', 'm1x1,1x1', 's8x8,16x16,k16', 's8x8,16x16,k16,p', 's4x4,8x8,k32,s4'];

const PAIR_SCHEDULES = ['h2x4,4x2,k32', 'h2x2,4x2,k32', 'h2x2,2x4,k32', 'h2x2,2x2,k32', 'h2x2,2x2,k64', 'h1x2,2x2,k32', 'h1x2,2x2,k64', 'h2x1,2x2,k32', 'h2x1,2x2,k64', 'h1x1,2x2,k32', 'h1x1,2x2,k64', 'h1x2,4x2,k32', 'h4x2,2x2,k32'];

function parseSchedule(name: string): GemmSchedule {
  const fragments = /^([mh])(\d+)x(\d+),(\d+)x(\d+)(?:,k(\d+))?(,p)?$/.exec(name);
  if (fragments) {
    const [fragmentsM, fragmentsN, subgroupsM, subgroupsN, tileK] = fragments.slice(2, 7).map((n) => Number(n ?? 0));
    const split = fragments[1] === 'h';
    return { family: 'subgroupMatrix', M: 16, N: 16, K: 16, fragmentsM, fragmentsN, subgroupsM, subgroupsN, subgroupSize: 32, tileK, prefetch: split || fragments[7] !== undefined, ...(split && { split }) };
  }
  const found = /^([sd])(\d+)x(\d+),(\d+)x(\d+)(?:,k(\d+))?(?:,s(\d+))?(,p)?$/.exec(name);
  if (!found) throw new Error(`no schedule: ${name}`);
  const [, kind, threadM, threadN, groupM, groupN, tileK, splitK = '1', prefetch] = found;
  const vector = Number(threadN) % 4 === 0 ? 4 : Number(threadN) % 2 === 0 ? 2 : 1;
  const base = { family: 'contraction', threadM: Number(threadM), threadN: Number(threadN), groupM: Number(groupM), groupN: Number(groupN), vector } as const;
  return { ...base, tileK: kind === 's' ? Number(tileK) : 0, splitK: Number(splitK), ...(prefetch && { prefetch: true }) };
}

function formatSchedule(s: GemmSchedule): string {
  if (s.family === 'subgroupMatrix') return `${s.split ? 'h' : 'm'}${s.fragmentsM}x${s.fragmentsN},${s.subgroupsM}x${s.subgroupsN}${s.tileK ? `,k${s.tileK}` : ''}${s.prefetch && !s.split ? ',p' : ''}`;
  return `${s.tileK ? 's' : 'd'}${s.threadM}x${s.threadN},${s.groupM}x${s.groupN}${s.tileK ? `,k${s.tileK}` : ''}${s.splitK > 1 ? `,s${s.splitK}` : ''}${s.prefetch ? ',p' : ''}`;
}

function gemm({ M, N, K, batch, order }: Shape, dtype: DType): Kernel {
  const all: Axis[] = [{ name: 'b', extent: batch }, { name: 'm', extent: M }, { name: 'n', extent: N }];
  const [b, m, n] = all.map(axis);
  const loops = all.filter((a) => a.extent > 1);
  const k: Axis = { name: 'k', extent: K };
  const transposed = order === 'nt' || order === 'bt';
  const body = binary('mul', load('x', [b, m, axis(k)]), load('w', transposed ? [b, n, axis(k)] : [b, axis(k), n]));
  const layout: Layout | undefined = order[0] === 'b' ? { blocks: [1, 16, 16] } : undefined;
  const param = (name: string, shape: number[], blocks?: Layout, access: 'read' | 'write' = 'read'): KernelParam => ({ name, shape, dtype: 'f32', storage: dtype === 'pair' && name !== 'x' && name !== 'w' ? 'f32' : dtype, layout: blocks, access });
  return {
    name: `gemm_${M}x${N}x${K}_${order}`,
    params: [param('x', [batch, M, K], layout), param('w', transposed ? [batch, N, K] : [batch, K, N], layout), param('bias', [N]), param('y', [batch, M, N], undefined, 'write')],
    stages: [
      { name: 'acc', axes: loops, reduce: { op: 'sum', axes: [k] }, body, dtype: 'f32' },
      { name: 'out', axes: loops, body: binary('add', stageAt('acc', loops.map(axis)), load('bias', [n])), dtype: 'f32' },
    ],
    stores: [{ buffer: 'y', stage: 'out', at: [b, m, n] }],
  };
}

function fits(s: GemmSchedule, kernel: Kernel, target: Target): boolean {
  const { limits } = target;
  if (s.family === 'subgroupMatrix') return target.subgroupMatrix.length > 0 && (s.tileK > 0 || fragmentProblem(kernel) !== undefined) && fragmentsFit(s, contractionProblem(kernel)!, target, s.subgroupSize);
  const threads = s.groupM * s.groupN * s.splitK;
  const partial = s.splitK > 1 ? (s.splitK / 2) * s.groupM * s.groupN * s.threadM * s.threadN : 0;
  const bytes = 4 * ((s.threadM * s.groupM + s.threadN * s.groupN) * s.tileK + partial);
  return threads <= limits.maxComputeInvocationsPerWorkgroup && threads <= limits.maxComputeWorkgroupSizeX && bytes <= limits.maxComputeWorkgroupStorageSize;
}

interface Filled {
  readonly all: GPUBuffer[];
  /** The right operand, and copies of it. */
  readonly rights: readonly GPUBuffer[];
  /** The logical values. */
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly bias: Float32Array;
}

/** Where element i of a [batch, rows, columns] parameter lies. */
function placeOf(param: KernelParam): (i: number) => number {
  if (!param.layout) return (i) => i;
  const [, rows, columns] = param.shape;
  const [down, across] = [Math.ceil(rows / 16), Math.ceil(columns / 16)];
  return (i) => {
    const [b, r, c] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns];
    return ((b * down + Math.floor(r / 16)) * across + Math.floor(c / 16)) * 256 + (r % 16) * 16 + (c % 16);
  };
}

/** One kernel of what is timed, with its buffers. */
interface Launch { readonly kernel: Kernel; readonly schedule: Schedule; readonly buffers: readonly GPUBuffer[] }

/** Both kernels of a product whose depth is divided. */
function divided(kernel: Kernel, divides: DividesDepth): SplitDepth | undefined {
  return splitDepth(kernel, divides, { products: () => `${kernel.name}_parts`, sum: () => `${kernel.name}_sum` });
}

/** Bytes that no cache holds. */
const LARGE = 160 * 2 ** 20;

/** Timed passes of a schedule; the first warms up. */
const PASSES = 6;

class Bench {
  private readonly queries: GPUQuerySet;
  private readonly resolved: GPUBuffer;
  private readonly readable: GPUBuffer;

  constructor(private readonly device: GPUDevice, private readonly target: Target, private readonly seconds: number, private readonly cold: boolean) {
    this.queries = device.createQuerySet({ type: 'timestamp', count: 2 * PASSES });
    this.resolved = device.createBuffer({ size: 16 * PASSES, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    this.readable = device.createBuffer({ size: 16 * PASSES, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** Buffers of a kernel, filled with small values that the dtype holds exactly, with all its digits; the same for all schedules. */
  buffers(kernel: Kernel, { M, N, K, batch }: Shape, dtype: DType): Filled {
    const fill = (n: number): Float32Array => {
      const values = new Float32Array(n);
      const digits = dtype === 'f16' ? 7 : 23;
      for (let i = 0, state = n; i < n; i++) values[i] = ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> (32 - digits)) / 2 ** digits - 0.5;
      return values;
    };
    const [x, w, bias] = [fill(batch * M * K), fill(batch * N * K), fill(N)];
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const all = kernel.params.map((param, p) => {
      const values = [x, w, bias][p];
      const buffer = this.device.createBuffer({ size: Math.ceil((storedElements(param) * BYTES_OF[param.storage]) / 4) * 4, usage });
      if (!values) return buffer;
      const stored = new Float32Array(Math.ceil(storedElements(param) / 2) * 2);
      const place = placeOf(param);
      for (let i = 0; i < values.length; i++) stored[place(i)] = values[i];
      this.device.queue.writeBuffer(buffer, 0, (dtype === 'f16' ? encodeF16(stored) : param.storage === 'pair' ? encodePairs(stored.subarray(0, storedElements(param))) : stored.subarray(0, storedElements(param))) as GPUAllowSharedBufferSource);
      return buffer;
    });
    const rights = [all[1], ...Array.from({ length: this.cold ? Math.ceil(LARGE / all[1].size) : 0 }, () => this.device.createBuffer({ size: all[1].size, usage }))];
    const encoder = this.device.createCommandEncoder();
    for (const copy of rights.slice(1)) encoder.copyBufferToBuffer(all[1], 0, copy, 0, copy.size);
    this.device.queue.submit([encoder.finish()]);
    return { all, rights, x, w, bias };
  }

  /** Microseconds of the launches, each waiting for the one before: the median of passes that last `seconds` together. */
  async time(launches: readonly Launch[], [right, ...copies]: readonly GPUBuffer[]): Promise<number> {
    const written = new Set(launches.flatMap(({ kernel, buffers }) => buffers.filter((_, i) => kernel.params[i].access === 'write')));
    const dispatches = await Promise.all(launches.map(async ({ kernel, schedule, buffers }) => {
      const { module: wgsl, workgroups } = generateKernel({ kernel, spaces: buffers.map((b) => (written.has(b) ? 'arena' : 'weights')), schedule }, this.target);
      const module = this.device.createShaderModule({ code: printModule(wgsl) });
      const pipeline = await this.device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
      const groups = [right, ...(buffers.includes(right) ? copies : [])].map((copy) =>
        this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer: buffer === right ? copy : buffer } })) }));
      return { pipeline, groups, workgroups };
    }));
    /** Times of `passes` passes that dispatch everything `count` times, encoded together so that the clock stays up between them. */
    const measure = async (passes: number, count: number): Promise<number[]> => {
      const encoder = this.device.createCommandEncoder();
      for (let p = 0; p < passes; p++) {
        const pass = encoder.beginComputePass({ timestampWrites: { querySet: this.queries, beginningOfPassWriteIndex: 2 * p, endOfPassWriteIndex: 2 * p + 1 } });
        for (let i = 0; i < count; i++) for (const { pipeline, groups, workgroups } of dispatches) {
          if (i === 0 || dispatches.length > 1) pass.setPipeline(pipeline);
          if (i === 0 || dispatches.length > 1 || groups.length > 1) pass.setBindGroup(0, groups[i % groups.length]);
          pass.dispatchWorkgroups(...workgroups);
        }
        pass.end();
      }
      encoder.resolveQuerySet(this.queries, 0, 2 * passes, this.resolved, 0);
      encoder.copyBufferToBuffer(this.resolved, 0, this.readable, 0, 16 * PASSES);
      this.device.queue.submit([encoder.finish()]);
      await this.readable.mapAsync(GPUMapMode.READ);
      const stamps = new BigUint64Array(this.readable.getMappedRange().slice(0));
      this.readable.unmap();
      return Array.from({ length: passes }, (_, p) => Number(stamps[2 * p + 1] - stamps[2 * p]) / 1e3 / count);
    };
    return steadyTime(measure, PASSES, this.seconds);
  }

  /** The launches of a schedule; of a divided depth, the products and their sum. */
  launches(kernel: Kernel, name: string, buffers: readonly GPUBuffer[]): { readonly all: readonly Launch[]; readonly parts?: GPUBuffer } | undefined {
    const [tile, parts] = name.split('/');
    const schedule = parseSchedule(tile);
    if (parts === undefined) return fits(schedule, kernel, this.target) ? { all: [{ kernel, schedule, buffers }] } : undefined;
    const split = divided(kernel, (_, offered) => offered.find((n) => n === Number(parts)));
    if (!split || !fits(schedule, split.products.kernel, this.target)) return undefined;
    const between = this.device.createBuffer({ size: 4 * split.parts.shape.reduce((a, b) => a * b), usage: GPUBufferUsage.STORAGE });
    const bufferOf = new Map([[PARTS, between], ...kernel.params.map((p, i) => [p.name, buffers[i]] as const)]);
    const of = (args: readonly string[]): GPUBuffer[] => args.map((a) => bufferOf.get(a)!);
    return {
      all: [{ kernel: split.products.kernel, schedule, buffers: of(split.products.args) }, { kernel: split.sum.kernel, schedule: chooseSchedule(split.sum.kernel, this.target), buffers: of(split.sum.args) }],
      parts: between,
    };
  }

  /** The rules' schedule under a divided depth. */
  dividedName(kernel: Kernel, divides: DividesDepth): string | undefined {
    const split = divided(kernel, divides);
    const schedule = split && (subgroupMatrixSchedule(split.products.kernel, this.target) ?? contractionSchedule(split.products.kernel, this.target));
    return schedule && `${formatSchedule(schedule)}/${split.parts.shape[0]}`;
  }

  /** The largest error of some results, in units of what rounding may do to sums of this depth. */
  async check({ M, N, K, batch, order }: Shape, { all, x, w, bias }: Filled, dtype: DType): Promise<number> {
    let worst = 0;
    for (let trial = 0; trial < 24; trial++) {
      const [b, m, n] = [batch, M, N].map((e, i) => (Math.imul(trial + 1, [7919, 104729, 1299709][i]) >>> 0) % e);
      const at = (b * M + m) * N + n;
      const bytes = dtype === 'f16' ? 2 : 4;
      const start = Math.floor((at * bytes) / 4) * 4;
      const staging = this.device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(all[3], start, staging, 0, 4);
      this.device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const word = staging.getMappedRange().slice(0);
      staging.destroy();
      const got = dtype === 'f16' ? decodeF16(new Uint16Array(word))[(at * bytes - start) / 2] : new Float32Array(word)[0];
      let sum = bias[n];
      for (let k = 0; k < K; k++) sum += x[(b * M + m) * K + k] * w[order[1] === 't' ? (b * N + n) * K + k : (b * K + k) * N + n];
      worst = Math.max(worst, Math.abs(sum - got) / (dtype === 'f16' ? 1e-3 * Math.max(1, Math.abs(sum)) : 1e-6 * Math.sqrt(K)));
    }
    return worst;
  }
}

async function main(): Promise<void> {
  const dtype = (option('dtype')?.[0] ?? 'f32') as DType;
  if (!['f32', 'f16', 'pair'].includes(dtype)) throw new Error(`no dtype: ${dtype}`);
  const shapes = (option('shapes') ?? (dtype === 'f16' ? F16_SHAPES : DEFAULT_SHAPES)).map((text): Shape => {
    const [extents, order] = text.split(':');
    const [M, N, K, batch = 1] = extents.split(',').map(Number);
    return { M, N, K, batch, order: order as Order };
  });
  const names = option('schedules') ?? { f32: DEFAULT_SCHEDULES, f16: F16_SCHEDULES, pair: PAIR_SCHEDULES }[dtype];
  const { adapter, device, name } = await openDevice();
  const target = targetOf(device, adapter.info);
  const bench = new Bench(device, target, Number(option('seconds')?.[0] ?? 0.2), option('cold') !== undefined);
  const json = option('json') !== undefined;
  let wrong = false;
  if (!json) console.log(`${name}: µs and TFLOP/s, * what the rules choose`);
  for (const shape of shapes) {
    const kernel = gemm(shape, dtype);
    const whole = subgroupMatrixSchedule(kernel, target) ?? contractionSchedule(kernel, target);
    const chosen = bench.dividedName(kernel, (k, offered) => depthParts(k, offered, target)) ?? (whole && formatSchedule(whole));
    const asked = (option('parts') ?? []).flatMap((n) => bench.dividedName(kernel, (_, offered) => offered.find((o) => o === Number(n))) ?? []);
    const flops = 2 * shape.M * shape.N * shape.K * shape.batch;
    const buffers = bench.buffers(kernel, shape, dtype);
    const results: { name: string; us: number; products?: number; error: number }[] = [];
    const others = (option('between') ?? []).flatMap((n) => bench.launches(kernel, n, buffers.all)?.all ?? []);
    const alone = others.length === 0 ? 0 : await bench.time(others, buffers.rights);
    for (const name of new Set([...names, ...(whole ? [formatSchedule(whole)] : []), ...asked, ...(chosen ? [chosen] : [])])) {
      const launches = bench.launches(kernel, name, buffers.all);
      if (!launches) continue;
      try {
        const products = launches.parts && (await bench.time([...launches.all.slice(0, 1), ...others], buffers.rights)) - alone;
        const us = (await bench.time([...launches.all, ...others], buffers.rights)) - alone;
        results.push({ name, us, ...(products !== undefined && { products }), error: await bench.check(shape, buffers, dtype) });
      } catch (failure) {
        console.error(`${kernel.name} ${name}: ${(failure as Error).message.slice(0, 300)}`);
      }
      launches.parts?.destroy();
    }
    for (const b of [...buffers.all, ...buffers.rights]) b.destroy();
    results.sort((a, b) => a.us - b.us);
    // NaN is wrong too.
    const isWrong = (error: number): boolean => !(error <= 1);
    wrong ||= results.some(({ error }) => isWrong(error));
    if (json) {
      console.log(JSON.stringify({ ...shape, chosen, results }));
      continue;
    }
    console.log(`\n${shape.batch > 1 ? `${shape.batch} x ` : ''}${shape.M} x ${shape.N} x ${shape.K} ${shape.order}`);
    for (const { name, us, products, error } of results) {
      const mark = name === chosen ? '*' : ' ';
      console.log(`${mark} ${name.padEnd(18)} ${us.toFixed(2).padStart(10)} µs ${(flops / us / 1e6).toPrecision(3).padStart(9)} TFLOP/s${products === undefined ? '' : `   products ${products.toFixed(2)} µs`}${isWrong(error) ? `   WRONG by ${error.toExponential(1)}` : ''}`);
    }
  }
  process.exit(wrong ? 1 : 0);
}

await main();

/** `vitc profile-device`: measures what predictions need of the device at hand, and writes it as a profile. */
import { Command } from 'commander';
import { buildGraph, Sources } from '../../compile.ts';
import { error } from '../../diagnostics.ts';
import { readProfile, type Profile } from '../../profiles.ts';
import { formatBytes, formatCount } from '../../units.ts';
import { seededWeight } from '../../weights/seeded.ts';
import { copyBandwidth, dispatchTime, fillingWorkgroups, latencies, readBandwidth } from '../device-probes.ts';
import { openDevice, type GpuDevice } from '../devices.ts';
import { CliError, EXIT } from '../errors.ts';
import { packageExecutor } from '../executor.ts';
import { writeWhole } from '../outputs.ts';
import { measureSteps } from '../measuring.ts';
import { deviceOption, jsonOption, type CommandMaker } from '../options.ts';
import { seconds } from '../report-text.ts';
import { print, say } from '../terminal.ts';

export const profileDeviceCommand: CommandMaker = () =>
  new Command('profile-device')
    .description('measure bandwidth, rates and dispatch cost of the device at hand, for `report --profile FILE`')
    .option('-o, --output <file>', 'where to write the profile', 'device-profile.json')
    .option('--name <name>', "the profile's name; the device's otherwise")
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (options: { output: string; name?: string; device: Parameters<typeof openDevice>[0]; json?: boolean }) => {
      const opened = await openDevice(options.device);
      if (opened.kind === 'cpu') throw new CliError(error('E0905', 'the evaluator is not measured'), EXIT.usage);
      if (!opened.device.features.has('timestamp-query')) throw new CliError(error('E0905', `${opened.description} has no timestamps, so that its kernels cannot be timed`), EXIT.noDevice);
      say(`measuring ${opened.description}`);
      const profile = await measureProfile(opened, options.name ?? nameOf(opened.description));
      const text = `${JSON.stringify(profile, null, 2)}\n`;
      const checked = readProfile(text);
      if (typeof checked === 'string') throw new Error(`bug: the profile that was measured is none: ${checked}`);
      writeWhole(options.output, text);
      if (options.json) {
        print(text.trimEnd());
        return;
      }
      print(`memory ${formatBytes(profile.bandwidth)}/s, cache ${formatBytes(profile.cache.bytes)} at ${formatBytes(profile.cache.bandwidth)}/s`);
      print(`f32 ${formatCount(profile.rates.f32)}FLOP/s${profile.rates.f16 === undefined ? '' : `, f16 ${formatCount(profile.rates.f16)}FLOP/s`}, dispatch ${seconds(profile.dispatch)}, latency ${seconds(profile.latency.memory)} (workgroup memory ${seconds(profile.latency.local)}, barrier ${seconds(profile.latency.barrier)}), ${profile.cores.count} cores`);
      say(`wrote ${options.output}`);
    });

function nameOf(description: string): string {
  return description.toLowerCase().replace(/\(.*\)/, '').trim().replace(/[^a-z0-9]+/g, '-');
}

async function measureProfile(opened: GpuDevice, name: string): Promise<Profile> {
  const { device, target } = opened;
  const software = opened.kind === 'software';
  const room = Math.min(target.limits.maxStorageBufferBindingSize, target.limits.maxBufferSize, (software ? 64 : 512) << 20);
  const whole = 2 ** Math.floor(Math.log2(room));
  // Clocks rise under load: the first figures of an idle device are too low.
  await copyBandwidth(device, whole / 4);
  const bandwidth = await copyBandwidth(device, whole);
  const dispatch = await dispatchTime(device);
  const { count, rate } = await fillingWorkgroups(device, software ? 64 : 4096, software ? 16 : 4096);
  const cache = await measureCache(device, whole, software ? 8 : 4 * count, bandwidth);
  const n = software ? 256 : 4096;
  const products = [await product(opened, 'f32', n, n, n), await product(opened, 'f32', n, n, n / 64)];
  const f32 = Math.max(...products.map((p) => p.flops / p.seconds));
  const latency = await latencies(device, 1 << 20);
  const lanes = software ? 4 : 128;
  const f16 = target.subgroupMatrix.length > 0 ? await product(opened, 'f16', n, n, n) : undefined;
  const shown = (what: string): string => `measured on ${opened.description}: ${what}`;
  return {
    name,
    description: opened.description,
    bandwidth,
    cache,
    rates: { f32, ...(f16?.matrixUnits && { f16: f16.flops / f16.seconds }) },
    dispatch,
    fetch: software ? 1e-10 : 2e-9,
    cores: { count, lanes, clock: rate / (count * lanes), invocations: software ? 256 : 2048, memory: 2 * target.limits.maxComputeWorkgroupStorageSize },
    latency,
    sources: {
      bandwidth: shown(`copy of ${formatBytes(whole)}`),
      cache: shown('sets read again and again'),
      rates: shown(`generated matrix product of side ${n}`),
      dispatch: shown('chain of dependent dispatches of four programs in one pass'),
      fetch: 'assumed',
      cores: `${shown('workgroups of 256 that reach the full arithmetic rate, and multiply-adds a second')}; ${lanes} lanes and what a core holds at once are assumed`,
      latency: shown('chains of loads that depend on each other, of workgroup memory too, and of barriers'),
    },
  };
}

/** The rate of sets that fit, and the largest set that is read faster than halfway (in ratio) between that and memory. */
async function measureCache(device: GPUDevice, most: number, workgroups: number, memory: number): Promise<Profile['cache']> {
  const sizes: number[] = [];
  for (let bytes = 256 << 10; bytes <= most; bytes *= 2) sizes.push(bytes);
  const rates: number[] = [];
  for (const bytes of sizes) rates.push(await readBandwidth(device, bytes, workgroups));
  const bandwidth = Math.max(memory, ...rates);
  const fast = sizes.filter((_, i) => rates[i] > Math.sqrt(bandwidth * Math.min(memory, rates.at(-1)!)));
  return { bytes: fast.at(-1) ?? sizes[0], bandwidth };
}

const SOURCE = `
model Product(m, n, k) {
  input a: [m, k]
  param b: [k, n]
  param c: [n, n]
  x = einsum("m k, k n -> m n", a, b)
  output y = einsum("m k, k n -> m n", x, c)
}
`;

interface Product {
  readonly seconds: number;
  readonly flops: number;
  readonly matrixUnits: boolean;
}

/** The kernel that the compiler makes for [m, k] times [k, n]: with f16, of operands that are stored so. */
async function product(opened: GpuDevice, dtype: 'f32' | 'f16', m: number, n: number, k: number): Promise<Product> {
  const sources = new Sources({ read: (path) => (path === 'product.vit' ? SOURCE : undefined) });
  const { value: graph, diagnostics } = buildGraph(sources, { entry: 'product.vit', settings: { m, n, k } });
  if (!graph) throw new Error(`bug: ${diagnostics[0]?.message}`);
  const executor = await packageExecutor({ graph, read: (name, shape) => seededWeight(name, shape), dtype, opened });
  try {
    const measured = (await measureSteps(executor, 0.3))!;
    const { plan } = executor.compilation;
    // With f16 the first product reads its f32 input; the second has what is wanted.
    const index = dtype === 'f16' ? plan.steps.length - 1 : 0;
    const step = plan.steps[index];
    return {
      seconds: measured.steps[index],
      flops: step.call.ops.reduce((sum, op) => sum + op.flops, 0),
      matrixUnits: plan.kernels[step.kernel].schedule.family === 'subgroupMatrix',
    };
  } finally {
    executor.close();
  }
}

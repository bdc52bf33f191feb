/** Measures models beside their peers: everything prepared first, then one model at a time, windows that alternate. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parametersOf } from '../compile.ts';
import { sizeOf } from '../graph.ts';
import { medianTiming, type CaseResult, type Place, type Setting, type Times, type Timing } from './comparison.ts';
import type { GpuDevice } from './devices.ts';
import { loadPackage, type AnyModel } from './executor.ts';
import { deviceCalls, randomInputs, sampleWindow, timed } from './measuring.ts';
import { findModel, graphOf, targetInfo } from './model.ts';
import { PeerError } from './peer-process.ts';
import type { OpenPeer, PeerModel, Peers } from './peers.ts';

export interface CompareRequest {
  readonly settings: readonly Setting[];
  readonly peers: Peers;
  readonly opened: GpuDevice;
  /** Options of `vitc compile` that all models take: target, weights. */
  readonly compileOptions: readonly string[];
  /** Seconds that each figure is measured for. */
  readonly seconds: number;
  readonly onPrepared: (done: number, total: number) => void;
  readonly onResult: (result: CaseResult) => void;
}

/** Turns in which every contender has a window. */
const ROUNDS = 3;
/** Seconds of load before the first window: an idle GPU's clock is a fraction of its busy one. */
const WARM = 0.4;

/** A model's facts that do not depend on the setting. */
interface ModelFacts {
  readonly graph: ReturnType<typeof graphOf>;
  /** The name that peers know it by: the preset's. */
  readonly peerName: string;
  /** Whether the preset names weights of its own. */
  readonly ownWeights: boolean;
}

export async function comparePeers(request: CompareRequest): Promise<CaseResult[]> {
  const { settings, peers, opened } = request;
  const facts = new Map<string, ModelFacts>();
  for (const { model } of settings) {
    if (facts.has(model)) continue;
    const found = findModel(model);
    facts.set(model, { graph: graphOf(found), peerName: found.target ?? model, ownWeights: targetInfo(found)?.weights !== undefined });
  }
  const folder = mkdtempSync(join(tmpdir(), 'vitc-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.on('exit', remove);
  try {
    const files = await prepare(request, facts, folder);
    const results: CaseResult[] = [];
    for (const [i, setting] of settings.entries()) {
      const peerModel = peerModelOf(facts.get(setting.model)!, setting);
      const result = await measureCase({ setting, peerModel, peers, opened, ...files[i], seconds: request.seconds });
      rmSync(join(folder, String(i)), { recursive: true, force: true });
      results.push(result);
      request.onResult(result);
    }
    return results;
  } finally {
    remove();
    process.off('exit', remove);
  }
}

/** What peers are asked for: their models take a picture and give one tensor. Otherwise why there is no such peer. */
function peerModelOf({ graph, peerName }: ModelFacts, { dtype, batch }: Setting): PeerModel | PeerError {
  const shapes = [graph.inputs, graph.outputs].map((ports) => ports.map(({ node }) => [batch, ...graph.nodes[node].shape.slice(1)]));
  const [[shape, ...moreInputs], [output, ...moreOutputs]] = shapes;
  if (moreInputs.length > 0 || moreOutputs.length > 0 || shape?.length !== 4) return new PeerError(`${peerName} is no model from one picture to one tensor, as timm's are`);
  return { model: peerName, dtype, shape, output, weights: parametersOf(graph).reduce((sum, p) => sum + sizeOf(p.shape), 0) };
}

interface Prepared {
  /** The package's folder, and the ONNX file; or why there is none. */
  readonly packaged: string | Error;
  readonly onnx: string | PeerError;
}

/** Compiles every package and exports every ONNX file, as many at once as there is room for. */
async function prepare({ settings, peers, compileOptions, onPrepared }: CompareRequest, facts: ReadonlyMap<string, ModelFacts>, folder: string): Promise<Prepared[]> {
  const packaged: Prepared['packaged'][] = [];
  const onnx: Prepared['onnx'][] = settings.map(() => new PeerError('no ONNX file was asked for'));
  const total = settings.length * (peers.readsOnnx ? 2 : 1);
  let done = 0;
  const count = (): void => onPrepared(++done, total);
  const compile = async (i: number): Promise<void> => {
    const { model, dtype, inputs, batch } = settings[i];
    const out = join(folder, String(i), 'package');
    const seed = compileOptions.includes('--weights') || compileOptions.includes('--seed') || facts.get(model)!.ownWeights ? [] : ['--seed', '1'];
    packaged[i] = await runCompile([model, '-o', out, '--batch', String(batch), '--dtype', dtype, '--inputs', inputs, ...compileOptions, ...seed]).then(() => out, (failure: Error) => failure);
    count();
  };
  // A process keeps the model that it exported last, so that one takes all of a model.
  const exportModel = async (model: string, torch: ReturnType<Peers['newTorch']>): Promise<void> => {
    for (const [i, setting] of settings.entries()) {
      if (setting.model !== model) continue;
      const file = join(folder, `${i}.onnx`);
      const wanted = peerModelOf(facts.get(model)!, setting);
      onnx[i] = wanted instanceof PeerError ? wanted : await torch.ask('export', { ...wanted, file }).then(() => file, (failure: PeerError) => failure);
      count();
    }
  };
  const cores = availableParallelism();
  const compiling = inTurns(settings.map((_, i) => i), Math.max(1, Math.min(8, cores >> 1)), () => ({ run: compile, end: () => {} }));
  const exporting = !peers.readsOnnx
    ? undefined
    : inTurns([...facts.keys()], Math.max(1, Math.min(4, cores >> 2)), () => {
        const torch = peers.newTorch();
        return { run: (model: string) => exportModel(model, torch), end: () => torch.close() };
      });
  await Promise.all([compiling, exporting]);
  return settings.map((_, i) => ({ packaged: packaged[i], onnx: onnx[i] }));
}

/** Work through a list by some workers at once, each with what it holds. */
async function inTurns<T>(list: readonly T[], workers: number, start: () => { run: (item: T) => Promise<void>; end: () => void }): Promise<void> {
  const left = [...list];
  const work = async (): Promise<void> => {
    const worker = start();
    try {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await worker.run(item);
    } finally {
      worker.end();
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, list.length) }, work));
}

/** `vitc compile` in a process of its own. */
function runCompile(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], 'compile', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`vitc compile ended with ${code}: ${said.trim().split('\n')[0] ?? ''}`))));
  });
}

interface Contender {
  readonly name: string;
  readonly places: readonly Place[];
  sample(place: Place, seconds: number): Promise<number[]>;
}

interface CaseRequest extends Prepared {
  readonly setting: Setting;
  readonly peerModel: PeerModel | PeerError;
  readonly peers: Peers;
  readonly opened: GpuDevice;
  readonly seconds: number;
}

async function measureCase({ setting, peerModel, peers, opened, packaged, onnx, seconds }: CaseRequest): Promise<CaseResult> {
  const runsOn = opened.kind === 'gpu' ? 'gpu' : 'cpu';
  const loaded = await loadOurs(packaged, opened);
  const refused = peerModel instanceof PeerError ? peers.names.map((name): OpenPeer => ({ name, error: peerModel.message, places: [], sample: () => Promise.reject(peerModel) })) : undefined;
  const others = refused ?? (await peers.open(peerModel as PeerModel, onnx));
  const contenders: Contender[] = [...('error' in loaded ? [] : [{ name: 'vitc', places: ['whole', 'device'] as const, sample: loaded.sample }]), ...others];
  const samples = new Map<string, number[]>();
  const failed = new Map<string, string>();
  if (!('error' in loaded)) await loaded.sample('device', WARM).catch(() => {});
  for (let round = 0; round < ROUNDS; round++) {
    for (const place of ['whole', 'device'] as const) {
      for (const { name, places, sample } of contenders) {
        if (!places.includes(place) || failed.has(name)) continue;
        try {
          const key = `${name} ${place}`;
          samples.set(key, [...(samples.get(key) ?? []), ...(await sample(place, seconds / ROUNDS))]);
        } catch (failure) {
          failed.set(name, (failure as Error).message);
        }
      }
    }
  }
  const clocks = gpuState('clocks.sm,power.draw');
  if (!('error' in loaded)) loaded.close();
  await peers.closeModels();
  const timesOf = (name: string, base: Omit<Times, Place>): Times => {
    const timing = (place: Place): Timing | undefined => {
      const found = samples.get(`${name} ${place}`);
      return found && medianTiming(found);
    };
    const why = failed.get(name) ?? base.error;
    return { ...base, whole: timing('whole'), device: timing('device'), ...(why !== undefined && { error: why }) };
  };
  const ours = timesOf('vitc', 'error' in loaded ? { error: loaded.error } : { runsOn, load: loaded.load, first: loaded.first });
  // What WebGPU gives another program of this environment is the adapter that it gives this one.
  const peerTimes = others.map(({ name, load, first, error, runsOn: there = runsOn }): [string, Times] => [name, timesOf(name, { runsOn: there, load, first, error })]);
  return { ...setting, ours, peers: Object.fromEntries(peerTimes), ...(clocks !== undefined && { clocks }) };
}

type Ours = { readonly load: number; readonly first: number; readonly sample: Contender['sample']; readonly close: () => void };

async function loadOurs(packaged: Prepared['packaged'], opened: GpuDevice): Promise<Ours | { readonly error: string }> {
  try {
    if (typeof packaged !== 'string') throw packaged;
    const start = performance.now();
    const { model, inputs: ports, close } = await loadPackage(packaged, opened);
    const load = performance.now() - start;
    const inputs = randomInputs(ports);
    const first = await timed(() => model.run(inputs));
    return { load, first, sample: samplerOf(model, inputs), close };
  } catch (failure) {
    return { error: (failure as Error).message };
  }
}

function samplerOf(model: AnyModel, inputs: ReturnType<typeof randomInputs>): Contender['sample'] {
  return async (place, seconds) => sampleWindow(seconds, place === 'whole' ? () => timed(() => model.run(inputs)) : await deviceCalls(model));
}

/** What NVIDIA's driver tells of the GPU; undefined where it is not there. */
export function gpuState(fields: string): string | undefined {
  const { status, stdout } = spawnSync('nvidia-smi', [`--query-gpu=${fields}`, '--format=csv,noheader'], { encoding: 'utf8', timeout: 5000 });
  return status === 0 ? stdout.trim().split('\n')[0] : undefined;
}

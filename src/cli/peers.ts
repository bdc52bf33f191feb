/** The peers that `vitc bench` compares with: what they are, where they are found, how they are asked. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { error } from '../diagnostics.ts';
import { suggest } from '../suggest.ts';
import type { Place } from './comparison.ts';
import { CliError, EXIT } from './errors.ts';
import { PACKAGE_ROOT } from './files.ts';
import { PeerError, PeerProcess } from './peer-process.ts';

/** A way to run a model in PyTorch, or an execution provider of ONNX Runtime. */
type Peer = { readonly program: 'torch'; readonly way: 'eager' | 'graph' | 'compile' } | { readonly program: 'onnxruntime'; readonly provider: 'webgpu' | 'cpu' };

export const PEERS = {
  'torch-eager': { program: 'torch', way: 'eager' },
  'torch-graph': { program: 'torch', way: 'graph' },
  'torch-compile': { program: 'torch', way: 'compile' },
  'ort-webgpu': { program: 'onnxruntime', provider: 'webgpu' },
  'ort-cpu': { program: 'onnxruntime', provider: 'cpu' },
} as const satisfies Record<string, Peer>;
export type PeerName = keyof typeof PEERS;

export const DEFAULT_PEERS: readonly PeerName[] = ['torch-eager', 'torch-graph', 'ort-webgpu'];

/** Names with commas between; E0905. */
export function parsePeers(list: string): PeerName[] {
  return list.split(',').map((text) => {
    const name = text.trim();
    if (Object.hasOwn(PEERS, name)) return name as PeerName;
    const near = suggest(name, Object.keys(PEERS));
    throw new CliError(error('E0905', `there is no peer ${JSON.stringify(name)}`, undefined, { help: near ? `did you mean ${near}?` : `peers are ${Object.keys(PEERS).join(', ')}; models come before --peers` }), EXIT.usage);
  });
}

/** What a peer is given: a picture model by timm's name, in one precision, with one shape. */
export interface PeerModel {
  readonly model: string;
  readonly dtype: 'f32' | 'f16';
  readonly shape: readonly number[];
  /** Numbers among the parameters; a peer with another count has another model. */
  readonly weights: number;
  readonly output: readonly number[];
}

/** A model that a peer has open. */
export interface OpenPeer {
  readonly name: PeerName;
  readonly runsOn?: 'gpu' | 'cpu';
  readonly load?: number;
  readonly first?: number;
  /** Why it is not open; then it has no places. */
  readonly error?: string;
  readonly places: readonly Place[];
  /** Milliseconds of calls, over at least `seconds`. */
  sample(place: Place, seconds: number): Promise<number[]>;
}

const folder = (): string => join(PACKAGE_ROOT, 'bench', 'peers');

/** Programs of peers that answer, started for a run. */
export class Peers {
  readonly versions: Record<string, string> = {};
  /** What is missing, for people. */
  readonly missing: string[] = [];
  readonly names: PeerName[] = [];
  #torch?: PeerProcess;
  #onnxruntime?: PeerProcess;
  #torchRunsOn?: 'gpu' | 'cpu';

  private constructor(private readonly python: string, private readonly seconds: number) {}

  /** Starts what is needed for `wanted`, and says what is not there; a request that takes longer than `seconds` is given up. */
  static async find(wanted: readonly PeerName[], python: string, seconds: number): Promise<Peers> {
    const peers = new Peers(python, seconds);
    if (!existsSync(folder())) {
      peers.missing.push(`${folder()} is not there: it holds the programs that measure peers`);
      return peers;
    }
    // ONNX Runtime is given files that PyTorch writes.
    const torch = wanted.length > 0 && (await peers.#findTorch());
    const onnxruntime = wanted.some((n) => PEERS[n].program === 'onnxruntime') && (await peers.#findOnnxRuntime());
    if (onnxruntime && !torch) peers.missing.push('without PyTorch and timm nothing exports the ONNX files that ONNX Runtime reads');
    for (const name of wanted) {
      const peer: Peer = PEERS[name];
      if (torch && (peer.program === 'torch' || onnxruntime)) peers.names.push(name);
    }
    return peers;
  }

  async #findTorch(): Promise<boolean> {
    try {
      const torch = this.newTorch();
      const hello = await torch.ask<{ torch: string; timm: string; cuda: string | null; device: string; runsOn: 'gpu' | 'cpu' }>('hello');
      this.#torch = torch;
      this.#torchRunsOn = hello.runsOn;
      Object.assign(this.versions, { torch: hello.torch, timm: hello.timm, 'torch device': hello.device });
      return true;
    } catch (failure) {
      if (!(failure instanceof PeerError)) throw failure;
      this.missing.push(`no PyTorch with timm: ${this.python} ${failure.message}`);
      return false;
    }
  }

  async #findOnnxRuntime(): Promise<boolean> {
    const onnxruntime = new PeerProcess(process.execPath, [join(folder(), 'onnxruntime_peer.mjs')], this.seconds);
    try {
      const hello = await onnxruntime.ask<{ version?: string }>('hello');
      this.#onnxruntime = onnxruntime;
      this.versions['onnxruntime-node'] = hello.version ?? 'unknown';
      return true;
    } catch (failure) {
      if (!(failure instanceof PeerError)) throw failure;
      this.missing.push(`no onnxruntime-node in the working folder's node_modules or NODE_PATH: its program ${failure.message}`);
      return false;
    }
  }

  /** Whether some peer reads ONNX files. */
  get readsOnnx(): boolean {
    return this.names.some((n) => PEERS[n].program === 'onnxruntime');
  }

  /** Another process with PyTorch, to export beside others. */
  newTorch(): PeerProcess {
    return new PeerProcess(this.python, [join(folder(), 'torch_peer.py')], this.seconds);
  }

  /** Every peer with the model open, or why it is not; `onnx` is the model's file, or why there is none. */
  async open(model: PeerModel, onnx: string | PeerError): Promise<OpenPeer[]> {
    const torchNames = this.names.filter((n) => PEERS[n].program === 'torch');
    const opened = torchNames.length === 0 ? [] : await this.#openTorch(model, torchNames);
    for (const name of this.names) if (PEERS[name].program === 'onnxruntime') opened.push(await this.#openOnnx(name, onnx));
    return opened;
  }

  async #openTorch({ model, dtype, shape, weights, output }: PeerModel, names: readonly PeerName[]): Promise<OpenPeer[]> {
    const torch = this.#torch!;
    const ways = names.map((n) => (PEERS[n] as Extract<Peer, { program: 'torch' }>).way);
    let refused: Readonly<Record<string, string>>;
    try {
      const answer = await torch.ask<{ weights: number; output: number[]; refused: Record<string, string> }>('open', { model, dtype, shape, ways });
      if (answer.weights !== weights) throw new PeerError(`timm's ${model} has ${answer.weights} weights, ours ${weights}: they are not one model`);
      if (answer.output.join() !== output.join()) throw new PeerError(`timm's ${model} gives [${answer.output.join(', ')}], ours [${output.join(', ')}]: they are not one model`);
      refused = answer.refused;
    } catch (failure) {
      return names.map((name) => closed(name, failure));
    }
    return names.map((name, i) => {
      if (Object.hasOwn(refused, ways[i])) return closed(name, new PeerError(refused[ways[i]]));
      const sample = async (place: Place, seconds: number): Promise<number[]> => (await torch.ask<{ samples: number[] }>('time', { way: ways[i], where: place, seconds })).samples;
      return { name, runsOn: this.#torchRunsOn, places: ['whole', 'device'], sample };
    });
  }

  async #openOnnx(name: PeerName, file: string | PeerError): Promise<OpenPeer> {
    const { provider } = PEERS[name] as Extract<Peer, { program: 'onnxruntime' }>;
    const runtime = provider === 'cpu' ? this.#own() : this.#onnxruntime!;
    try {
      if (typeof file !== 'string') throw file;
      const { load, first } = await runtime.ask<{ load: number; first: number }>('open', { file, provider });
      const sample = async (_: Place, seconds: number): Promise<number[]> => (await runtime.ask<{ samples: number[] }>('time', { seconds })).samples;
      return { name, ...(provider === 'cpu' && { runsOn: 'cpu' as const }), load, first, places: ['whole'], sample };
    } catch (failure) {
      return closed(name, failure);
    }
  }

  #cpu?: PeerProcess;

  /** The CPU's provider has a process of its own, so that both sessions are open at once. */
  #own(): PeerProcess {
    return (this.#cpu ??= new PeerProcess(process.execPath, [join(folder(), 'onnxruntime_peer.mjs')], this.seconds));
  }

  /** Frees what the models opened last hold. */
  async closeModels(): Promise<void> {
    for (const process of [this.#torch, this.#onnxruntime, this.#cpu]) await process?.ask('close').catch(() => {});
  }

  close(): void {
    for (const process of [this.#torch, this.#onnxruntime, this.#cpu]) process?.close();
  }
}

function closed(name: PeerName, failure: unknown): OpenPeer {
  if (!(failure instanceof PeerError)) throw failure;
  return { name, error: failure.message, places: [], sample: () => Promise.reject(failure) };
}

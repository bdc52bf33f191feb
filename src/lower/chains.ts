/**
 * Chains of calls as one kernel: where a few small ones follow each other, most of their time is starting them. The calls
 * are divided into chains so that most is gained in all, as whoever is asked finds of each.
 */
import { BYTES_OF, type Buffer, type BufferId, type Kernel, type KernelCall, type Program } from '../kernel.ts';
import { Finisher, type DraftBuffer } from './finish.ts';
import { joinCalls, type Surroundings, type WeightPack } from './join-calls.ts';

export interface ChainOptions {
  /** Whether a kernel may be part of a chain at all. */
  readonly maySuit: (kernel: Kernel) => boolean;
  /** How much faster this kernel is than these, which compute the same together; 0: not. */
  readonly gain: (joined: Kernel, parts: readonly Kernel[]) => number;
  /** Storage buffers in one kernel. */
  readonly maxBuffers: number;
  /** Bytes of a buffer, also of one in which weights are packed. */
  readonly maxBytes: number;
}

export interface ChainedProgram {
  readonly program: Program;
  /** Weights that are made of several, flat one after the other: their names by the new one's. */
  readonly packs: ReadonlyMap<string, readonly string[]>;
}

/** Calls in a chain at most. */
const LONGEST = 10;
/** Chains in a row that gain nothing after which no longer one is tried: at first, and once one has gained something. */
const PATIENCE = [3, 2] as const;

export function chainCalls(program: Program, options: ChainOptions): ChainedProgram {
  return new Chaining(program, options).run();
}

interface Chain {
  readonly kernel: Kernel;
  readonly args: readonly BufferId[];
  readonly packs: readonly WeightPack[];
  /** How many. */
  readonly calls: number;
  readonly gain: number;
}

class Chaining {
  readonly #buffers: Map<BufferId, Buffer>;
  readonly #readers = new Map<BufferId, number[]>();
  readonly #packs = new Map<string, readonly string[]>();
  readonly #suits = new Map<Kernel, boolean>();
  readonly #numbers = new Map<Kernel, number>();
  readonly #joined = new Map<string, Chain | undefined>();

  constructor(
    private readonly program: Program,
    private readonly options: ChainOptions,
  ) {
    this.#buffers = new Map(program.buffers.map((b) => [b.id, b]));
    program.calls.forEach(({ kernel, args }, i) => {
      args.forEach((id, p) => {
        if (kernel.params[p].access === 'read') this.#readers.set(id, [...(this.#readers.get(id) ?? []), i]);
      });
    });
  }

  run(): ChainedProgram {
    const calls: KernelCall[] = [];
    for (const { first, chain } of this.#division()) calls.push(chain ? this.#call(first, chain) : this.program.calls[first]);
    const used = new Set(calls.flatMap((c) => c.args));
    const before = new Set(this.program.calls.flatMap((c) => c.args));
    // What nothing touched before stays: inputs are bound whether they are read or not.
    const buffers = [...this.#buffers.values()].filter((b) => used.has(b.id) || (!before.has(b.id) && !this.#packs.has(b.name)));
    return { program: { ...this.program, buffers, calls }, packs: this.#packs };
  }

  /** Where calls are joined so that most is gained in all: by the best division of the calls from each one on. */
  #division(): { readonly first: number; readonly chain?: Chain }[] {
    const { calls } = this.program;
    const best: { readonly gain: number; readonly chain?: Chain }[] = new Array(calls.length + 1).fill({ gain: 0 });
    for (let first = calls.length - 1; first >= 0; first--) {
      best[first] = { gain: best[first + 1].gain };
      for (const chain of this.#chainsFrom(first)) {
        const gain = chain.gain + best[first + chain.calls].gain;
        if (gain > best[first].gain) best[first] = { gain, chain };
      }
    }
    const division: { readonly first: number; readonly chain?: Chain }[] = [];
    for (let first = 0; first < calls.length; first += best[first].chain?.calls ?? 1) division.push({ first, chain: best[first].chain });
    return division;
  }

  /** The chains that begin with a call and gain something, of one call too: in other stages, it may be a chain itself. */
  #chainsFrom(first: number): Chain[] {
    const { calls } = this.program;
    const found: Chain[] = [];
    const made = new Set<BufferId>();
    for (let end = first + 1; end <= Math.min(calls.length, first + LONGEST); end++) {
      const { kernel, args } = calls[end - 1];
      const readsMade = args.some((id, p) => kernel.params[p].access === 'read' && made.has(id));
      if (!this.#maySuit(kernel) || (made.size > 0 && !readsMade)) break;
      args.forEach((id, p) => kernel.params[p].access === 'write' && made.add(id));
      const joined = this.#join(calls.slice(first, end), first);
      if (!joined) break;
      if (joined.gain > 0) found.push(joined);
      else if (end - first - (found.at(-1)?.calls ?? 0) >= PATIENCE[Math.min(found.length, 1)]) break;
    }
    return found;
  }

  #maySuit(kernel: Kernel): boolean {
    let suits = this.#suits.get(kernel);
    if (suits === undefined) this.#suits.set(kernel, (suits = this.options.maySuit(kernel)));
    return suits;
  }

  #join(run: readonly KernelCall[], first: number): Chain | undefined {
    const ids = [...new Set(run.flatMap((c) => c.args))];
    const isPassed = (id: BufferId): boolean => this.#buffers.get(id)!.kind !== 'output' && (this.#readers.get(id) ?? []).every((i) => i >= first && i < first + run.length);
    // Layers are alike: what is joined once serves for all, with buffers named by their order.
    const nameOf = new Map(ids.map((id, i) => [id, `b${i}`]));
    const key = JSON.stringify([
      run.map(({ kernel, args }) => [this.#numberOf(kernel), args.map((id) => nameOf.get(id))]),
      ids.map((id) => [this.#buffers.get(id)!.kind === 'weight', this.#buffers.get(id)!.shape, isPassed(id)]),
    ]);
    if (!this.#joined.has(key)) {
      const idOf = new Map(ids.map((id) => [nameOf.get(id)!, id]));
      const named = run.map((c) => ({ ...c, args: c.args.map((id) => nameOf.get(id)!) }));
      this.#joined.set(key, this.#joinNamed(named, { bufferOf: (name) => this.#buffers.get(idOf.get(name)!)!, isPassed: (name) => isPassed(idOf.get(name)!) }));
    }
    const chain = this.#joined.get(key);
    if (!chain) return undefined;
    const actual = (name: string): BufferId => ids[[...nameOf.values()].indexOf(name)] ?? name;
    return { ...chain, args: chain.args.map(actual), packs: chain.packs.map((p) => ({ ...p, weights: p.weights.map(actual) })) };
  }

  #joinNamed(run: readonly KernelCall[], around: Surroundings): Chain | undefined {
    const joined = joinCalls(run, around, () => (run.length === 1 ? run[0].kernel.name : `chain${run.length}_${run.at(-1)!.kernel.name}`));
    if (!joined) return undefined;
    const packed = new Map(joined.packs.map((p): [string, DraftBuffer] => [p.name, { shape: [p.elements], dtype: 'f32', storage: p.storage }]));
    const { kernel, args } = new Finisher((name) => packed.get(name) ?? around.bufferOf(name)).finish(joined.draft);
    const { maxBuffers, maxBytes } = this.options;
    const fits = kernel.params.length <= maxBuffers && joined.packs.every((p) => p.elements * BYTES_OF[p.storage] <= maxBytes);
    return { kernel, args, packs: joined.packs, calls: run.length, gain: fits ? this.options.gain(kernel, run.map((c) => c.kernel)) : 0 };
  }

  #numberOf(kernel: Kernel): number {
    let number = this.#numbers.get(kernel);
    if (number === undefined) this.#numbers.set(kernel, (number = this.#numbers.size));
    return number;
  }

  #call(first: number, { kernel, args, packs, calls }: Chain): KernelCall {
    const run = this.program.calls.slice(first, first + calls);
    const packed = new Map(packs.map((p) => [p.name, this.#packed(p)]));
    return { kernel, args: args.map((id) => packed.get(id) ?? id), origin: run.at(-1)!.origin, ops: run.flatMap((c) => c.ops) };
  }

  #packed({ weights, elements, storage }: WeightPack): BufferId {
    if (weights.length === 1) return weights[0];
    const names = weights.map((id) => this.#buffers.get(id)!.name);
    const name = `${names[0]}~packed`;
    const id = `k${this.#packs.size}`;
    this.#packs.set(name, names);
    this.#buffers.set(id, { id, shape: [elements], dtype: 'f32', storage, kind: 'weight', name });
    return id;
  }
}

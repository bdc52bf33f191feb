/** Graph to program: which nodes are stored, and a kernel for each of them, or two where a long depth is divided. */
import type { Graph, Node, NodeId } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import type { Buffer, BufferId, CallOp, Kernel, KernelCall, Program, Storage } from '../kernel.ts';
import { opDef } from '../ops.ts';
import type { Target } from '../targets.ts';
import { bufferOf, ranksOf } from './body.ts';
import { isHeavy } from './cost.ts';
import { draftCopy, type DraftedKernel } from './draft.ts';
import { Finisher } from './finish.ts';
import { joinSum, viewOf } from './join-sums.ts';
import { chooseSteps } from './fuse.ts';
import { splitLongRows } from './long-rows.ts';
import { kernelName } from './names.ts';
import { draftStep, type Step } from './pieces.ts';
import type { AcceptsPrologue } from './prologues.ts';
import { PARTS, splitDepth, type DividesDepth, type SplitDepth } from './split-depth.ts';
import { storageOf, storageOfNodes, type StoredAs } from './storage.ts';

export interface LowerOptions extends StoredAs {
  /**
   * False: every operation its own kernel, as frameworks run them: reshape and broadcast are views, any other movement
   * is a copy.
   */
  readonly fuse: boolean;
  /**
   * Whether softmax(Q K^T) V is to be one kernel (kernel-attention.ts), asked for each that can be: it runs well only by
   * a schedule made for it. Never, where absent.
   */
  readonly attention?: (kernel: Kernel) => boolean;
  /** Whether a contraction may compute the norm of its rows, asked for each that could (prologues.ts). Never, where absent. */
  readonly prologue?: AcceptsPrologue;
  /** Whether a contraction's depth is to be divided between workgroups, asked for each (split-depth.ts). Never, where absent. */
  readonly depth?: DividesDepth;
  /** Whether a kernel of rows may add the parts of what it reads, asked for each that could (join-sums.ts). Never, where absent. */
  readonly addsParts?: (kernel: Kernel) => boolean;
  readonly target: Target;
}

/** The program that computes the graph's outputs. Parameters that nothing reads have no buffer. */
export function lower(model: Graph, options: LowerOptions): Program {
  const graph = options.fuse ? splitLongRows(model) : model;
  const lowering = new Lowering(graph, options);
  for (const step of chooseSteps(graph, options)) lowering.step(step);
  lowering.copyOutputs();
  return lowering.program();
}

class Lowering {
  readonly #buffers = new Map<string, Buffer>();
  readonly #calls: KernelCall[] = [];
  readonly #finisher = new Finisher((name) => this.#buffer(name));
  readonly #storageOf: (id: NodeId) => Storage;
  readonly #splits = new Map<Kernel, SplitDepth | undefined>();
  readonly #joins = new Finisher((name) => {
    const { id, shape } = viewOf(name);
    return { ...[...this.#buffers.values()].find((b) => b.id === id)!, shape };
  });
  /** The last call, where it adds the parts of a divided contraction, and the nodes that it computes. */
  #lastSum: { readonly call: KernelCall; readonly nodes: readonly Node[] } | undefined;
  /** The output that a node is stored as. */
  readonly #outputOf = new Map<NodeId, string>();

  constructor(
    private readonly graph: Graph,
    private readonly options: LowerOptions,
  ) {
    this.#storageOf = storageOfNodes(graph, options);
    for (const { name, node } of graph.outputs) {
      const { op } = graph.nodes[node];
      if (op !== 'input' && op !== 'param' && !this.#outputOf.has(node)) this.#outputOf.set(node, name);
    }
    // Inputs are bound whether they are read or not.
    for (const { node } of graph.inputs) this.#buffer(bufferOf(node));
  }

  step(step: Step): void {
    for (const draft of draftStep(this.graph, step)) this.#call(draft, step.node);
  }

  /** Outputs that are inputs, parameters or already stored as another output. */
  copyOutputs(): void {
    for (const { name, node } of this.graph.outputs) {
      if (this.#outputOf.get(node) === name) continue;
      const { shape, dtype } = this.graph.nodes[node];
      const buffer = `copy_${name}`;
      this.#buffers.set(buffer, { id: `c${this.#buffers.size}`, shape, dtype, storage: storageOf(dtype, 'f32'), kind: 'output', name });
      this.#call(draftCopy(this.graph, node, buffer), node);
    }
  }

  program(): Program {
    return { name: this.graph.name, buffers: [...this.#buffers.values()], calls: this.#calls };
  }

  #call(draft: DraftedKernel, id: NodeId): void {
    const { kernel, args } = this.#finisher.finish(draft);
    const ids = args.map((name): BufferId => this.#buffer(name).id);
    const computed = [...draft.computed].sort((a, b) => a - b).map((n) => this.graph.nodes[n]);
    const ops = (nodes: readonly Node[]): CallOp[] => nodes.flatMap((n) => callOp(this.graph, n));
    const { origin } = this.graph.nodes[id];
    const split = this.#split(kernel, computed);
    if (!split) {
      const call: KernelCall = { kernel, args: ids, origin, ops: ops(computed) };
      const joined = this.#joinLastSum(call, computed);
      if (joined) this.#calls.pop();
      this.#calls.push(joined ?? call);
      this.#lastSum = undefined;
      return;
    }
    const parts: Buffer = { id: `p${this.#buffers.size}`, ...split.parts, kind: 'temp', name: `${placeOf(this.graph.nodes[id])}.parts` };
    this.#buffers.set(parts.id, parts);
    const idOf = new Map([[PARTS, parts.id], ...kernel.params.map((p, i) => [p.name, ids[i]] as const)]);
    const [before, after] = this.#aroundProducts(computed);
    // The products belong to both; the work to the first.
    const again = ops(before).filter((o) => opDef(o.op as Node['op']).class === 'contraction').map((o): CallOp => ({ ...o, flops: 0, unfusedBytes: 0 }));
    this.#calls.push({ kernel: split.products.kernel, args: split.products.args.map((a) => idOf.get(a)!), origin, ops: ops(before) });
    this.#lastSum = { call: { kernel: split.sum.kernel, args: split.sum.args.map((a) => idOf.get(a)!), origin, ops: [...again, ...ops(after)] }, nodes: after };
    this.#calls.push(this.#lastSum.call);
  }

  /** The call of a kernel of rows that also adds the parts of what it reads, in place of the call before it. */
  #joinLastSum(rows: KernelCall, computed: readonly Node[]): KernelCall | undefined {
    const { addsParts, target } = this.options;
    const last = this.#lastSum;
    if (!addsParts || !last) return undefined;
    const nodes = new Set([...last.nodes, ...computed].map((n) => n.id));
    const joined = joinSum(last.call, rows, this.#joins, ({ stages }) => kernelName(this.graph, nodes, stages, ['parts']));
    if (!joined || joined.kernel.params.length > target.limits.maxStorageBuffersPerShaderStage || !addsParts(joined.kernel)) return undefined;
    return { kernel: joined.kernel, args: joined.args, origin: rows.origin, ops: [...last.call.ops, ...rows.ops] };
  }

  /** Whether and how a kernel's depth is divided; told once for each. */
  #split(kernel: Kernel, computed: readonly Node[]): SplitDepth | undefined {
    const { fuse, depth, target } = this.options;
    if (!fuse || !depth) return undefined;
    if (!this.#splits.has(kernel)) {
      const [before, after] = this.#aroundProducts(computed).map((nodes) => new Set(nodes.map((n) => n.id)));
      const split = splitDepth(kernel, depth, {
        products: ({ stages }) => kernelName(this.graph, before, stages, ['parts']),
        sum: ({ stages }) => kernelName(this.graph, after, stages, ['sum']),
      });
      // An epilogue that reads all of the operands again binds the parts besides.
      const fits = split && split.sum.kernel.params.length <= target.limits.maxStorageBuffersPerShaderStage;
      this.#splits.set(kernel, fits ? split : undefined);
    }
    return this.#splits.get(kernel);
  }

  /** What a contraction's kernel computes for its products, and what with them. */
  #aroundProducts(computed: readonly Node[]): readonly [before: readonly Node[], after: readonly Node[]] {
    const before = new Set(computed.filter(isHeavy).map((n) => n.id));
    for (const { id, args } of computed.toReversed()) if (before.has(id)) for (const a of args) before.add(a);
    return [computed.filter((n) => before.has(n.id)), computed.filter((n) => !before.has(n.id))];
  }

  /** The buffer under a draft's name: a node's values, or ranks for an argsort. */
  #buffer(name: string): Buffer {
    let buffer = this.#buffers.get(name);
    if (!buffer) this.#buffers.set(name, (buffer = this.#makeBuffer(name)));
    return buffer;
  }

  #makeBuffer(name: string): Buffer {
    const id = Number(/\d+$/.exec(name)![0]);
    const node = this.graph.nodes[id];
    const { shape, dtype } = node;
    if (name === ranksOf(id)) return { id: `r${id}`, shape, dtype: 'i32', storage: 'i32', kind: 'temp', name: `${placeOf(node)}.rank` };
    const storage = this.#storageOf(id);
    if (node.op === 'input') return { id: `x${id}`, shape, dtype, storage, kind: 'input', name: node.attrs.name };
    if (node.op === 'param') return { id: `w${id}`, shape, dtype, storage, kind: 'weight', name: node.attrs.name };
    const output = this.#outputOf.get(id);
    if (output !== undefined) return { id: `o${id}`, shape, dtype, storage, kind: 'output', name: output };
    return { id: `t${id}`, shape, dtype, storage, kind: 'temp', name: placeOf(node) };
  }
}

/** Where a temporary comes from: the scope, or the block at the top. */
function placeOf({ origin, op }: Node): string {
  return origin.scope || origin.block || op;
}

/** Constants and iotas are no work. */
function callOp(graph: Graph, node: Node): CallOp[] {
  const definition = opDef(node.op);
  if (definition.class === 'source') return [];
  const args = node.args.map((id) => graph.nodes[id]);
  const moved = [...args, node].reduce((elements, { shape }) => elements + sizeOf(shape), 0);
  return [{ op: node.op, origin: node.origin, flops: definition.flops(args, node.attrs as never, node), unfusedBytes: 4 * moved }];
}

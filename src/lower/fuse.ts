/**
 * Fusion: which nodes are stored. Everything else is computed inside of the kernels of stored nodes.
 *
 * In order:
 * 1. Outputs are stored.
 * 2. Each reduction, contraction, convolution, pooling takes in what follows it, as long as all its values end there and
 *    the kernel keeps a form that runs well: activations, bias, residual, scale; whole softmaxes and norms.
 * 3. Of the rest, a value that many kernels compute is stored where that is cheaper (cost.ts), and so is a concat that
 *    a contraction or several kernels read: its pieces are mostly written where they are made, and kernels that read it
 *    whole are those of other layers again.
 * 4. Softmaxes of products times values are joined, where the target has code for it.
 * 5. Norms are computed by the contractions that read them, where that is cheaper and they run as well (prologues.ts).
 * 6. Results are stored before or after the movement that follows them, whichever leaves simpler loops.
 * 7. Kernels of concats are cut into pieces where pieces can be written by what makes them, or read too many buffers.
 */
import type { Graph, NodeId } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import type { Axis, Kernel } from '../kernel.ts';
import { classify, matchRow } from '../kernel-forms.ts';
import { opDef } from '../ops.ts';
import { joinAttention } from './attention.ts';
import { ranksOf } from './body.ts';
import { Costs, isHeavy, isReduction, timesUsed } from './cost.ts';
import { draftNode, type DraftedKernel } from './draft.ts';
import { Finisher } from './finish.ts';
import { fitBuffers } from './fit.ts';
import { between, endsIn, EXIT, flowOf, isBound, type Flow } from './flow.ts';
import type { LowerOptions } from './lower.ts';
import { FEW_ROWS, LONG_ROW } from './long-rows.ts';
import { cutConcats, type Step } from './pieces.ts';
import { joinPrologues } from './prologues.ts';
import { settleLayouts } from './settle.ts';
import { storageOfNodes, type StoredAs } from './storage.ts';

/** The stored nodes, in an order in which they can be computed. */
export function chooseSteps(graph: Graph, options: LowerOptions): Step[] {
  const { fuse, attention, prologue, target } = options;
  const flow = flowOf(graph);
  const buffers = target.limits.maxStorageBuffersPerShaderStage;
  const finisher = onPaper(graph, options);
  if (!fuse) return cutConcats(flow, fitBuffers(graph, everyOperation(flow), buffers), finisher, buffers, false);
  let stored = fuseGraph(flow, buffers, finisher);
  if (attention) stored = joinAttention(flow, stored, finisher, (kernel) => kernel.params.length <= buffers && attention(kernel));
  if (prologue) stored = joinPrologues(flow, stored, finisher, buffers, prologue);
  return cutConcats(flow, fitBuffers(graph, settleLayouts(flow, stored, finisher), buffers), finisher, buffers, true);
}

/** Finishes kernels to look at their form and at what would run them. */
export function onPaper(graph: Graph, stored: StoredAs): Finisher {
  const storageOf = storageOfNodes(graph, stored);
  return new Finisher((name) => {
    const id = Number(/\d+$/.exec(name)![0]);
    const { shape, dtype } = graph.nodes[id];
    return name === ranksOf(id) ? { shape, dtype: 'i32', storage: 'i32' } : { shape, dtype, storage: storageOf(id) };
  });
}

/** Kernels are chosen twice: what proved worth storing the first time bounds them the second time, rather than being computed through. */
function fuseGraph(flow: Flow, maxBuffers: number, finisher: Finisher): ReadonlySet<NodeId> {
  const first = new Fusion(flow, maxBuffers, finisher, new Set()).run();
  return new Fusion(flow, maxBuffers, finisher, first.shared).run().stored;
}

/** Every operation its own kernel; reshape and broadcast are views. */
function everyOperation({ graph, outputs }: Flow): Set<NodeId> {
  const views = new Set(['constant', 'iota', 'reshape', 'broadcast']);
  return new Set(graph.nodes.filter((n) => !views.has(n.op) || outputs.has(n.id)).map((n) => n.id));
}

class Fusion {
  readonly #graph: Graph;
  readonly #stored = new Set<NodeId>();
  /** Heavy nodes whose kernel has been chosen. */
  readonly #decided = new Set<NodeId>();
  /** Nodes that live inside of a chosen kernel and nowhere else. */
  readonly #inside = new Set<NodeId>();

  /** `shared` nodes are stored whatever else is. */
  constructor(
    private readonly flow: Flow,
    private readonly maxBuffers: number,
    private readonly finisher: Finisher,
    private readonly shared: ReadonlySet<NodeId>,
  ) {
    this.#graph = flow.graph;
  }

  run(): { readonly stored: ReadonlySet<NodeId>; readonly shared: ReadonlySet<NodeId> } {
    for (const node of this.#graph.nodes) if (isBound(node)) this.#stored.add(node.id);
    for (const id of [...this.flow.outputs, ...this.shared]) this.#stored.add(id);
    for (const node of this.#graph.nodes) if (this.flow.live.has(node.id) && isHeavy(node)) this.#grow(node.id, new Set());
    return { stored: this.#stored, shared: new Set([...this.shared, ...this.#storeShared()]) };
  }

  /** Chooses the stored node of a heavy one's kernel: the farthest that its form allows. `taken` belongs to a kernel being chosen. */
  #grow(heavy: NodeId, taken: ReadonlySet<NodeId>): void {
    if (this.#decided.has(heavy)) return;
    this.#decided.add(heavy);
    let root = heavy;
    let inside = new Set<NodeId>();
    const passed = new Set<NodeId>();
    for (let at = heavy; !this.#ends(at) && this.#graph.nodes[heavy].op !== 'argsort'; ) {
      const next = this.flow.postDominator[at];
      if (next === EXIT || taken.has(next)) break;
      const region = between(this.flow, at, next);
      if ([...region].some((id) => !this.#mayJoin(id) || (id !== next && this.#ends(id)))) break;
      passed.add(at);
      for (const id of region) if (id !== next) passed.add(id);
      const draft = this.#joined(next, new Set([...passed, next]));
      if (!draft) break;
      at = next;
      if (!expands(this.#graph, next)) {
        root = next;
        inside = new Set([...draft.computed].filter((id) => passed.has(id) || isHeavy(this.#graph.nodes[id])));
      }
    }
    this.#stored.add(root);
    for (const id of inside) {
      if (id !== root) this.#inside.add(id);
      if (isHeavy(this.#graph.nodes[id])) this.#decided.add(id);
    }
  }

  /** Whether a kernel cannot compute through the node: others need it stored. */
  #ends(id: NodeId): boolean {
    return this.flow.outputs.has(id) || this.shared.has(id);
  }

  /** Operations that may follow a reduction in its kernel. */
  #mayJoin(id: NodeId): boolean {
    const node = this.#graph.nodes[id];
    const group = opDef(node.op).class;
    return group === 'elementwise' || group === 'movement' || isReduction(node);
  }

  /**
   * The kernel that computes `root` with the heavy nodes of `own` inside, where it has a form that runs well. Other
   * reductions that end in it are taken in too, if that works; all others are chosen first.
   */
  #joined(root: NodeId, own: ReadonlySet<NodeId>): DraftedKernel | undefined {
    const others = this.#undecided(root, own);
    const closed = others.filter((id) => isReduction(this.#graph.nodes[id]) && endsIn(this.flow, id, root));
    const fits = (inlined: ReadonlySet<NodeId>): DraftedKernel | undefined => {
      const draft = draftNode(this.#graph, (id) => this.#stored.has(id) && !own.has(id), root);
      return this.#runsWell(draft, inlined) ? draft : undefined;
    };
    if (closed.length === others.length) {
      const draft = fits(new Set([...own, ...closed]));
      if (draft) return draft;
      if (closed.length === 0) return undefined;
    }
    for (const id of others) this.#grow(id, own);
    return fits(own);
  }

  /** Heavy nodes without a kernel yet that `root` would compute, apart from its own. */
  #undecided(root: NodeId, own: ReadonlySet<NodeId>): NodeId[] {
    const found = new Set<NodeId>();
    const seen = new Set<NodeId>();
    const visit = [...this.#graph.nodes[root].args];
    while (visit.length > 0) {
      const id = visit.pop()!;
      if (seen.has(id) || this.#stored.has(id)) continue;
      seen.add(id);
      if (isHeavy(this.#graph.nodes[id]) && !own.has(id) && !this.#decided.has(id)) found.add(id);
      visit.push(...this.#graph.nodes[id].args);
    }
    return [...found].sort((a, b) => a - b);
  }

  #runsWell(draft: DraftedKernel, inlined: ReadonlySet<NodeId>): boolean {
    const heavy = [...draft.computed].filter((id) => isHeavy(this.#graph.nodes[id]));
    if (heavy.some((id) => !inlined.has(id))) return false;
    if (heavy.length > 1 && heavy.some((id) => !isReduction(this.#graph.nodes[id]))) return false;
    const { kernel } = this.finisher.finish(draft);
    if (kernel.params.length > this.maxBuffers) return false;
    const form = classify(kernel);
    if (form === 'row') return !hasFewLongRows(kernel) && (isReduction(this.#graph.nodes[heavy[0]]) || rowsDominate(kernel));
    return form === 'reduce';
  }

  /** Stores values that would be computed too often, and returns them. */
  #storeShared(): NodeId[] {
    const shared: NodeId[] = [];
    const { users, live } = this.flow;
    const kernels = this.#kernelsUsing();
    const times = new Array<number>(this.#graph.nodes.length).fill(0);
    for (let id = this.#graph.nodes.length - 1; id >= 0; id--) {
      for (const user of users[id]) {
        const own = timesUsed(this.flow, this.#graph.nodes[user], id);
        times[id] += this.#stored.has(user) || isHeavy(this.#graph.nodes[user]) ? own : times[user] * own;
      }
    }
    const costs = new Costs(this.flow, (id) => this.#stored.has(id));
    for (const { id, op } of this.#graph.nodes) {
      if (!live.has(id) || this.#stored.has(id) || this.#inside.has(id) || op === 'constant' || op === 'iota') continue;
      // Of values that serve the same kernels only the last is worth storing.
      if (users[id].every((u) => !this.#stored.has(u) && !isHeavy(this.#graph.nodes[u]) && kernels[u].size === kernels[id].size)) continue;
      const joined = this.#joins(id) && (kernels[id].size > 1 || this.#feedsLoop(id));
      if (!joined && !costs.worthStoring(id, times[id])) continue;
      this.#stored.add(id);
      shared.push(id);
    }
    return shared;
  }

  /** For each node the stored nodes whose kernels compute it. */
  #kernelsUsing(): ReadonlySet<NodeId>[] {
    const kernels: Set<NodeId>[] = this.#graph.nodes.map(() => new Set());
    for (let id = this.#graph.nodes.length - 1; id >= 0; id--) {
      for (const user of this.flow.users[id]) {
        if (this.#stored.has(user)) kernels[id].add(user);
        else for (const k of kernels[user]) kernels[id].add(k);
      }
    }
    return kernels;
  }

  /** Whether a contraction or window reads the node through index maps only. */
  #feedsLoop(id: NodeId): boolean {
    return this.flow.users[id].some((user) => {
      const node = this.#graph.nodes[user];
      return isHeavy(node) ? !isReduction(node) : !this.#stored.has(user) && opDef(node.op).class === 'movement' && this.#feedsLoop(user);
    });
  }

  /** Whether the node is a concat under element-wise work. */
  #joins(id: NodeId): boolean {
    const { op, args } = this.#graph.nodes[id];
    if (op === 'concat') return true;
    return !this.#stored.has(id) && opDef(op).class === 'elementwise' && args.some((a) => !this.#stored.has(a) && this.#joins(a));
  }
}

/** Whether a node has more elements than what it is made of: no place to end a kernel. */
function expands(graph: Graph, id: NodeId): boolean {
  const { op, args, shape } = graph.nodes[id];
  return opDef(op).class === 'movement' && sizeOf(shape) > args.reduce((n, a) => n + sizeOf(graph.nodes[a].shape), 0);
}

/** A product computed once a row needs no tiles where writing the row is most of the work. */
function rowsDominate(kernel: Kernel): boolean {
  const form = matchRow(kernel);
  return form !== undefined && pointsOf(form.stages[0].stage.reduce.axes) <= 2 * pointsOf(form.row);
}

const pointsOf = (axes: readonly Axis[]): number => axes.reduce((n, a) => n * a.extent, 1);

/** Whether one workgroup a row would leave the device idle. */
function hasFewLongRows(kernel: Kernel): boolean {
  const form = matchRow(kernel);
  if (!form) return false;
  const longest = Math.max(pointsOf(form.row), ...form.stages.map((s) => pointsOf(s.stage.reduce.axes)));
  return pointsOf(form.outer) < FEW_ROWS && longest > LONG_ROW;
}


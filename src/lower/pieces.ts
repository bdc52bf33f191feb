/**
 * Cutting the kernels of concats: each piece may be written into its place by the kernel that makes it, which stores it a
 * second time where others read it, and pieces that read more buffers than a kernel may bind are written by several.
 */
import type { Graph, NodeId, NodeOf } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import { loadsOf } from '../kernel-expr.ts';
import { classify } from '../kernel-forms.ts';
import { opDef } from '../ops.ts';
import { bufferOf, needsRanks } from './body.ts';
import { DISPATCH, MOVE } from './cost.ts';
import { draftNode, draftRanks, draftTwice, type Box, type DraftedKernel, type Twice } from './draft.ts';
import type { Finisher } from './finish.ts';
import { between, endsIn, isBound, type Flow } from './flow.ts';

/** One stored node. */
export interface Step {
  readonly node: NodeId;
  /** A call for each part of the node's domain; one for all of it where `box` is absent. */
  readonly pieces: readonly Piece[];
}

export interface Piece {
  readonly box?: Box;
  /** What else the kernel stores. */
  readonly twice?: Twice;
  /** What the kernel reads; it computes everything else. */
  readonly stored: (id: NodeId) => boolean;
}

/** The kernels of a step, in order. */
export function draftStep(graph: Graph, { node, pieces }: Step): DraftedKernel[] {
  const made = graph.nodes[node];
  const ranks = made.op === 'argsort' && needsRanks(made) ? [draftRanks(graph, pieces[0].stored, node)] : [];
  return [...ranks, ...pieces.map(({ stored, box, twice }) => (twice ? draftTwice(graph, stored, node, twice) : draftNode(graph, stored, node, box)))];
}

/** The steps of stored nodes, in an order in which they can be computed. Without `absorb`, kernels are cut only where they must. */
export function cutConcats(flow: Flow, stored: ReadonlySet<NodeId>, finisher: Finisher, maxBuffers: number, absorb: boolean): Step[] {
  const { graph } = flow;
  const isStored = (id: NodeId): boolean => stored.has(id);
  const cuts = new Map<NodeId, readonly Piece[]>();
  const written = new Set<NodeId>();
  // From the end: a concat that is itself written into another one has no kernel to cut.
  for (const { id } of graph.nodes.toReversed()) {
    if (!stored.has(id) || !flow.live.has(id) || written.has(id) || cuts.has(id) || isBound(graph.nodes[id])) continue;
    const cut = new Cut(flow, id, isStored, (n) => cuts.has(n) || written.has(n), finisher, maxBuffers, absorb);
    const pieces = cut.pieces();
    if (!pieces) continue;
    cuts.set(id, pieces);
    for (const piece of cut.absorbed) written.add(piece);
    for (const [piece, twice] of cut.shared) cuts.set(piece, [{ stored: isStored, twice }]);
  }
  return graph.nodes.flatMap(({ id, op }): Step[] => {
    if (!stored.has(id) || !flow.live.has(id) || written.has(id) || op === 'input' || op === 'param') return [];
    return [{ node: id, pieces: cuts.get(id) ?? [{ stored: isStored }] }];
  });
}

class Cut {
  /** Stored nodes that need no buffer of their own any more. */
  readonly absorbed = new Set<NodeId>();
  /** Stored nodes whose kernels write a box of the root besides. */
  readonly shared = new Map<NodeId, Twice>();
  readonly #graph: Graph;

  constructor(
    private readonly flow: Flow,
    private readonly root: NodeId,
    private readonly stored: (id: NodeId) => boolean,
    /** Nodes whose kernels are cut, or written elsewhere, already. */
    private readonly taken: (id: NodeId) => boolean,
    private readonly finisher: Finisher,
    private readonly maxBuffers: number,
    private readonly absorb: boolean,
  ) {
    this.#graph = flow.graph;
  }

  /** Pieces in place of one kernel, where that is better or needed. */
  pieces(): Piece[] | undefined {
    const concat = this.#concat(this.root);
    if (!concat) return undefined;
    const boxes = this.#boxes(concat);
    const parts = concat.args.map((arg, i) => {
      const absorbs = this.absorb && this.#absorbs(arg, boxes[i], boxes.filter((_, other) => other !== i));
      return { box: boxes[i], arg, absorbs, shares: this.absorb && !absorbs && concat.args.indexOf(arg) === concat.args.lastIndexOf(arg) && this.#shares(arg, boxes[i]) };
    });
    const saved = parts.filter((p) => p.absorbs || p.shares);
    const runs: (typeof parts)[] = [];
    let joins = false;
    for (const part of parts) {
      const last = runs.at(-1);
      const plain = !part.absorbs && !part.shares;
      if (plain && joins && last && this.#fits([...last, part].map((p) => p.box))) last.push(part);
      else if (!part.shares) runs.push([part]);
      joins = plain;
    }
    const whole = this.#fits(undefined);
    // A piece that is absorbed is neither written nor read; one that is stored twice is not read.
    const moved = saved.reduce((n, p) => n + (p.absorbs ? 2 : 1) * MOVE * sizeOf(p.box.size), 0);
    const extra = runs.filter(([first]) => !first.absorbs).length - 1;
    if ((runs.length === 1 && saved.length === 0) || (whole && (saved.length === 0 || extra * DISPATCH > moved))) return undefined;
    for (const { arg, box, absorbs } of saved) {
      if (absorbs) this.absorbed.add(arg);
      else this.shared.set(arg, { root: this.root, box });
    }
    return runs.map((run) => ({
      box: union(run.map((p) => p.box)),
      stored: run[0].absorbs ? (id) => id !== run[0].arg && this.stored(id) : this.stored,
    }));
  }

  /** The concat that the root is, or that it applies element-wise work to. */
  #concat(id: NodeId): NodeOf<'concat'> | undefined {
    const node = this.#graph.nodes[id];
    if (node.op === 'concat') return node;
    if (opDef(node.op).class !== 'elementwise') return undefined;
    for (const arg of node.args) {
      const found = this.stored(arg) ? undefined : this.#concat(arg);
      if (found) return found;
    }
    return undefined;
  }

  #boxes(concat: NodeOf<'concat'>): Box[] {
    let at = 0;
    return concat.args.map((arg) => {
      const { shape } = this.#graph.nodes[arg];
      const start = concat.shape.map((_, i) => (i === concat.attrs.axis ? at : 0));
      at += shape[concat.attrs.axis];
      return { start, size: shape };
    });
  }

  /** Whether the piece's own kernel can write its part of the root: nothing else reads it, no other part either, and the kernel keeps its form. */
  #absorbs(arg: NodeId, box: Box, others: readonly Box[]): boolean {
    const node = this.#graph.nodes[arg];
    if (!this.stored(arg) || isBound(node) || this.flow.outputs.has(arg) || node.op === 'argsort') return false;
    if (!endsIn(this.flow, arg, this.root) || [...between(this.flow, arg, this.root)].some((id) => id !== this.root && this.stored(id))) return false;
    // The other parts are computed without it, or it is read after all.
    const reads = (part: Box): boolean => draftNode(this.#graph, this.stored, this.root, part).stages.some((s) => loadsOf(s.body).some((l) => l.buffer === bufferOf(arg)));
    if (others.some(reads)) return false;
    const draft = (root: NodeId, part?: Box) => this.finisher.finish(draftNode(this.#graph, (id) => id !== arg && this.stored(id), root, part)).kernel;
    const kernel = draft(this.root, box);
    return kernel.params.length <= this.maxBuffers && classify(kernel) === classify(draft(arg));
  }

  /** Whether the piece's kernel, which others wait for, can write its part of the root besides: from nothing that is made later, and keeping its form. */
  #shares(arg: NodeId, box: Box): boolean {
    const node = this.#graph.nodes[arg];
    if (!this.stored(arg) || isBound(node) || node.op === 'argsort' || this.taken(arg) || this.#concat(arg)) return false;
    const draft = draftTwice(this.#graph, this.stored, arg, { root: this.root, box });
    if (draft.stages.some((s) => loadsOf(s.body).some((l) => Number(/\d+$/.exec(l.buffer)![0]) >= arg))) return false;
    const { kernel } = this.finisher.finish(draft);
    const alone = this.finisher.finish(draftNode(this.#graph, this.stored, arg)).kernel;
    return kernel.params.length <= this.maxBuffers && classify(kernel) === classify(alone);
  }

  #fits(boxes: readonly Box[] | undefined): boolean {
    return this.finisher.finish(draftNode(this.#graph, this.stored, this.root, boxes && union(boxes))).kernel.params.length <= this.maxBuffers;
  }
}

/** Boxes that follow each other along one axis, as one. */
function union(boxes: readonly Box[]): Box {
  const [first] = boxes;
  const last = boxes.at(-1)!;
  return { start: first.start, size: first.size.map((_, i) => last.start[i] + last.size[i] - first.start[i]) };
}

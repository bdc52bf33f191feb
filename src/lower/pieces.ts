/**
 * Cutting the kernels of concats: each piece may be written into its place by the kernel that makes it, and pieces that
 * read more buffers than a kernel may bind are written by several.
 */
import type { Graph, NodeId, NodeOf } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import { classify } from '../kernel-forms.ts';
import { opDef } from '../ops.ts';
import { DISPATCH, MOVE } from './cost.ts';
import { draftNode, type Box } from './draft.ts';
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
  /** What the kernel reads; it computes everything else. */
  readonly stored: (id: NodeId) => boolean;
}

/** The steps of stored nodes, in an order in which they can be computed. Without `absorb`, kernels are cut only where they must. */
export function cutConcats(flow: Flow, stored: ReadonlySet<NodeId>, finisher: Finisher, maxBuffers: number, absorb: boolean): Step[] {
  const { graph } = flow;
  const isStored = (id: NodeId): boolean => stored.has(id);
  const cuts = new Map<NodeId, readonly Piece[]>();
  const written = new Set<NodeId>();
  // From the end: a concat that is itself written into another one has no kernel to cut.
  for (const { id } of graph.nodes.toReversed()) {
    if (!stored.has(id) || !flow.live.has(id) || written.has(id) || isBound(graph.nodes[id])) continue;
    const cut = new Cut(flow, id, isStored, finisher, maxBuffers, absorb);
    const pieces = cut.pieces();
    if (!pieces) continue;
    cuts.set(id, pieces);
    for (const piece of cut.absorbed) written.add(piece);
  }
  return graph.nodes.flatMap(({ id, op }): Step[] => {
    if (!stored.has(id) || !flow.live.has(id) || written.has(id) || op === 'input' || op === 'param') return [];
    return [{ node: id, pieces: cuts.get(id) ?? [{ stored: isStored }] }];
  });
}

class Cut {
  /** Stored nodes that need no buffer of their own any more. */
  readonly absorbed = new Set<NodeId>();
  readonly #graph: Graph;

  constructor(
    private readonly flow: Flow,
    private readonly root: NodeId,
    private readonly stored: (id: NodeId) => boolean,
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
    const parts = concat.args.map((arg, i) => ({ box: boxes[i], arg, absorbs: this.absorb && this.#absorbs(arg, boxes[i]) }));
    const absorbed = parts.filter((p) => p.absorbs);
    const runs: (typeof parts)[] = [];
    parts.forEach((part, i) => {
      const last = runs.at(-1);
      if (!part.absorbs && i > 0 && !parts[i - 1].absorbs && last && this.#fits([...last, part].map((p) => p.box))) last.push(part);
      else runs.push([part]);
    });
    const whole = this.#fits(undefined);
    const moved = absorbed.reduce((n, p) => n + 2 * MOVE * sizeOf(p.box.size), 0);
    const extra = runs.length - absorbed.length - 1;
    if (runs.length === 1 || (whole && (absorbed.length === 0 || extra * DISPATCH > moved))) return undefined;
    for (const { arg } of absorbed) this.absorbed.add(arg);
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

  /** Whether the piece's own kernel can write its part of the root: nothing else reads it, and the kernel keeps its form. */
  #absorbs(arg: NodeId, box: Box): boolean {
    const node = this.#graph.nodes[arg];
    if (!this.stored(arg) || isBound(node) || this.flow.outputs.has(arg) || node.op === 'argsort') return false;
    if (!endsIn(this.flow, arg, this.root) || [...between(this.flow, arg, this.root)].some((id) => id !== this.root && this.stored(id))) return false;
    const draft = (root: NodeId, part?: Box) => this.finisher.finish(draftNode(this.#graph, (id) => id !== arg && this.stored(id), root, part)).kernel;
    const kernel = draft(this.root, box);
    return kernel.params.length <= this.maxBuffers && classify(kernel) === classify(draft(arg));
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

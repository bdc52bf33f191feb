/** Drafts of kernels: one stored node and everything computed for it, or a piece of one. */
import type { Graph, Node, NodeId, NodeOf, Shape } from '../graph.ts';
import type { Index, Stage } from '../kernel.ts';
import { add, axis, constant } from '../kernel-index.ts';
import { Body, bufferOf, rankStage, ranksOf } from './body.ts';
import type { Draft } from './finish.ts';
import { kernelName } from './names.ts';

/** A part of a node's domain: `start[i] <= index < start[i] + size[i]`. */
export interface Box {
  readonly start: readonly number[];
  readonly size: Shape;
}

export interface DraftedKernel extends Draft {
  /** Graph nodes that the kernel computes. */
  readonly computed: ReadonlySet<NodeId>;
}

/** The kernel that computes a node, or a box of it, from stored nodes. */
export function draftNode(graph: Graph, stored: (id: NodeId) => boolean, id: NodeId, box?: Box): DraftedKernel {
  return drafted(graph, graph.nodes[id], stored, bufferOf(id), box, (body, at) => body.compute(id, at));
}

/** A node, and a box of another one that is made of it, of equal extents: what one kernel stores twice. */
export interface Twice {
  readonly root: NodeId;
  readonly box: Box;
}

/** The kernel that computes a node and what another one holds of it, from stored nodes. */
export function draftTwice(graph: Graph, stored: (id: NodeId) => boolean, id: NodeId, { root, box }: Twice): DraftedKernel {
  const body = new Body(graph, (n) => n !== id && stored(n));
  const outputs = [{ to: id, start: box.size.map(() => 0) }, { to: root, start: box.start }].map(({ to, start }, i) => {
    const axes = body.axes(graph.nodes[id].shape);
    const at = axes.map((a, d) => add(axis(a), constant(start[d])));
    const stage: Stage = { name: `out${i}`, axes, body: body.compute(to, at), dtype: graph.nodes[to].dtype };
    return { stage, store: { buffer: bufferOf(to), stage: stage.name, at } };
  });
  return {
    name: ({ stages }) => kernelName(graph, body.computed, stages),
    stages: [...body.stages, ...outputs.map((o) => o.stage)],
    stores: outputs.map((o) => o.store),
    computed: body.computed,
  };
}

/** A kernel that copies a stored node to a buffer. */
export function draftCopy(graph: Graph, id: NodeId, to: string): DraftedKernel {
  return drafted(graph, graph.nodes[id], () => true, to, undefined, (body, at) => body.read(id, at));
}

/** The kernel that ranks the values of an argsort's argument. */
export function draftRanks(graph: Graph, stored: (id: NodeId) => boolean, id: NodeId): DraftedKernel {
  const node = graph.nodes[id] as NodeOf<'argsort'>;
  return drafted(graph, node, stored, ranksOf(id), undefined, (body, at) => {
    const stage = rankStage(node, body);
    body.stages.push(stage);
    return { kind: 'stage', stage: stage.name, at };
  });
}

function drafted(graph: Graph, node: Node, stored: (id: NodeId) => boolean, to: string, box: Box | undefined, value: (body: Body, at: readonly Index[]) => Stage['body']): DraftedKernel {
  const body = new Body(graph, stored);
  const axes = body.axes(box?.size ?? node.shape);
  const at = axes.map((a, i) => add(axis(a), constant(box?.start[i] ?? 0)));
  const output: Stage = { name: 'out', axes, body: value(body, at), dtype: node.dtype };
  return {
    name: ({ stages }) => kernelName(graph, body.computed, stages),
    stages: [...body.stages, output],
    stores: [{ buffer: to, stage: output.name, at }],
    computed: body.computed,
  };
}

/** The graph passes, in order, and what runs them. */
import type { Graph } from '../graph.ts';
import { verifyGraph } from '../verify.ts';
import { equalNodes, mergeEqualNodes } from './cse.ts';
import { liveNodes, removeDeadNodes } from './dce.ts';
import { foldAffine, unfoldedScales } from './fold-affine.ts';
import { mergeSiblings, unmergedSiblings } from './merge-siblings.ts';
import { simplify } from './simplify.ts';

export interface GraphPass {
  /** For `--dump-after`. A pass may run more than once. */
  readonly name: string;
  readonly run: (graph: Graph) => Graph;
  /** What of the pass's post-condition does not hold, as facts. */
  readonly post?: (graph: Graph) => string[];
}

const SIMPLIFY: GraphPass = { name: 'simplify', run: simplify };
const CSE: GraphPass = { name: 'cse', run: mergeEqualNodes, post: equalNodes };
const DCE: GraphPass = { name: 'dce', run: removeDeadNodes, post: (graph) => (liveNodes(graph).includes(0) ? ['some nodes are needed by no output'] : []) };
const FOLD_AFFINE: GraphPass = { name: 'fold-affine', run: foldAffine, post: unfoldedScales };
const MERGE_SIBLINGS: GraphPass = { name: 'merge-siblings', run: mergeSiblings, post: unmergedSiblings };

export const GRAPH_PASSES: readonly GraphPass[] = [
  SIMPLIFY,
  CSE,
  // Folding counts readers: dead ones must not hold it back.
  DCE,
  FOLD_AFFINE,
  // What folding leaves: static expressions to tidy up, moves copied for each contraction.
  SIMPLIFY,
  CSE,
  DCE,
  // Weights are final, equal products are one: what is left of one value's products can be side by side.
  MERGE_SIBLINGS,
  SIMPLIFY,
  DCE,
];

export interface PassTiming {
  readonly name: string;
  readonly milliseconds: number;
  readonly nodes: number;
}

export interface PassOptions {
  readonly passes?: readonly GraphPass[];
  /** After every run of a pass of this name, `onDump` gets the graph. */
  readonly dumpAfter?: string;
  readonly onDump?: (name: string, graph: Graph) => void;
  /** Verifies the graph and the pass's post-condition after every pass; a violation is a bug. */
  readonly verify?: boolean;
  /** Filled in order. */
  readonly timings?: PassTiming[];
}

export function runPasses(graph: Graph, { passes = GRAPH_PASSES, dumpAfter, onDump, verify = false, timings }: PassOptions = {}): Graph {
  for (const { name, run, post } of passes) {
    const start = performance.now();
    graph = run(graph);
    timings?.push({ name, milliseconds: performance.now() - start, nodes: graph.nodes.length });
    if (name === dumpAfter) onDump?.(name, graph);
    if (!verify) continue;
    const errors = [...verifyGraph(graph), ...(post?.(graph) ?? [])];
    if (errors.length > 0) throw new Error(`bug: after ${name}: ${errors.join('; ')}`);
  }
  return graph;
}

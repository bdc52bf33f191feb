/**
 * Which static scales and shifts the contractions after them take over. A contraction looks up the chain of moves and
 * static affine operations that its input comes from; a node is claimed when every path from it ends in a
 * contraction that takes it over, so that afterwards it is dead.
 */
import type { Graph, Node, NodeId } from '../graph.ts';
import { usersOf } from '../graph-rewrite.ts';
import { absorbsScale, absorbsShift } from './contraction-weights.ts';
import type { Contraction, Side } from './contraction-weights.ts';
import { isMove, MAX_MOVES, movedAxes } from './factor.ts';
import type { Move } from './factor.ts';

const MAX_PATH = 24;

/** Static or not, by old id. */
type Static = Uint8Array;

/** x * s, x / s, x + t, x - t, t - x, -x with static s and t. */
export interface AffineStep {
  readonly node: Node;
  /** The argument that is not static. */
  readonly value: NodeId;
  /** The static one; -x has none. */
  readonly factor?: NodeId;
  /** Whether a shift is part of it. */
  readonly shifts: boolean;
}

/** The node as an affine step, if it is one. */
export function affineStep(node: Node, known: Static): AffineStep | undefined {
  if (known[node.id] || node.dtype !== 'f32') return undefined;
  if (node.op === 'neg') return { node, value: node.args[0], shifts: false };
  if (node.op !== 'add' && node.op !== 'sub' && node.op !== 'mul' && node.op !== 'div') return undefined;
  const [x, y] = node.args;
  const shifts = node.op === 'add' || node.op === 'sub';
  if (known[y]) return { node, value: x, factor: y, shifts };
  return known[x] && node.op !== 'div' ? { node, value: y, factor: x, shifts } : undefined;
}

/** What a contraction takes over from its input. */
export interface Absorption {
  readonly weight: Side;
  /** Moves and affine steps from the input on upward, the last of them affine. */
  readonly path: readonly (Move | AffineStep)[];
}

/** The axes along which a static tensor varies, as `Factors.of` finds them. */
export function varyingAxes(graph: Graph, id: NodeId, depth = 0): number[] {
  const node = graph.nodes[id];
  if (depth < MAX_MOVES && isMove(node) && node.op !== 'slice') return movedAxes(varyingAxes(graph, node.args[0], depth + 1), node, graph.nodes[node.args[0]].shape);
  return node.shape.map((_, axis) => axis).filter((axis) => node.shape[axis] !== 1);
}

/** The longest chain above the contraction's input that the contraction could take over. */
function pathOf(graph: Graph, contraction: Contraction, weight: Side, known: Static): (Move | AffineStep)[] {
  const path: (Move | AffineStep)[] = [];
  const moves: Move[] = [];
  let length = 0;
  let id = contraction.args[weight === 0 ? 1 : 0];
  while (path.length < MAX_PATH) {
    const node = graph.nodes[id];
    const step = affineStep(node, known);
    if (step) {
      // Along which axes of the contraction's input the step's factor varies.
      let axes = step.factor === undefined ? [] : varyingAxes(graph, step.factor);
      for (const move of moves.toReversed()) axes = movedAxes(axes, move, graph.nodes[move.args[0]].shape);
      if (!(step.shifts ? absorbsShift : absorbsScale)(contraction, weight, axes)) break;
      path.push(step);
      length = path.length;
      id = step.value;
    } else if (!known[id] && isMove(node)) {
      path.push(node);
      moves.push(node);
      id = node.args[0];
    } else break;
  }
  return path.slice(0, length);
}

/** By contraction's old id. */
export function findAbsorptions(graph: Graph, known: Static): Map<NodeId, Absorption> {
  const users = usersOf(graph);
  const outputs = new Set(graph.outputs.map((o) => o.node));
  const single = (id: NodeId): boolean => users[id].length === 1 && !outputs.has(id);
  const found = new Map<NodeId, Absorption>();
  const claims = new Uint32Array(graph.nodes.length);
  for (const node of graph.nodes) {
    if ((node.op !== 'conv' && node.op !== 'einsum') || known[node.id]) continue;
    const weight = ([1, 0] as Side[]).find((side) => known[node.args[side]] && single(node.args[side]) && (side === 1 || node.op === 'einsum'));
    if (weight === undefined) continue;
    const path = pathOf(graph, node, weight, known);
    if (path.length === 0) continue;
    found.set(node.id, { weight, path });
    for (const step of path) claims[nodeOf(step).id]++;
  }
  const claimed = claimedNodes(graph, users, outputs, found, claims);
  for (const [id, { weight, path }] of found) {
    const end = path.findIndex((step) => !claimed[nodeOf(step).id]);
    const kept = end < 0 ? path : path.slice(0, end);
    const last = kept.findLastIndex((step) => 'value' in step);
    if (last < 0) found.delete(id);
    else found.set(id, { weight, path: kept.slice(0, last + 1) });
  }
  return found;
}

function nodeOf(step: Move | AffineStep): Node {
  return 'value' in step ? step.node : step;
}

/** 1 for nodes all of whose paths to users end in contractions that claim them. */
function claimedNodes(graph: Graph, users: readonly NodeId[][], outputs: ReadonlySet<NodeId>, found: ReadonlyMap<NodeId, Absorption>, claims: Uint32Array): Uint8Array {
  const claimed = new Uint8Array(graph.nodes.length);
  // The number of contractions that a claimed node leads to.
  const routes = new Float64Array(graph.nodes.length);
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (claims[id] === 0 || outputs.has(id)) continue;
    for (const user of users[id]) routes[id] += claimed[user] ? routes[user] : found.has(user) ? 1 : Infinity;
    claimed[id] = routes[id] === claims[id] ? 1 : 0;
  }
  return claimed;
}

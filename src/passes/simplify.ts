/**
 * Algebraic and movement rules. Afterwards no rule applies to any node; constants are rank 0 or broadcast from it,
 * stand on the right of commutative operations, and are never the only arguments of an element-wise operation.
 */
import type { Graph, NodeId } from '../graph.ts';
import { finish } from '../graph-rewrite.ts';
import { ARITHMETIC_RULES } from './rules-arithmetic.ts';
import { MOVEMENT_RULES } from './rules-movement.ts';
import { Simplifier } from './simplifier.ts';

export function simplify(graph: Graph): Graph {
  const g = new Simplifier(...ARITHMETIC_RULES, MOVEMENT_RULES);
  const renamed: NodeId[] = [];
  for (const node of graph.nodes) renamed.push(g.emit(node.op, node.args.map((id) => renamed[id]), node.attrs, node.origin));
  return finish(graph, g.builder, renamed);
}

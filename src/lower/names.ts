/** Readable names of kernels, from the operations that they compute and the extents of their loops. */
import type { Graph, NodeId, NodeOf } from '../graph.ts';
import type { Stage } from '../kernel.ts';
import { opDef } from '../ops.ts';

/** How many of the other operations a name mentions. */
const MENTIONED = 3;
/** Arithmetic that says little of a kernel that has something better to say. */
const PLAIN = new Set(['add', 'sub', 'mul', 'div', 'neg', 'cast', 'constant', 'iota', 'broadcast', 'reshape', 'transpose', 'slice']);

/** `matmul_gelu_197x192x768`: the operations, the output's extents, what is reduced over. `first` are words that stand before. */
export function kernelName(graph: Graph, computed: ReadonlySet<NodeId>, stages: readonly Stage[], first: readonly string[] = []): string {
  const nodes = [...computed].sort((a, b) => a - b).map((id) => graph.nodes[id]);
  const heavy = [...first];
  const light: string[] = [];
  const plain: string[] = [];
  for (const node of nodes) {
    const { class: group } = opDef(node.op);
    if (group === 'reduction' || group === 'contraction' || group === 'order') heavy.push(heavyName(node, graph));
    else if (!PLAIN.has(node.op)) light.push(node.op);
    else if (group !== 'source' && node.op !== 'broadcast' && node.op !== 'reshape') plain.push(node.op);
  }
  const words = heavy.length + light.length > 0 ? [...new Set([...heavy, ...light])] : [...new Set(plain)];
  const output = stages.at(-1)!;
  const extents = [...output.axes, ...(stages.length === 2 ? stages[0].reduce?.axes ?? [] : [])].map((a) => a.extent);
  return [...(words.length > 0 ? words.slice(0, MENTIONED) : ['copy']), extents.join('x') || '1'].join('_');
}

function heavyName(node: Graph['nodes'][number], graph: Graph): string {
  switch (node.op) {
    case 'einsum':
      return 'matmul';
    case 'conv': {
      const { groups } = (node as NodeOf<'conv'>).attrs;
      const [, depth, ...window] = graph.nodes[node.args[1]].shape;
      return `${groups > 1 ? (depth === 1 ? 'depthwise' : 'grouped') : 'conv'}${window.join('x')}`;
    }
    case 'pool':
      return `${node.attrs.kind}pool${node.attrs.window.join('x')}`;
    default:
      return node.op.replace(/^reduce/, '').toLowerCase();
  }
}

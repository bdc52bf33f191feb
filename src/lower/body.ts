/**
 * The body of a kernel: the value of a graph node at an index, as an expression over loads of stored nodes and over
 * reduce stages. One rule an operation; movement operations only change the index.
 */
import type { Graph, Node, NodeId, NodeOf, Shape } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import type { Axis, Expr, Index, ReduceName, Stage } from '../kernel.ts';
import { all, binary, cast, indexValue, inRange, load, number, select, stageAt, unary } from '../kernel-expr.ts';
import { add, axis, constant, floorDiv, keyOf, mod, reshapeIndex, scale, value } from '../kernel-index.ts';
import type { OpName, WindowAttrs } from '../ops/types.ts';

/** The name by which raw kernels load a node's values, and the ranks that an argsort needs first. */
export const bufferOf = (id: NodeId): string => `b${id}`;
export const ranksOf = (id: NodeId): string => `rank${id}`;

/** Collects the stages of one kernel. `stored` tells which nodes are loaded rather than computed. */
export class Body {
  readonly stages: Stage[] = [];
  /** Nodes that the kernel computes. */
  readonly computed = new Set<NodeId>();
  readonly #stageOf = new Map<NodeId, string>();
  readonly #values = new Map<string, Expr>();
  #axes = 0;

  constructor(
    readonly graph: Graph,
    readonly stored: (id: NodeId) => boolean,
  ) {}

  /** Fresh loop variables for a shape. */
  axes(shape: Shape): Axis[] {
    return shape.map((extent) => ({ name: `x${this.#axes++}`, extent }));
  }

  /** The node's value at an index, loaded where the node is stored. */
  read(id: NodeId, at: readonly Index[]): Expr {
    return this.stored(id) ? load(bufferOf(id), at) : this.compute(id, at);
  }

  /** The node's value at an index, computed even where the node is stored. */
  compute(id: NodeId, at: readonly Index[]): Expr {
    const key = `${id}:${at.map(keyOf).join()}`;
    let expr = this.#values.get(key);
    if (!expr) {
      this.computed.add(id);
      const node = this.graph.nodes[id];
      this.#values.set(key, (expr = (LOWER[node.op] as Rule<OpName>)(node, at, this)));
    }
    return expr;
  }

  /** The node as a reduce stage over its own shape, read at an index. A reduction over one point is its body. */
  reduce(node: Node, at: readonly Index[], op: ReduceName, over: Shape, body: (at: readonly Index[], reduced: readonly Index[]) => Expr): Expr {
    if (sizeOf(over) === 1) return body(at, over.map(() => constant(0)));
    let stage = this.#stageOf.get(node.id);
    if (!stage) {
      const axes = this.axes(node.shape);
      const reduced = this.axes(over);
      const of = body(axes.map(axis), reduced.map(axis));
      stage = `s${this.stages.length}`;
      this.stages.push({ name: stage, axes, reduce: { op, axes: reduced }, body: of, dtype: node.dtype });
      this.#stageOf.set(node.id, stage);
    }
    return stageAt(stage, at);
  }

  shape(id: NodeId): Shape {
    return this.graph.nodes[id].shape;
  }
}

type Rule<K extends OpName> = (node: NodeOf<K>, at: readonly Index[], body: Body) => Expr;

const one = (op: Parameters<typeof unary>[0]): Rule<any> => (node, at, body) => unary(op, body.read(node.args[0], at));
const two = (op: Parameters<typeof binary>[0]): Rule<any> => (node, at, body) => binary(op, body.read(node.args[0], at), body.read(node.args[1], at));

const reduction =
  (op: ReduceName): Rule<'reduceSum' | 'reduceMax' | 'reduceMin'> =>
  (node, at, body) => {
    const shape = body.shape(node.args[0]);
    const { axes } = node.attrs;
    return body.reduce(node as Node, at, op, axes.map((a) => shape[a]), (kept, reduced) => {
      let next = 0;
      return body.read(node.args[0], shape.map((_, i) => (axes.includes(i) ? reduced[axes.indexOf(i)] : kept[next++])));
    });
  };

/** Where a window's taps read along the spatial axes, and whether that is inside. */
function taps({ stride, padding, dilation }: WindowAttrs, places: readonly Index[], window: readonly Index[], extents: Shape): { at: Index[]; inside: Expr } {
  const at = places.map((p, i) => add(scale(p, stride[i]), scale(window[i], dilation[i]), constant(-padding[i].low)));
  return { at, inside: all(at.map((index, i) => inRange(index, 0, extents[i]))) };
}

/** What a maximum or minimum over nothing is. */
const LOWEST = { f32: -Infinity, i32: -(2 ** 31), bool: 0 } as const;

/** One rule an operation. A source that is not inlined is always stored. */
const LOWER: { readonly [K in OpName]: Rule<K> } = {
  input: (node) => bug(node),
  param: (node) => bug(node),
  constant: ({ attrs }) => number(attrs.value, attrs.dtype),
  iota: (_, at) => indexValue(at[0]),

  neg: one('neg'), abs: one('abs'), exp: one('exp'), log: one('log'), sqrt: one('sqrt'), rsqrt: one('rsqrt'), sin: one('sin'),
  cos: one('cos'), tanh: one('tanh'), erf: one('erf'), sigmoid: one('sigmoid'), floor: one('floor'), not: one('not'),
  cast: ({ args, attrs }, at, body) => cast(attrs.dtype, body.read(args[0], at)),

  add: two('add'), sub: two('sub'), mul: two('mul'), div: two('div'), mod: two('mod'), pow: two('pow'), max: two('max'), min: two('min'),
  equal: two('equal'), less: two('less'), lessEqual: two('lessEqual'), and: two('and'), or: two('or'),
  where: ({ args: [condition, a, b] }, at, body) => select(body.read(condition, at), body.read(a, at), body.read(b, at)),

  reshape: ({ args: [x], shape }, at, body) => body.read(x, reshapeIndex(at, shape, body.shape(x))),
  transpose: ({ args: [x], attrs: { permutation } }, at, body) => body.read(x, permutation.map((_, i) => at[permutation.indexOf(i)])),
  broadcast: ({ args: [x], shape }, at, body) => {
    const own = body.shape(x);
    return body.read(x, own.map((extent, i) => (extent === 1 ? constant(0) : at[i + shape.length - own.length])));
  },
  slice: ({ args: [x], attrs: { start, step } }, at, body) => body.read(x, at.map((index, i) => add(scale(index, step[i]), constant(start[i])))),
  concat: (node, at, body) => {
    const { args, attrs: { axis: joined } } = node;
    const turned = rotation(node, body);
    if (turned) return body.read(turned.of, at.with(joined, mod(add(at[joined], constant(turned.by)), node.shape[joined])));
    const pieces = args.map((x) => body.shape(x)[joined]);
    const piece = (i: number, start: number): Expr => {
      const here = (): Expr => body.read(args[i], at.with(joined, add(at[joined], constant(-start))));
      if (i === args.length - 1) return here();
      const end = start + pieces[i];
      const condition = binary('less', indexValue(at[joined]), number(end, 'i32'));
      // A piece that no point reads is not built at all.
      if (condition.kind === 'const') return condition.value ? here() : piece(i + 1, end);
      return select(condition, here(), piece(i + 1, end));
    };
    return piece(0, 0);
  },
  pad: ({ args: [x], attrs: { padding, value: filler }, dtype }, at, body) => {
    const inner = at.map((index, i) => add(index, constant(-padding[i].low)));
    const inside = all(inner.map((index, i) => inRange(index, 0, body.shape(x)[i])));
    return inside.kind === 'const' && !inside.value ? number(filler, dtype) : select(inside, body.read(x, inner), number(filler, dtype));
  },
  gather: ({ args: [x, indices], attrs: { axis: gathered, batch } }, at, body) => {
    const own = body.shape(indices).length - batch;
    const index = body.read(indices, [...at.slice(0, batch), ...at.slice(gathered, gathered + own)]);
    return body.read(x, [...at.slice(0, gathered), value(index, body.shape(x)[gathered]), ...at.slice(gathered + own)]);
  },

  reduceSum: reduction('sum'),
  reduceMax: reduction('max'),
  reduceMin: reduction('min'),

  einsum: (node, at, body) => {
    const { left, right, out } = node.attrs;
    const [x, y] = node.args;
    const extents = new Map([...left.map((l, i) => [l, body.shape(x)[i]] as const), ...right.map((l, i) => [l, body.shape(y)[i]] as const)]);
    const summed = [...extents.keys()].filter((l) => !out.includes(l));
    return body.reduce(node, at, 'sum', summed.map((l) => extents.get(l)!), (kept, reduced) => {
      const index = (l: string): Index => (out.includes(l) ? kept[out.indexOf(l)] : reduced[summed.indexOf(l)]);
      return binary('mul', body.read(x, left.map(index)), body.read(y, right.map(index)));
    });
  },
  conv: (node, at, body) => {
    const [x, w] = node.args;
    const spatial = body.shape(x).slice(2);
    const [outputs, depth, ...window] = body.shape(w);
    return body.reduce(node, at, 'sum', [depth, ...window], ([b, o, ...places], [c, ...tap]) => {
      const { at: read, inside } = taps(node.attrs, places, tap, spatial);
      const channel = add(scale(floorDiv(o, outputs / node.attrs.groups), depth), c);
      return binary('mul', select(inside, body.read(x, [b, channel, ...read]), number(0)), body.read(w, [o, c, ...tap]));
    });
  },
  pool: (node, at, body) => {
    const [x] = node.args;
    const { window, kind } = node.attrs;
    const lead = node.shape.length - window.length;
    const neutral = number(kind === 'max' ? LOWEST[node.dtype] : 0, node.dtype);
    return body.reduce(node, at, kind, window, (kept, tap) => {
      const { at: read, inside } = taps(node.attrs, kept.slice(lead), tap, body.shape(x).slice(lead));
      return select(inside, body.read(x, [...kept.slice(0, lead), ...read]), neutral);
    });
  },

  argsort: (node, at, body) => {
    const n = node.shape.at(-1)!;
    if (!needsRanks(node)) return number(0, 'i32');
    // The index whose rank this place is: the inverse of the permutation of ranks.
    return body.reduce(node, at, 'sum', [n], (kept, [i]) => {
      const isHere = binary('equal', load(ranksOf(node.id), [...kept.slice(0, -1), i]), indexValue(kept.at(-1)!));
      return select(isHere, indexValue(i), number(0, 'i32'));
    });
  },
};

/** The tensor of which a concat joins the two halves in the other order, and where the second half begins. */
function rotation({ args, attrs, shape }: NodeOf<'concat'>, body: Body): { readonly of: NodeId; readonly by: number } | undefined {
  if (args.length !== 2 || args.some((id) => body.stored(id))) return undefined;
  const [second, first] = args.map((id) => body.graph.nodes[id]);
  if (second.op !== 'slice' || first.op !== 'slice' || second.args[0] !== first.args[0]) return undefined;
  if (body.shape(first.args[0]).join() !== shape.join()) return undefined;
  const by = first.shape[attrs.axis];
  const from = (node: NodeOf<'slice'>, start: number): boolean =>
    node.attrs.step.every((s) => s === 1) && node.attrs.start.every((s, i) => s === (i === attrs.axis ? start : 0));
  return from(second, by) && from(first, 0) ? { of: first.args[0], by } : undefined;
}

/** A single value has nothing to be ranked against. */
export function needsRanks(node: NodeOf<'argsort'>): boolean {
  return node.shape.at(-1)! > 1;
}

/** The stage that ranks each value along the last axis: how many stand before it, equal ones in order. */
export function rankStage(node: NodeOf<'argsort'>, body: Body): Stage {
  const [x] = node.args;
  const axes = body.axes(node.shape);
  const reduced = body.axes([node.shape.at(-1)!]);
  const at = axes.map(axis);
  const j = axis(reduced[0]);
  const mine = body.read(x, at);
  const other = body.read(x, at.with(-1, j));
  const before = node.attrs.descending ? binary('less', mine, other) : binary('less', other, mine);
  const tie = binary('and', binary('equal', mine, other), binary('less', indexValue(j), indexValue(at.at(-1)!)));
  return { name: `s${body.stages.length}`, axes, reduce: { op: 'sum', axes: reduced }, body: cast('i32', binary('or', before, tie)), dtype: 'i32' };
}

function bug(node: Node): never {
  throw new Error(`bug: ${node.op} %${node.id} is computed in a kernel`);
}

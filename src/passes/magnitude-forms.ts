/**
 * Forms whose values are bounded although what they are made of is not: norms, softmaxes, exponentials of what is
 * never positive. A form is recognized by its nodes, whatever names the source gave them.
 *
 * A statistic, such as a row's sum, belongs to the places that it was reduced from, so it must be repeated along exactly
 * the axes that were reduced. Between the reduction and the repetition only reshapes and element-wise steps are
 * looked through: both keep the row-major order of the values, so the shape at the repetition alone tells where each of
 * them goes.
 */
import { sameShape } from '../graph.ts';
import type { Graph, Node, NodeId, NodeOf, Shape } from '../graph.ts';

/** How many nodes are looked through; forms as people write them have fewer. */
const MAX_STEPS = 16;
/** The least normal f32: smaller results may be flushed to zero. */
const LEAST_NORMAL = 2 ** -126;

/** A reduced value brought back to the shape that it was reduced from. */
interface Statistic {
  /** The axes that were reduced. */
  readonly axes: readonly number[];
  /** The reduction's argument. */
  readonly source: NodeId;
  /** Element-wise steps between the reduction and the result, the first behind the reduction first. */
  readonly steps: readonly Step[];
}

/** An element-wise operation with a constant (0 where it has one argument only). */
interface Step {
  readonly op: 'add' | 'mul' | 'div' | 'max' | 'sqrt' | 'rsqrt';
  readonly by: number;
}

/** What is known of steps over a sum of values that are not negative: they result in at least `scale` times the sum, or its root, and at least `floor`. */
interface Least {
  readonly scale: number;
  readonly floor: number;
  readonly root: boolean;
}

export class MagnitudeForms {
  readonly #nodes: readonly Node[];

  constructor(graph: Graph) {
    this.#nodes = graph.nodes;
  }

  /** The one number that a node's elements are; undefined where they may differ. */
  constant(id: NodeId): number | undefined {
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const node = this.#nodes[id];
      if (node.op === 'constant') return node.attrs.value;
      if (node.op !== 'broadcast' && node.op !== 'reshape') return undefined;
      id = node.args[0];
    }
    return undefined;
  }

  /**
   * A bound of a norm: d * rsqrt(c * sum(d * d) + eps) or d / sqrt(c * sum(d * d) + eps), or with max(.., eps) inside. One of
   * the summed squares is the element's own, so |d| <= sqrt(sum), and the norm is at most 1 / sqrt(c).
   *
   * Without eps that would hold for real numbers only: where squares of small values become zero in f32, the quotient is
   * infinite. So eps must be large enough that it takes over before.
   */
  norm(node: NodeOf<'mul'> | NodeOf<'div'>): number | undefined {
    const sides = node.op === 'div' ? [[0, 1]] : [[0, 1], [1, 0]];
    for (const [value, length] of sides) {
      const d = node.args[value];
      const sum = this.#statistic(node.args[length], 'reduceSum');
      if (!sum || !this.#isSquare(sum.source, d)) continue;
      // A product with the reciprocal root is a quotient by the root.
      const inverse = sum.steps.at(-1)?.op === 'rsqrt';
      if (inverse !== (node.op === 'mul')) continue;
      const least = leastOf(inverse ? [...sum.steps.slice(0, -1), { op: 'sqrt', by: 0 }] : sum.steps);
      if (least?.root && least.floor >= Math.sqrt(LEAST_NORMAL) * Math.max(1, least.scale)) return 1 / least.scale;
    }
    return undefined;
  }

  /** The axes along which a node's values are not negative and sum to at most 1: e / sum(e). */
  softmaxAxes(id: NodeId): readonly number[] | undefined {
    const node = this.#nodes[id];
    if (node.op !== 'div' || !this.#isNotNegative(node.args[0])) return undefined;
    const sum = this.#statistic(node.args[1], 'reduceSum');
    if (sum?.source !== node.args[0]) return undefined;
    const least = leastOf(sum.steps);
    return least && !least.root && least.scale >= 1 ? sum.axes : undefined;
  }

  /**
   * For an einsum of a softmax that sums over just the softmax's axes: the other operand, a weighted mean of which
   * the result is.
   */
  averaged({ args, attrs }: NodeOf<'einsum'>): NodeId | undefined {
    const summed = new Set([...attrs.left, ...attrs.right].filter((label) => !attrs.out.includes(label)));
    for (const [id, own, other] of [[args[0], attrs.left, args[1]], [args[1], attrs.right, args[0]]] as const) {
      const labels = this.#softmaxLabels(id, own);
      if (labels?.length === summed.size && labels.every((label) => summed.has(label))) return other;
    }
    return undefined;
  }

  /** Whether no element can be above 0: x - max(x), -|x| and the like. */
  isNotPositive(id: NodeId): boolean {
    const node = this.#nodes[id];
    if (node.op === 'neg') return this.#isNotNegative(node.args[0]);
    if (node.op === 'min') return node.args.some((arg) => (this.constant(arg) ?? 1) <= 0);
    if (node.op !== 'sub') return false;
    const most = this.#statistic(node.args[1], 'reduceMax');
    return most !== undefined && most.source === node.args[0] && most.steps.length === 0;
  }

  #isNotNegative(id: NodeId): boolean {
    const node = this.#nodes[id];
    if (node.op === 'exp' || node.op === 'abs' || node.op === 'sigmoid') return node.dtype === 'f32';
    if (node.op === 'max') return node.args.some((arg) => (this.constant(arg) ?? -1) >= 0);
    return this.#isSquare(id, node.args[0]);
  }

  #isSquare(id: NodeId, of: NodeId): boolean {
    const node = this.#nodes[id];
    if (node.dtype !== 'f32' || node.args[0] !== of) return false;
    return node.op === 'mul' ? node.args[1] === of : node.op === 'pow' && this.constant(node.args[1]) === 2;
  }

  /** The labels of the axes along which an operand is a softmax; transposes are looked through. */
  #softmaxLabels(id: NodeId, labels: readonly string[]): string[] | undefined {
    let own = [...labels];
    for (let steps = 0; steps < MAX_STEPS; steps++) {
      const node = this.#nodes[id];
      if (node.op !== 'transpose') return this.softmaxAxes(id)?.map((axis) => own[axis]);
      const { permutation } = node.attrs;
      own = own.map((_, axis) => own[permutation.indexOf(axis)]);
      id = node.args[0];
    }
    return undefined;
  }

  /** The reduction that a node repeats along the reduced axes; undefined where its values go to any other place. */
  #statistic(id: NodeId, op: 'reduceSum' | 'reduceMax'): Statistic | undefined {
    const whole = this.#nodes[id].shape;
    const steps: Step[] = [];
    // The shape that is repeated, or the whole one where there is nothing to repeat. It holds as many values as the
    // reduction has, so no repetition before it can be meant to match.
    let kept: Shape | undefined;
    for (let i = 0; i < MAX_STEPS; i++) {
      const node = this.#nodes[id];
      if (node.op === op) {
        const { axes } = node.attrs;
        const [source] = node.args;
        const from = this.#nodes[source].shape;
        const expected = from.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
        const fits = sameShape(from, whole) && sameShape(withoutLeadingOnes(kept ?? node.shape), withoutLeadingOnes(expected));
        return fits ? { axes, source, steps: steps.reverse() } : undefined;
      }
      if (node.op === 'broadcast' || node.op === 'reshape') {
        kept ??= this.#nodes[node.op === 'broadcast' ? node.args[0] : id].shape;
        id = node.args[0];
        continue;
      }
      const through = this.#step(node);
      if (!through) return undefined;
      steps.push(through.step);
      id = through.argument;
    }
    return undefined;
  }

  /** A node as an element-wise step of one argument. */
  #step({ op, args }: Node): { readonly step: Step; readonly argument: NodeId } | undefined {
    if (op === 'sqrt' || op === 'rsqrt') return { step: { op, by: 0 }, argument: args[0] };
    if (op !== 'add' && op !== 'mul' && op !== 'max' && op !== 'div') return undefined;
    const right = this.constant(args[1]);
    if (right !== undefined) return { step: { op, by: right }, argument: args[0] };
    const left = op === 'div' ? undefined : this.constant(args[0]);
    return left === undefined ? undefined : { step: { op, by: left }, argument: args[1] };
  }
}

/** What steps leave of a sum of values that are not negative; undefined where they may leave less than any share of it. */
function leastOf(steps: readonly Step[]): Least | undefined {
  let least: Least = { scale: 1, floor: 0, root: false };
  for (const { op, by } of steps) {
    const { scale, floor, root } = least;
    if (op === 'mul' && isFactor(by)) least = { scale: scale * by, floor: floor * by, root };
    else if (op === 'div' && isFactor(by)) least = { scale: scale / by, floor: floor / by, root };
    else if (op === 'add' && by >= 0) least = { scale, floor: floor + by, root };
    else if (op === 'max') least = { scale, floor: Math.max(floor, by), root };
    else if (op === 'sqrt' && !root) least = { scale: Math.sqrt(scale), floor: Math.sqrt(floor), root: true };
    else return undefined;
  }
  return least;
}

/** Positive, and neither it nor its reciprocal is flushed to zero. */
const isFactor = (by: number): boolean => by >= LEAST_NORMAL && by <= 1 / LEAST_NORMAL;

/** Broadcasting aligns shapes at their ends, so axes of 1 in front mean nothing. */
function withoutLeadingOnes(shape: Shape): Shape {
  const first = shape.findIndex((extent) => extent !== 1);
  return first < 0 ? [] : shape.slice(first);
}

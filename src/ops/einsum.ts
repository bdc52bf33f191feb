/** Einsum of two tensors, brought to a batch of matrix products. */
import { sizeOf, stridesOf } from '../graph.ts';
import type { Shape } from '../graph.ts';
import { copyStrided, offsetsOf } from './loops.ts';
import { multiplyAdd } from './matmul.ts';
import type { OpAttrs, Tensor, TensorData } from './types.ts';

/**
 * The labels of an einsum by role; each list in order of the output, summed ones in order of the operands.
 * A label of one operand that is absent from the output counts as summed; the other operand repeats along it.
 */
export interface EinsumRoles {
  /** In both operands and in the output. */
  readonly batch: readonly string[];
  /** In the left operand and in the output. */
  readonly left: readonly string[];
  /** In the right operand and in the output. */
  readonly right: readonly string[];
  readonly summed: readonly string[];
}

export function einsumRoles({ left, right, out }: OpAttrs['einsum']): EinsumRoles {
  const inLeft = new Set(left);
  const inRight = new Set(right);
  const kept = new Set(out);
  return {
    batch: out.filter((l) => inLeft.has(l) && inRight.has(l)),
    left: out.filter((l) => inLeft.has(l) && !inRight.has(l)),
    right: out.filter((l) => !inLeft.has(l) && inRight.has(l)),
    summed: [...left, ...right.filter((l) => !inLeft.has(l))].filter((l) => !kept.has(l)),
  };
}

/** Every label's extent. */
export function einsumExtents({ left, right }: OpAttrs['einsum'], x: Shape, y: Shape): Map<string, number> {
  return new Map([...left.map((l, i) => [l, x[i]] as const), ...right.map((l, i) => [l, y[i]] as const)]);
}

/** The operand's data with its axes in the order of `labels`, labels it lacks repeated; the data itself where that is how it lies. */
function packed(labels: readonly string[], extents: ReadonlyMap<string, number>, own: readonly string[], x: Tensor): TensorData {
  const strides = stridesOf(x.shape);
  const shape = labels.map((l) => extents.get(l)!);
  const wanted = labels.map((l) => (own.includes(l) ? strides[own.indexOf(l)] : 0));
  const natural = stridesOf(shape);
  if (sizeOf(shape) === x.data.length && wanted.every((s, i) => shape[i] === 1 || s === natural[i])) return x.data;
  const data = x.data instanceof Float32Array ? new Float32Array(sizeOf(shape)) : new Float64Array(sizeOf(shape));
  copyStrided(shape, x.data, 0, wanted, data);
  return data;
}

export function evaluateEinsum(x: Tensor, y: Tensor, attrs: OpAttrs['einsum'], out: Tensor): void {
  const extents = einsumExtents(attrs, x.shape, y.shape);
  const roles = einsumRoles(attrs);
  const size = (labels: readonly string[]): number => sizeOf(labels.map((l) => extents.get(l)!));
  const [batches, m, n, k] = [size(roles.batch), size(roles.left), size(roles.right), size(roles.summed)];
  const a = packed([...roles.batch, ...roles.left, ...roles.summed], extents, attrs.left, x);
  const b = packed([...roles.batch, ...roles.right, ...roles.summed], extents, attrs.right, y);
  const order = [...roles.batch, ...roles.left, ...roles.right];
  const inPlace = order.every((l, i) => l === attrs.out[i]);
  const c = inPlace ? out.data : out.data instanceof Float32Array ? new Float32Array(out.data.length) : new Float64Array(out.data.length);
  c.fill(0);
  for (let i = 0; i < batches; i++) {
    multiplyAdd({ data: a, offset: i * m * k, stride: k }, { data: b, offset: i * n * k, stride: k }, { data: c, offset: i * m * n, stride: n }, m, n, k);
  }
  if (inPlace) return;
  const strides = stridesOf(order.map((l) => extents.get(l)!));
  const from = offsetsOf(out.shape, attrs.out.map((l) => strides[order.indexOf(l)]));
  for (let i = 0; i < from.length; i++) out.data[i] = c[from[i]];
}

/** The op table: everything the compiler knows of an operation, once. */
import { CONTRACTION } from './ops/contraction.ts';
import { ELEMENTWISE } from './ops/elementwise.ts';
import { MOVEMENT } from './ops/movement.ts';
import { ORDER } from './ops/order.ts';
import { REDUCTION } from './ops/reduction.ts';
import { SOURCES } from './ops/sources.ts';
import type { TensorType } from './graph.ts';
import type { InferResult, OpAttrs, OpDef, OpName, OpTable } from './ops/types.ts';

export const OPS: OpTable = { ...SOURCES, ...ELEMENTWISE, ...MOVEMENT, ...REDUCTION, ...CONTRACTION, ...ORDER };

export const OP_NAMES = Object.keys(OPS) as OpName[];

/** The table's entry under a name known only as one of many. */
export function opDef<K extends OpName>(op: K): OpDef<K> {
  return OPS[op] as OpDef<K>;
}

/** The type of `op` applied to arguments of these types, the number of arguments checked too; a message states facts. */
export function inferType<K extends OpName>(op: K, args: readonly TensorType[], attrs: OpAttrs[K]): InferResult {
  const { arity, infer } = opDef(op);
  if (arity === 'variadic' ? args.length === 0 : args.length !== arity) {
    return { ok: false, message: `${op}: ${args.length} argument${args.length === 1 ? ' is' : 's are'} given; it takes ${arity === 'variadic' ? 'one or more' : arity}` };
  }
  return infer(args, attrs);
}

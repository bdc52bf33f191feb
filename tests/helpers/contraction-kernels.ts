/** Contraction kernels for tests, written as einsums. */
import type { Axis, Expr, Index, Kernel, KernelParam } from '../../src/kernel.ts';
import { axis } from '../../src/kernel-index.ts';
import { binary, load, number, select, stageAt } from '../../src/kernel-expr.ts';

export interface EinsumKernel {
  readonly extents: Readonly<Record<string, number>>;
  /** Axis names in the order of memory: `b m k`. */
  readonly left: string;
  readonly right: string;
  readonly out: string;
  readonly epilogue?: (acc: Expr, at: (names: string) => Index[]) => Expr;
  /** Further inputs by name, with their axes. */
  readonly extra?: Readonly<Record<string, string>>;
}

const words = (names: string): string[] => names.split(' ').filter((n) => n !== '');

/** sum of left * right over the axes that are not in `out`, then the epilogue. */
export function einsumKernel({ extents, left, right, out, epilogue, extra = {} }: EinsumKernel): Kernel {
  /** As lowering makes them: axes of extent 1 are no loops. */
  const axes = (names: string): Axis[] => words(names).map((name) => ({ name, extent: extents[name] })).filter((a) => a.extent > 1);
  const at = (names: string): Index[] => words(names).map((name) => axis({ name, extent: extents[name] }));
  const reduced = [...new Set([...words(left), ...words(right)])].filter((n) => !words(out).includes(n));
  const body = binary('mul', load('left', at(left)), load('right', at(right)));
  const acc = stageAt('acc', axes(out).map(axis));
  const param = (name: string, names: string, access: 'read' | 'write'): KernelParam => ({ name, shape: words(names).map((n) => extents[n]), dtype: 'f32', storage: 'f32', access });
  return {
    name: `einsum_${out.replaceAll(' ', '')}`,
    params: [param('left', left, 'read'), param('right', right, 'read'), ...Object.entries(extra).map(([name, names]) => param(name, names, 'read')), param('out', out, 'write')],
    stages: [
      { name: 'acc', axes: axes(out), reduce: { op: 'sum', axes: axes(reduced.join(' ')) }, body, dtype: 'f32' },
      { name: 'result', axes: axes(out), body: epilogue ? epilogue(acc, at) : acc, dtype: 'f32' },
    ],
    stores: [{ buffer: 'out', stage: 'result', at: at(out) }],
  };
}

const indexOf = ([of]: readonly Index[]): Expr => ({ kind: 'index', of });

/** Column n of row m only where n is not after m: in a vector of all columns, the first one's condition always holds. The constant is of the sums' magnitude, which the tolerance goes by. */
export function causal(m: number, n: number, k: number): EinsumKernel {
  return {
    extents: { m, n, k }, left: 'm k', right: 'n k', out: 'm n',
    epilogue: (acc, at) => select(binary('lessEqual', indexOf(at('n')), indexOf(at('m'))), acc, number(-3)),
  };
}

/** Nothing but a constant in the last two columns: of a vector of columns, the first ones' condition always holds. */
export function ended(m: number, n: number, k: number): EinsumKernel {
  return {
    extents: { m, n, k }, left: 'm k', right: 'k n', out: 'm n', extra: { bias: 'n' },
    epilogue: (acc, at) => select(binary('less', indexOf(at('n')), number(n - 2, 'i32')), binary('add', acc, load('bias', at('n'))), number(-3)),
  };
}

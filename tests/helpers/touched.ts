/** Distinct elements that kernels touch, counted point by point. */
import type { Expr, Index, Kernel } from '../../src/kernel.ts';

/** How many elements of each parameter a run of the kernel reads or writes, found by running its loops; data reads as 0, places outside of a shape are none. */
export function touchedByRunning(kernel: Kernel): number[] {
  const touched = new Map(kernel.params.map((p) => [p.name, new Set<string>()]));
  const shapes = new Map(kernel.params.map((p) => [p.name, p.shape]));
  const touch = (buffer: string, place: readonly number[]): void => {
    if (place.every((i, dim) => i >= 0 && i < shapes.get(buffer)![dim])) touched.get(buffer)!.add(place.join());
  };
  const at = (index: Index, point: Map<string, number>): number =>
    index.terms.reduce((sum, { scale, atom }) => {
      if (atom.kind === 'axis') return sum + scale * point.get(atom.name)!;
      if (atom.kind === 'value') return sum + scale * (run(atom.of, point), 0);
      const x = at(atom.of, point);
      return sum + scale * (atom.kind === 'div' ? Math.floor(x / atom.by) : x - atom.by * Math.floor(x / atom.by));
    }, index.offset);
  const run = (e: Expr, point: Map<string, number>): number => {
    switch (e.kind) {
      case 'const': return e.value;
      case 'index': return at(e.of, point);
      case 'load': touch(e.buffer, e.at.map((i) => at(i, point))); return 0;
      case 'stage': return 0;
      case 'unary': { const a = run(e.a, point); return e.op === 'not' ? 1 - a : e.op === 'neg' ? -a : e.op === 'abs' ? Math.abs(a) : a; }
      case 'cast': return run(e.a, point);
      case 'select': return run(e.condition, point) ? run(e.then, point) : run(e.else, point);
      case 'binary': {
        const [a, b] = [run(e.a, point), run(e.b, point)];
        switch (e.op) {
          case 'add': return a + b;
          case 'sub': return a - b;
          case 'mul': return a * b;
          case 'div': return b === 0 ? 0 : Math.floor(a / b);
          case 'mod': return b === 0 ? 0 : a - b * Math.floor(a / b);
          case 'max': return Math.max(a, b);
          case 'min': return Math.min(a, b);
          case 'less': return Number(a < b);
          case 'lessEqual': return Number(a <= b);
          case 'equal': return Number(a === b);
          case 'and': return a & b;
          case 'or': return a | b;
          default: return 0;
        }
      }
    }
  };
  for (const stage of kernel.stages) {
    const axes = [...stage.axes, ...(stage.reduce?.axes ?? [])];
    const total = axes.reduce((n, a) => n * a.extent, 1);
    for (let flat = 0; flat < total; flat++) {
      const point = new Map<string, number>();
      for (let k = axes.length - 1, rest = flat; k >= 0; k--) {
        point.set(axes[k].name, rest % axes[k].extent);
        rest = Math.floor(rest / axes[k].extent);
      }
      run(stage.body, point);
      for (const store of kernel.stores) if (store.stage === stage.name) touch(store.buffer, store.at ? store.at.map((i) => at(i, point)) : stage.axes.map((a) => point.get(a.name)!));
    }
  }
  return kernel.params.map((p) => touched.get(p.name)!.size);
}

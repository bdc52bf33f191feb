/** Which output axes a window slides along. */
import type { Kernel } from './kernel.ts';
import { loadsOf } from './kernel-expr.ts';
import { matchReduce } from './kernel-forms.ts';
import { strideOf } from './kernel-index.ts';
import { storedIndex } from './kernel-layout.ts';

/** Positions among the output axes. */
export interface WindowAxes {
  /** The axis along which the windows' elements lie closest together. */
  readonly w: number;
  /** The next one, if the window slides along two. */
  readonly h?: number;
}

/**
 * An output axis moves the window where neighbouring outputs read some of the same elements: a load's index grows by a
 * step of it as by fewer steps of a reduced axis than that axis has. Undefined where no axis does.
 */
export function windowAxes(kernel: Kernel): WindowAxes | undefined {
  const form = matchReduce(kernel);
  if (!form) return undefined;
  const params = new Map(kernel.params.map((p) => [p.name, p]));
  const found = new Map<number, number>();
  for (const load of loadsOf(form.acc.body)) {
    const flat = storedIndex(params.get(load.buffer)!, load.at);
    for (const reduced of form.acc.reduce.axes) {
      const step = Math.abs(strideOf(flat, reduced.name) ?? 0);
      if (step === 0 || reduced.extent < 2) continue;
      form.accAxes.forEach((a, i) => {
        const move = Math.abs(strideOf(flat, a.name) ?? 0);
        if (a.extent > 1 && move > 0 && move % step === 0 && move / step < reduced.extent) found.set(i, Math.min(move, found.get(i) ?? Infinity));
      });
    }
  }
  const [w, h] = [...found].sort(([, a], [, b]) => a - b).map(([i]) => i);
  return w === undefined ? undefined : { w, h };
}

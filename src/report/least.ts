/**
 * Least bytes: each distinct element that a kernel reads or writes, once. No schedule can move fewer bytes through memory
 * unless the kernel is fused with its neighbours. A load covers the image of its index maps over the points where its
 * guards hold; union.ts counts without going through the points.
 */
import type { Axis, Expr, Index, Kernel, KernelParam, Stage } from '../kernel.ts';
import { axis } from '../kernel-index.ts';
import { isStatic, type Guard } from '../kernel-points.ts';
import type { Work } from './cover.ts';
import type { Region } from './region.ts';
import { unionSize } from './union.ts';

/** Distinct elements of each parameter that the kernel touches, in order of the parameters; `work` counts what that took. */
export function touchedElements(kernel: Kernel, work?: Work): number[] {
  return kernel.params.map((param) => unionSize(param.access === 'write' ? storesOf(kernel, param) : loadRegions(kernel, param), param.shape, work));
}

function axesOfStage(stage: Stage): Axis[] {
  return [...stage.axes, ...(stage.reduce?.axes ?? [])];
}

function storesOf(kernel: Kernel, param: KernelParam): Region[] {
  return kernel.stores
    .filter((s) => s.buffer === param.name)
    .map((store) => {
      const stage = kernel.stages.find((s) => s.name === store.stage)!;
      const at = store.at ?? stage.axes.map(axis);
      return { at, axes: stage.axes, guards: [] };
    });
}

function loadRegions(kernel: Kernel, param: KernelParam): Region[] {
  return kernel.stages.flatMap((stage) => {
    const regions: Region[] = [];
    const axes = axesOfStage(stage);
    collect(stage.body, [], (at, guards) => regions.push({ at, axes, guards }));
    return regions;
  });

  function collect(e: Expr, guards: readonly Guard[], found: (at: readonly Index[], guards: readonly Guard[]) => void): void {
    const indices = (list: readonly Index[]): void => list.forEach((i) => dataIn(i, (inner) => collect(inner, guards, found)));
    switch (e.kind) {
      case 'const':
        return;
      case 'index':
        return indices([e.of]);
      case 'load':
        if (e.buffer === param.name) found(e.at, guards);
        return indices(e.at);
      case 'stage':
        return indices(e.at);
      case 'unary':
      case 'cast':
        return collect(e.a, guards, found);
      case 'binary':
        collect(e.a, guards, found);
        return collect(e.b, guards, found);
      case 'select': {
        collect(e.condition, guards, found);
        // A condition on data is not known here: both branches count.
        const known = isStatic(e.condition);
        collect(e.then, known ? [...guards, { condition: e.condition, holds: true }] : guards, found);
        return collect(e.else, known ? [...guards, { condition: e.condition, holds: false }] : guards, found);
      }
      default:
        return e satisfies never;
    }
  }
}

function dataIn(index: Index, visit: (e: Expr) => void): void {
  for (const { atom } of index.terms) {
    if (atom.kind === 'value') visit(atom.of);
    else if (atom.kind !== 'axis') dataIn(atom.of, visit);
  }
}

/**
 * Workgroup memory of kernels for matrix units: tiles of f16 that fragments are loaded from, and results of f32 on their
 * way to the lanes.
 *
 * In words (vec4<u32>, eight values of f16 each) the results come where the tiles were: on an H200 a unit ran two
 * workgroups of 24 KB and only one of 28 KB, which nearly halved its rate. Tiles that are written value by value are of
 * vec4<f16>, and the results stand beside them.
 */
import { FRAGMENT } from '../../kernel-fragments.ts';
import type { Emitter } from '../emitter.ts';
import { add, assign, bitcast, call, construct, div, element, mod, mul, u32 } from '../wgsl-build.ts';
import { F16, U32, vector } from '../wgsl.ts';
import type { WgslExpr, WgslType } from '../wgsl.ts';

type MatrixType = Extract<WgslType, { kind: 'matrix' }>;

export const matrix = (role: MatrixType['role']): MatrixType => ({ kind: 'matrix', role, component: role === 'result' ? 'f32' : 'f16', columns: FRAGMENT, rows: FRAGMENT });

const RESULTS = vector('f32', 4);

/** What a kernel for matrix units says at its head. */
export function enableMatrices(emitter: Emitter): void {
  emitter.enable('f16');
  emitter.enable('subgroups');
  emitter.enable('chromium_experimental_subgroup_matrix');
  emitter.diagnosticOff('chromium.subgroup_matrix_uniformity');
}

/** A subgroup's sums, zero at first: rows x columns of fragments. Not to be made in a loop, where Dawn clears them but once. */
export function resultGrid(emitter: Emitter, rows: number, columns: number, name = 'sum'): WgslExpr[][] {
  return Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (__, j) => emitter.variable(`${name}${i}_${j}`, matrix('result'))));
}

/** Sets sums to zero. */
export function clearGrid(emitter: Emitter, sums: readonly (readonly WgslExpr[])[]): void {
  for (const sum of sums.flat()) emitter.push(assign(sum, construct(matrix('result'))));
}

/** left right + sum, of fragments. */
export function multiplyAccumulate(left: WgslExpr, right: WgslExpr, sum: WgslExpr): WgslExpr {
  return call('subgroupMatrixMultiplyAccumulate', matrix('result'), left, right, sum);
}

/** How a subgroup's lanes stand on rows of so many fours of results: neighbours along a row, so that they store whole lines. */
export function resultLanes(fours: number, subgroupSize: number): { readonly lanesM: number; readonly lanesN: number } {
  // The greatest power of two that divides the fours.
  const lanesN = Math.min(subgroupSize, fours & -fours);
  return { lanesM: subgroupSize / lanesN, lanesN };
}

export class FragmentMemory {
  readonly tiles: WgslExpr;
  private readonly ownResults: WgslExpr | undefined;

  /** Room for so many values of f16 in tiles, and so many results. */
  constructor(private readonly emitter: Emitter, readonly words: boolean, values: number, results: number) {
    const array = (name: string, of: WgslType, length: number): WgslExpr => emitter.workgroupVar(name, { kind: 'array', of, length: Math.ceil(length) });
    this.tiles = words ? array('tiles', vector('u32', 4), Math.max(values / 8, results / 4)) : array('tiles', vector('f16', 4), values / 4);
    if (!words) this.ownResults = array('results', RESULTS, results / 4);
  }

  /** Values of f16 in an element. */
  get wide(): 4 | 8 {
    return this.words ? 8 : 4;
  }

  /** Keeps eight values, as words; `at` in eights. */
  putEight(at: WgslExpr, value: WgslExpr): void {
    this.emitter.push(assign(element(this.tiles, at), value));
  }

  /** Keeps a vector of four values of f16; `at` in fours. */
  putFour(at: WgslExpr, value: WgslExpr): void {
    const { emitter } = this;
    if (!this.words) return emitter.push(assign(element(this.tiles, at), value));
    const pair = emitter.bind('pair', bitcast(vector('u32', 2), value));
    const place = emitter.bind('place', at);
    for (const i of [0, 1]) emitter.push(assign({ kind: 'element', type: U32, of: element(this.tiles, div(place, u32(2))), at: add(mul(mod(place, u32(2)), u32(2)), u32(i)) }, element(pair, i)));
  }

  /** Keeps one value of f16; not in words. */
  putOne(at: WgslExpr, value: WgslExpr): void {
    this.emitter.push(assign({ kind: 'element', type: F16, of: element(this.tiles, div(at, u32(4))), at: mod(at, u32(4)) }, value));
  }

  /** The fragment whose first value starts the element `at`; `stride` elements from line to line. */
  fragment(role: 'left' | 'right', at: WgslExpr, columnMajor: boolean, stride: number): WgslExpr {
    return { kind: 'matrixLoad', type: matrix(role), from: { space: 'workgroup', name: nameOf(this.tiles) }, offset: at, columnMajor, stride: u32(stride) };
  }

  /** Keeps a fragment of results; `at` and `pitch`, from row to row, in fours of results. */
  putResults(at: WgslExpr, sum: WgslExpr, pitch: number): void {
    this.emitter.push({ kind: 'matrixStore', to: { space: 'workgroup', name: nameOf(this.ownResults ?? this.tiles) }, offset: at, value: sum, columnMajor: false, stride: u32(pitch) });
  }

  /** Four neighbouring results. */
  results(at: WgslExpr): WgslExpr {
    return this.ownResults ? element(this.ownResults, at) : bitcast(RESULTS, element(this.tiles, at));
  }
}

function nameOf(array: WgslExpr): string {
  return (array as Extract<WgslExpr, { kind: 'ref' }>).name;
}

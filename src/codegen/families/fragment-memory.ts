/**
 * Workgroup memory of kernels for matrix units: tiles of f16 that fragments are loaded from, and results of f32 on their
 * way to the lanes.
 *
 * In words (vec4<u32> or vec2<u32>, eight values of f16 or four) the results come where the tiles were: on an H200 a unit
 * ran two workgroups of 24 KB and only one of 28 KB, which nearly halved its rate. Tiles that are written value by value
 * are of vec4<f16>, and the results stand beside them.
 */
import { FRAGMENT } from '../../kernel-fragments.ts';
import type { Emitter } from '../emitter.ts';
import { add, assign, bitcast, call, construct, div, element, mod, mul, u32 } from '../wgsl-build.ts';
import { F16, U32, valueType, vector } from '../wgsl.ts';
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

/**
 * What the tiles' memory is made of: eights or fours of values as words, or fours whose values can be written one by one.
 * Fragments are loaded 16 bytes at a time, and a driver takes it for granted that these are aligned so. Elements of 8
 * bytes are where all that may lie before them is of multiples of 16: beside an array of 4 bytes, an H200 took each line of
 * a fragment from 8 bytes too early.
 */
export type Elements = 'eights' | 'fours' | 'ones';

const FOUR_WORDS = vector('u32', 2);

export class FragmentMemory {
  readonly tiles: WgslExpr;
  private readonly ownResults: WgslExpr | undefined;
  /** Values of f16 in an element. */
  readonly wide: 4 | 8;

  /** Room for so many values of f16 in tiles, and so many results. */
  constructor(private readonly emitter: Emitter, readonly elements: Elements, values: number, results: number) {
    const array = (name: string, of: WgslType, length: number): WgslExpr => emitter.workgroupVar(name, { kind: 'array', of, length: Math.ceil(length) });
    this.wide = elements === 'eights' ? 8 : 4;
    if (elements === 'ones') this.ownResults = array('results', RESULTS, results / 4);
    // A result takes the room of two values.
    const length = Math.max(values, elements === 'ones' ? 0 : 2 * results) / this.wide;
    this.tiles = array('tiles', { eights: vector('u32', 4), fours: FOUR_WORDS, ones: vector('f16', 4) }[elements], length);
  }

  /** Elements that four results take. */
  private get perResults(): number {
    return this.elements === 'fours' ? 2 : 1;
  }

  /** Keeps eight values, as words, where elements are eights; `at` counts them. */
  putEight(at: WgslExpr, value: WgslExpr): void {
    this.emitter.push(assign(element(this.tiles, at), value));
  }

  /** Keeps four values, f16 or, but for ones, as words; `at` in fours. */
  putFour(at: WgslExpr, value: WgslExpr): void {
    const { emitter, elements } = this;
    if (elements !== 'eights') return emitter.push(assign(element(this.tiles, at), elements === 'ones' || valueType(value).scalar === 'u32' ? value : bitcast(FOUR_WORDS, value)));
    const pair = emitter.bind('pair', bitcast(FOUR_WORDS, value));
    const place = emitter.bind('place', at);
    for (const i of [0, 1]) emitter.push(assign({ kind: 'element', type: U32, of: element(this.tiles, div(place, u32(2))), at: add(mul(mod(place, u32(2)), u32(2)), u32(i)) }, element(pair, i)));
  }

  /** Keeps one value of f16, where that can be. */
  putOne(at: WgslExpr, value: WgslExpr): void {
    this.emitter.push(assign({ kind: 'element', type: F16, of: element(this.tiles, div(at, u32(4))), at: mod(at, u32(4)) }, value));
  }

  /** The fragment whose first value starts the element `at`; `stride` elements from line to line. */
  fragment(role: 'left' | 'right', at: WgslExpr, columnMajor: boolean, stride: number): WgslExpr {
    return { kind: 'matrixLoad', type: matrix(role), from: { space: 'workgroup', name: nameOf(this.tiles) }, offset: at, columnMajor, stride: u32(stride) };
  }

  /** Keeps a fragment of results; `at` and `pitch`, from row to row, in fours of results. */
  putResults(at: WgslExpr, sum: WgslExpr, pitch: number): void {
    const { perResults } = this;
    this.emitter.push({ kind: 'matrixStore', to: { space: 'workgroup', name: nameOf(this.ownResults ?? this.tiles) }, offset: mul(at, u32(perResults)), value: sum, columnMajor: false, stride: u32(pitch * perResults) });
  }

  /** Four neighbouring results. */
  results(at: WgslExpr): WgslExpr {
    const { ownResults, perResults, tiles } = this;
    if (ownResults) return element(ownResults, at);
    if (perResults === 1) return bitcast(RESULTS, element(tiles, at));
    const first = mul(at, u32(2));
    return bitcast(RESULTS, construct(vector('u32', 4), element(tiles, first), element(tiles, add(first, u32(1)))));
  }
}

function nameOf(array: WgslExpr): string {
  return (array as Extract<WgslExpr, { kind: 'ref' }>).name;
}

/**
 * What a schedule of attention in matrix units makes of a problem: counts of fragments, tiles and threads, and where things
 * lie in workgroup memory, in vectors of 16 bytes. That is one array: scores, then a tile of keys and one of values.
 * Queries come where the scores come later, weights where the scores were, results where all of it was.
 */
import { keysOf, type AttentionProblem } from './kernel-attention-problem.ts';
import type { ContractionProblem } from './kernel-contraction.ts';
import { FRAGMENT, LINE_PADDING } from './kernel-fragments.ts';
import { alongOf } from './kernel-lanes.ts';
import type { AttentionMatrixSchedule } from './schedule.ts';

export interface AttentionFragments {
  /** Rows of a subgroup, and of a workgroup. */
  readonly rows: number;
  readonly groupRows: number;
  readonly rowTiles: number;
  /** Workgroups, and threads of one. */
  readonly groups: number;
  readonly size: number;
  /** Steps through the keys. */
  readonly keyTiles: number;
  /** Fragments of the depth of queries and keys, and of the values. */
  readonly depthFragments: number;
  readonly valueFragments: number;
  /** Lanes that share a row of the scores. */
  readonly lanes: number;
  /** Whether lanes keep all their scores. */
  readonly keep: boolean;
  /** Vectors of four scores from one lane's part of a row to the next one's, and from row to row. */
  readonly partPitch: number;
  readonly pitch: number;
  /** Depth of queries staged at once. */
  readonly queryDepth: number;
  /** Where keys and values start. */
  readonly keyStart: number;
  readonly valueStart: number;
  /** Fragments of results that come to the lanes at once, and vectors from one of their rows to the next. */
  readonly finished: number;
  readonly resultPitch: number;
  /** Vectors in all. */
  readonly vectors: number;
  /** Bytes of workgroup memory, with a number for each lane of a row. */
  readonly bytes: number;
}

const blocks = (extent: number): number => Math.ceil(extent / FRAGMENT);

/** Vectors of eight f16 that a tile takes; its lines are padded. */
function tileVectors(problem: ContractionProblem, side: 'left' | 'right', tile: number, tileK: number): number {
  const [lines, length] = alongOf(problem, side) === 'side' ? [tileK, tile] : [tile, tileK];
  return (lines * (length + LINE_PADDING)) / 8;
}

/** Whether all operands come in vectors, so that words can hold them. */
export function comeInVectors(problem: AttentionProblem): boolean {
  return alongOf(problem.products, 'left') !== 'none' && alongOf(keysOf(problem), 'right') !== 'none' && alongOf(problem.mix, 'right') !== 'none';
}

export function attentionFragments(problem: AttentionProblem, schedule: AttentionMatrixSchedule): AttentionFragments {
  const { products, mix } = problem;
  const { fragments, subgroups, subgroupSize, keys } = schedule;
  const rows = FRAGMENT * fragments;
  const groupRows = rows * subgroups;
  const lanes = subgroupSize / rows;
  if (subgroupSize % rows || keys % (FRAGMENT * lanes)) throw new Error('bug: a lane has whole fragments of keys');
  const rowTiles = Math.ceil(mix.M / groupRows);
  const keyTiles = Math.ceil(products.N / keys);
  const [depthFragments, valueFragments] = [blocks(products.depth[0]), blocks(mix.N)];
  const keep = schedule.keep || keyTiles === 1;
  // Eight lanes read at a time: parts of a row, and rows, each in banks of their own.
  let partPitch = keys / 4 / lanes;
  while (lanes > 1 && partPitch % 8 !== 8 / lanes) partPitch++;
  const pitch = (lanes * partPitch) | 1;
  const scores = groupRows * pitch;
  let queryDepth = FRAGMENT * depthFragments;
  while (queryDepth > FRAGMENT && tileVectors(products, 'left', groupRows, queryDepth) > scores) queryDepth -= FRAGMENT;
  const keyStart = Math.max(scores, tileVectors(products, 'left', groupRows, queryDepth));
  const keyVectors = tileVectors(keysOf(problem), 'right', FRAGMENT * depthFragments, keys);
  const valueVectors = tileVectors(mix, 'right', FRAGMENT * valueFragments, keys);
  const valueStart = keyStart + (keep ? Math.max(keyVectors, valueVectors) : keyVectors);
  const vectors = valueStart + valueVectors;
  const each = Math.floor(vectors / groupRows);
  const finished = Math.min(valueFragments, Math.floor((4 * each) / FRAGMENT));
  return {
    rows, groupRows, rowTiles, groups: rowTiles * mix.B, size: subgroups * subgroupSize, keyTiles, depthFragments, valueFragments, lanes, keep,
    partPitch, pitch, queryDepth, keyStart, valueStart, finished,
    resultPitch: Math.min(each, (finished * FRAGMENT) / 4 + 1),
    vectors,
    bytes: 16 * vectors + 16 * Math.ceil((groupRows * lanes) / 4),
  };
}

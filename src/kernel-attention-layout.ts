/** What a staged attention schedule makes of a problem: counts of tiles and threads, and vectors of workgroup memory. */
import type { AttentionProblem } from './kernel-attention-problem.ts';
import { turnsLayout } from './kernel-turns.ts';
import type { AttentionTilesSchedule } from './schedule.ts';

export interface AttentionLayout {
  /** Rows and keys of a workgroup's tile. */
  readonly rows: number;
  readonly keys: number;
  readonly rowTiles: number;
  readonly keyTiles: number;
  /** Workgroups, and threads of one. */
  readonly groups: number;
  readonly size: number;
  /** Steps of tileK through the depth. */
  readonly chunks: number;
  /** Steps of tileV through a tile of keys, and through all keys. */
  readonly chunksPerTile: number;
  readonly valueChunks: number;
  /** Vectors of four values that a thread sums, threads that share them out, and threads that take turns at each. */
  readonly valueGroups: number;
  readonly valueThreads: number;
  readonly turns: number;
  /** Values as staged: those of all threads. */
  readonly values: number;
  /** Threads that combine a row's parts in a first step; 0: one step. */
  readonly few: number;
  /** Vectors from one row's weights to the next, and vectors that keys or values take when staged. */
  readonly weightPitch: number;
  readonly stagedVectors: number;
  /** Vectors that queries take. */
  readonly queryVectors: number;
  /** Bytes of workgroup memory in all. */
  readonly bytes: number;
}

/** Parts of a row that a thread combines in one step. */
const DIRECT = 16;
/** Bytes of a vector of four. */
const VECTOR_BYTES = 16;

/** Vectors from one row to the next where rows are staged as they lie: an odd number, so that neighbours lie in different banks. */
export const rowPitch = (depth: number): number => (depth / 4) | 1;

export function attentionLayout({ products, mix }: AttentionProblem, schedule: AttentionTilesSchedule): AttentionLayout {
  const { threadM, threadN, groupM, groupN, tileK, tileV, keep, dots } = schedule;
  const rows = threadM * groupM;
  const keys = threadN * groupN;
  if (threadM % 4 || threadN % 4 || tileK % 4 || tileV % 4 || keys % tileV) throw new Error('bug: staged tiles are of vectors of four');
  const rowTiles = Math.ceil(mix.M / rows);
  const chunks = Math.ceil(products.depth[0] / tileK);
  const vectors = Math.ceil(mix.N / 4);
  const valueGroups = Math.ceil(vectors / groupN);
  const valueThreads = Math.ceil(vectors / valueGroups);
  const turns = Math.min(2 ** Math.floor(Math.log2(groupN / valueThreads)), 2 ** Math.floor(Math.log2(tileV / 4)));
  const values = 4 * valueGroups * valueThreads;
  const few = groupN > DIRECT ? 8 : 0;
  const weightPitch = keys / 4 + 1;
  const vectorsOf = (lines: number, depth: number): number => (dots ? lines * rowPitch(depth) : depth * (lines / 4 + 1));
  const stagedVectors = Math.max(vectorsOf(keys, tileK), tileV * (values / 4 + 1));
  const queryVectors = vectorsOf(rows, keep ? chunks * tileK : tileK);
  const { elements: sharedSums } = turnsLayout(turns, groupM * valueThreads, threadM * valueGroups, 4);
  // They take the place of staged values where there is room.
  const partial = sharedSums > stagedVectors ? sharedSums : 0;
  return {
    rows,
    keys,
    rowTiles,
    keyTiles: Math.ceil(products.N / keys),
    groups: rowTiles * mix.B,
    size: groupM * groupN,
    chunks,
    chunksPerTile: keys / tileV,
    valueChunks: Math.ceil(products.N / tileV),
    valueGroups,
    valueThreads,
    turns,
    values,
    few,
    weightPitch,
    stagedVectors,
    queryVectors,
    bytes: VECTOR_BYTES * (rows * weightPitch + stagedVectors + queryVectors + (rows / 4) * (groupN + few) + partial),
  };
}

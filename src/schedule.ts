/**
 * Schedules: how a kernel is computed. Chosen by ordered rules (src/schedule/rules.ts), first match wins, the generic
 * loop nest last; a tuning file may replace the choice. A schedule is plain data and prints as JSON.
 */

/** One thread computes `vector` neighbouring points of the last axis; earlier stages are computed where they are used. */
export interface GenericSchedule {
  readonly family: 'generic';
  readonly vector: 1 | 2 | 4;
  readonly workgroup: number;
}

/**
 * A workgroup (or a subgroup, or one thread) computes one row: stages that reduce over the row are computed together and
 * kept, then the row is written. For norms, softmax and sums.
 */
export interface RowSchedule {
  readonly family: 'row';
  /** Threads that share a row; 1 for very short rows. */
  readonly threads: number;
  /** Rows a workgroup works on at once. */
  readonly rows: number;
  readonly vector: 1 | 2 | 4;
  /** Keep the loaded row in registers between stages rather than load it again. */
  readonly cache: boolean;
}

/**
 * Sum of products in register tiles: the output's axes are split into batch, M and N, the reduction is K.
 * Covers linear, batched matmul, pointwise and implicit-GEMM convolution.
 */
export interface ContractionSchedule {
  readonly family: 'contraction';
  /** Results a thread keeps: rows (M) and columns (N); columns are a multiple of the vector width, staged both of four. */
  readonly threadM: number;
  readonly threadN: number;
  /** Threads of a workgroup along M and N. */
  readonly groupM: number;
  readonly groupN: number;
  /** Depth staged at once; 0: operands straight from memory, no workgroup memory. */
  readonly tileK: number;
  /** Threads of a workgroup that share the depth of one tile, a power of two: each sums a part, a tree sums the parts. */
  readonly splitK: number;
  /** Staged tiles: the next tile is loaded into registers while this one is multiplied. */
  readonly prefetch?: boolean;
  readonly vector: 1 | 2 | 4;
}

/** f16 operands, or f32 ones as sums of two f16, and f32 accumulation, in the device's matrix units. */
export interface SubgroupMatrixSchedule {
  readonly family: 'subgroupMatrix';
  readonly M: number;
  readonly N: number;
  readonly K: number;
  /** Fragments a subgroup keeps, and subgroups of a workgroup, along M and N. */
  readonly fragmentsM: number;
  readonly fragmentsN: number;
  readonly subgroupsM: number;
  readonly subgroupsN: number;
  readonly subgroupSize: number;
  /** Depth staged through workgroup memory at once, a multiple of K; 0: fragments straight from memory. */
  readonly tileK: number;
  /** Staged tiles: the next tile is loaded into registers while this one is multiplied. */
  readonly prefetch: boolean;
  /** Staged tiles: operands are f32 or pairs, each value the sum of two f16, and three products make one. Prefetched. */
  readonly split?: true;
}

/** Convolution with few input channels a group: a thread computes a strip of outputs and keeps the window in registers. */
export interface WindowSchedule {
  readonly family: 'window';
  readonly stripH: number;
  readonly stripW: number;
  readonly workgroup: number;
}

/** softmax(Q K^T) V without the score matrix in memory: a thread keeps a row in registers, `threads` share its keys. */
export interface AttentionSchedule {
  readonly family: 'attention';
  /** Rows of a workgroup, side by side. */
  readonly rows: number;
  /** Keys that a thread takes at once: 1, 2 or 4. */
  readonly columns: 1 | 2 | 4;
  /** Threads that share a row, each with its part of the keys. */
  readonly threads: number;
}

/**
 * The same in tiles: a workgroup keeps some rows and walks over the keys, which are staged through workgroup memory. Scores
 * and weighted sums are register tiles; the weights pass from one to the other through workgroup memory.
 */
export interface AttentionTilesSchedule {
  readonly family: 'attentionTiles';
  /** Scores that a thread keeps: rows and keys, multiples of four. */
  readonly threadM: number;
  readonly threadN: number;
  /** Threads of a workgroup along rows and keys; powers of two. */
  readonly groupM: number;
  readonly groupN: number;
  /** Depth of queries and keys staged at once, and keys of values; multiples of four, the latter a divisor of threadN * groupN. */
  readonly tileK: number;
  readonly tileV: number;
  /** Queries are staged once, in all their depth, rather than again for every tile of keys. */
  readonly keep: boolean;
  /** Queries and keys are staged in vectors along their depth, rather than of neighbouring rows and keys. */
  readonly dots: boolean;
  /** The next keys, then values, are loaded into registers while these are multiplied. Default: no. */
  readonly prefetch?: boolean;
}

/**
 * The same in the device's matrix units, f16 operands and f32 accumulation, in two passes over the keys: maxima of the
 * rows' scores, then weighted values. Scores and weights pass between units and lanes through workgroup memory.
 */
export interface AttentionMatrixSchedule {
  readonly family: 'attentionMatrix';
  /** Fragments of 16 rows that a subgroup keeps, and subgroups of a workgroup, one below the other. */
  readonly fragments: number;
  readonly subgroups: number;
  readonly subgroupSize: number;
  /** Keys staged at once, a multiple of 16. */
  readonly keys: number;
  /** Lanes keep all their scores in registers: the second pass does not compute them again. */
  readonly keep: boolean;
}

/** Stages one after the other in one workgroup, which keeps what later ones read (kernel-chain.ts). */
export interface ChainSchedule {
  readonly family: 'chain';
  /** Which of the sets of axes that all stages share number the workgroups, by bits. */
  readonly split: number;
  readonly workgroup: number;
}

export type Schedule = GenericSchedule | RowSchedule | ContractionSchedule | SubgroupMatrixSchedule | WindowSchedule | AttentionSchedule | AttentionTilesSchedule | AttentionMatrixSchedule | ChainSchedule;
export type Family = Schedule['family'];

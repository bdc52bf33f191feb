/** What the code of a kernel makes a subgroup do: what time is predicted from, beside bytes and the grid. */
export interface Effort {
  /**
   * Floating-point instructions of a subgroup, one for each component; a multiply-add is one, special functions (exponential,
   * root, quotient) are several.
   */
  readonly arithmetic: number;
  /** Instructions on integers and conditions: addresses, loops, guards. */
  readonly integer: number;
  /** Cycles of workgroup memory: accesses of the subgroup times the conflicts of each on 32 banks of four bytes. */
  readonly local: number;
  /** Loads and stores of global memory. */
  readonly accesses: number;
  /** 32-byte sectors that these touch: few where neighbouring invocations touch neighbouring places. */
  readonly sectors: number;
  /** How often it waits for global memory: loads that need not wait for each other count once. */
  readonly waits: number;
  /** As often loads are under way while something else is computed: what they fetch is kept for the next turn of a loop. */
  readonly early: number;
  /** How often it waits for workgroup memory, so counted. */
  readonly localWaits: number;
  readonly barriers: number;
  /** Multiply-adds in products of subgroup matrices. */
  readonly matrix: number;
  /** Instructions of the code, each once however often it is executed. */
  readonly code: number;
  /** While a subgroup waits for memory, others of its workgroup go on: what is executed is the mean of them. */
  readonly loose?: true;
  /** Bytes of workgroup memory that a workgroup holds. */
  readonly workgroupBytes: number;
}

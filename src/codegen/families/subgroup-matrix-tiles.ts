/**
 * Operands of matrix units in workgroup memory: tiles of f16 from which subgroups load fragments of 16 x 16. The lines of
 * a tile stand a vector of eight values further apart than they are long, so that those which one step of a fragment's
 * load touches lie in different banks.
 */
import { floorDiv, rangeOf } from '../../kernel-index.ts';
import { binary, indexValue, loadsOf, number, substituteExpr } from '../../kernel-expr.ts';
import { LINE_PADDING } from '../../kernel-fragments.ts';
import { storedElements } from '../../kernel-layout.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import type { Expr, Index, Kernel } from '../../kernel.ts';
import { atMost } from '../emitter.ts';
import type { Emitter } from '../emitter.ts';
import type { Values } from '../values.ts';
import { add, construct, div, mod, mul, select, u32 } from '../wgsl-build.ts';
import { vector } from '../wgsl.ts';
import type { ValueType, WgslExpr } from '../wgsl.ts';
import { alongOf, comesInVectors, consecutive } from '../../kernel-lanes.ts';
import { StagedOperand } from './contraction-operand.ts';
import type { Staging, Unit } from './contraction-operand.ts';
import type { FragmentMemory } from './fragment-memory.ts';

type Side = 'left' | 'right';

/** Values of f16 that all banks of workgroup memory hold once. */
const BANKED = 64;

/** Whether all of an operand can be brought in eights, f16 as it lies in memory, where none of the others reads its buffer. */
export function comesInEights({ params }: Kernel, problem: ContractionProblem, side: Side, others: readonly Expr[]): boolean {
  const operand = problem[side];
  if (operand.kind !== 'load') return false;
  const param = params.find((p) => p.name === operand.buffer)!;
  // Words fill the buffer, so that they can be its type.
  if (param.storage !== 'f16' || storedElements(param) % 8 !== 0 || others.some((e) => loadsOf(e).some((l) => l.buffer === operand.buffer))) return false;
  return comesInVectors(problem, side, 8);
}

const otherExprs = (problem: ContractionProblem, side: Side): Expr[] => [problem[side === 'left' ? 'right' : 'left'], ...problem.outputs.map((o) => o.value)];

/**
 * Values that are loaded along the rows (or columns) lie as [depth][side], others as [side][depth]: vectors stay vectors.
 */
export class FragmentTile extends StagedOperand {
  /** Elements of the memory from one line to the next. */
  protected readonly line: number;
  protected readonly acrossDepth: boolean;

  /** `start`: where the tile begins, in elements of the memory. */
  constructor(emitter: Emitter, values: Values, problem: ContractionProblem, private readonly side: Side, staging: Omit<Staging, 'memory'>, protected readonly into: FragmentMemory, protected readonly start: number) {
    super(emitter, values, problem, side, { ...staging, wide: staging.wide ?? (into.elements === 'eights' && comesInEights(emitter.kernel, problem, side, otherExprs(problem, side)) ? 8 : 4), memory: into.tiles });
    this.acrossDepth = alongOf(problem, side) === 'side';
    this.line = ((this.acrossDepth ? staging.tile : staging.tileK) + LINE_PADDING) / into.wide;
  }

  /** The fragment at a row (or column) of the tile and a depth, both in values; `transposed`: rows and columns exchanged. */
  fragment(row: WgslExpr, depth: number, transposed = false): WgslExpr {
    return this.fragmentFrom(this.start, row, depth, transposed);
  }

  protected fragmentFrom(start: number, row: WgslExpr, depth: number, transposed: boolean): WgslExpr {
    const { wide } = this.into;
    const at = this.acrossDepth ? add(div(row, u32(wide)), u32(depth * this.line)) : add(mul(row, u32(this.line)), u32(depth / wide));
    // The left operand is [row, depth], the right one [depth, column].
    return this.into.fragment(this.side, add(at, u32(start)), ((this.side === 'left') === this.acrossDepth) !== transposed, this.line);
  }

  /**
   * Threads whose vectors are written at once, 128 bytes, stand on several lines where these are short. With their padding
   * the lines lie in different banks if they are as far apart as 8 lines are divided by so many.
   */
  protected override lineOf(line: WgslExpr, lines: number): WgslExpr {
    const together = BANKED / (this.along === 'side' ? this.staging.tile : this.staging.tileK);
    if (this.along === 'none' || ![2, 4].includes(together) || lines % 8 !== 0) return line;
    const inEight = mod(line, u32(8));
    const spread = add(div(inEight, u32(together)), mul(mod(inEight, u32(together)), u32(8 / together)));
    return lines === 8 ? spread : add(mul(div(line, u32(8)), u32(8)), spread);
  }

  protected override held(): ValueType {
    if (this.along === 'none') return vector('f16', 1);
    return this.wide === 8 ? vector('u32', 4) : vector('f16', 4);
  }

  protected override load(unit: Unit, tile: Index): WgslExpr {
    return this.loadAsStored(unit, tile) ?? construct(this.held(), super.load(unit, tile));
  }

  /** Vectors of f16 as they lie, without a way through f32, where the operand is nothing but these; zeros past the depth. */
  private loadAsStored(unit: Unit, tile: Index): WgslExpr | undefined {
    const { operand, emitter, wide } = this;
    if (operand.kind !== 'load' || this.along === 'none') return undefined;
    const { storage, packed } = emitter.binding(operand.buffer);
    if (storage !== 'f16' || packed) return undefined;
    const flat = this.points(unit, tile).map((map) => (substituteExpr(operand, map) as typeof operand).at[0]);
    if (!consecutive(flat)) return undefined;
    return this.insideDepth(unit, tile, operand.buffer, flat[0], wide, (at) => (wide === 8 ? emitter.loadWords(operand.buffer, at) : emitter.load(operand.buffer, at, 4, true)));
  }

  /** What is loaded of `wide` consecutive values, the first of which lies at `first`; zeros where the unit is past the depth. */
  protected insideDepth(unit: Unit, tile: Index, buffer: string, first: Index, wide: 4 | 8, load: (at: WgslExpr) => WgslExpr): WgslExpr {
    const { emitter, values } = this;
    const at = values.index(floorDiv(first, wide));
    const depth = this.firstDepth(unit, tile);
    if (rangeOf(depth)[1] < this.depth) return load(at);
    const last = Math.floor(storedElements(emitter.params.get(buffer)!) / wide) - 1;
    const loaded = load(rangeOf(first)[1] > wide * last ? atMost(at, last) : at);
    return select(values.scalar(binary('less', indexValue(depth), number(this.depth, 'i32'))), loaded, construct(loaded.type));
  }

  protected override write(unit: Unit, value: WgslExpr): void {
    const at = this.place(unit, this.start);
    if (this.along === 'none') this.into.putOne(at, value);
    else if (this.wide === 8) this.into.putEight(at, value);
    else this.into.putFour(at, value);
  }

  /** Where a unit's values go in a tile that begins at an element of the memory, in as many values as go there at once. */
  protected place(unit: Unit, start: number): WgslExpr {
    const [outer, inner] = this.acrossDepth ? [unit.depth, unit.row] : [unit.row, unit.depth];
    const per = this.into.wide / (this.along === 'none' ? 1 : this.wide);
    return add(add(mul(outer, u32(this.line * per)), inner), u32(start * per));
  }
}

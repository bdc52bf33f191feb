/**
 * Operands of matrix units in workgroup memory: tiles of f16 from which subgroups load fragments of 16 x 16. The lines of
 * a tile stand a vector of eight values further apart than they are long, so that those which one step of a fragment's
 * load touches lie in different banks.
 */
import { floorDiv } from '../../kernel-index.ts';
import { substituteExpr } from '../../kernel-expr.ts';
import { FRAGMENT, LINE_PADDING } from '../../kernel-fragments.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';
import type { Index } from '../../kernel.ts';
import type { Emitter } from '../emitter.ts';
import { consecutive } from '../values.ts';
import type { Values } from '../values.ts';
import { add, assign, construct, div, element, mod, mul, u32 } from '../wgsl-build.ts';
import { F16, vector } from '../wgsl.ts';
import type { WgslExpr } from '../wgsl.ts';
import { alongOf, StagedOperand } from './contraction-operand.ts';
import type { Staging, Unit } from './contraction-operand.ts';

const VECTOR = vector('f16', 4);

/**
 * Values that are loaded along the rows (or columns) lie as [depth][side], others as [side][depth]: vectors stay vectors.
 */
export class FragmentTile extends StagedOperand {
  protected override readonly held = 'f16';
  private readonly line: number;
  private readonly acrossDepth: boolean;

  constructor(emitter: Emitter, values: Values, problem: ContractionProblem, side: 'left' | 'right', staging: Staging) {
    const acrossDepth = alongOf(problem, side) === 'side';
    const [lines, length] = acrossDepth ? [staging.tileK, staging.tile] : [staging.tile, staging.tileK];
    const line = (length + LINE_PADDING) / 4;
    super(emitter, values, problem, side, { ...staging, memory: emitter.workgroupVar(`${side}_tile`, { kind: 'array', of: VECTOR, length: lines * line }) });
    this.line = line;
    this.acrossDepth = acrossDepth;
  }

  /** The fragment at a row (or column) of the tile and a depth, both in values. */
  fragment(role: 'left' | 'right', row: WgslExpr, depth: number): WgslExpr {
    const across = this.acrossDepth
      ? add(div(row, u32(4)), u32(depth * this.line))
      : add(mul(row, u32(this.line)), u32(depth / 4));
    return {
      kind: 'matrixLoad',
      type: { kind: 'matrix', role, component: 'f16', columns: FRAGMENT, rows: FRAGMENT },
      from: { space: 'workgroup', name: (this.memory as { name: string }).name },
      offset: across,
      // The left operand is [row, depth], the right one [depth, column].
      columnMajor: (role === 'left') === this.acrossDepth,
      stride: u32(this.line),
    };
  }

  protected override load(unit: Unit, tile: Index): WgslExpr {
    return this.loadAsStored(unit, tile) ?? construct(vector('f16', this.along === 'none' ? 1 : 4), super.load(unit, tile));
  }

  /** Vectors of f16 as they lie, without a way through f32, where the operand is nothing but these. */
  private loadAsStored(unit: Unit, tile: Index): WgslExpr | undefined {
    const { operand, emitter } = this;
    if (operand.kind !== 'load' || this.along === 'none' || this.depth % this.staging.tileK !== 0) return undefined;
    const { storage, packed } = emitter.binding(operand.buffer);
    if (storage !== 'f16' || packed) return undefined;
    const flat = this.points(unit, tile).map((map) => (substituteExpr(operand, map) as typeof operand).at[0]);
    if (!consecutive(flat)) return undefined;
    return emitter.load(operand.buffer, this.values.index(floorDiv(flat[0], 4)), 4, true);
  }

  protected override write(unit: Unit, value: WgslExpr): void {
    const { emitter, memory, line } = this;
    if (this.along !== 'none') {
      const [outer, inner] = this.acrossDepth ? [unit.depth, unit.row] : [unit.row, unit.depth];
      emitter.push(assign(element(memory, add(mul(outer, u32(line)), inner)), value));
      return;
    }
    const target = element(memory, add(mul(unit.row, u32(line)), div(unit.depth, u32(4))));
    emitter.push(assign({ kind: 'element', type: F16, of: target, at: mod(unit.depth, u32(4)) }, value));
  }
}

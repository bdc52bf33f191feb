import type { ContractionSchedule } from '../../schedule.ts';
import type { Emitter } from '../emitter.ts';
import type { Values } from '../values.ts';
import type { Dispatch } from './contraction-direct.ts';
import type { ContractionProblem } from '../../kernel-contraction.ts';

export function emitStaged(_e: Emitter, _v: Values, _p: ContractionProblem, _s: ContractionSchedule): Dispatch {
  throw new Error('bug: not yet');
}

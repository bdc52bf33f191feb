/** All built-in functions by name. A new one goes into the file of its group. */
import { CONFIG_BUILTINS } from './config.ts';
import { EINSUM_BUILTINS } from './einsum.ts';
import { ELEMENTWISE_BUILTINS } from './elementwise.ts';
import { MOVEMENT_BUILTINS } from './movement.ts';
import { REARRANGE_BUILTINS } from './rearrange.ts';
import { REDUCTION_BUILTINS } from './reductions.ts';
import type { Builtin } from './types.ts';
import { WINDOW_BUILTINS } from './windows.ts';

export const BUILTINS: ReadonlyMap<string, Builtin> = new Map(
  [...ELEMENTWISE_BUILTINS, ...MOVEMENT_BUILTINS, ...REARRANGE_BUILTINS, ...REDUCTION_BUILTINS, ...EINSUM_BUILTINS, ...WINDOW_BUILTINS, ...CONFIG_BUILTINS].map((b) => [b.name, b]),
);

/** E071x and up: limits of targets. */
import type { CodeInfo } from '../codes.ts';

export const TARGET_CODES = {
  E0711: { title: 'tensor over a limit of the target', explanation: 'A tensor needs more than the target allows in one binding.' },
} as const satisfies Record<string, CodeInfo>;

/** E09xx: packages, devices and the command line. */
import type { CodeInfo } from '../codes.ts';

export const COMMAND_CODES = {
  E0901: { title: 'file not found', explanation: 'There is no file of this name.' },
} as const satisfies Record<string, CodeInfo>;

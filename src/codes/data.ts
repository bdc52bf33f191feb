/** E08xx: weights, pictures and goldens. */
import type { CodeInfo } from '../codes.ts';

export const DATA_CODES = {
  E0801: { title: 'unreadable weights file', explanation: 'The file is no safetensors file, or is cut short.' },
} as const satisfies Record<string, CodeInfo>;

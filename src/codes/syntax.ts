/** E01xx: text and syntax. */
import type { CodeInfo } from '../codes.ts';

export const SYNTAX_CODES = {
  E0101: { title: 'unexpected character', explanation: 'The text holds a character that begins no token.' },
  E0102: { title: 'malformed string', explanation: '' },
  E0103: { title: 'unknown escape in a string', explanation: '' },
  E0104: { title: 'malformed number', explanation: '' },
  E0105: { title: 'unexpected token', explanation: '' },
  E0106: { title: 'bracket never closed', explanation: '' },
  E0107: { title: 'closing bracket without an opening one', explanation: '' },
  E0108: { title: 'nested too deeply', explanation: '' },
  E0109: { title: 'file too long', explanation: '' },
  E0110: { title: 'unknown keyword', explanation: '' },
  E0111: { title: 'operator of another language', explanation: '' },
  E0112: { title: 'comment of another language', explanation: '' },
  E0113: { title: 'misplaced declaration or statement', explanation: '' },
  E0114: { title: 'operators that do not chain', explanation: '' },
  E0115: { title: 'parentheses needed', explanation: '' },
  E0116: { title: 'expression expected', explanation: '' },
  E0117: { title: 'keyword used as a name', explanation: '' },
  E0118: { title: 'more findings', explanation: '' },
  E0119: { title: 'expression without use', explanation: '' },
  E0120: { title: 'unnamed argument after a named one', explanation: '' },
  E0121: { title: 'unknown type', explanation: '' },
  W0101: { title: 'documentation of nothing', explanation: '' },
} as const satisfies Record<string, CodeInfo>;

/** Text of files that people wrote: UTF-8, or an error that says what it is instead. */
import { error } from '../diagnostics.ts';
import { CliError } from './errors.ts';

/** The text of `bytes`, without a byte order mark. Throws CliError E0901 that names the file, and its encoding or the first wrong byte. */
export function decodeText(bytes: Uint8Array, file: string): string {
  const other = wideEncoding(bytes);
  if (other !== undefined) throw unreadable(`${file} is ${other}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const { offset, line } = firstWrongByte(bytes);
    throw unreadable(`${file} is not UTF-8: line ${line} has the byte 0x${bytes[offset].toString(16).toUpperCase()}, at offset ${offset}`);
  }
}

function unreadable(what: string): CliError {
  return new CliError(error('E0901', what, undefined, { help: 'save it as UTF-8' }));
}

/** UTF-16 and UTF-32 by their byte order mark, or by the zeros beside the first two characters: no text of ours has any. */
function wideEncoding(bytes: Uint8Array): string | undefined {
  const zeros = Array.from(bytes.subarray(0, 4), (byte) => (byte === 0 ? '0' : 'x')).join('');
  const mark = Buffer.from(bytes.subarray(0, 4)).toString('hex');
  if (mark === 'fffe0000' || mark === '0000feff' || zeros === 'x000' || zeros === '000x') return 'UTF-32';
  if (mark.startsWith('fffe') || mark.startsWith('feff') || zeros === 'x0x0' || zeros === '0x0x') return 'UTF-16';
  return undefined;
}

/** Of bytes that are no UTF-8: where the first sequence starts that is none, and its line, from 1. */
function firstWrongByte(bytes: Uint8Array): { offset: number; line: number } {
  // Wrong sequences decode to U+FFFD, which a right text may have too: as the bytes EF BF BD.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  let [offset, line] = [0, 1];
  for (let from = 0; ; ) {
    const at = text.indexOf('\ufffd', from);
    const before = text.slice(from, at);
    offset += Buffer.byteLength(before);
    line += before.split('\n').length - 1;
    if (bytes[offset] !== 0xef || bytes[offset + 1] !== 0xbf || bytes[offset + 2] !== 0xbd) return { offset, line };
    offset += 3;
    from = at + 1;
  }
}

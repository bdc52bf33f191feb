/** What import paths may say. */

export type ResolvedPath = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly message: string; readonly help: string };

const RELATIVE = 'write a path relative to this file (`"./parts"`, `"../x"`), or `"std/NAME"` for the standard library';

/**
 * The imported file's identity: `std/NAME`, or a normalized path without `.vit`. `from` is the importing file's,
 * `entry` the entry file's; no path may leave the folder that both the host and the entry's path start from.
 */
export function resolvePath(written: string, from: string, entry: string): ResolvedPath {
  const refuse = (fact: string): ResolvedPath => ({ ok: false, message: `"${written}" ${fact}`, help: RELATIVE });
  if (written === '') return refuse('is an empty path');
  if (/[\u0000-\u001f]/.test(written)) return refuse('holds a control character');
  if (written.includes('\\')) return refuse('holds a backslash; paths are written with /');
  if (/^[a-z][a-z0-9+.-]*:/i.test(written)) return refuse('is a URL or has a drive letter; imports are files of this project');
  if (written.startsWith('/')) return refuse('is an absolute path; imports stay within the project');
  const isStd = written === 'std' || written.startsWith('std/');
  if (!isStd && !written.startsWith('./') && !written.startsWith('../')) return refuse('is no relative path');

  const fromStd = from.startsWith('std/');
  const absolute = from.startsWith('/');
  const base = isStd ? [] : from.split('/').slice(0, -1);
  const parts: string[] = [];
  for (const part of [...base, ...written.replace(/\.vit$/, '').split('/')]) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length === 0 || parts.at(-1) === '..') parts.push('..');
    else parts.pop();
  }
  const ups = (path: readonly string[]): number => path.filter((p) => p === '..').length;
  if ((isStd || fromStd) && (parts[0] !== 'std' || parts.length < 2)) return refuse('leaves the standard library');
  if (ups(parts) > ups(entry.split('/'))) return refuse("leaves the project's root");
  return { ok: true, path: (absolute && !isStd ? '/' : '') + parts.join('/') };
}

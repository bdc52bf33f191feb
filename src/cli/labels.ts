/** Named sets of class names, one a line in zoo/labels/. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ZOO } from './files.ts';

/** The names of a set such as `imagenet-1k`; undefined where there is no such set. */
export function labelSet(name: string): readonly string[] | undefined {
  const file = join(ZOO, 'labels', `${name}.txt`);
  return /^[\w-]+$/.test(name) && existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : undefined;
}

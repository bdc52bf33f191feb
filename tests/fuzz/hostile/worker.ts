/**
 * Runs cases of one surface and tells of each on file descriptor 3, a line each: `> INDEX` before, `< MILLISECONDS BYTES ACCEPTED`
 * after, `! TEXT` where it found something. Arguments: SURFACE SEED FROM COUNT. The parent watches.
 */
import { writeSync } from 'node:fs';
import { caseRandom, removeScratch, SURFACES } from './surfaces.ts';

const [surface, seed, from, count] = process.argv.slice(2).map(Number);
const tell = (line: string): void => void writeSync(3, `${line}\n`);

await SURFACES[surface].prepare?.();
for (let index = from; index < from + count; index++) {
  tell(`> ${index}`);
  const before = process.cpuUsage();
  let accepted = false;
  try {
    accepted = await SURFACES[surface].run(caseRandom(seed, surface, index));
  } catch (failure) {
    tell(`! ${JSON.stringify(((failure as Error)?.stack ?? String(failure)).slice(0, 20_000))}`);
  }
  // Of this process alone: the machine may have other work.
  const { user, system } = process.cpuUsage(before);
  tell(`< ${((user + system) / 1000).toFixed(1)} ${process.memoryUsage.rss()} ${Number(accepted)}`);
}
removeScratch();
tell('.');
// Libraries may keep the process alive.
process.exit(0);

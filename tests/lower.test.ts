import { readGraph } from '../src/graph-text.ts';
import { printProgram } from '../src/kernel-text.ts';
import { lower } from '../src/lower/lower.ts';
import { WEB } from '../src/targets.ts';
import { textTests } from './helpers/text-tests.ts';

// What typical patterns become: kernels and calls, without the list of operations of each call. A first line `# options: attention` asks for attention kernels, `# options: prologue` for norms in prologues, `# options: depth N` for depths divided into N parts where they can be.
textTests({
  folder: 'kernels',
  extension: '.graph',
  comment: '#',
  run: ([{ text }]) => {
    const { value, errors } = readGraph(text);
    if (!value) return errors.map((e) => `${e.line}: ${e.message}`).join('\n');
    const asks = (option: string): boolean => text.startsWith(`# options: ${option}\n`);
    const parts = Number(/^# options: depth (\d+)\n/.exec(text)?.[1] ?? 0);
    return printProgram(lower(value, { fuse: true, attention: () => asks('attention'), prologue: () => asks('prologue'), depth: (_, offered) => offered.find((n) => n === parts), target: WEB, storage: 'f32' })).replace(/^ {2}op .*\n/gm, '');
  },
});

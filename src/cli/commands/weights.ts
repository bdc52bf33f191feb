/** `vitc weights`: looks into safetensors files and converts them. */
import { Command, Option } from 'commander';
import { sizeOf } from '../../graph.ts';
import { writeSafetensors, type FloatType, type TensorToWrite } from '../../weights/safetensors.ts';
import { openSafetensors } from '../files.ts';
import { jsonOption, type CommandMaker } from '../options.ts';
import { parseHubName, pull } from '../hub.ts';
import { writeWhole } from '../outputs.ts';
import { formatBytes, plain, print, progress, say, table } from '../terminal.ts';

export const weightsCommand: CommandMaker = () => {
  const weights = new Command('weights').description('look into weight files and convert them');
  weights
    .command('list')
    .description('list the tensors of a safetensors file')
    .argument('<file>')
    .addOption(jsonOption())
    .action((path: string, options) => {
      const { shapes, entries } = openSafetensors(path);
      if (options.json) {
        print(JSON.stringify([...entries.values()].map(({ name, stored, shape }) => ({ name, dtype: stored, shape })), null, 2));
        return;
      }
      print(table([...entries.values()].map((e) => [plain(e.name), e.stored, `[${e.shape.join(', ')}]`])));
      say(`${shapes.size} tensors, ${[...shapes.values()].reduce((sum, s) => sum + sizeOf(s), 0).toLocaleString('en')} values`);
    });
  weights
    .command('convert')
    .description('write a safetensors file anew, floats as another type')
    .argument('<in>')
    .argument('<out>')
    .addOption(new Option('--dtype <type>').choices(['f32', 'f16', 'bf16']).makeOptionMandatory())
    .action((from: string, to: string, options: { dtype: 'f32' | 'f16' | 'bf16' }) => {
      const file = openSafetensors(from);
      const tensors = new Map<string, TensorToWrite>();
      for (const [name, shape] of file.shapes) tensors.set(name, { shape, data: file.read(name), stored: options.dtype.toUpperCase() as FloatType });
      const bytes = writeSafetensors(tensors);
      writeWhole(to, bytes);
      say(`wrote ${plain(to)}: ${tensors.size} tensors, ${formatBytes(bytes.byteLength)}`);
    });
  weights
    .command('pull')
    .description('download the weights of a hub repository into the cache; an interrupted download goes on')
    .argument('<name>', 'hf:OWNER/NAME, hf:OWNER/NAME@REVISION or hf:OWNER/NAME/FILE.safetensors')
    .action(async (text: string) => {
      const name = parseHubName(text) ?? parseHubName(`hf:${text}`)!;
      const bar = progress('downloading');
      const paths = await pull(name, { onProgress: (_, done, total) => bar.update(done, total) }).finally(() => bar.stop());
      for (const path of paths) print(path);
    });
  return weights;
};

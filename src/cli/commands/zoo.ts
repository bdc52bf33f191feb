/** `vitc zoo`: models and presets with their parameters and multiply-adds. */
import { Command } from 'commander';
import { buildGraph, parametersOf, targetsOf } from '../../compile.ts';
import { sizeOf, type Graph } from '../../graph.ts';
import { opDef } from '../../ops.ts';
import { CliError } from '../errors.ts';
import { zooFiles } from '../files.ts';
import { findModel } from '../model.ts';
import { jsonOption, type CommandMaker } from '../options.ts';
import { color, formatCount, print, progress, table } from '../terminal.ts';

interface Entry {
  readonly preset: string;
  readonly family: string;
  readonly doc: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly parameters: number;
  /** Of contractions, at batch 1; what papers give as MACs or, wrongly, FLOPs. */
  readonly multiplyAdds: number;
}

export const zooCommand: CommandMaker = () =>
  new Command('zoo')
    .description('list the models and presets that come with the compiler')
    .argument('[family...]', 'only these files of the zoo, such as vit')
    .addOption(jsonOption())
    .action((families: string[], options) => {
      const entries: Entry[] = [];
      const files = zooFiles().map((path) => ({ path, family: path.replace(/^.*[\\/]|\.vit$/g, '') })).filter((f) => families.length === 0 || families.includes(f.family));
      const bar = progress('reading the zoo');
      files.forEach(({ path, family }, i) => {
        const model = findModel(path);
        for (const info of targetsOf(model.sources, model.project.entry).value) {
          if (info.kind !== 'preset') continue;
          const { value: graph, diagnostics } = buildGraph(model.sources, { entry: model.project.entry, target: info.name });
          if (!graph) throw new CliError(diagnostics);
          entries.push({
            preset: info.name,
            family,
            doc: info.doc?.split('\n')[0] ?? '',
            inputs: Object.fromEntries(graph.inputs.map(({ name, node }) => [name, graph.nodes[node].shape])),
            parameters: countParameters(graph),
            multiplyAdds: countMultiplyAdds(graph),
          });
        }
        bar.update(i + 1, files.length);
      });
      bar.stop();
      if (options.json) {
        print(JSON.stringify(entries, null, 2));
        return;
      }
      const rows = entries.map((e, i) => [
        i === 0 || entries[i - 1].family !== e.family ? color.bold(e.family) : '',
        e.preset,
        formatCount(e.parameters),
        formatCount(e.multiplyAdds),
        Object.values(e.inputs).map((shape) => shape.join('×')).join(', '),
      ]);
      print(table([['family', 'preset', 'parameters', 'multiply-adds', 'inputs'], ...rows], new Set([2, 3])));
    });

export function countParameters(graph: Graph): number {
  return parametersOf(graph).reduce((sum, p) => sum + (p.buffer ? 0 : sizeOf(p.shape)), 0);
}

export function countMultiplyAdds(graph: Graph): number {
  return graph.nodes.reduce((sum, node) => {
    if (node.op !== 'einsum' && node.op !== 'conv') return sum;
    return sum + opDef(node.op).flops(node.args.map((a) => graph.nodes[a]), node.attrs as never, node) / 2;
  }, 0);
}

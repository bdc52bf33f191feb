/** `vitc trace`: the first layer that differs from a reference implementation. */
import { Command } from 'commander';
import type { NodeId } from '../../graph.ts';
import { evaluateGraph } from '../../reference/graph.ts';
import { compareTrace, formatModule, summarize, type Summary } from '../../reference/trace.ts';
import { EXIT } from '../errors.ts';
import { inputsFor, openGolden } from '../goldens.ts';
import { findModel, graphOf } from '../model.ts';
import { jsonOption, setOption, type CommandMaker } from '../options.ts';
import { plain, print, progress, say, table } from '../terminal.ts';

export const traceCommand: CommandMaker = (setExit) =>
  new Command('trace')
    .description("compare every layer with a golden's, in double precision on the CPU, and show the first that differs")
    .argument('<file>', 'FILE.vit, FILE.vit#preset, or a preset of the zoo')
    .requiredOption('--golden <file>', 'the golden, NAME.json with NAME.safetensors beside it')
    .addOption(setOption())
    .option('--all', 'list every layer with its difference')
    .addOption(jsonOption())
    .action((argument: string, options) => {
      const { golden, weights, batch } = openGolden(options.golden);
      const graph = graphOf(findModel(argument), { set: options.set, batch });
      const summaries = new Map<NodeId, Summary>();
      const bar = progress('evaluating');
      evaluateGraph(
        graph,
        {
          inputs: inputsFor(graph, golden),
          params: (name, shape) => ({ shape, dtype: 'f32', data: weights(name, shape) }),
        },
        {
          precision: 'f64',
          onProgress: bar.update,
          onNode: (node, tensor) => {
            if (node.dtype === 'f32' && node.op !== 'param') summaries.set(node.id, summarize(tensor));
          },
        },
      );
      bar.stop();
      const { modules, firstDifferent } = compareTrace(graph, summaries, golden.trace);
      if (options.json) print(JSON.stringify({ model: graph.name, golden: golden.name, modules, firstDifferent }, null, 2));
      else {
        if (options.all) print(table([['layer', 'shape', 'difference'], ...modules.map((m) => [plain(m.path), `[${m.reference.shape.join(', ')}]`, m.error.toExponential(1)])], new Set([2])));
        if (firstDifferent) print(plain(`the first layer that differs is\n${formatModule(firstDifferent)}`));
        else say(`all ${modules.length} layers that both have agree`);
      }
      if (firstDifferent) setExit(EXIT.no);
    });

/** `vitc emit`: any level of the compiler as text. */
import { Command, Option } from 'commander';
import { CliError } from '../errors.ts';
import { hasErrors } from '../../diagnostics.ts';
import { compileGraph } from '../../compile.ts';
import { printModule } from '../../codegen/wgsl-print.ts';
import { printGraph } from '../../graph-text.ts';
import { printProgram } from '../../kernel-text.ts';
import { printPlan } from '../../plan-text.ts';
import { WEB } from '../../targets.ts';
import { targetNamed } from '../executor.ts';
import { findModel, graphOf } from '../model.ts';
import { batchOption, collect, dtypeOption, inputsOption, setOption, storageOptions, targetOption, tuningOption, type CommandMaker } from '../options.ts';
import { print, printDiagnostics } from '../terminal.ts';
import { openTuning, refuseTuning, tunedChoice } from '../tuning.ts';

const STAGES = ['ast', 'graph', 'optimized', 'weights', 'kernels', 'plan', 'wgsl'] as const;

export const emitCommand: CommandMaker = () =>
  new Command('emit')
    .description('print a level of the compiler as text')
    .argument('<file>', 'FILE.vit, FILE.vit#preset, or a preset of the zoo')
    .addOption(new Option('--stage <stage>', 'which level').choices(STAGES).makeOptionMandatory())
    .addOption(setOption())
    .addOption(batchOption())
    .addOption(dtypeOption())
    .addOption(inputsOption())
    .addOption(targetOption())
    .addOption(tuningOption())
    .option('--no-fuse', 'every operation its own kernel')
    .option('--dump-after <pass>', 'print the graph after this pass too; may be repeated', collect)
    .action(async (argument: string, options) => {
      const storage = storageOptions(options);
      const model = findModel(argument);
      const stage = options.stage as (typeof STAGES)[number];
      if (stage !== 'plan' && stage !== 'wgsl') refuseTuning(options.tuning, `${stage} comes before schedules are chosen`, '`--stage plan` and `--stage wgsl` show what they make');
      const tuning = openTuning(options.tuning);
      if (stage === 'ast') {
        const file = model.sources.entry(model.project.entry);
        if (!file.value || hasErrors(file.diagnostics)) throw new CliError(file.diagnostics);
        print(JSON.stringify(file.value, (key, value) => (key === 'span' || key.endsWith('Span') ? [value.start, value.end] : value), 2));
        return;
      }
      const graph = graphOf(model, { set: options.set, batch: options.batch });
      if (stage === 'graph' && !options.dumpAfter) {
        print(printGraph(graph));
        return;
      }
      const target = options.target === 'web' ? WEB : await targetNamed(options.target);
      const tuned = tuning && tunedChoice(tuning, target);
      const { value, diagnostics } = compileGraph(graph, {
        target,
        schedule: tuned?.schedule,
        ...storage,
        fuse: options.fuse,
        passes: { dumpAfter: options.dumpAfter, onDump: (name, dumped) => print(`// after ${name}\n${printGraph(dumped)}`) },
      });
      if (!value) throw new CliError(diagnostics);
      printDiagnostics([...diagnostics, ...(tuned?.diagnostics() ?? [])]);
      switch (stage) {
        case 'graph':
          print(printGraph(graph));
          return;
        case 'optimized':
          print(printGraph(value.main));
          return;
        case 'weights':
          print(printGraph(value.weights));
          return;
        case 'kernels':
          print(printProgram(value.program));
          return;
        case 'plan':
          print(printPlan(value.plan));
          return;
        case 'wgsl':
          value.kernels.forEach((kernel, i) => print(`// ${value.plan.kernels[i].id}\n${printModule(kernel.module)}`));
          return;
        default:
          stage satisfies never;
      }
    });

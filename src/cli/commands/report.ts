/** `vitc report`: where every byte and every microsecond of a model goes. */
import { Command } from 'commander';
import { targetNamed } from '../executor.ts';
import { findModel, graphOf } from '../model.ts';
import { batchOption, dtypeOption, jsonOption, positiveInteger, setOption, targetOption, type CommandMaker } from '../options.ts';
import { findProfile, makeReport } from '../reports.ts';
import { reportText } from '../report-text.ts';
import { print, say } from '../terminal.ts';
import { printModule } from '../../codegen/wgsl-print.ts';
import { reportHtml } from '../../report/html.ts';
import { pageScripts } from '../page-files.ts';
import { writeWhole } from '../files.ts';
import { PROFILES } from '../../profiles.ts';

export const reportCommand: CommandMaker = () =>
  new Command('report')
    .description('say where every byte of memory traffic goes, what binds each kernel and how long it should take')
    .argument('<model>', 'FILE.vit, FILE.vit#preset, or a preset of the zoo')
    .addOption(setOption())
    .addOption(batchOption())
    .addOption(dtypeOption())
    .addOption(targetOption())
    .option('--profile <name>', `device to predict for: ${PROFILES.map((p) => p.name).join(', ')}, or a file that profile-device wrote`)
    .option('--rows <n>', 'rows of the longer tables', positiveInteger, 16)
    .addOption(jsonOption())
    .option('--html <file>', 'write the report as one HTML page')
    .action(async (argument: string, options) => {
      const graph = graphOf(findModel(argument), { set: options.set, batch: options.batch });
      const profile = findProfile(options.profile);
      const { report, sources, compilation } = makeReport({ graph, target: await targetNamed(options.target), dtype: options.dtype, profile });
      if (options.html !== undefined) {
        const wgsl = compilation.kernels.map((k) => printModule(k.module));
        writeWhole(options.html, reportHtml({ report, sources, wgsl }, pageScripts()));
        say(`wrote ${options.html}`);
        if (!options.json) return;
      }
      print(options.json ? JSON.stringify(report, null, 1) : reportText(report, { rows: options.rows }));
    });

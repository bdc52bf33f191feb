/** `vitc check`: parses and shape-checks every preset and model that can stand alone. */
import { Command } from 'commander';
import { buildGraph, checkSource, targetsOf, type TargetInfo } from '../../compile.ts';
import { hasErrors, type Diagnostic } from '../../diagnostics.ts';
import { positionOf } from '../../source.ts';
import { EXIT } from '../errors.ts';
import { findModel } from '../model.ts';
import { batchOption, jsonOption, setOption, type CommandMaker } from '../options.ts';
import { countParameters } from './zoo.ts';
import { color, formatCount, plain, print, printDiagnostics } from '../terminal.ts';

export const checkCommand: CommandMaker = (setExit) =>
  new Command('check')
    .description('parse and shape-check files')
    .argument('<file...>', 'FILE.vit, FILE.vit#preset, or a preset of the zoo')
    .addOption(setOption())
    .addOption(batchOption())
    .addOption(jsonOption())
    .action((files: string[], options) => {
      const seen = new Set<string>();
      const diagnostics: Diagnostic[] = [];
      const checked: { file: string; name: string; nodes: number; parameters: number }[] = [];
      /** Files without a model that can stand alone: names and syntax are all there is to check. */
      const modelless: string[] = [];
      for (const argument of files) {
        const model = findModel(argument);
        const listed = targetsOf(model.sources, model.project.entry).value;
        // Models whose configuration has no defaults are checked through their presets.
        const names = model.target !== undefined ? [model.target] : listed.filter(standsAlone).map((t) => t.name);
        const found: Diagnostic[] = [...checkSource(model.sources, model.project.entry)];
        if (!hasErrors(found))
          for (const target of names) {
            const { value: graph, diagnostics } = buildGraph(model.sources, { entry: model.project.entry, target, settings: options.set, batch: options.batch });
            found.push(...diagnostics);
            if (graph) checked.push({ file: model.file, name: target, nodes: graph.nodes.length, parameters: countParameters(graph) });
          }
        if (names.length === 0) modelless.push(model.file);
        // A fault of a shared block shows in every preset; once is enough.
        for (const d of found) {
          const key = `${d.code}|${d.message}|${d.primary?.source.path}|${d.primary?.start}`;
          if (!seen.has(key)) diagnostics.push(d);
          seen.add(key);
        }
      }
      if (options.json) print(JSON.stringify({ ok: !hasErrors(diagnostics), checked, diagnostics: diagnostics.map(toJson) }, null, 2));
      else {
        printDiagnostics(diagnostics);
        if (!hasErrors(diagnostics)) for (const file of modelless) print(`${color.green('ok')}  ${plain(file)}  no model to elaborate; names and syntax checked`);
        if (!hasErrors(diagnostics)) for (const c of checked) print(`${color.green('ok')}  ${c.name}  ${formatCount(c.parameters)} parameters, ${c.nodes} operations`);
      }
      if (hasErrors(diagnostics)) setExit(EXIT.no);
    });

/** Models whose configuration has defaults throughout, and presets. */
function standsAlone(info: TargetInfo): boolean {
  return info.kind === 'preset' || info.config.every((c) => c.value !== undefined);
}

function toJson(d: Diagnostic) {
  const place = (span: Diagnostic['primary']) => span && { file: span.source.path, start: positionOf(span.source, span.start), end: positionOf(span.source, span.end) };
  return { code: d.code, severity: d.severity, message: d.message, at: place(d.primary), labels: d.labels.map((l) => ({ message: l.message, at: place(l.span) })), notes: d.notes, help: d.help };
}

/** `vitc sweep`: what a model costs over a grid of settings, and which of them no other beats. */
import { Command, Option } from 'commander';
import { buildGraph, compileGraph, type ConfigLiteral } from '../../compile.ts';
import { plain } from '../../cells.ts';
import { error, hasErrors } from '../../diagnostics.ts';
import { PROFILES } from '../../profiles.ts';
import { sweepHtml } from '../../report/html.ts';
import { markFront, sweepFigures, sweepValues, SWEEP_FORMAT, SWEEP_VERSION, type Capacity, type Sweep, type SweepPoint } from '../../report/sweep.ts';
import { formatBytes, formatCount } from '../../units.ts';
import { fitTable } from '../columns.ts';
import { CliError, EXIT } from '../errors.ts';
import { targetNamed } from '../executor.ts';
import { writeWhole } from '../outputs.ts';
import { findModel } from '../model.ts';
import { batchOption, collect, dtypeOption, inputsOption, jsonOption, setting, storageOptions, targetOption, tuningOption, type StorageOptions, type CommandMaker } from '../options.ts';
import { pageScripts } from '../page-files.ts';
import { batchOf, findProfile, plannedCode } from '../reports.ts';
import { seconds } from '../report-text.ts';
import { color, print, printDiagnostics, progress, say, terminalWidth } from '../terminal.ts';
import { openTuning, tunedChoice } from '../tuning.ts';

/** Configurations that one sweep compiles at most. */
const MOST = 400;

export const sweepCommand: CommandMaker = (setExit) =>
  new Command('sweep')
    .description('compile a model over a grid of settings and show what each costs; the Pareto front is marked')
    .argument('<model>', 'FILE.vit, FILE.vit#preset, or a preset of the zoo')
    .addOption(new Option('--set <name=values>', 'a setting and its values: depth=6..16:2 (both ends included), heads=2,4,8; may be repeated').argParser(collect).makeOptionMandatory())
    .addOption(batchOption())
    .addOption(dtypeOption())
    .addOption(inputsOption())
    .addOption(targetOption())
    .addOption(tuningOption())
    .option('--profile <name>', `device to predict for: ${PROFILES.map((p) => p.name).join(', ')}, or a file that profile-device wrote`)
    .addOption(new Option('--against <figure>', 'what the front sets against time').choices(['parameters', 'multiplyAdds'] satisfies Capacity[]).default('parameters'))
    .addOption(jsonOption())
    .option('--html <file>', 'write the sweep as one HTML page')
    .action(async (argument: string, options: StorageOptions & { set: string[]; batch?: number; target: string; tuning?: string; profile?: string; against: Capacity; json?: boolean; html?: string }) => {
      const storage = storageOptions(options);
      const grid = gridOf(options.set);
      const tuning = openTuning(options.tuning);
      const model = findModel(argument);
      const target = await targetNamed(options.target);
      const profile = findProfile(options.profile);
      const tuned = tuning && tunedChoice(tuning, target);
      const bar = progress('compiling');
      let batch = options.batch ?? 1;
      let name = argument;
      const points = grid.map((settings, i): Omit<SweepPoint, 'front'> => {
        bar.update(i, grid.length);
        const built = buildGraph(model.sources, { entry: model.project.entry, target: model.target, settings, batch: options.batch });
        if (!built.value || hasErrors(built.diagnostics)) return { settings, problem: built.diagnostics.find((d) => d.severity === 'error')!.message };
        const compiled = compileGraph(built.value, { target, ...storage, schedule: tuned?.schedule });
        if (!compiled.value) return { settings, problem: compiled.diagnostics[0].message };
        batch = batchOf(built.value);
        name = built.value.name;
        return { settings, figures: sweepFigures(built.value, plannedCode(compiled.value), profile) };
      });
      bar.stop();
      // The file may know kernels of some points only.
      printDiagnostics(tuned?.diagnostics() ?? []);
      const sweep: Sweep = { format: SWEEP_FORMAT, version: SWEEP_VERSION, model: name, batch, dtype: options.dtype, ...(options.inputs === 'f16' && { inputs: 'f16' as const }), target: target.name, profile: profile.name, capacity: options.against, points: markFront(points, options.against) };
      if (sweep.points.every((p) => p.problem !== undefined)) setExit(EXIT.no);
      if (options.html !== undefined) {
        writeWhole(options.html, sweepHtml(sweep, pageScripts()));
        say(`wrote ${options.html}`);
      }
      if (options.json || options.html === undefined) print(options.json ? JSON.stringify(sweep, null, 1) : sweepText(sweep));
    });

/** Every combination of the values, the last setting fastest. */
function gridOf(settings: readonly string[]): Record<string, ConfigLiteral>[] {
  let grid: Record<string, ConfigLiteral>[] = [{}];
  for (const text of settings) {
    const equals = text.indexOf('=');
    const values = equals < 1 ? undefined : sweepValues(text.slice(equals + 1).trim());
    if (!values) throw new CliError(error('E0905', `--set does not take ${JSON.stringify(text)}`, undefined, { help: 'write NAME=FROM..TO:STEP or NAME=VALUE,VALUE' }), EXIT.usage);
    grid = grid.flatMap((settingsSoFar) => values.map((value) => setting(`${text.slice(0, equals)}=${value}`, settingsSoFar)));
    if (grid.length > MOST) throw new CliError(error('E0905', `the grid has more than ${MOST} points`, undefined, { help: 'sweep fewer settings at once, or in larger steps' }), EXIT.usage);
  }
  return grid;
}

function valueText(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(valueText).join(', ')}]` : String(value);
}

function sweepText(sweep: Sweep): string {
  const names = [...new Set(sweep.points.flatMap((p) => Object.keys(p.settings)))];
  const rows = sweep.points.map(({ settings, figures: f, problem, front }) => {
    const shown = names.map((n) => plain(valueText(settings[n])));
    if (!f) return [...shown, '', '', '', '', '', '', '', plain(problem ?? '')];
    return [...shown, seconds(f.seconds), formatCount(f.parameters), formatCount(f.multiplyAdds), formatBytes(f.leastBytes), f.intensity.toFixed(1), String(f.dispatches), formatBytes(f.arenaBytes), front ? color.green('front') : ''];
  });
  const columns = [
    ...names.map((title) => ({ title, right: true })),
    { title: 'time', right: true },
    { title: 'parameters', right: true, drop: 1 },
    { title: 'multiply-adds', right: true, drop: 2 },
    { title: 'bytes', right: true, drop: 3 },
    { title: 'per byte', right: true, drop: 4 },
    { title: 'dispatches', right: true, drop: 5 },
    { title: 'tensors', right: true, drop: 6 },
    { title: '', flexible: true },
  ];
  const head = `${color.bold(plain(sweep.model))}, batch ${sweep.batch}, ${sweep.dtype}${sweep.inputs ? `, ${sweep.inputs} inputs` : ''}, target ${sweep.target}; times predicted for ${sweep.profile}`;
  const problems = [...new Set(sweep.points.flatMap((p) => p.problem ?? []))];
  return [head, fitTable(columns, rows), ...problems.map((p) => color.red(plain(p))), '', ...frontPlot(sweep)].join('\n');
}

const ROWS = 14;

/** Time to the right, capacity upwards; the front's points are filled. */
function frontPlot({ points, capacity }: Sweep): string[] {
  const known = points.flatMap((p) => (p.figures ? [{ x: p.figures.seconds, y: p.figures[capacity], front: p.front }] : []));
  if (known.length < 2) return [];
  const width = Math.min(72, terminalWidth() - 14);
  const [x0, x1] = [Math.min(...known.map((p) => p.x)), Math.max(...known.map((p) => p.x))];
  const [y0, y1] = [Math.min(...known.map((p) => p.y)), Math.max(...known.map((p) => p.y))];
  const cells = Array.from({ length: ROWS }, () => new Array<string>(width).fill(' '));
  const place = (value: number, low: number, high: number, size: number): number => (high > low ? Math.round(((value - low) / (high - low)) * (size - 1)) : 0);
  for (const p of [...known].sort((a, b) => Number(a.front) - Number(b.front))) cells[ROWS - 1 - place(p.y, y0, y1, ROWS)][place(p.x, x0, x1, width)] = p.front ? color.green('●') : '·';
  const labels = cells.map((_, i) => (i === 0 ? formatCount(y1) : i === ROWS - 1 ? formatCount(y0) : '').padStart(10));
  const title = capacity === 'parameters' ? 'parameters' : 'multiply-adds';
  const [left, right] = [seconds(x0), seconds(x1)];
  return [`${title} against predicted time; ${color.green('●')} no other is faster and larger`, ...cells.map((row, i) => `${labels[i]} │${row.join('').trimEnd()}`), `${' '.repeat(10)} └${'─'.repeat(width)}`, `${' '.repeat(12)}${left}${' '.repeat(Math.max(1, width - left.length - right.length))}${right}`];
}

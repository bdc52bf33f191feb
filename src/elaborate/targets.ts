/** Models and presets: what a file offers, and which of them a request means. */
import type { Argument, ConfigType, Expr, File, Model, Preset } from '../ast.ts';
import { error } from '../diagnostics.ts';
import type { Diagnostic } from '../diagnostics.ts';
import type { Span } from '../source.ts';
import { suggest } from '../suggest.ts';
import type { FileScope, TopLevelName } from './files.ts';

/** One configuration parameter, as `vitc zoo` shows it. */
export interface ConfigInfo {
  readonly name: string;
  readonly type?: ConfigType;
  /** The default as the source writes it; for a preset, what it sets. Absent: it must be given. */
  readonly value?: string;
}

export interface TargetInfo {
  readonly kind: 'model' | 'preset';
  readonly name: string;
  readonly doc?: string;
  /** A preset's base: a model or another preset. */
  readonly of?: string;
  /** A model's configuration; for a preset, what it sets. */
  readonly config: readonly ConfigInfo[];
  /** A preset's `@weights("...")`. */
  readonly weights?: string;
  readonly span: Span;
}

/** The names of the configuration that a preset's arguments are for, as far as the file tells. */
function configNames(file: File, base: string): string[] {
  const seen = new Set<string>();
  for (let name = base; !seen.has(name); ) {
    seen.add(name);
    const item = file.items.find((i): i is Model | Preset => (i.kind === 'model' || i.kind === 'preset') && i.name.text === name);
    if (item?.kind === 'model') return item.config.map((p) => p.name.text);
    if (item) name = item.model.text;
  }
  return [];
}

const textOf = (e: Expr): string => e.span.source.text.slice(e.span.start, e.span.end);

/** The models and presets of a file, in its order. */
export function listTargets(file: File): TargetInfo[] {
  return file.items.flatMap((item): TargetInfo[] => {
    if (item.kind === 'model') {
      const config = item.config.map((p) => ({ name: p.name.text, ...(p.type && { type: p.type.value }), ...(p.default && { value: textOf(p.default) }) }));
      return [{ kind: 'model', name: item.name.text, ...(item.doc !== undefined && { doc: item.doc }), config, span: item.span }];
    }
    if (item.kind !== 'preset') return [];
    const names = configNames(file, item.model.text);
    const weights = item.attributes.find((a) => a.name.text === 'weights')?.args[0]?.value;
    return [
      {
        kind: 'preset',
        name: item.name.text,
        ...(item.doc !== undefined && { doc: item.doc }),
        of: item.model.text,
        config: item.args.map((a, i) => ({ name: a.name?.text ?? names[i] ?? `argument ${i}`, value: textOf(a.value) })),
        ...(weights?.kind === 'string' && { weights: weights.value }),
        span: item.span,
      },
    ];
  });
}

/** Arguments that one preset of a chain gives, and the file whose names they use. */
export interface PresetArguments {
  readonly preset: Preset;
  readonly args: readonly Argument[];
  readonly home: FileScope;
}

/** A model with the presets that lead to it, the outermost first. */
export interface ChosenModel {
  readonly name: string;
  readonly doc?: string;
  readonly model: Model;
  readonly home: FileScope;
  readonly presets: readonly PresetArguments[];
}

export function chooseTarget(entry: FileScope, wanted: string | undefined, report: (d: Diagnostic) => void): ChosenModel | undefined {
  const targets = entry.file.items.filter((i): i is Model | Preset => i.kind === 'model' || i.kind === 'preset');
  const list = targets.map((t) => `\`${t.name.text}\``).join(', ');
  if (wanted !== undefined) {
    const found = targets.find((t) => t.name.text === wanted);
    if (found) return follow(entry, found, report);
    const close = suggest(wanted, targets.map((t) => t.name.text));
    report(error('E0602', `${entry.file.span.source.path} has no model or preset \`${wanted}\``, undefined, { help: close ? `did you mean \`${close}\`?` : list ? `it has ${list}` : 'it has none' }));
    return undefined;
  }
  const presets = targets.filter((t) => t.kind === 'preset');
  const candidates = presets.length > 0 ? presets : targets;
  if (candidates.length === 1) return follow(entry, candidates[0], report);
  const path = entry.file.span.source.path;
  if (candidates.length === 0) report(error('E0601', `${path} has no model`, undefined, { help: 'a file of blocks is imported; compile the file with the `model`' }));
  else report(error('E0601', `${path} has several ${presets.length > 0 ? 'presets' : 'models'}`, undefined, { help: `choose one: ${path}#NAME, of ${list}` }));
  return undefined;
}

/** From a preset over the presets below it to the model. */
function follow(entry: FileScope, target: Model | Preset, report: (d: Diagnostic) => void): ChosenModel | undefined {
  const presets: PresetArguments[] = [];
  let at: Model | Preset = target;
  let home = entry;
  while (at.kind === 'preset') {
    const preset: Preset = at;
    if (presets.some((p) => p.preset === preset)) {
      report(error('E0609', `presets refer to each other in a circle: ${[...presets.map((p) => p.preset.name.text), preset.name.text].join(' → ')}`, preset.model.span, { help: 'one of them must refer to a model' }));
      return undefined;
    }
    presets.push({ preset, args: preset.args, home });
    const base: TopLevelName | undefined = home.names.get(preset.model.text);
    const declaration = base?.declaration;
    if (!declaration || !base.home || (declaration.kind !== 'model' && declaration.kind !== 'preset')) {
      // An unknown name is reported with the other names of the file.
      if (declaration) report(notAModel(preset, declaration.kind, declaration.name.span));
      return undefined;
    }
    at = declaration;
    home = base.home;
  }
  const doc = target.doc ?? at.doc;
  return { name: target.name.text, ...(doc !== undefined && { doc }), model: at, home, presets };
}

function notAModel(preset: Preset, kind: string, declared: Span): Diagnostic {
  return error('E0609', `\`${preset.model.text}\` is a ${kind}; a preset refers to a model or another preset`, preset.model.span, { labels: [{ span: declared, message: 'declared here' }] });
}

/** Options that several commands share, and the reading of their values. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ConfigLiteral } from '../compile.ts';
import { error } from '../diagnostics.ts';
import { CliError, EXIT, type ExitCode } from './errors.ts';
import type { DeviceChoice } from './devices.ts';

/** A command, given a way to end with another exit code than 0. */
export type CommandMaker = (setExit: (code: ExitCode) => void) => Command;

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a positive integer is wanted.');
  return value;
}

export function nonNegativeInteger(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('0 or a positive integer is wanted.');
  return value;
}

/** `name=value`: a number, true, false, a list in brackets, or a string. */
export function setting(text: string, previous: Record<string, ConfigLiteral> = {}): Record<string, ConfigLiteral> {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('name=value is wanted.');
  return { ...previous, [text.slice(0, equals).trim()]: literal(text.slice(equals + 1).trim()) };
}

/** Deeper lists are no configuration. */
const MAX_NESTING = 16;

function literal(text: string, depth = 0): ConfigLiteral {
  if (depth > MAX_NESTING) throw new InvalidArgumentError(`lists may be nested ${MAX_NESTING} deep.`);
  if (text === 'true') return true;
  if (text === 'false') return false;
  if (text !== '' && Number.isFinite(Number(text))) return Number(text);
  if (text.startsWith('[') && text.endsWith(']')) {
    const inner = text.slice(1, -1).trim();
    return inner === '' ? [] : inner.split(',').map((part) => literal(part.trim(), depth + 1));
  }
  return text.replace(/^(["'])(.*)\1$/s, '$2');
}

export function collect(text: string, previous: string[] = []): string[] {
  return [...previous, text];
}

export const setOption = () => new Option('--set <name=value>', 'override a configuration value; may be repeated').argParser(setting).default({}, 'none');
export const batchOption = () => new Option('--batch <n>', 'the free dimension B').argParser(positiveInteger);
export const dtypeOption = () => new Option('--dtype <type>', 'how weights and intermediate tensors are stored').choices(['f32', 'f16']).default('f32');
export const inputsOption = () => new Option('--inputs <type>', 'how float inputs are given and stored: f32 unless told; f16 with --dtype f16').choices(['f32', 'f16'] satisfies StorageType[]);
export const weightsOption = () => new Option('--weights <file>', 'weights: a safetensors file, or hf:OWNER/NAME');
export const seedOption = () => new Option('--seed <n>', 'seeded weights instead of a file').argParser(nonNegativeInteger);
export const deviceOption = () => new Option('--device <kind>', 'where to run').choices(['auto', 'gpu', 'software', 'cpu'] satisfies DeviceChoice[]).default('auto', 'the best there is');
export const targetOption = () => new Option('--target <name>', "what code may rely on: 'web', WebGPU's default limits, or 'native', what this machine's adapter offers").choices(['web', 'native']).default('web');
export const tuningOption = () => new Option('--tuning <file>', 'schedules that `vitc tune` found, in place of what the rules choose');
export const jsonOption = () => new Option('--json', 'print a JSON object for programs');

export type StorageType = 'f32' | 'f16';

/** How a compiled model stores its tensors. */
export interface StorageOptions {
  readonly dtype: StorageType;
  /** Of float inputs; f32 where absent. */
  readonly inputs?: StorageType;
}

/** What a command's options say of storage; E0905 where inputs would be narrower than what is computed from them. */
export function storageOptions({ dtype, inputs }: StorageOptions): StorageOptions {
  if (inputs === 'f16' && dtype !== 'f16') throw new CliError(error('E0905', `--inputs f16 is taken with --dtype f16 only, and the dtype is ${dtype}`, undefined, { help: 'add --dtype f16, or leave --inputs out' }), EXIT.usage);
  return { dtype, inputs };
}

/** What a package has of the options of the same name, and how it is compiled with others. */
const OF_COMPILATION: Readonly<Record<string, readonly [what: string, options: string]>> = {
  set: ['configuration was', '--set NAME=VALUE'],
  batch: ['batch was', '--batch N'],
  dtype: ['dtype was', '--dtype TYPE'],
  inputs: ['inputs were', '--dtype f16 --inputs f16'],
  target: ['target was', '--target NAME'],
  weights: ['weights were', '--weights FILE'],
  seed: ['weights were', '--seed N'],
  tuning: ['schedules were', '--tuning FILE'],
};

/** E0904 where a folder is no package, and E0905 for each option of the command line that one, compiled before, has no use for. */
export function requirePackage(folder: string, command: Command): void {
  if (!existsSync(join(folder, 'index.js'))) throw new CliError(error('E0904', `${folder} is a folder, but no package`), EXIT.usage);
  const given = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  const wrong = Object.entries(OF_COMPILATION).filter(([name]) => given(name)).map(([name, [what, options]]) =>
    error('E0905', `--${name} cannot apply: ${folder} is a package, whose ${what} chosen when it was compiled`, undefined, { help: `compile its model again: \`vitc compile MODEL ${options} -o DIR\`` }));
  if (given('keep')) wrong.push(error('E0905', `--keep cannot apply: ${folder} is a package already`, undefined, { help: 'copy the folder' }));
  if (wrong.length > 0) throw new CliError(wrong, EXIT.usage);
}

/** A command that runs a model on a device: where its weights, shapes and code come from. */
export function deviceCommand(name: string): Command {
  return new Command(name)
    .addOption(weightsOption())
    .addOption(seedOption())
    .addOption(setOption())
    .addOption(batchOption())
    .addOption(dtypeOption())
    .addOption(inputsOption())
    .addOption(targetOption().default('native', 'what the device offers'))
    .addOption(deviceOption());
}

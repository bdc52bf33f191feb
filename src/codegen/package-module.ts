/** index.js and index.d.ts of a package. */
import CodeBlockWriter from 'code-block-writer';
import type { GraphInput, GraphOutput, OutputAttribute } from '../graph.ts';
import type { DType, InputPort, PackagePlan } from './runtime/plan.ts';
import { formatPort } from './runtime/plan.ts';

/** What both files are made of. */
export interface ModuleFacts {
  readonly plan: PackagePlan;
  readonly doc?: string;
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly GraphOutput[];
  /** Class names by output. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
}

/** A detector's boxes: an output with `@boxes(format, scores, background)`. */
export interface BoxesFacts {
  readonly output: string;
  readonly scores: string;
  readonly format: string;
  readonly background?: number;
}

const ARRAY_OF: Record<DType, string> = { f32: 'Float32Array', i32: 'Int32Array', bool: 'Int32Array' };

export function boxesOf(outputs: readonly GraphOutput[]): BoxesFacts | undefined {
  for (const { name, attributes } of outputs) {
    const args = attributes.find((a) => a.name === 'boxes')?.args as OutputAttribute['args'] | undefined;
    if (!args || typeof args.scores !== 'string' || typeof args.format !== 'string') continue;
    return { output: name, scores: args.scores, format: args.format, ...(typeof args.background === 'number' && { background: args.background }) };
  }
  return undefined;
}

/** Outputs whose rows are class scores, and no boxes' scores. */
export function classified(facts: ModuleFacts): string[] {
  const boxes = boxesOf(facts.outputs);
  return [...facts.labels.keys()].filter((name) => name !== boxes?.scores);
}

export function takesHalves(plan: PackagePlan): boolean {
  return plan.inputs.some((port) => port.storage === 'f16');
}

/** The runtime's files that a model needs; those that it has no use for stay out of its package. */
export function isNeeded(file: string, facts: ModuleFacts): boolean {
  const module = file.replace(/\.(d\.ts|js)$/, '');
  const boxes = boxesOf(facts.outputs);
  if (module === 'pictures' || module === 'image') return facts.inputs.some((input) => input.image);
  if (module === 'half') return takesHalves(facts.plan);
  if (module === 'detect') return boxes !== undefined;
  if (module === 'classify') return boxes !== undefined || classified(facts).length > 0;
  return true;
}

function writer(): CodeBlockWriter {
  return new CodeBlockWriter({ indentNumberOfSpaces: 2, useSingleQuote: true });
}

/** A property name, quoted where it is no identifier. */
function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

function writeDoc(out: CodeBlockWriter, lines: readonly string[]): void {
  const safe = lines.flatMap((line) => line.replaceAll('*/', '*\\/').split('\n'));
  if (safe.length === 1) out.writeLine(`/** ${safe[0]} */`);
  else {
    out.writeLine('/**');
    for (const line of safe) out.writeLine(line ? ` * ${line}` : ' *');
    out.writeLine(' */');
  }
}

export function indexJs(facts: ModuleFacts): string {
  const out = writer();
  const hasPictures = facts.inputs.some((input) => input.image);
  const boxes = boxesOf(facts.outputs);
  out.writeLine("import { plan } from './plan.js';");
  if (boxes) out.writeLine("import { detect as detectBoxes } from './runtime/detect.js';");
  out.writeLine("import { deviceDescriptor } from './runtime/device.js';");
  if (takesHalves(facts.plan)) out.writeLine("import { readHalves } from './runtime/half.js';");
  out.writeLine("import { loadModel } from './runtime/load.js';");
  if (hasPictures) out.writeLine("import { readPictures } from './runtime/pictures.js';");
  if (facts.labels.size > 0) out.writeLine("import { labels } from './labels.js';");
  out.blankLine();
  if (classified(facts).length > 0) out.writeLine("export { classify } from './runtime/classify.js';");
  out.writeLine("export { VitcError } from './runtime/errors.js';");
  if (facts.labels.size > 0) out.writeLine('export { labels };');
  out.writeLine('export const requirements = deviceDescriptor(plan);');
  out.blankLine();
  out.write('export function load(options)').block(() => {
    const readers = [...(takesHalves(facts.plan) ? ['readHalves'] : []), ...(hasPictures ? ['readPictures'] : [])];
    out.writeLine(`return loadModel(plan, import.meta.url, options${readers.length > 0 ? `, { ${readers.join(', ')} }` : ''});`);
  });
  if (boxes) {
    const format = [`format: ${JSON.stringify(boxes.format)}`];
    if (boxes.background !== undefined) format.push(`background: ${boxes.background}`);
    if (facts.labels.has(boxes.scores)) format.push(`labels: labels[${JSON.stringify(boxes.scores)}]`);
    out.blankLine();
    out.write('export function detect(outputs, threshold)').block(() => {
      out.writeLine(`return detectBoxes(outputs[${JSON.stringify(boxes.output)}], outputs[${JSON.stringify(boxes.scores)}], { ${format.join(', ')} }, threshold);`);
    });
  }
  return `${out.toString().trimEnd()}\n`;
}

function inputDoc(input: GraphInput, port: InputPort): string[] {
  const lines = [`${input.doc ? `${input.doc.trim()} ` : ''}${formatPort(port)}, row-major.`];
  const { image, below } = input;
  if (image) {
    const fit = { shortest: 'its shorter side resized and the centre cropped', squash: 'resized' }[image.resize];
    const how = image.native === undefined ? fit : `${fit} to ${image.native} x ${image.native}, normalized and enlarged`;
    lines.push(`A picture is prepared for the model: ${how} (${image.resample}), mean ${image.mean.join(', ')}, std ${image.std.join(', ')}; an array is taken as prepared.`);
  }
  if (port.storage === 'f16') lines.push('Stored in half precision: a Float16Array, a Uint16Array of its bits or a GPUBuffer of it is taken as it is, a Float32Array is rounded first, which takes longer.');
  if (below !== undefined) lines.push(`Values are in [0, ${below}).`);
  return lines;
}

function inputType(input: GraphInput, port: InputPort): string {
  const arrays = port.storage === 'f16' ? 'HalfValues' : port.dtype === 'bool' ? 'Uint8Array | Int32Array' : ARRAY_OF[port.dtype];
  const pictures = input.image ? (port.shape[0] === 1 ? ' | Picture | readonly [Picture]' : ' | readonly Picture[]') : '';
  return `${arrays} | GPUBuffer${pictures}`;
}

export function indexDts(facts: ModuleFacts): string {
  const out = writer();
  const { plan } = facts;
  const hasPictures = facts.inputs.some((input) => input.image);
  const boxes = boxesOf(facts.outputs);
  // GPUDevice and its kin: TypeScript has no declarations of its own for them yet.
  out.writeLine('/// <reference types="@webgpu/types" />');
  if (boxes) out.writeLine("import type { Detection } from './runtime/detect.js';");
  if (takesHalves(plan)) out.writeLine("import type { HalfValues } from './runtime/half.js';");
  out.writeLine("import type { LoadOptions } from './runtime/load.js';");
  out.writeLine("import type { Model } from './runtime/model.js';");
  if (hasPictures) out.writeLine("import type { Picture } from './runtime/pictures.js';");
  out.writeLine("import type { Tensor } from './runtime/readback.js';");
  out.blankLine();
  writeDoc(out, [facts.doc?.trim() || `Inputs of ${plan.name}.`]);
  out.write('export interface Inputs').block(() => {
    facts.inputs.forEach((input, i) => {
      writeDoc(out, inputDoc(input, plan.inputs[i]));
      out.writeLine(`readonly ${key(input.name)}: ${inputType(input, plan.inputs[i])};`);
    });
  });
  out.blankLine();
  writeDoc(out, [`Outputs of ${plan.name}: row-major values with their shape.`]);
  out.write('export interface Outputs').block(() => {
    facts.outputs.forEach((output, i) => {
      const port = plan.outputs[i];
      writeDoc(out, [`${output.doc ? `${output.doc.trim()} ` : ''}${formatPort(port)}`]);
      out.writeLine(`readonly ${key(output.name)}: Tensor<${ARRAY_OF[port.dtype]}, readonly [${port.shape.join(', ')}]>;`);
    });
  });
  out.blankLine();
  writeDoc(out, ['What `adapter.requestDevice` needs for a device that runs this model.']);
  out.writeLine('export declare const requirements: GPUDeviceDescriptor;');
  writeDoc(out, [`Loads ${plan.name}. Rejects with VitcError, whose \`code\` says why.`]);
  out.writeLine('export declare function load(options?: LoadOptions): Promise<Model<Inputs, Outputs>>;');
  if (facts.labels.size > 0) {
    writeDoc(out, ['Class names by output.']);
    const names = [...facts.labels.keys()].map((name) => `readonly ${key(name)}: readonly string[]`);
    out.writeLine(`export declare const labels: { ${names.join('; ')} };`);
  }
  if (boxes) {
    writeDoc(out, ['The objects found, at least `threshold` (0.7) probable, the likeliest first.']);
    out.writeLine(`export declare function detect(outputs: Pick<Outputs, ${JSON.stringify(boxes.output)} | ${JSON.stringify(boxes.scores)}>, threshold?: number): Detection[];`);
  }
  if (classified(facts).length > 0) out.writeLine("export { classify } from './runtime/classify.js';");
  out.writeLine("export { VitcError } from './runtime/errors.js';");
  out.writeLine('export type { LoadOptions, Model };');
  return `${out.toString().trimEnd()}\n`;
}

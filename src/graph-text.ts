/**
 * The text form of graphs, a statement a line:
 *
 *   graph small
 *   %0 = input name=image shape=[1, 3, 224, 224] dtype=f32 : f32[1, 3, 224, 224] @ "" Net  # net.vit:12:9
 *   %2 = conv(%0, %1) stride=[16, 16] ... : f32[1, 192, 14, 14] @ patch_embed PatchEmbed
 *   input %0 name=image
 *   output %2 name=features attributes=[]
 *   rule kind=ignore pattern="*.position_ids"
 *
 * After `:` stands the type, which the reader checks; after `@` the origin's scope and block. Locations are comments.
 * What `printGraph` writes, `readGraph` reads back the same, locations excepted.
 */
import { formatType } from './graph.ts';
import type { Graph, GraphInput, GraphOutput, Node, NodeId, Origin, WeightRule, WeightSource } from './graph.ts';
import { GraphBuilder } from './graph-builder.ts';
import { OPS } from './ops.ts';
import type { OpAttrs, OpName } from './ops/types.ts';
import { formatLocation } from './source.ts';
import { boolean, checked, either, integer, LineReader, list, number, oneOf, printFields, printValue, record, recordOf, string, TextError } from './text-value.ts';
import type { Check } from './text-value.ts';

export interface GraphTextError {
  /** 1-based. */
  readonly line: number;
  readonly message: string;
}

export interface ReadGraphResult {
  /** Absent where there are errors. */
  readonly value?: Graph;
  readonly errors: readonly GraphTextError[];
}

export function printGraph(graph: Graph): string {
  const lines = [`graph ${printValue(graph.name)}`];
  if (graph.doc !== undefined) lines.push(`doc ${JSON.stringify(graph.doc)}`);
  lines.push(...graph.nodes.map(printNode));
  for (const { node, ...fields } of graph.inputs) lines.push(`input %${node} ${printFields(fields)}`);
  for (const { node, ...fields } of graph.outputs) lines.push(`output %${node} ${printFields(fields)}`);
  for (const rule of graph.weightRules) lines.push(`rule ${printFields(rule)}`);
  return `${lines.join('\n')}\n`;
}

/** One node's line. */
export function printNode(node: Node): string {
  const args = node.args.length > 0 ? `(${node.args.map((id) => `%${id}`).join(', ')})` : '';
  const { scope, block, span } = node.origin;
  const parts = [`%${node.id} = ${node.op}${args}`, printFields(node.attrs), `: ${formatType(node)}`];
  if (scope !== '' || block !== '') parts.push(`@ ${printValue(scope)} ${printValue(block)}`);
  if (span) parts.push(` # ${formatLocation(span).replace(/[\r\n]/g, ' ')}`);
  return parts.filter((p) => p !== '').join(' ');
}

/** Never throws; every line with an error is told of. */
export function readGraph(text: string): ReadGraphResult {
  const reader = new GraphReader();
  const errors: GraphTextError[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    try {
      reader.statement(new LineReader(line));
    } catch (e) {
      if (!(e instanceof TextError)) throw e;
      errors.push({ line: i + 1, message: e.message });
    }
  }
  if (errors.length > 0) return { errors };
  return { value: reader.finish(), errors };
}

const dtype = oneOf('f32', 'i32', 'bool');
const integers = list(integer);
const pads = list(record({ low: integer, high: integer }));
const axes = record({ axes: integers });
const none = record({});
const typed = { name: string, shape: integers, dtype };
const window = { stride: integers, padding: pads, dilation: integers };

/** What each operation's attributes are made of. */
const ATTRS: { readonly [K in OpName]: Check } = {
  input: record(typed),
  param: record({ ...typed, buffer: boolean }),
  constant: record({ value: number, dtype }),
  iota: record({ n: integer }),
  neg: none, abs: none, exp: none, log: none, sqrt: none, rsqrt: none, sin: none, cos: none, tanh: none, erf: none, sigmoid: none, floor: none, not: none,
  cast: record({ dtype }),
  add: none, sub: none, mul: none, div: none, mod: none, pow: none, max: none, min: none, equal: none, less: none, lessEqual: none, and: none, or: none, where: none,
  reshape: record({ shape: integers }),
  transpose: record({ permutation: integers }),
  broadcast: record({ shape: integers }),
  slice: record({ start: integers, size: integers, step: integers }),
  concat: record({ axis: integer }),
  pad: record({ padding: pads, value: number }),
  gather: record({ axis: integer, batch: integer }),
  reduceSum: axes, reduceMax: axes, reduceMin: axes,
  einsum: record({ left: list(string), right: list(string), out: list(string) }),
  conv: record({ ...window, groups: integer }),
  pool: record({ ...window, kind: oneOf('max', 'sum'), window: integers }),
  argsort: record({ descending: boolean }),
};

const IMAGE = record({ mean: list(number), std: list(number), crop: number, resample: oneOf('nearest', 'bilinear', 'bicubic'), antialias: boolean, resize: oneOf('shortest', 'squash') }, { native: integer });
const INPUT = record({ name: string }, { doc: string, image: IMAGE, below: integer });
const ARGUMENT = either(number, string, boolean, list(either(number, string)));
const OUTPUT = record({ name: string, attributes: list(record({ name: string, args: recordOf(ARGUMENT) })) }, { doc: string, labels: either(string, list(string)) });

/** What each kind of weight source is made of; the kind decides, so that nested sources are checked once. */
const SOURCES: { readonly [K in WeightSource['kind']]: () => Check } = {
  tensor: () => record({ kind: string, name: string }),
  transpose: () => record({ kind: string, of: source }, { permutation: integers }),
  reshape: () => record({ kind: string, of: source, shape: integers }),
  concat: () => record({ kind: string, of: list(source), axis: integer }),
  slice: () => record({ kind: string, of: source, axis: integer, start: integer, end: integer }),
  scale: () => record({ kind: string, of: source, by: number }),
};
const source: Check = (value) => {
  const kind = typeof value === 'object' && 'kind' in value ? value.kind : undefined;
  return typeof kind === 'string' && Object.hasOwn(SOURCES, kind) ? SOURCES[kind as WeightSource['kind']]()(value) : `a weight source of kind ${Object.keys(SOURCES).join(', ')}`;
};
const MAP = record({ kind: string, pattern: string, source });
const IGNORE = record({ kind: oneOf('map', 'ignore'), pattern: string });
const RULE: Check = (value) => (typeof value === 'object' && 'kind' in value && value.kind === 'map' ? MAP : IGNORE)(value);

class GraphReader {
  readonly #builder = new GraphBuilder();
  readonly #ids = new Map<string, NodeId>();
  readonly #inputs: GraphInput[] = [];
  readonly #outputs: GraphOutput[] = [];
  readonly #rules: WeightRule[] = [];
  #name = '';
  #doc: string | undefined;

  statement(line: LineReader): void {
    if (line.atEnd) return;
    const defined = line.match(/%\w+/y);
    if (defined !== undefined) this.#node(defined, line);
    else this.#other(line.word('a statement'), line);
    if (!line.atEnd) line.fail('the end of the line');
  }

  /** Input nodes without a statement of their own are declared by their names. */
  finish(): Graph {
    for (let id = 0; id < this.#builder.size; id++) {
      const node = this.#builder.node(id);
      if (node.op === 'input' && !this.#inputs.some((i) => i.node === id)) this.#inputs.push({ name: node.attrs.name, node: id });
    }
    const doc = this.#doc === undefined ? {} : { doc: this.#doc };
    return this.#builder.finish({ name: this.#name, ...doc, inputs: this.#inputs, outputs: this.#outputs, weightRules: this.#rules });
  }

  #other(keyword: string, line: LineReader): void {
    switch (keyword) {
      case 'graph':
        this.#name = line.string('a name').value;
        return;
      case 'doc':
        this.#doc = line.string('a text').value;
        return;
      case 'input': {
        const node = this.#reference(line);
        this.#inputs.push({ node, ...checked<Omit<GraphInput, 'node'>>('input', line.fields(), INPUT) });
        return;
      }
      case 'output': {
        const node = this.#reference(line);
        const fields = line.fields();
        const whole = Object.hasOwn(fields, 'attributes') ? fields : { ...fields, attributes: [] };
        this.#outputs.push({ node, ...checked<Omit<GraphOutput, 'node'>>('output', whole, OUTPUT) });
        return;
      }
      case 'rule':
        this.#rules.push(checked('rule', line.fields(), RULE));
        return;
      default:
        throw new TextError(`'${keyword}' begins no statement`);
    }
  }

  #node(defined: string, line: LineReader): void {
    if (this.#ids.has(defined)) throw new TextError(`${defined} is defined twice`);
    line.expect('=');
    const op = line.word('an operation');
    if (!Object.hasOwn(OPS, op)) throw new TextError(`'${op}' is no operation`);
    const args: NodeId[] = [];
    if (line.take('(')) {
      while (!line.take(')')) {
        if (args.length > 0) line.expect(',');
        args.push(this.#reference(line));
      }
    }
    const attrs = checked<OpAttrs[OpName]>(op, line.fields(), ATTRS[op as OpName]);
    const type = line.take(':') ? line.match(/\w+\[[\d, ]*\]/y) ?? line.fail('a type such as f32[2, 3]') : undefined;
    const origin: Origin = line.take('@') ? { scope: line.string('a scope').value, block: line.string('a block').value } : { scope: '', block: '' };
    const added = this.#builder.add(op as OpName, args, attrs, origin);
    if (!added.ok) throw new TextError(added.message);
    this.#ids.set(defined, added.id);
    const found = formatType(this.#builder.type(added.id));
    if (type !== undefined && type !== found) throw new TextError(`${defined} is said to be ${type}; it is ${found}`);
  }

  #reference(line: LineReader): NodeId {
    const name = line.match(/%\w+/y) ?? line.fail('a node such as %3');
    const id = this.#ids.get(name);
    if (id === undefined) throw new TextError(`${name} is not defined above`);
    return id;
  }
}

/** A model's inputs and outputs. */
import type { InputDecl, OutputDecl } from '../ast.ts';
import type { GraphInput, GraphOutput } from '../graph.ts';
import { inputAttributes, outputAttributes } from './attributes.ts';
import type { Context } from './context.ts';
import type { Environment } from './environment.ts';
import { evaluate } from './expressions.ts';
import { dtypeOf, knownShape, matchShapes } from './patterns.ts';
import { describe, isTensor } from './values.ts';
import type { Value } from './values.ts';

function declareOnce(context: Context, kind: 'input' | 'output', { name }: InputDecl | OutputDecl, as = name.text): void {
  // A package takes and gives tensors as properties of objects.
  if (as === '__proto__') context.fail('E0611', `\`${as}\` is no name for an ${kind}`, name.span, { help: 'use any other name' });
  const key = `${kind} ${as}`;
  const before = context.declared.get(key);
  if (before) {
    const loop = before.start === name.span.start && before.source === name.span.source;
    context.fail('E0605', `the ${kind} \`${as}\` is declared twice`, name.span, {
      labels: loop ? [] : [{ span: before, message: 'first here' }],
      help: !loop ? 'rename one' : kind === 'input' ? 'declare it once, outside of the loop' : `give each turn's output its own name: \`@name("${name.text}" + str(i))\``,
    });
  }
  context.declared.set(key, name.span);
}

export function declareInput(context: Context, statement: InputDecl, env: Environment): undefined {
  const { name, type, doc } = statement;
  declareOnce(context, 'input', statement);
  const { shape, dims } = knownShape(context, type, env, 'an input');
  const dtype = dtypeOf(type);
  const { image, below } = inputAttributes(context, statement, { shape, dtype }, env);
  const tensor = context.emit('input', [], { name: name.text, shape, dtype }, statement.span, 'E0405', dims);
  const input: GraphInput = { name: name.text, node: tensor.id, ...(doc !== undefined && { doc }), ...(image && { image }), ...(below !== undefined && { below }) };
  context.inputs.push(input);
  env.assign(name.text, { value: tensor, span: name.span });
}

export function declareOutput(context: Context, statement: OutputDecl, env: Environment): undefined {
  const { name, type, doc } = statement;
  let value: Value = evaluate(context, statement.value, env);
  if (!isTensor(value)) context.fail('E0610', `the output \`${name.text}\` is ${describe(value)}; outputs are tensors`, statement.value.span);
  if (type) [value] = matchShapes(context, [{ name: `\`${name.text}\``, type, value, span: statement.value.span }], env.copy(), 'E0412');
  const { labels, rename, attributes } = outputAttributes(context, statement, value, env);
  declareOnce(context, 'output', statement, rename);
  const output: GraphOutput = { name: rename ?? name.text, node: value.id, ...(doc !== undefined && { doc }), ...(labels !== undefined && { labels }), attributes };
  context.outputs.push(output);
  env.assign(name.text, { value, span: name.span });
}

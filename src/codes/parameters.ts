/** E05xx: parameters and weight paths. Each example is elaborated by a test: the first shows the code, the next mends it. */
import type { CodeInfo } from '../codes.ts';

export const PARAMETER_CODES = {
  E0501: {
    title: 'parameter declared twice',
    explanation: `Two parameters get one name in the checkpoint. A call without a label adds nothing to the weight path, so that two calls of one block meet.

\`\`\`vit
block Scale()(x: [B, N, D]) {
  param gamma: [D]
  return x * gamma
}
model M() {
  input x: [B, 4, 8]
  y = Scale()(x)
  output z = Scale()(y)
}
\`\`\`

Label the calls. If they are to share their weights, label the block once and call the instance twice.

\`\`\`vit
block Scale()(x: [B, N, D]) {
  param gamma: [D]
  return x * gamma
}
model M() {
  input x: [B, 4, 8]
  a = a: Scale()(x)
  b = b: Scale()(a)
  both = both: Scale()
  output z = both(both(b))
}
\`\`\``,
  },
  E0502: {
    title: 'shared parameter of two shapes',
    explanation: `An instance is called twice, and its parameter would have another shape the second time.

\`\`\`vit
block Project(out)(x: [B, N, I]) {
  param weight: [out, I]
  return linear(x, weight)
}
model M() {
  input x: [B, 4, 8]
  f = f: Project(16)
  output y = f(f(x))
}
\`\`\`

Shared weights need the same shapes: check the tensors of both calls.`,
  },
  E0503: {
    title: 'block labelled twice',
    explanation: `A labelled block has its place in the weight path; a second label would give it another.

\`\`\`vit
block A()(x) { return x }
model M() {
  input x: [B, 4, 8]
  f = f: A()
  output y = g: f(x)
}
\`\`\`

Remove one of the labels.`,
  },
  E0504: {
    title: 'no such parameter',
    explanation: `\`instance.name\` reads a parameter after the instance was called for the first time; there is none of this name below it.

\`\`\`vit
block Scale()(x: [B, N, D]) {
  param gamma: [D]
  return x * gamma
}
model M() {
  input x: [B, 4, 8]
  f = f: Scale()
  y = f(x)
  output z = y * f.beta
}
\`\`\`

Parameters are declared when a block is called: read them after that. \`instance.block.name\` goes deeper.`,
  },
  E0505: {
    title: 'hole of a weight rule',
    explanation: `\`{i}\` in a pattern stands for one part of a name, \`{rest...}\` for any number; the checkpoint's names use the same holes, and no others.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x
  weights { "blocks.{i}.w" = "layer.{j}.w" }
}
\`\`\`

Use the holes of the left side.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x
  weights { "blocks.{i}.w" = "layer.{i}.w" }
}
\`\`\``,
  },
  E0506: {
    title: 'label out of place',
    explanation: `A label names the place of a block's parameters. It stands before the call of a block, and its parts are words, integers from 0, or strings of them.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = act: exp(x)
}
\`\`\`

Remove the label of what has no parameters.`,
  },
  E0507: {
    title: 'no weight source',
    explanation: `The right side of a weight rule is the name of a checkpoint's tensor, through \`transpose\`, \`reshape\`, \`concat\`, \`slice\` or \`* number\`.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x
  weights { "w" = 3 }
}
\`\`\`

Write a string.`,
  },
  W0501: {
    title: 'parameter that nothing reads',
    explanation: `The parameter is declared, and would be read from checkpoints, but no operation uses it.

\`\`\`vit
block Scale()(x: [B, N, D]) {
  param gamma: [D]
  param beta: [D]
  return x * gamma
}
model M() {
  input x: [B, 4, 8]
  output y = s: Scale()(x)
}
\`\`\`

Use it, or remove it. Tensors of a checkpoint that the model does not need are named by \`ignore\` in \`weights { }\`.

\`\`\`vit
block Scale()(x: [B, N, D]) {
  param gamma: [D]
  param beta: [D]
  return x * gamma + beta
}
model M() {
  input x: [B, 4, 8]
  output y = s: Scale()(x)
}
\`\`\``,
  },
} as const satisfies Record<string, CodeInfo>;

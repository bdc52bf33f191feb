/** E06xx and E070x: models and presets, limits of evaluation. Each example is elaborated by a test: the first shows the code, the next mends it. */
import type { CodeInfo } from '../codes.ts';

export const MODEL_CODES = {
  E0601: {
    title: 'no single target',
    explanation: `The file has no model, or more than one candidate and none was named. A file's only preset is taken, else its only model.

\`\`\`vit
model A() { input x: [B]; output y = x }
model C() { input x: [B]; output y = -x }
\`\`\`

Name one: \`vitc check FILE.vit#A\`.`,
  },
  E0602: {
    title: 'unknown model or preset',
    explanation: `The file has no model or preset of the name after \`#\`.

\`\`\`vit
// elaborate: {"target": "smal"}
model M() { input x: [B]; output y = x }
preset small = M()
\`\`\`

\`vitc zoo\` lists the models that come with the compiler.`,
  },
  E0603: {
    title: 'setting does not fit',
    explanation: `\`--set name=value\` names no parameter of the model, or gives it a value of another kind; or the batch is no positive integer.

\`\`\`vit
// elaborate: {"settings": {"dpeth": 3}}
model M(depth = 2) { input x: [B]; output y = x }
\`\`\`

The message lists the parameters.`,
  },
  E0604: {
    title: 'model without output',
    explanation: `A model that computes nothing for anybody would be empty.

\`\`\`vit
model M() { input x: [B] }
\`\`\`

Declare an output:

\`\`\`vit
model M() { input x: [B]; output y = x }
\`\`\``,
  },
  E0605: {
    title: 'input or output declared twice',
    explanation: `The package takes and gives tensors by name, so that names are unique.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  for i in 0..2 { output y = x * i }
}
\`\`\`

Rename one. In a loop, compute the name:

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  for i in 0..2 { output y = x * i @name("y" + str(i)) }
}
\`\`\``,
  },
  E0606: {
    title: 'free extent in an input',
    explanation: `All extents of an input are configuration, but for \`B\`, the batch, which \`--batch\` sets.

\`\`\`vit
model M() {
  input x: [B, tokens, 8]
  output y = x
}
\`\`\`

Declare the name:

\`\`\`vit
model M(tokens = 4) {
  input x: [B, tokens, 8]
  output y = x
}
\`\`\``,
  },
  E0607: {
    title: 'unknown attribute',
    explanation: `Inputs can have \`@image\` and \`@range\`, parameters \`@buffer\` and \`@name\`, outputs \`@labels\`, \`@name\` and any that the package's users know, presets \`@weights\`.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  param w: [3] @bufer
  output y = x
}
\`\`\`

The help lists what the place knows.`,
  },
  E0608: {
    title: 'attribute does not fit',
    explanation: `The attribute does not fit what it stands at, or an argument is not what it takes.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x @labels(["cat", "dog"])
}
\`\`\`

\`@image\` wants [B, 3, H, W] and \`mean\`, \`std\` a number or one a channel; \`@labels\` as many names as the last axis has classes.`,
  },
  E0609: {
    title: 'preset without a model',
    explanation: `A preset refers to a model, or to another preset that does so in the end.

\`\`\`vit
// elaborate: {"target": "p"}
preset p = q()
preset q = p()
\`\`\`

Let the chain end at a model.`,
  },
  E0610: {
    title: 'output is no tensor',
    explanation: `Only tensors leave a model.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = split(x, 2, axis = 1)
}
\`\`\`

Give each part a name of its own.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  a, b = split(x, 2, axis = 1)
  output first = a
  output second = b
}
\`\`\``,
  },
  E0611: {
    title: 'name that an object cannot have',
    explanation: `A package takes its inputs and gives its outputs as the properties of an object, by their names. \`__proto__\` is not a property like others in JavaScript.

\`\`\`vit
model M() {
  input __proto__: [B, 4]
  output y = __proto__
}
\`\`\`

Use any other name.`,
  },
  E0701: {
    title: 'too many turns',
    explanation: `A loop has a million turns or more, or a list as many items. Configuration is evaluated when the model is compiled; data belongs into tensors.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  total = 0
  for i in 0..1000000 { total = total + i }
  output y = x
}
\`\`\`

Compute on tensors: \`sum(iota(n))\`.`,
  },
  E0702: {
    title: 'graph too large',
    explanation: `The graph grows over 50,000 operations, most often because a loop works on the parts of a tensor one by one.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  for i in 0..900000 { x = x + 1 }
  output y = x
}
\`\`\`

Compute on whole tensors: \`einsum\`, \`gather\`, \`where\` and broadcasting take the place of such loops.`,
  },
  E0703: {
    title: 'calls too deep',
    explanation: `Calls are more than 200 deep. A block or function may call itself, as long as a condition on configuration ends it.

\`\`\`vit
block U(depth)(x) { return U(depth - 1)(x * 2) }
model M() {
  input x: [B, 4, 8]
  output y = U(3)(x)
}
\`\`\`

Let a condition end it:

\`\`\`vit
block U(depth)(x) {
  if depth == 0 { return x }
  return U(depth - 1)(x * 2)
}
model M() {
  input x: [B, 4, 8]
  output y = U(3)(x)
}
\`\`\``,
  },
  E0704: {
    title: 'too much work',
    explanation: `The evaluation of the configuration takes more than five million steps, a text grows over a million characters, or a weight path over ten thousand.

Every evaluation, every item of a list and every character that is compared is a step; so is every axis that an operation reads or writes. A statement that fails counts for a thousand, as a loop may fail at each of its turns.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  for i in 0..5000 { for j in 0..5000 { k = i * j } }
  output y = x
}
\`\`\`

Make loops and lists smaller.`,
  },
  W0601: {
    title: 'input that nothing reads',
    explanation: `No operation uses the input, and yet every run would have to give it.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  input mask: bool[B, 4]
  output y = x
}
\`\`\`

Use it, or remove it.`,
  },
  E0706: {
    title: 'nested too deep',
    explanation: `Expressions stand within each other more than a thousand deep, those of all the calls on the way counted together.

Give parts of the expression a name.`,
  },
} as const satisfies Record<string, CodeInfo>;

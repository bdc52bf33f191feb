/** E02xx: names and imports. Each example is elaborated by a test: the first shows the code, the next mends it. */
import type { CodeInfo } from '../codes.ts';

export const NAME_CODES = {
  E0201: {
    title: 'unknown name',
    explanation: `The name is declared nowhere that this place can see, or has no value on the way that led here. A body sees its own names, its parameters, the names of its file, what the file imports, the prelude and the built-in functions; a block sees nothing of the block that calls it.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = rleu(x)
}
\`\`\`

Correct the spelling, assign the name before, or import it: \`import { Linear } from "std/layers"\`. A name that only one branch of an \`if\` assigns has no value when the other is taken.`,
  },
  E0202: {
    title: 'name declared twice',
    explanation: `Two declarations of one list or of one file have the same name.

\`\`\`vit
fn f(a) = a
fn f(a) = a * 2
model M() {
  input x: [B, 4, 8]
  output y = f(x)
}
\`\`\`

Rename one. A name that is imported can get another: \`import { A as B } from "./parts"\`. Assigning a name again is no second declaration.`,
  },
  E0203: {
    title: 'imported file not found',
    explanation: `There is no file where the import says. Paths are relative to the importing file, and \`.vit\` is implied; \`std/NAME\` is the standard library.

\`\`\`vit
import { A } from "./prats"
model M() {
  input x: [B, 4, 8]
  output y = A()(x)
}
\`\`\`

Correct the path: \`"./parts"\`, \`"../shared/parts"\`, \`"std/layers"\`.`,
  },
  E0204: {
    title: 'import path not allowed',
    explanation: `Imports name files of the project: a path is relative (\`./\`, \`../\`) or begins with \`std/\`, is written with \`/\`, and does not leave the folder that the compiler was started in. Absolute paths, URLs and drive letters are refused, so that a model file cannot read what does not belong to it.

\`\`\`vit
import { A } from "/usr/share/parts"
model M() {
  input x: [B, 4, 8]
  output y = A()(x)
}
\`\`\`

Copy the file into the project and import it from there.`,
  },
  E0205: {
    title: 'name not declared by the imported file',
    explanation: `The imported file has no declaration of this name. What a file imports itself, it does not pass on.

\`\`\`vit
import { rotat } from "std/positions"
model M() {
  input x: [B, 4, 8]
  output y = rotat(x, x)
}
\`\`\`

Correct the spelling, or import the name from the file that declares it.`,
  },
  E0206: {
    title: 'files import each other',
    explanation: `A file that is being read is imported again on the way, so that neither can be read first.

\`\`\`
// one.vit
import { B } from "./two"
// two.vit
import { A } from "./one"
\`\`\`

Even a file that imports itself is a circle:

\`\`\`vit
import { M as N } from "./test"
model M() {
  input x: [B, 4, 8]
  output y = x
}
\`\`\`

Move what both need into a third file.`,
  },
  E0207: {
    title: 'name stays inside a loop',
    explanation: `A name that is first assigned in the body of a \`for\` belongs to one turn, and is gone after it. A name that had a value before the loop is carried on from turn to turn.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  for i in 0..3 { y = x * i }
  output z = y
}
\`\`\`

Give it a value before the loop:

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  y = x
  for i in 0..3 { y = y * i }
  output z = y
}
\`\`\``,
  },
  E0209: {
    title: 'value defined by itself',
    explanation: `To evaluate the \`let\`, its own value is needed.

\`\`\`vit
let a = b + 1
let b = a - 1
model M() {
  input x: [B, 4, 8]
  output y = x * a
}
\`\`\`

Break the circle: one of the values must stand for itself.`,
  },
  E0210: {
    title: 'unknown member',
    explanation: `After the dot stands something that the value does not have. A tensor has \`shape\`, \`rank\` and \`dtype\`; a labelled block has its parameters and the blocks below it.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = reshape(x, [x.size, 1])
}
\`\`\`

Use what there is:

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = reshape(x, [x.shape[0], -1])
}
\`\`\``,
  },
  E0212: {
    title: 'statement out of place',
    explanation: `\`input\`, \`output\` and \`weights\` belong to models, \`param\` to models and blocks, \`return\` to blocks and functions.

\`\`\`vit
fn f(x) {
  param scale: [8]
  return x * scale
}
model M() {
  input x: [B, 4, 8]
  output y = f(x)
}
\`\`\`

Functions have no weights: make it a block.

\`\`\`vit
block F()(x: [B, N, D]) {
  param scale: [D]
  return x * scale
}
model M() {
  input x: [B, 4, 8]
  output y = f: F()(x)
}
\`\`\``,
  },
} as const satisfies Record<string, CodeInfo>;

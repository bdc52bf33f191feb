/** E03xx: configuration values and calls. Each example is elaborated by a test: the first shows the code, the next mends it. */
import type { CodeInfo } from '../codes.ts';

export const VALUE_CODES = {
  E0301: {
    title: 'wrong kind of value',
    explanation: `A value is of another kind than its place wants: a string for a number, a tensor where a choice is made at compile time, a number for a list.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  if x > 0 { y = x } else { y = -x }
  output z = y
}
\`\`\`

Tensors have no values at compile time. What depends on data is chosen by element:

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output z = where(x > 0, x, -x)
}
\`\`\``,
  },
  E0302: {
    title: 'unknown argument',
    explanation: `The argument has a name that the function, block or built-in does not know, or \`rearrange\` gets a size for an axis that its pattern does not have.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = softmax(x, axes = 1)
}
\`\`\`

The message lists what there is.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = softmax(x, axis = 1)
}
\`\`\``,
  },
  E0303: {
    title: 'missing argument',
    explanation: `A parameter without a default gets no value. A block has two lists: first its configuration, then its tensors.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = reshape(x)
}
\`\`\`

Give it, by position or by name.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = reshape(x, shape = [-1, 8])
}
\`\`\``,
  },
  E0304: {
    title: 'too many arguments',
    explanation: `There are more arguments than parameters.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = relu(x, 0)
}
\`\`\`

Remove one. Tensors go into the second list of a block: \`Attention(4)(x)\`.`,
  },
  E0305: {
    title: 'given twice',
    explanation: `An argument is given by position and by name, or twice by name; or an attribute stands twice.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = sum(x, axis = 0, axis = 1)
}
\`\`\`

Remove one. Several axes are a list: \`axis = [0, 1]\`.`,
  },
  E0306: {
    title: 'not callable',
    explanation: `What stands before \`(\` is no function, block or instance. A name that was assigned hides a function of the same name.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  sum = x + 1
  output y = sum(x)
}
\`\`\`

Rename the one that hides the other. Parts of tensors and lists are read with \`[ ]\`. A model cannot be called; what models share is a block.`,
  },
  E0307: {
    title: 'operator without meaning for these values',
    explanation: `The operator or the subscript is not defined for values of these kinds.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  name = "stage" + 1
  output y = x
}
\`\`\`

Convert one of them: \`"stage" + str(1)\`. Lists are joined by \`+\` and repeated by \`*\`.`,
  },
  E0308: {
    title: 'list index out of range',
    explanation: `The list has no item of this number. Items count from 0; -1 is the last.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  dims = [64, 128]
  output y = x * dims[2]
}
\`\`\`

Use a number below \`len(dims)\`.`,
  },
  E0309: {
    title: 'cannot be taken apart',
    explanation: `A list or the first axis of a tensor has another number of items than there are names on the left.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  a, b, c = [x, x]
  output y = a
}
\`\`\`

Write as many names as there are items; \`_\` takes one that is not needed. A tensor is taken apart along its first axis: bring the axis to the front with \`rearrange\`.`,
  },
  E0310: {
    title: 'value outside of its domain',
    explanation: `The arithmetic has no result: a division by zero, the root or logarithm of a negative number, a step of zero.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x * (1 / (4 - 4))
}
\`\`\`

Look at the values of the names on the line.`,
  },
  E0311: {
    title: 'assertion does not hold',
    explanation: `An \`assert\` of the source is false. Its message says what the block or model asks of its configuration and shapes; the note has the values.

\`\`\`vit
block A(heads)(x: [B, N, D]) {
  assert D % heads == 0, "heads must divide the channels"
  return rearrange(x, "b n (h d) -> b h n d", h = heads)
}
model M() {
  input x: [B, 4, 8]
  output y = a: A(3)(x)
}
\`\`\`

Change the configuration at the call that the labels show.`,
  },
  E0312: {
    title: 'block without its configuration',
    explanation: `A block takes two lists of arguments: its configuration, then its tensors. It was applied or labelled before the first.

\`\`\`vit
block Scale(factor = 2)(x) { return x * factor }
model M() {
  input x: [B, 4, 8]
  output y = Scale(x)
}
\`\`\`

Write both lists, an empty one if all parameters have defaults:

\`\`\`vit
block Scale(factor = 2)(x) { return x * factor }
model M() {
  input x: [B, 4, 8]
  output y = Scale()(x)
}
\`\`\``,
  },
  E0313: {
    title: 'none of the possible choices',
    explanation: `The argument takes one of a few words, and this is none of them.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = cast(x, "int")
}
\`\`\`

The message lists them.`,
  },
  E0314: {
    title: 'no return',
    explanation: `The body of a block or function ends without saying what it gives.

\`\`\`vit
fn double(x) { y = x * 2 }
model M() {
  input x: [B, 4, 8]
  output y = double(x)
}
\`\`\`

End every way through it with \`return\`.

\`\`\`vit
fn double(x) { return x * 2 }
model M() {
  input x: [B, 4, 8]
  output y = double(x)
}
\`\`\``,
  },
} as const satisfies Record<string, CodeInfo>;

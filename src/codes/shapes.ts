/** E04xx: shapes and dtypes. Each example is elaborated by a test: the first shows the code, the next mends it. */
import type { CodeInfo } from '../codes.ts';

export const SHAPE_CODES = {
  E0401: {
    title: 'extents differ',
    explanation: `A tensor does not have the shape that the block declares. A bare name in a shape binds to the extent it meets first, from left to right over all tensors; every later use, and every expression, must agree with it. The labels show where the name was bound, where it is wanted, and how the source writes both extents.

\`\`\`vit
block Add()(x: [B, N, D], y: [B, N, D]) { return x + y }
model M() {
  input x: [B, 4, 8]
  output y = Add()(x, x[:, 0:3])
}
\`\`\`

Correct the tensor at the caret, or declare another name for the axis: \`y: [B, M, D]\`.`,
  },
  E0402: {
    title: 'wrong number of axes',
    explanation: `A tensor has more or fewer axes than its place takes.

\`\`\`vit
block A()(x: [B, N, D]) { return x }
model M() {
  input x: [B, 4, 8]
  output y = A()(x[0])
}
\`\`\`

\`x[none]\` adds an axis, \`x[0]\` and \`reshape\` remove one; \`...\` in a declared shape stands for any number of axes.`,
  },
  E0403: {
    title: 'wrong dtype',
    explanation: `An operation gets a tensor of a dtype that it does not take, or two tensors of different dtypes. Nothing is converted silently. Shapes without a dtype declare f32.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x + iota(8)
}
\`\`\`

Convert: \`cast(x, "f32")\`, \`cast(x, "i32")\`, \`cast(x, "bool")\`.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x + cast(iota(8), "f32")
}
\`\`\``,
  },
  E0404: {
    title: 'shapes do not broadcast',
    explanation: `Shapes are aligned at their last axes; two extents fit if they are equal or one is 1.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x + full([4], 1)
}
\`\`\`

Put axes of 1 where they belong:

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x + full([4, 1], 1)
}
\`\`\``,
  },
  E0405: {
    title: 'no possible extent',
    explanation: `An extent is a positive integer. \`/\` gives a number with a fraction where it does not divide.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = full([8 / 3], 1)
}
\`\`\`

Say how it is rounded: \`floor(8 / 3)\`, \`ceil(8 / 3)\`.`,
  },
  E0406: {
    title: 'axis out of range',
    explanation: `The tensor has no such axis. Axes count from 0; -1 is the last. \`transpose\` names every axis once.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = sum(x, axis = 3)
}
\`\`\`

Use an axis below the rank, \`x.rank\`.`,
  },
  E0407: {
    title: 'reshape changes the number of elements',
    explanation: `A reshape keeps all elements in their order, so that both shapes must have as many.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = reshape(x, [1, 5, 6])
}
\`\`\`

One extent may be -1 and follows from the others: \`reshape(x, [1, -1, 8])\`.`,
  },
  E0408: {
    title: 'unreadable axis pattern',
    explanation: `The text of \`rearrange\` or \`einsum\` breaks its rules. \`rearrange\`: the same axes on both sides of \`->\`, each once, groups in parentheses. \`einsum\`: one term a tensor, divided by commas, without groups, no axis twice in a term.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = rearrange(x, "b n d -> b n")
}
\`\`\`

An axis is summed with \`einsum\` or \`sum\`, and repeated with \`expand\`.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = einsum("b n d -> b n", x)
}
\`\`\``,
  },
  E0409: {
    title: 'axis sizes of a pattern disagree',
    explanation: `One axis of the pattern has two sizes in the tensors, or a group does not divide its axis.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = rearrange(x, "b n (h d) -> b h n d", h = 3)
}
\`\`\`

The note tells which sizes were given and which follow from them.`,
  },
  E0410: {
    title: 'slice out of range',
    explanation: `A subscript or a part lies outside of the axis, or is empty. Bounds past the end are errors, since a wrong extent would go unnoticed.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = x[:, 2:9]
}
\`\`\`

Leave the bound out to reach the end: \`x[:, 2:]\`.`,
  },
  E0411: {
    title: 'window does not fit',
    explanation: `A convolution or a pooling does not fit its input: channels and groups, the number of spatial axes, or a window larger than the padded input.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = conv(x, full([2, 3, 1], 1))
}
\`\`\`

A weight is [O, C / groups, ...window], the input [B, C, ...space].`,
  },
  E0412: {
    title: 'result is not as declared',
    explanation: `A block returns, or an output is, something else than the heading says.

\`\`\`vit
block A(out)(x: [B, N, D]) -> [B, N, out] { return x }
model M() {
  input x: [B, 4, 8]
  output y = A(16)(x)
}
\`\`\`

Correct the body or the heading. A name that the heading does not know stands for any extent.`,
  },
  E0413: {
    title: 'extent not given',
    explanation: `\`_\` and \`...\` stand for extents that a tensor brings along. A parameter or an input has no tensor yet: all of its extents must be said.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  param w: [_, 8]
  output y = x
}
\`\`\`

Write the extents; \`...S\` takes them from a list S.`,
  },
  E0414: {
    title: 'operation does not fit its arguments',
    explanation: `The operation has no result for these shapes or attributes; the message says why.

\`\`\`vit
model M() {
  input x: [B, 4, 8]
  output y = gather(x, iota(3), axis = 1, batch = 2)
}
\`\`\`

The manual tells what each operation takes.`,
  },
} as const satisfies Record<string, CodeInfo>;

/** A model that uses most of the language, to make mutants of. */

/** After imports of the caller's choice; its blocks, whole declarations, come before those that call them. */
export function exampleSource(imports: string, blocks = ''): string {
  return `${imports}
let RATIO = 4
fn scaled(x, factor = 2) { y = x * factor; return y }
${blocks}block Mlp(ratio = RATIO)(x: [B, N, D]) -> [B, N, D] {
  assert D % 2 == 0, "even"
  h = gelu(fc1: Linear(ratio * D)(x))
  return fc2: Linear(D)(h)
}
model M(size = 8, dim = 4, depth = 2, classes = 3) {
  input image: [B, 3, size, size] @image(mean = 0.5, std = [0.5, 0.5, 0.5])
  param w: [dim, 3, 4, 4] @name("stem.weight")
  x = rearrange(conv(image, w, stride = 4), "b d h w -> b (h w) d")
  shared = mlp: Mlp(ratio = 2)
  for i in 0..depth { x = x + shared(scaled(x)); x = blocks[i]: Mlp()(x) }
  q, k = split(x, 2, axis = 2)
  a = softmax(einsum("b i d, b j d -> b i j", q, k) * (dim / 2) ** -0.5)
  x = concat([x, matmul(a, x)], axis = -1)[:, 0, ::2]
  heads = [fn (y) => y + n for n in 1..3 if n > 1]
  output logits = head: Linear(classes)(heads[0](x)) @labels(["a", "b", "c"])
  output order = argsort(where(x > 0, x, -x), descending = true)
  weights { "head.{p}" = transpose("fc.{p}")  ignore "{any...}.ids" }
}
`;
}

/** Faults put into the compiler one at a time, each of which some check must find. */

export interface Mutation {
  readonly name: string;
  readonly file: string;
  /** Exact text that stands in the file once, and what stands there instead. */
  readonly find: string;
  readonly replace: string;
  /** Only programs whose text matches, where few programs are of use. */
  readonly about?: string;
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'a contraction multiplies its tiles before all of them are staged',
    file: 'src/codegen/families/contraction-depth.ts',
    find: 'if (prefetches && early) prefetchNext();\n    emitter.push(barrier);',
    replace: 'if (prefetches && early) prefetchNext();',
    about: 'einsum|Linear|linear|matmul',
  },
  {
    name: 'threads of a row read partial results before all are there',
    file: 'src/codegen/families/row-meet.ts',
    find: "emitter.push(assign(element(parts, emitter.builtin('local_invocation_index')), own), barrier);",
    replace: "emitter.push(assign(element(parts, emitter.builtin('local_invocation_index')), own));",
  },
  {
    name: 'the tile of values is overwritten while it is read',
    file: 'src/codegen/families/attention-tiles.ts',
    find: 'emitter.push(barrier);\n      values.stage(this.chunkOf(over), schedule.prefetch ?? false);',
    replace: 'values.stage(this.chunkOf(over), schedule.prefetch ?? false);',
    about: String.raw`softmax\(s`,
  },
  {
    name: 'split-K keeps the last part instead of the sum',
    file: 'src/codegen/families/contraction-split.ts',
    find: "assign(sum, slot(turn, i), '+')",
    replace: 'assign(sum, slot(turn, i))',
    about: 'einsum|Linear|linear|matmul',
  },
  {
    name: 'streamed attention forgets to shrink what it summed before a greater score',
    file: 'src/codegen/families/attention-tiles.ts',
    find: "for (let i = 0; i < 4; i++) for (const s of this.sums[4 * r + i]) emitter.push(assign(s, element(shrink, i), '*'));",
    replace: '',
    about: String.raw`softmax\(s`,
  },
  {
    name: 'a contraction stores its sums without the epilogue',
    file: 'src/codegen/families/contraction-epilogue.ts',
    find: 'values.splat(values.value(maps.map((map) => substituteExpr(output.value, map))), width)',
    replace: 'values.splat(sum, width)',
    about: 'einsum|Linear|linear|matmul',
  },
  {
    name: 'a maximum starts from 0',
    file: 'src/codegen/scalar.ts',
    find: "if (op === 'max') return dtype === 'f32' ? f32(-most) : i32(-(2 ** 31));",
    replace: "if (op === 'max') return dtype === 'f32' ? f32(0) : i32(0);",
    about: 'amax|max_pool',
  },
  {
    name: 'threads past the last point store too',
    file: 'src/codegen/families/generic.ts',
    find: 'emitter.push(ifOf(less(sub(thread, u32(first)), u32(part.threads)), body));',
    replace: "emitter.push({ kind: 'block', body });",
  },
  {
    name: 'rows past the edge of a tile are stored',
    file: 'src/codegen/families/contraction-epilogue.ts',
    find: 'emitter.push(ifOf(inside, body));',
    replace: "emitter.push({ kind: 'block', body });",
    about: 'einsum|Linear|linear|matmul',
  },
  {
    name: 'padding is filled with 0, whatever it is to be filled with',
    file: 'src/lower/body.ts',
    find: ': select(inside, body.read(x, inner), number(filler, dtype));',
    replace: ': select(inside, body.read(x, inner), number(0, dtype));',
    about: String.raw`\bpad\(`,
  },
  {
    name: 'a convolution takes the padding after for the padding before',
    file: 'src/lower/body.ts',
    find: 'scale(window[i], dilation[i]), constant(-padding[i].low))',
    replace: 'scale(window[i], dilation[i]), constant(-padding[i].high))',
    about: 'conv',
  },
  {
    name: 'a transpose goes the other way round',
    file: 'src/lower/body.ts',
    find: 'permutation.map((_, i) => at[permutation.indexOf(i)])',
    replace: 'permutation.map((p) => at[p])',
  },
  {
    name: 'lowering broadcasts from the left',
    file: 'src/lower/body.ts',
    find: '(extent === 1 ? constant(0) : at[i + shape.length - own.length])',
    replace: '(extent === 1 ? constant(0) : at[i])',
  },
  {
    name: 'equal values are ranked as if the later came first',
    file: 'src/lower/body.ts',
    find: "binary('and', binary('equal', mine, other), binary('less', indexValue(j), indexValue(at.at(-1)!)))",
    replace: "binary('and', binary('equal', mine, other), binary('less', indexValue(at.at(-1)!), indexValue(j)))",
    about: 'argsort|argmax',
  },
  {
    name: 'the arena reuses a buffer one step too early',
    file: 'src/schedule/plan.ts',
    find: 'live.set(id, [Math.min(first, step), Math.max(last, step)]);',
    replace: 'live.set(id, [Math.min(first, step), Math.max(last, step - 1)]);',
  },
  {
    name: 'equal operations are merged whatever their attributes',
    file: 'src/passes/cse.ts',
    find: 'const key = valueKey(node.op, args, node.attrs);',
    replace: "const key = node.op === 'param' || node.op === 'input' || node.op === 'constant' ? valueKey(node.op, args, node.attrs) : valueKey(node.op, args, {});",
  },
  {
    name: 'scales are not folded into weights',
    file: 'src/passes/pipeline.ts',
    find: "run: foldAffine, post: unfoldedScales",
    replace: "run: (graph) => graph, post: unfoldedScales",
  },
  {
    name: 'a sign binds tighter than a power',
    file: 'src/parser/precedence.ts',
    find: "{ operators: ['unary -'], chain: 'right' },\n  { operators: ['**'], chain: 'right' },",
    replace: "{ operators: ['**'], chain: 'right' },\n  { operators: ['unary -'], chain: 'right' },",
    about: String.raw`-\w+ \*\*`,
  },
  {
    name: 'sums group from the right',
    file: 'src/parser/precedence.ts',
    find: "{ operators: ['+', '-'], chain: 'left' }",
    replace: "{ operators: ['+', '-'], chain: 'right' }",
  },
  {
    name: 'a negative index counts from one place too far',
    file: 'src/elaborate/subscripts.ts',
    find: 'const at = written < 0 ? written + length : written;',
    replace: 'const at = written < 0 ? Math.max(0, written + length - 1) : written;',
    about: String.raw`\[[^\]]*-\d`,
  },
  {
    name: 'floor division rounds towards zero',
    file: 'src/codegen/helpers.ts',
    find: 'const result = modulo ? add(rest, mul(both, d)) : sub(q, both);',
    replace: 'const result = modulo ? add(rest, mul(both, d)) : q;',
    about: String.raw`i32\[[^\]]*\][^]* / `,
  },
  {
    name: 'a stage is taken for a row of a longer output',
    file: 'src/kernel-forms.ts',
    find: '(!axes || own.extent === axes[i].extent)',
    replace: 'true',
    about: String.raw`concat\(|\bpad\(`,
  },
  {
    name: 'the norms that a product computes first are those of the first rows',
    file: 'src/codegen/families/contraction-prologue.ts',
    find: 'const row = add(mul(group, u32(tile)), place);',
    replace: 'const row = place;',
    about: 'Norm',
  },
  {
    name: 'a product reads the norms of its rows before all are there',
    file: 'src/codegen/families/contraction-prologue.ts',
    find: 'emitter.push(ifOf(passes * rows > tile ? and(first, less(place, u32(tile))) : first, keep), barrier);',
    replace: 'emitter.push(ifOf(passes * rows > tile ? and(first, less(place, u32(tile))) : first, keep));',
    about: 'Norm',
  },
  {
    name: 'a norm is left to the products that read it although it is an output',
    file: 'src/lower/prologues.ts',
    find: 'isBound(graph.nodes[id]) || flow.outputs.has(id) || users.length === 0',
    replace: 'isBound(graph.nodes[id]) || users.length === 0',
  },
  {
    name: 'what a kernel stores a second time begins where the concat does',
    file: 'src/lower/draft.ts',
    find: '{ to: root, start: box.start }',
    replace: '{ to: root, start: box.start.map(() => 0) }',
    about: 'concat',
  },
  {
    name: 'a piece of a concat is stored twice although the concat reads what is made later',
    file: 'src/lower/pieces.ts',
    find: 'if (draft.stages.some((s) => loadsOf(s.body).some((l) => Number(/\\d+$/.exec(l.buffer)![0]) >= arg))) return false;',
    replace: 'void loadsOf;',
    about: 'concat',
  },
  {
    name: 'the window that makes the queries of attention lacks its last tap',
    file: 'src/codegen/values.ts',
    find: 'const values = Array.from({ length: unrolled }, (_, step)',
    replace: 'const values = Array.from({ length: Math.max(1, unrolled - 1) }, (_, step)',
    about: String.raw`conv\(rearrange\(q`,
  },
  {
    name: 'a norm adds the first part as often as there are parts',
    file: 'src/lower/join-sums.ts',
    find: '[part.name, constant(i)]',
    replace: '[part.name, constant(0 * i)]',
    about: 'norm|Norm|softmax',
  },
  {
    name: 'a norm that adds parts reads the sums where they are not yet',
    file: 'src/lower/join-sums.ts',
    find: "e.buffer === x ? valueAt(e.at) : load(",
    replace: "load(",
    about: 'norm|Norm|softmax',
  },
  {
    name: 'a kernel of rows adds the parts of sums that it does not read all of',
    file: 'src/lower/join-sums.ts',
    find: 'return own.every(Boolean) && whole ? { at, uses: found.length } : undefined;',
    replace: 'return { at, uses: found.length };',
    about: 'norm|Norm|softmax',
  },
  {
    name: 'what is read of a pair is its high part alone',
    file: 'src/codegen/helpers.ts',
    find: 'fma(element(p, 1), f32(1 / LOW_SCALE), element(p, 0))',
    replace: 'element(p, 0)',
    about: 'einsum|Linear|linear|matmul',
  },
  {
    name: 'a product of pairs keeps the scale of its weight',
    file: 'src/passes/store-in-pairs.ts',
    find: "const both = this.#combine('mul', this.#node(scale, node.origin), paired.scale, node.origin);",
    replace: 'const both = this.#node(scale, node.origin);',
    about: 'einsum|Linear|linear|matmul',
  },
  {
    name: 'a step of a chain reads before all of what it reads is written',
    file: 'src/codegen/families/chain.ts',
    find: 'if (step.waits) emitter.push(barrier);',
    replace: '',
  },
  {
    name: 'values of a chain lie where others are still read',
    file: 'src/kernel-chain.ts',
    find: 'spans.filter((s) => s.until >= i)',
    replace: 'spans.filter((s) => s.until > i)',
  },
];

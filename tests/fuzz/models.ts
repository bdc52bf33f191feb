/**
 * Random models of the library's layers and of attention, convolutions and mixers in forms that no paper has: small, but
 * with extents that are ones, primes and no multiple of any tile.
 */
import type { Random } from '../helpers/random.ts';

/** What flows from step to step: [batch, places, channels], or [batch, channels, rows, columns]. */
type State = { readonly kind: 'tokens'; readonly b: number; readonly n: number; readonly d: number } | { readonly kind: 'picture'; readonly b: number; readonly c: number; readonly h: number; readonly w: number };
type Tokens = State & { kind: 'tokens' };
type Picture = State & { kind: 'picture' };

const IMPORTS = `import { Attention, CrossAttention, MultiQueryAttention, ReAttention, attend, causal_mask, masked, merge_heads, multi_head, split_heads } from "std/attention"
import { EncoderBlock, InvertedResidual, Residual, Sandwich, SqueezeExcite } from "std/blocks"
import { CascadedGroupAttention, CrossCovarianceAttention, LinearAttention, SeparableAttention } from "std/efficient"
import { Conv, ConvMlp, ConvNorm, Embedding, GatedMlp, LayerScale, Linear, Mlp, NormLinear, SwiGLU, Table, TransposedConv } from "std/layers"
import { BatchNorm, GroupNorm, LayerNorm, LayerNorm2d, RMSNorm, standardize } from "std/norms"
import { PatchEmbed, PatchMerging, to_tokens } from "std/patches"
import { angles, rotate, sincos_2d } from "std/positions"
import { LocalWindows, WindowAttention, from_windows, shift_mask, to_windows } from "std/windows"
`;

const ACTIVATIONS = ['relu', 'gelu', 'silu', 'hard_swish', 'gelu_tanh', 'quick_gelu', 'leaky_relu', 'elu', 'softplus', 'mish', 'tanh', 'relu6'];

export function randomModel(random: Random): string {
  return new ModelWriter(random).write();
}

class ModelWriter {
  readonly #blocks: string[] = [];
  readonly #inputs: string[] = [];
  readonly #body: string[] = [];
  readonly #outputs: string[] = [];
  #next = 0;

  constructor(private readonly random: Random) {}

  write(): string {
    const { random: r } = this;
    // Some are about attention over more keys than small tiles hold.
    const attends = r.chance(0.25);
    const sizes = attends ? { n: [5, 13, 17, 20, 33, 50], d: [4, 6, 8, 12] } : { n: [1, 2, 5, 7, 9, 13, 16, 20, 33, 50], d: [4, 6, 8, 10, 12, 15, 16] };
    let state: State = attends || r.chance(0.5)
      ? { kind: 'tokens', b: r.pick([1, 1, 2]), n: r.pick(sizes.n), d: r.pick(sizes.d) }
      : { kind: 'picture', b: r.pick([1, 1, 2]), c: r.pick([1, 2, 3, 4, 6, 8]), h: r.pick([1, 4, 5, 6, 7, 8, 11]), w: r.pick([1, 4, 6, 7, 8, 9]) };
    this.#body.push('x = start');
    const start = shapeOf(state);
    if (attends && state.kind === 'tokens') state = this.#attention(state);
    for (let i = attends ? r.integer(0, 1) : r.integer(1, 4); i > 0; i--) {
      state = state.kind === 'tokens' ? this.#tokens(state) : this.#picture(state);
      if (r.chance(0.2)) {
        const own = `mid${this.#next++}`;
        this.#body.push(`${own} = x`);
        this.#outputs.push(`output ${own}_out = ${r.pick([own, `sum(${own}, axis = -1)`, `${own} * 2`])}`);
      }
    }
    this.#outputs.push(`output y = ${this.#head(state)}`);
    const imports = this.#imports([...this.#blocks, ...this.#body, ...this.#outputs].join('\n'));
    return [...imports, ...this.#blocks, 'model Fuzz() {', `  input start: [${start.join(', ')}]`, ...[...this.#inputs, ...this.#body, ...r.shuffle(this.#outputs)].map((l) => `  ${l}`), '}', ''].join('\n');
  }

  /** The imports whose names are used. */
  #imports(text: string): string[] {
    return IMPORTS.trim().split('\n').flatMap((line) => {
      const [, names, from] = /\{ (.*) \} from (".*")/.exec(line)!;
      const used = names.split(', ').filter((n) => new RegExp(`\\b${n}\\b`).test(text));
      return used.length > 0 ? [`import { ${used.join(', ')} } from ${from}`] : [];
    });
  }

  #label(): string {
    return `l${this.#next++}`;
  }

  #input(shape: readonly number[], dtype = ''): string {
    const own = `in${this.#next++}`;
    this.#inputs.push(`input ${own}: ${dtype}[${shape.join(', ')}]`);
    return own;
  }

  #activation(): string {
    return this.random.pick(ACTIVATIONS);
  }

  /** A step that keeps to tokens, or makes a picture of them. */
  #tokens(state: Tokens): State {
    const { random: r } = this;
    const { b, n, d } = state;
    const heads = r.pick([1, 2, 3, 4, 5].filter((h) => d % h === 0));
    const label = this.#label();
    const say = (line: string): Tokens => {
      this.#body.push(line);
      return state;
    };
    const residual = (call: string): Tokens => say(r.chance(0.6) ? `x = x + (${label}: ${call})` : `x = ${label}: ${call}`);
    const steps: (() => State)[] = [
      () => this.#attention(state),
      () => this.#attention(state),
      () => this.#attention(state),
      () => residual(`Mlp(${r.pick([1, 3, 8, 12])}${r.chance(0.5) ? `, ${this.#activation()}` : ''})(x)`),
      () => residual(`${r.pick(['SwiGLU', 'GatedMlp'])}(${r.pick([2, 5, 8])})(x)`),
      () => residual(`${r.pick(['LayerNorm()', 'RMSNorm()', 'LayerNorm(eps = 0.01)'])}(x)`),
      () => residual(`MultiQueryAttention(${heads})(x)`),
      () => residual(`Attention(${heads}${r.chance(0.3) ? ', qk_norm = LayerNorm()' : ''})(x${r.chance(0.4) ? `, mask = causal_mask(${n})` : ''})`),
      () => residual(`LinearAttention(${heads}, eps = 0.1)(x)`),
      () => residual(`CrossCovarianceAttention(${heads})(x)`),
      () => residual(`ReAttention(${heads})(x)`),
      () => residual(`CrossAttention(${heads})(x, ${this.#input([b, r.pick([1, 3, 6]), r.pick([2, 5, d])])})`),
      () => this.#layers(state, heads),
      () => this.#shared(state),
      () => {
        // A norm that several products read, and perhaps whoever runs the model.
        const norm = `n${this.#next++}`;
        const products = Array.from({ length: r.integer(1, 3) }, (_, i) => `(${label}.p${i}: Linear(${d}${r.chance(0.3) ? ', bias = false' : ''})(${norm}))`);
        this.#body.push(`${norm} = ${label}.norm: ${r.pick(['LayerNorm', 'RMSNorm'])}()(x)`, `x = ${r.chance(0.5) ? 'x + ' : ''}${products.join(' * ')}`);
        if (r.chance(0.5)) this.#outputs.push(`output ${norm}_out = ${norm}`);
        return state;
      },
      () => {
        const out = r.pick([1, 3, 4, 8, 9, 12]);
        this.#body.push(`x = ${label}: Linear(${out}${r.chance(0.3) ? ', bias = false' : ''})(x)`);
        return { ...state, d: out };
      },
      () => {
        const k = r.integer(1, n);
        this.#body.push(`x = gather(x, argsort(sum(x * x, axis = -1), descending = true)[:, :${k}], axis = 1, batch = 1)`);
        return { ...state, n: k };
      },
      () => {
        const token = `w${this.#next++}`;
        this.#body.push(`param ${token}: [1, 1, ${d}]`, `x = concat(expand(${token}, ${b}), x, axis = 1)${r.chance(0.5) ? ` + sinusoid(${n + 1}, ${2 * d})[:, ::2]` : ''}`);
        return { ...state, n: n + 1 };
      },
      () => {
        const side = Math.sqrt(n);
        if (!Number.isInteger(side)) return residual('LayerScale()(x)');
        this.#body.push(`x = rearrange(x, "b (h w) c -> b c h w", h = ${side})`);
        return { kind: 'picture', b, c: d, h: side, w: side };
      },
      () => {
        this.#body.push(`x = transpose(x, [0, 2, 1])`);
        return { ...state, n: d, d: n };
      },
      () => {
        // One dimension of space.
        const k = r.pick([1, 2, 3, 5]);
        const groups = r.pick([1, d]);
        const padding = Math.floor(k / 2) + (k > n ? k - n : 0);
        this.#body.push(`x = transpose(${label}: Conv(${d}, ${k}, padding = ${padding}, groups = ${groups})(transpose(x, [0, 2, 1])), [0, 2, 1])`);
        return { ...state, n: n + 2 * padding - k + 1 };
      },
    ];
    return r.pick(steps)();
  }

  /** Attention written out, with layouts, scales, biases, masks, keys and values of every kind. */
  #attention(state: Tokens): Tokens {
    const { random: r } = this;
    const { b, n, d } = state;
    const heads = r.pick([1, 1, 2, 3, 4]);
    const depth = r.pick([1, 2, 3, 4, 5, 7, 8, 16]);
    const values = r.chance(0.7) ? depth : r.pick([1, 3, 4, 6, 8]);
    const cross = r.chance(0.3);
    const m = cross ? r.pick([1, 2, 5, 8, 11, 17, 41, 70]) : n;
    const context = cross ? this.#input([b, m, r.pick([3, 8, d])]) : 'x';
    const shared = heads > 1 && r.chance(0.25);
    const id = this.#next++;
    const [q, k, v, s] = ['q', 'k', 'v', 's'].map((p) => `${p}${id}`);
    const says = (...lines: string[]): void => void this.#body.push(...lines);
    const label = (part: string): string => `a${id}.${part}`;
    const project = (own: string, from: string, width: number): string => `${label(own)}: Linear(${width}${r.chance(0.3) ? ', bias = false' : ''})(${from})`;
    // Heads before or after places.
    const [qi, ki, vi] = [q, k, v].map(() => r.chance(0.7));
    const split = (inner: boolean, expression: string): string => `rearrange(${expression}, "b n (h d) -> ${inner ? 'b h n d' : 'b n h d'}", h = ${heads})`;
    const axes = (inner: boolean, place: string, depthName: string): string => (inner ? `b h ${place} ${depthName}` : `b ${place} h ${depthName}`);
    says(`${q} = ${split(qi, project('q', 'x', heads * depth))}`);
    if (shared) says(`${k} = ${project('k', context, depth)}`, `${v} = ${project('v', context, values)}`);
    else if (!cross && depth === values && r.chance(0.4)) says(`${k}, ${v} = [${ki ? '' : 'transpose('}t${ki ? '' : ', [0, 2, 1, 3])'} for t in rearrange(${project('kv', 'x', 2 * heads * depth)}, "b n (t h d) -> t b h n d", t = 2, h = ${heads})]`, ...(vi === ki ? [] : [`${v} = transpose(${v}, [0, 2, 1, 3])`]));
    else says(`${k} = ${split(ki, project('k', context, heads * depth))}`, `${v} = ${split(vi, project('v', context, heads * values))}`);
    // Queries that a small window makes of their neighbours.
    if (r.chance(0.2)) {
      const [w, inner] = [`w${this.#next++}`, qi ? 'b h n d' : 'b n h d'];
      const window = r.pick([3, 5]);
      says(`param ${w}: [${heads * depth}, 1, ${window}]`, `${q} = rearrange(conv(rearrange(${q}, "${inner} -> b (h d) n"), ${w}, padding = ${(window - 1) / 2}, groups = ${heads * depth}), "b (h d) n -> ${inner}", h = ${heads})`);
    }
    if (r.chance(0.15)) says(`${q} = normalize(${q})`);
    if (r.chance(0.1) && qi && depth % 2 === 0) says(`${q} = rotate(${q}, angles(cast(iota(${n}), "f32"), ${depth / 2}))`);
    const kAxes = shared ? 'b j d' : axes(ki, 'j', 'd');
    const vAxes = shared ? 'b j e' : axes(vi, 'j', 'e');
    const scaled = r.integer(0, 3);
    if (scaled === 1) says(`${q} = ${q} * ${depth} ** -0.5`);
    says(`${s} = einsum("${axes(qi, 'i', 'd')}, ${kAxes} -> b h i j", ${q}, ${k})${scaled === 2 ? ` / ${Math.sqrt(depth)}` : scaled === 3 ? ' * 0.5' : ''}`);
    for (let extras = r.integer(0, 2); extras > 0; extras--) {
      const w = `w${this.#next++}`;
      const at = [heads, n, m].map((e) => (r.chance(0.7) ? e : 1));
      r.pick([
        () => says(`param ${w}: [${at.join(', ')}]`, `${s} = ${s} + ${w}`),
        () => says(`${s} = ${s} + ${this.#input([b, 1, n, m].map((e) => (r.chance(0.7) ? e : 1)))}`),
        () => says(`${s} = where(${this.#input([b, 1, 1, m], 'bool')}, ${s}, ${r.pick(['-1e30', '-1e4', 'masked'])})`),
        () => says(`${s} = where(causal_mask(${n}, ${m}), ${s}, masked)`),
        () => says(`${s} = where((iota(${m})[none] - iota(${n})[:, none]) % 3 == 0, ${s}, masked)`),
        () => says(`${s} = where(${this.#input([b, m], 'i32')}[:, none, none, :] < 6, ${s}, masked)`),
        () => says(`${s} = tanh(${s} / 5) * 5`),
        () => says(`${s} = ${s} - abs(cast(iota(${m})[none] - iota(${n})[:, none], "f32")) * reshape(exp(-cast(iota(${heads}), "f32")), [${heads}, 1, 1])`),
        () => says(`param ${w}: [${heads}, ${heads}]`, `${s} = einsum("b h i j, h g -> b g i j", ${s}, ${w})`),
      ])();
    }
    const maps = r.pick([`softmax(${s})`, `softmax(${s})`, `softmax(${s})`, `softmax(${s})`, `exp(log_softmax(${s}))`, `(softmax(${s}) * 0.9)`, `softmax(${s}, axis = -2)`, `(relu(${s}) / ${m})`]);
    const merged = r.chance(0.7) ? 'b i (h e)' : 'b i h e';
    says(`x${id} = einsum("b h i j, ${vAxes} -> ${r.chance(0.5) ? 'b h i e' : 'b i h e'}", ${maps}, ${v})`);
    const made = this.#body.at(-1)!.includes('-> b h i e') ? 'b h i e' : 'b i h e';
    if (merged === 'b i h e' && heads === 1) {
      says(`x = rearrange(x${id}, "${made} -> b i (h e)")`);
      return { ...state, d: values };
    }
    says(`x = ${r.chance(0.5) ? 'x + (' : '('}${label('proj')}: Linear(${d})(rearrange(x${id}, "${made} -> b i (h e)")))`);
    return state;
  }

  /** Layers in a loop, with a mixer that is configuration. */
  #layers(state: Tokens, heads: number): Tokens {
    const { random: r } = this;
    const own = `Layer${this.#next++}`;
    const label = this.#label();
    const mixers = [`Attention(${heads})`, `MultiQueryAttention(${heads})`, 'Mlp(5)', `LinearAttention(${heads}, eps = 0.5)`, 'SwiGLU(3)'];
    this.#blocks.push(
      `block ${own}(mixer: block, ratio = ${r.integer(1, 2)}, act: function = ${this.#activation()})(x: [B, N, D]) -> [B, N, D] {`,
      `  x = x + (mix: mixer(norm1: ${r.pick(['LayerNorm()', 'RMSNorm()'])}(x)))`,
      `  return ${r.pick(['x + (mlp: Mlp(ratio * D, act)(norm2: LayerNorm()(x)))', 'x * sigmoid(gate: Linear(D)(act(x)))', 'act(ls: LayerScale()(x)) + x / 2'])}`,
      '}',
    );
    const depth = r.integer(1, 3);
    const form = r.integer(0, 3);
    if (form === 0) this.#body.push(`for i in 0..${depth} { x = ${label}[i]: ${own}(${r.pick(mixers)})(x) }`);
    else if (form === 1) this.#body.push(`for i, m in enumerate([${Array.from({ length: depth }, () => r.pick(mixers)).join(', ')}]) { x = ${label}[i]: ${own}(m, ratio = 1 + i % 2)(x) }`);
    else if (form === 2) {
      this.#body.push(`${label}_all = [x]`, `for i in 0..${depth} { ${label}_all = ${label}_all + [${label}[i]: ${own}(if i % 2 == 0 then ${r.pick(mixers)} else ${r.pick(mixers)})(${label}_all[-1])] }`);
      this.#body.push(r.chance(0.5) ? `x = ${label}_all[-1] + ${label}_all[0]` : `x = mean(stack(${label}_all[1:]), axis = 0)`);
    } else {
      // One set of weights, used again and again.
      this.#body.push(`${label}_layer = ${label}: ${own}(${r.pick(mixers)})`, `for _ in 0..${depth} { x = ${label}_layer(x) }`);
    }
    return state;
  }

  /** Weights used twice, weights of weights, and what is known without any input. */
  #shared(state: Tokens): Tokens {
    const { random: r } = this;
    const { n, d } = state;
    const id = this.#next++;
    const rows = r.pick([2, 5, 9]);
    r.pick([
      () => this.#body.push(`t${id} = t${id}: Table(${rows}, ${d})()`, `x = x + matmul(softmax(matmul(x, transpose(t${id}, [1, 0]))), t${id})`),
      () => this.#body.push(`param w${id}: [${d}, ${d}]`, `x = matmul(x, matmul(w${id}, w${id}) * 0.1) + sum(softmax(w${id}, axis = 0), axis = 0)`),
      () => this.#body.push(`param w${id}: [${rows}, ${d}]`, `x = x + resize(w${id}, [${n}, ${d}], "${r.pick(['bilinear', 'nearest', 'bicubic'])}")`),
      () => this.#body.push(`param w${id}: [${d}]`, `x = x * softplus(w${id}) + standardize(w${id}, 0, 0.01)`),
      () => this.#body.push(`e${id} = e${id}: Embedding(${rows}, ${d})`, `x = x + e${id}(${this.#input([1, n], 'i32')}) * e${id}(iota(${n}) % ${rows})`),
      () => this.#body.push(`f${id} = f${id}: Linear(${d})`, `x = f${id}(x) + f${id}(relu(x)) + sum(f${id}.weight, axis = 1)`),
    ])();
    return state;
  }

  #picture(state: Picture): State {
    const { random: r } = this;
    const { b, c, h, w } = state;
    const label = this.#label();
    const act = this.#activation();
    const say = (line: string): Picture => {
      this.#body.push(line);
      return state;
    };
    const heads = r.pick([1, 2, 3].filter((g) => c % g === 0));
    const steps: (() => State)[] = [
      () => this.#convolution(state),
      () => this.#convolution(state),
      () => this.#convolution(state),
      () => this.#pooling(state),
      () => say(`x = ${label}: ${r.pick(['BatchNorm', 'GroupNorm', 'LayerNorm2d'])}()(x)`),
      () => say(`x = ${label}: GroupNorm(${heads}, eps = 0.01)(x)`),
      () => say(`x = ${label}: SqueezeExcite(${r.pick([1, 3])}, ${act})(x)`),
      () => say(`x = x + (${label}: ConvMlp(${r.pick([2, 5, 8])}, ${act})(x))`),
      () => say(`x = ${label}: Residual(ConvNorm(${c}, ${r.pick([1, 3])}, groups = ${r.pick([1, c, heads])}, act = ${act}))(x)`),
      () => say(`x = ${label}: Sandwich(Conv(${c}, 1), Conv(${c}, 3, groups = ${c}), ConvMlp(${r.pick([3, 4])}))(x)`),
      () => {
        const stride = r.pick([1, 2]);
        const out = r.pick([c, 4, 5]);
        this.#body.push(`x = ${label}: InvertedResidual(${out}, ${stride}, ratio = 2, act = ${act})(x)`);
        return { ...state, c: out, h: Math.ceil(h / stride), w: Math.ceil(w / stride) };
      },
      () => {
        const key = r.pick([1, 2, 4]);
        return say(`x = x + (${label}: CascadedGroupAttention(${heads}, ${key}, [${Array.from({ length: heads }, () => r.pick([1, 3, 5])).join(', ')}])(x))`);
      },
      () => say(`x = ${label}: SeparableAttention()(x)`),
      () => {
        const [oh, ow] = [r.pick([1, 3, 5, h, 2 * h]), r.pick([2, 7, w, 2 * w])];
        this.#body.push(`x = resize(x, [${oh}, ${ow}], "${r.pick(['nearest', 'bilinear', 'bicubic'])}")`);
        return { ...state, h: oh, w: ow };
      },
      () => say(`x = roll(x, [${r.integer(0, h)}, ${r.integer(-3, 3)}], [2, 3])`),
      () => say(`x = ${label}: LocalWindows(Conv(${c}, 3, groups = ${r.pick([1, c])}), ${r.pick([2, 3, 4])})(x)`),
      () => {
        if (h * w * c > 400) return this.#pooling(state);
        const factor = 2;
        this.#body.push(`x = ${label}: TransposedConv(${r.pick([1, 3])}, ${factor})(x)`);
        const out = Number(/TransposedConv\((\d)/.exec(this.#body.at(-1)!)![1]);
        return { ...state, c: out, h: h * factor, w: w * factor };
      },
      () => {
        const side = r.pick([2, 3, 4].filter((s) => h % s === 0 && w % s === 0));
        if (side === undefined) return this.#convolution(state);
        const shift = r.chance(0.5) ? Math.floor(side / 2) : 0;
        const turned = shift > 0 ? `roll(x, [-${shift}, -${shift}], [1, 2])` : 'x';
        this.#body.push(
          'x = rearrange(x, "b c h w -> b h w c")',
          `y = ${label}: WindowAttention(${heads}, ${side})(to_windows(${turned}, ${side})${shift > 0 && b === 1 ? `, mask = shift_mask(${h}, ${w}, ${side}, ${shift})[:, none]` : ''})`,
          `y = from_windows(y, ${side}, ${h}, ${w})`,
          `x = rearrange(x + ${shift > 0 ? `roll(y, [${shift}, ${shift}], [1, 2])` : 'y'}, "b h w c -> b c h w")`,
        );
        return state;
      },
      () => {
        this.#body.push(r.chance(0.5) ? 'x = to_tokens(x)' : 'x = rearrange(x, "b c h w -> b (w h) c")');
        return { kind: 'tokens', b, n: h * w, d: c };
      },
    ];
    return r.pick(steps)();
  }

  /** Any window, stride, padding, dilation and grouping, the result followed by what may be joined with it. */
  #convolution(state: Picture): Picture {
    const { random: r } = this;
    const { c, h, w } = state;
    const id = this.#next++;
    const groups = r.pick([1, 1, c, ...[2, 3].filter((g) => c % g === 0)]);
    const out = groups * r.pick([1, 1, 2, 3]);
    const axis = (extent: number) => {
      const k = r.pick([1, 1, 2, 3, 3, 5, 7]);
      const dilation = r.pick([1, 1, 1, 2]);
      const reach = (k - 1) * dilation + 1;
      const low = Math.max(r.integer(0, Math.floor(reach / 2)), reach - extent);
      const high = r.integer(0, Math.floor(reach / 2));
      const stride = r.pick([1, 1, 2, 3]);
      return { k, dilation, low, high, stride, extent: Math.floor((extent + low + high - reach) / stride) + 1 };
    };
    const [y, x] = [axis(h), axis(w)];
    const pads = [y, x].map((a) => (a.low === a.high && r.chance(0.5) ? String(a.low) : `[${a.low}, ${a.high}]`));
    const share = 1 / Math.sqrt((c / groups) * y.k * x.k);
    this.#body.push(
      `param w${id}: [${out}, ${c / groups}, ${y.k}, ${x.k}]`,
      `x = conv(x, w${id}${r.chance(0.7) ? ` * ${share}` : ''}, stride = [${y.stride}, ${x.stride}], padding = [${pads.join(', ')}], dilation = [${y.dilation}, ${x.dilation}], groups = ${groups})`,
    );
    const after = [
      `param c${id}: [${out}] x = x + reshape(c${id}, [${out}, 1, 1])`,
      `x = n${id}: BatchNorm()(x)`,
      `x = ${this.#activation()}(x)`,
      `x = x * sigmoid(x)`,
      `x = x + mean(x, axis = 1, keep = true)`,
      `x = concat(x, x * 2, axis = 1)[:, ::2]`,
    ];
    // What declares parameters is said once.
    const declares = (line: string): boolean => line.startsWith('param') || line.includes(`n${id}:`);
    for (let i = r.integer(0, 2); i > 0; i--) this.#body.push(r.pick(after.filter((line) => !declares(line) || !this.#body.includes(line))));
    return { ...state, c: out, h: y.extent, w: x.extent };
  }

  #pooling(state: Picture): Picture {
    const { random: r } = this;
    const { h, w } = state;
    const k = r.pick([1, 2, 3].filter((s) => s <= Math.min(h, w)));
    const stride = r.pick([1, 2, k]);
    const padding = r.integer(0, Math.floor(k / 2));
    const kind = r.pick(['max_pool', 'sum_pool', 'avg_pool']);
    const excluded = kind === 'avg_pool' && padding > 0 && r.chance(0.5) ? ', count_include_pad = false' : '';
    this.#body.push(`x = ${kind}(x, ${k}, stride = ${stride}, padding = ${padding}${excluded})`);
    const size = (extent: number): number => Math.floor((extent + 2 * padding - k) / stride) + 1;
    return { ...state, h: size(h), w: size(w) };
  }

  #head(state: State): string {
    const { random: r } = this;
    if (state.kind === 'picture') return r.pick(['x', 'mean(x, axis = [2, 3])', 'head: Linear(5)(mean(x, axis = [2, 3]))', 'sum(x)', 'amax(x, axis = 1)', 'x[:, :, ::-1]', 'softmax(x, axis = 1)', 'reshape(x, [-1])']);
    return r.pick(['x', 'head: Linear(7)(x[:, 0])', 'mean(x, axis = 1)', 'argmax(x)', 'argmax(relu(x))', 'softmax(x)', 'norm: LayerNorm()(x)', 'argsort(x)[..., 0]', `argsort(floor(x * 2))[..., :${Math.min(3, state.d)}]`, 'log_softmax(mean(x, axis = 1))', 'x[:, -1:, :]', 'variance(x, axis = -1)', 'flip(x, 1)', 'amin(x, axis = [0, 2])']);
  }
}

function shapeOf(state: State): number[] {
  return state.kind === 'tokens' ? [state.b, state.n, state.d] : [state.b, state.c, state.h, state.w];
}

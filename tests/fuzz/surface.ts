/** One operation of a graph as an expression of the language, in one of the ways in which it can be written. */
import type { Graph, Node, NodeId, Shape } from '../../src/graph.ts';
import { sameShape } from '../../src/graph.ts';
import type { Pad } from '../../src/ops/types.ts';
import type { Random } from '../helpers/random.ts';

/** How tightly an expression binds, as the manual's table has it. */
export const BINDS = { loose: 0, or: 1, and: 2, not: 3, compare: 4, add: 6, multiply: 7, negate: 8, power: 9, postfix: 10, atom: 11 } as const;

export interface Written {
  readonly text: string;
  readonly binds: number;
}

/** What an expression is written in: names of values, ways to say an integer. */
export interface Scope {
  readonly random: Random;
  value(id: NodeId): Written;
  int(n: number): Written;
  /** Whether a node is written inside of its one reader, so that the reader may write both in one. */
  isInline(id: NodeId): boolean;
}

const atom = (text: string): Written => ({ text, binds: BINDS.atom });

export function number(value: number): Written {
  if (value === Infinity || value === -Infinity) throw new Error('the language has no infinite literal');
  return value < 0 || Object.is(value, -0) ? { text: `-${-value}`, binds: BINDS.negate } : atom(String(value));
}

const FUNCTIONS = new Set(['abs', 'exp', 'log', 'sqrt', 'rsqrt', 'sin', 'cos', 'tanh', 'erf', 'sigmoid', 'floor']);
const INFIX: Readonly<Record<string, readonly [sign: string, binds: number]>> = {
  add: ['+', BINDS.add], sub: ['-', BINDS.add], mul: ['*', BINDS.multiply], div: ['/', BINDS.multiply], mod: ['%', BINDS.multiply],
  equal: ['==', BINDS.compare], less: ['<', BINDS.compare], lessEqual: ['<=', BINDS.compare], and: ['and', BINDS.and], or: ['or', BINDS.or],
};
const REDUCTIONS: Readonly<Record<string, string>> = { reduceSum: 'sum', reduceMax: 'amax', reduceMin: 'amin' };

export class Surface {
  constructor(
    private readonly graph: Graph,
    private readonly scope: Scope,
  ) {}

  /** The expression, without the values it reads where these have names. */
  write(node: Node): Written {
    const { random } = this.scope;
    if (FUNCTIONS.has(node.op)) {
      if (node.op === 'rsqrt' && random.chance(0.3)) return { text: `${this.#in(node.args[0], BINDS.postfix)} ** -0.5`, binds: BINDS.power };
      if (node.op === 'sqrt' && random.chance(0.3)) return { text: `${this.#in(node.args[0], BINDS.postfix)} ** 0.5`, binds: BINDS.power };
      return this.#call(node.op, [this.#text(node.args[0])]);
    }
    if (INFIX[node.op]) return this.#infix(node);
    switch (node.op) {
      case 'neg':
        return { text: `-${this.#in(node.args[0], BINDS.negate)}`, binds: BINDS.negate };
      case 'not': {
        const inner = this.graph.nodes[node.args[0]];
        if (inner.op === 'equal' && this.scope.isInline(inner.id) && random.chance(0.6)) {
          const [a, b] = this.#operands(inner);
          return { text: `${wrap(a, BINDS.add)} != ${wrap(b, BINDS.add)}`, binds: BINDS.compare };
        }
        return { text: `not ${this.#in(node.args[0], BINDS.not)}`, binds: BINDS.not };
      }
      case 'pow': {
        const [a, b] = this.#operands(node);
        return { text: `${wrap(a, BINDS.postfix)} ** ${wrap(b, BINDS.negate)}`, binds: BINDS.power };
      }
      case 'max':
      case 'min': {
        const operands = this.#operands(node).map((o) => o.text);
        return this.#call(node.op, operands);
      }
      case 'where':
        return this.#call('where', this.#operands(node).map((o) => o.text));
      case 'cast':
        return this.#call('cast', [this.#text(node.args[0]), `"${node.attrs.dtype}"`]);
      case 'constant':
        return node.dtype === 'f32' && Number.isFinite(node.attrs.value) ? this.#call('full', ['[]', number(node.attrs.value).text]) : this.#full(node, []);
      case 'iota':
        return this.#call('iota', [this.#int(node.attrs.n)]);
      case 'broadcast':
        return this.#broadcast(node);
      case 'reshape':
        return this.#reshape(node);
      case 'transpose':
        return this.#transpose(node);
      case 'slice':
        return this.#slice(node);
      case 'concat': {
        const parts = node.args.map((id) => this.#text(id)).join(', ');
        return this.#call('concat', [random.chance(0.3) ? `[${parts}]` : parts], { axis: this.#axis(node.attrs.axis, node.shape.length) });
      }
      case 'pad': {
        const { padding, value } = node.attrs;
        const first = random.chance(0.5) ? Math.max(0, padding.findIndex((p) => p.low + p.high > 0)) : 0;
        const entries = padding.slice(first).map((p) => this.#pad(p));
        return this.#call('pad', [this.#text(node.args[0]), `[${entries.join(', ')}]`, ...(value !== 0 || random.chance(0.2) ? [number(value).text] : [])]);
      }
      case 'gather': {
        const { axis, batch } = node.attrs;
        return this.#call('gather', [this.#text(node.args[0]), this.#text(node.args[1])], {
          ...((axis !== 0 || random.chance(0.5)) && { axis: this.#axis(axis, this.#shape(node.args[0]).length) }),
          ...(batch !== 0 && { batch: this.#int(batch) }),
        });
      }
      case 'reduceSum':
      case 'reduceMax':
      case 'reduceMin':
        return this.#reduce(node, false);
      case 'einsum':
        return this.#einsum(node);
      case 'conv': {
        const { stride, padding, dilation, groups } = node.attrs;
        return this.#call('conv', node.args.map((id) => this.#text(id)), {
          ...this.#perAxis({ stride, dilation }),
          ...this.#padding(padding),
          ...((groups !== 1 || random.chance(0.2)) && { groups: this.#int(groups) }),
        });
      }
      case 'pool': {
        const { kind, window, stride, padding, dilation } = node.attrs;
        const whole = window.length === node.shape.length - 2 && same(window) && random.chance(0.7);
        const by: Record<string, string> = stride.join() === window.join() && random.chance(0.7) ? {} : { stride: whole && same(stride) ? this.#int(stride[0]) : this.#ints(stride) };
        return this.#call(`${kind}_pool`, [this.#text(node.args[0]), whole ? this.#int(window[0]) : this.#ints(window)], { ...by, ...this.#padding(padding), ...this.#perAxis({ dilation }) });
      }
      case 'argsort':
        return this.#call('argsort', [this.#text(node.args[0]), ...(node.attrs.descending ? [random.chance(0.5) ? 'true' : 'descending = true'] : [])]);
      default:
        throw new Error(`${node.op} is no expression`);
    }
  }

  #shape(id: NodeId): Shape {
    return this.graph.nodes[id].shape;
  }

  #text(id: NodeId): string {
    return this.scope.value(id).text;
  }

  #in(id: NodeId, least: number): string {
    return wrap(this.scope.value(id), least);
  }

  #int(n: number): string {
    return this.scope.int(n).text;
  }

  #ints(list: readonly number[]): string {
    return `[${list.map((n) => this.#int(n)).join(', ')}]`;
  }

  #axis(axis: number, rank: number): string {
    return this.scope.random.chance(0.3) ? String(axis - rank) : this.#int(axis);
  }

  #call(name: string, args: readonly string[], named: Readonly<Record<string, string>> = {}): Written {
    const all = [...args, ...this.scope.random.shuffle(Object.entries(named).map(([k, v]) => `${k} = ${v}`))];
    return { text: `${name}(${all.join(', ')})`, binds: BINDS.postfix };
  }

  #perAxis(lists: Readonly<Record<string, readonly number[]>>): Record<string, string> {
    const { random } = this.scope;
    return Object.fromEntries(
      Object.entries(lists).flatMap(([name, list]) => {
        if (list.every((n) => n === 1) && random.chance(0.8)) return [];
        return [[name, same(list) && random.chance(0.6) ? this.#int(list[0]) : this.#ints(list)]];
      }),
    );
  }

  #pad({ low, high }: Pad): string {
    return low === high && this.scope.random.chance(0.6) ? this.#int(low) : `[${this.#int(low)}, ${this.#int(high)}]`;
  }

  #padding(padding: readonly Pad[]): Record<string, string> {
    const { random } = this.scope;
    const [{ low }] = padding;
    if (padding.every((p) => p.low === low && p.high === low)) {
      if (low === 0 && random.chance(0.8)) return {};
      if (random.chance(0.6)) return { padding: this.#int(low) };
    }
    return { padding: `[${padding.map((p) => this.#pad(p)).join(', ')}]` };
  }

  /**
   * What an operation reads, without the broadcasts that the language implies: numbers, and tensors of smaller shapes. A
   * tensor stays whole where the others would not give the result its shape.
   */
  #operands(node: Node): Written[] {
    const { random } = this.scope;
    const rank = node.shape.length;
    type Operand = { readonly id: NodeId; readonly shape: Shape | undefined };
    const operands = node.args.map((id): Operand => {
      const arg = this.graph.nodes[id];
      if (!this.scope.isInline(id)) return { id, shape: arg.shape };
      if (arg.op === 'constant' || arg.op === 'broadcast') {
        const source = arg.op === 'constant' ? arg : this.graph.nodes[arg.args[0]];
        if (source.op === 'constant' && source.dtype !== 'bool' && Number.isFinite(source.attrs.value)) return { id: source.id, shape: undefined };
        if (arg.op === 'broadcast' && random.chance(0.8)) return { id: source.id, shape: source.shape };
      }
      return { id, shape: arg.shape };
    });
    /** Of the tensors as they stand. */
    const common = (): number[] =>
      Array.from({ length: rank }, (_, axis) => Math.max(...operands.map(({ shape }) => (shape ? (shape[axis - rank + shape.length] ?? 1) : 1))));
    const enough = (): boolean => {
      const values = operands.slice(node.op === 'where' ? 1 : 0);
      return values.some((o) => o.shape) && operands.every((o, i) => o.shape || node.op !== 'where' || i > 0) && sameShape(common(), node.shape) && operands.some((o) => o.shape?.length === rank);
    };
    for (let i = 0; i < operands.length && !enough(); i++) operands[i] = { id: node.args[i], shape: this.#shape(node.args[i]) };
    return operands.map(({ id, shape }) => {
      const source = this.graph.nodes[id];
      return shape || source.op !== 'constant' ? this.scope.value(id) : number(source.attrs.value);
    });
  }

  #infix(node: Node): Written {
    const { random } = this.scope;
    const [sign, binds] = INFIX[node.op];
    const [a, b] = this.#operands(node);
    if (node.op === 'mul' && node.args[0] === node.args[1] && a.binds >= BINDS.postfix && random.chance(0.5)) return { text: `${a.text} ** 2`, binds: BINDS.power };
    // Comparisons do not chain; the others run from the left.
    const least = binds === BINDS.compare ? BINDS.add : binds;
    if ((node.op === 'less' || node.op === 'lessEqual') && random.chance(0.5)) return { text: `${wrap(b, least)} ${node.op === 'less' ? '>' : '>='} ${wrap(a, least)}`, binds };
    return { text: `${wrap(a, least)} ${sign} ${wrap(b, binds === BINDS.compare ? BINDS.add : binds + 1)}`, binds };
  }

  #full(source: Node, shape: Shape): Written {
    if (source.op !== 'constant') throw new Error('only a constant fills');
    const { value } = source.attrs;
    if (source.dtype === 'bool') return this.#call('full', [this.#ints(shape), String(value !== 0)]);
    return this.#call('full', [this.#ints(shape), number(value).text, ...(source.dtype === 'i32' ? ['"i32"'] : [])]);
  }

  #broadcast(node: Node & { op: 'broadcast' }): Written {
    const source = this.graph.nodes[node.args[0]];
    if (source.op === 'constant') return this.#full(source, node.shape);
    const grown = node.shape.flatMap((d, i) => (d !== source.shape[i] ? [i] : []));
    if (source.shape.length === node.shape.length && grown.length === 1 && source.shape[grown[0]] === 1 && this.scope.random.chance(0.5)) {
      const [axis] = grown;
      return this.#call('expand', [this.#text(source.id), this.#int(node.shape[axis])], axis === 0 && this.scope.random.chance(0.5) ? {} : { axis: this.#axis(axis, node.shape.length) });
    }
    return this.#call('expand', [this.#text(source.id), this.#ints(node.shape)]);
  }

  #reduce(node: Node & { op: 'reduceSum' | 'reduceMax' | 'reduceMin' }, keep: boolean): Written {
    const { random } = this.scope;
    const rank = this.#shape(node.args[0]).length;
    const { axes } = node.attrs;
    const named: Record<string, string> = keep ? { keep: 'true' } : {};
    if (axes.length === 1 && random.chance(0.7)) named.axis = this.#axis(axes[0], rank);
    else if (axes.length < rank || random.chance(0.5)) named.axis = `[${random.shuffle(axes).map((a) => this.#axis(a, rank)).join(', ')}]`;
    return this.#call(REDUCTIONS[node.op], [this.#text(node.args[0])], named);
  }

  #reshape(node: Node): Written {
    const { random } = this.scope;
    const source = this.graph.nodes[node.args[0]];
    const { shape } = node;
    if ((source.op === 'reduceSum' || source.op === 'reduceMax' || source.op === 'reduceMin') && this.scope.isInline(source.id)) {
      const kept = this.#shape(source.args[0]).map((d, i) => (source.attrs.axes.includes(i) ? 1 : d));
      if (sameShape(kept, shape)) return this.#reduce(source, true);
    }
    const subscripts = random.chance(0.6) && oneAxes(source.shape, shape);
    if (subscripts) return { text: `${this.#in(source.id, BINDS.postfix)}[${subscripts.join(', ')}]`, binds: BINDS.postfix };
    const pattern = random.chance(0.6) && regrouping(source.shape, shape);
    if (pattern) return this.#call('rearrange', [this.#text(source.id), `"${pattern.text}"`], Object.fromEntries(pattern.sizes.map(([name, n]) => [name, this.#int(n)])));
    const free = random.chance(0.3) && shape.length > 0 ? random.integer(0, shape.length - 1) : -1;
    return this.#call('reshape', [this.#text(source.id), `[${shape.map((d, i) => (i === free ? '-1' : this.#int(d))).join(', ')}]`]);
  }

  #transpose(node: Node & { op: 'transpose' }): Written {
    const { permutation } = node.attrs;
    if (this.scope.random.chance(0.5)) return this.#call('transpose', [this.#text(node.args[0]), `[${permutation.join(', ')}]`]);
    const names = permutation.map((_, i) => 'abcdefgh'[i]);
    return this.#call('rearrange', [this.#text(node.args[0]), `"${names.join(' ')} -> ${permutation.map((p) => names[p]).join(' ')}"`]);
  }

  #slice(node: Node & { op: 'slice' }): Written {
    const { random } = this.scope;
    const shape = this.#shape(node.args[0]);
    if (shape.length === 0) return this.scope.value(node.args[0]);
    const { start, size, step } = node.attrs;
    const cut = shape.flatMap((d, i) => (size[i] !== d || step[i] !== 1 ? [i] : []));
    const [axis] = cut;
    if (cut.length === 1 && step[axis] === 1 && random.chance(0.3)) {
      const parts = [start[axis], size[axis], shape[axis] - start[axis] - size[axis]];
      const given = parts.filter((n) => n > 0);
      return { text: `split(${this.#text(node.args[0])}, ${this.#ints(given)}, axis = ${this.#axis(axis, shape.length)})[${parts[0] > 0 ? 1 : 0}]`, binds: BINDS.postfix };
    }
    if (cut.length > 0 && cut.every((i) => size[i] === shape[i] && step[i] === -1) && random.chance(0.5)) {
      return this.#call('flip', [this.#text(node.args[0]), cut.length === 1 && random.chance(0.5) ? this.#int(axis) : this.#ints(cut)]);
    }
    const items = shape.map((d, i) => this.#range(d, start[i], size[i], step[i]));
    // Whole axes at the end need no subscript, and `...` stands for some in the middle.
    let last = items.length;
    while (last > 1 && items[last - 1] === ':' && random.chance(0.7)) last--;
    const shown = items.slice(0, last);
    const from = shown.indexOf(':');
    if (from >= 0 && last === items.length && random.chance(0.4)) {
      let to = from + 1;
      while (shown[to] === ':' && random.chance(0.8)) to++;
      shown.splice(from, to - from, '...');
    }
    return { text: `${this.#in(node.args[0], BINDS.postfix)}[${shown.join(', ')}]`, binds: BINDS.postfix };
  }

  #range(extent: number, start: number, size: number, step: number): string {
    const { random } = this.scope;
    const by = size === 1 ? 1 : step;
    if (by === 1 && size === extent) return ':';
    const at = (i: number): string => (i > 0 && i < extent && random.chance(0.3) ? String(i - extent) : this.#int(i));
    const last = start + (size - 1) * by;
    const first = by > 0 ? 0 : extent - 1;
    const from = start === first && random.chance(0.7) ? '' : at(start);
    const to = by > 0 ? (last + by >= extent && random.chance(0.7) ? '' : at(last + 1)) : last === 0 ? '' : at(last - 1);
    return by === 1 ? `${from}:${to}` : `${from}:${to}:${by}`;
  }

  #einsum(node: Node & { op: 'einsum' }): Written {
    const { random } = this.scope;
    const { left, right, out } = node.attrs;
    const [a, b] = node.args;
    const lead = left.slice(0, -1);
    if (random.chance(0.5) && right.length === 2 && left.length > 0 && right[1] === left.at(-1) && !left.includes(right[0]) && out.join() === [...lead, right[0]].join()) {
      return this.#call('linear', [this.#text(a), this.#text(b)]);
    }
    if (random.chance(0.5) && left.length === right.length && left.length >= 2 && right.at(-2) === left.at(-1) && left.slice(0, -2).join() === right.slice(0, -2).join() && left.at(-2) !== right.at(-1) && out.join() === [...lead, right.at(-1)!].join()) {
      return this.#call('matmul', [this.#text(a), this.#text(b)]);
    }
    const letters = new Map([...new Set([...left, ...right])].map((label, i) => [label, random.chance(0.1) ? `axis${i}` : 'abcdefghijk'[i]]));
    const term = (labels: readonly string[]): string => labels.map((l) => letters.get(l)!).join(' ');
    return this.#call('einsum', [`"${term(left)}, ${term(right)} -> ${term(out)}"`, this.#text(a), this.#text(b)]);
  }
}

export function wrap({ text, binds }: Written, least: number): string {
  return binds < least ? `(${text})` : text;
}

function same(list: readonly number[]): boolean {
  return list.every((n) => n === list[0]);
}

/** Subscripts that only add or drop axes of 1, if that is all that differs. */
function oneAxes(from: Shape, to: Shape): string[] | undefined {
  const items: string[] = [];
  let i = 0;
  for (let k = 0; k < to.length || i < from.length; ) {
    if (i < from.length && k < to.length && from[i] === to[k]) {
      items.push(':');
      i++;
      k++;
    } else if (k < to.length && to[k] === 1) {
      items.push('none');
      k++;
    } else if (i < from.length && from[i] === 1) {
      items.push('0');
      i++;
    } else return undefined;
  }
  return items.length > 0 ? items : undefined;
}

/** The `rearrange` that a reshape is, where every axis is a product of elementary ones on both sides. */
function regrouping(from: Shape, to: Shape): { text: string; sizes: [string, number][] } | undefined {
  if (from.includes(1) || to.includes(1)) return undefined;
  const [left, right]: string[][][] = [[[]], [[]]];
  const sizes: [string, number][] = [];
  let [i, k] = [0, 0];
  let [p, q] = [from[0] ?? 1, to[0] ?? 1];
  while (i < from.length && k < to.length) {
    const n = Math.min(p, q);
    if (p % n !== 0 || q % n !== 0 || n === 1) return undefined;
    const name = 'abcdefghijklm'[sizes.length];
    sizes.push([name, n]);
    left[i].push(name);
    right[k].push(name);
    [p, q] = [p / n, q / n];
    if (p === 1 && ++i < from.length) {
      p = from[i];
      left.push([]);
    }
    if (q === 1 && ++k < to.length) {
      q = to[k];
      right.push([]);
    }
  }
  if (i < from.length || k < to.length) return undefined;
  const side = (groups: string[][]): string => groups.map((g) => (g.length > 1 ? `(${g.join(' ')})` : g[0])).join(' ');
  // One of each group follows from the others.
  const grouped = left.flatMap((g) => (g.length > 1 ? g.slice(1) : []));
  return { text: `${side(left)} -> ${side(right)}`, sizes: sizes.filter(([name]) => grouped.includes(name)) };
}

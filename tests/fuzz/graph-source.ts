/**
 * A random graph written as a `.vit` program, so that the graph says what the program means: its steps become blocks,
 * functions, branches and turns of loops, its values names, list items and parts of expressions, its extents configuration,
 * names of shapes and arithmetic on them.
 */
import type { Graph, Node, NodeId, Shape } from '../../src/graph.ts';
import type { Random } from '../helpers/random.ts';
import { BINDS, Surface, type Scope, type Written } from './surface.ts';

/** Longer expressions get names for their parts. */
const LONGEST = 150;

export function sourceOfGraph(graph: Graph, random: Random): string {
  return new ProgramWriter(graph, random).write();
}

/** The name that the source gives a parameter, after the labels of the blocks around it. */
export function parameterName(path: string): string {
  return /p\d+\.\w+$/.exec(path)![0];
}

const name = (text: string): Written => ({ text, binds: BINDS.atom });
const indent = (lines: readonly string[]): string[] => lines.map((l) => `  ${l}`);
const list = (items: readonly string[]): string => items.join(', ');

/** Values and integers that have names in one body. */
class Names implements Scope {
  readonly values = new Map<NodeId, Written>();
  readonly ints = new Map<string, number>();
  /** Expressions that their one reader will take in. */
  readonly inline = new Map<NodeId, Written>();
  #next = 0;

  constructor(
    readonly random: Random,
    private readonly prefix: string,
  ) {}

  fresh(prefix = this.prefix): string {
    return `${prefix}${this.#next++}`;
  }

  value(id: NodeId): Written {
    const found = this.inline.get(id) ?? this.values.get(id);
    if (!found) throw new Error(`value ${id} has no name here`);
    return found;
  }

  isInline(id: NodeId): boolean {
    return this.inline.has(id);
  }

  int(n: number): Written {
    const { random } = this;
    const all = [...this.ints];
    if (all.length > 0 && random.chance(0.6)) {
      const named = all.filter(([, v]) => v === n);
      if (named.length > 0) return name(random.pick(named)[0]);
      const [[a, x], [b, y]] = [random.pick(all), random.pick(all)];
      if (x * y === n) return { text: `${a} * ${b}`, binds: BINDS.multiply };
      if (x + y === n) return { text: `${a} + ${b}`, binds: BINDS.add };
      if (x - y === n) return { text: `${a} - ${b}`, binds: BINDS.add };
      if (x % n === 0 && n > 1 && n < x) return { text: `${a} / ${x / n}`, binds: BINDS.multiply };
      if (Math.floor(x / 2) === n) return { text: `floor(${a} / 2)`, binds: BINDS.postfix };
      if (x < n && random.chance(0.2)) return { text: `${a} + ${n - x}`, binds: BINDS.add };
      if (x ** 2 === n) return { text: `${a} ** 2`, binds: BINDS.power };
      if (x > n && x % (n + 1) === n) return { text: `${a} % ${n + 1}`, binds: BINDS.multiply };
    }
    return name(String(n));
  }

  /** A condition on configuration of which it is known whether it holds. */
  condition(holds: boolean): string {
    const [a, x] = this.random.pick([...this.ints, ['2', 2] as const]);
    const [b, y] = this.random.pick([...this.ints, ['3', 3] as const]);
    const facts = [
      [`${a} < ${b}`, x < y], [`${a} >= ${b}`, x >= y], [`${a} == ${b}`, x === y], [`${a} != ${b}`, x !== y], [`${a} % 2 == 0`, x % 2 === 0],
      [`${a} > 1 and ${b} > 1`, x > 1 && y > 1], [`${a} > 1 or ${b} > 1`, x > 1 || y > 1], [`not ${a} == ${b}`, x !== y], [`any([d == ${y} for d in [${a}, ${b}]])`, true],
    ] as const;
    const fitting = facts.filter(([, truth]) => truth === holds);
    return fitting.length > 0 ? this.random.pick(fitting)[0] : String(holds);
  }
}

/** Nodes of one step of the generator. */
interface Step {
  readonly nodes: readonly Node[];
  /** Values from before that it reads, inputs and weights of other steps among them. */
  readonly reads: readonly NodeId[];
  /** Values that later steps or outputs read. */
  readonly results: readonly NodeId[];
}

class ProgramWriter {
  readonly #declarations: string[] = [];
  readonly #body: string[] = [];
  readonly #top: Names;
  readonly #constants = new Map<string, number>();
  readonly #users: NodeId[][];
  readonly #outputs: ReadonlySet<NodeId>;
  #blocks = 0;
  /** In a loop, the names of before it: only they may get a new value that is to be there after it. */
  #outside: ReadonlySet<string> | undefined;

  constructor(
    private readonly graph: Graph,
    private readonly random: Random,
  ) {
    this.#top = new Names(random, 'v');
    this.#users = graph.nodes.map(() => []);
    for (const node of graph.nodes) for (const id of node.args) this.#users[id].push(node.id);
    this.#outputs = new Set(graph.outputs.map((o) => o.node));
  }

  write(): string {
    const { random, graph } = this;
    const extents = [...new Set(graph.nodes.flatMap((n) => n.shape))].filter((d) => d > 1);
    const config: string[] = [];
    for (let i = random.integer(0, 3); i > 0 && extents.length > 0; i--) {
      const n = random.pick(extents);
      const own = `size${i}`;
      config.push(`${own}${random.chance(0.3) ? ': int' : ''} = ${this.#top.int(n).text}`);
      this.#top.ints.set(own, n);
    }
    if (random.chance(0.4) && extents.length > 0) {
      this.#constants.set('WIDTH', random.pick(extents));
      this.#declarations.push(`let WIDTH = ${this.#constants.get('WIDTH')}`);
      this.#top.ints.set('WIDTH', this.#constants.get('WIDTH')!);
    }
    for (const { name: own, node } of graph.inputs) {
      const { shape, dtype } = graph.nodes[node];
      this.#body.push(`input ${own}: ${this.#type(shape, dtype, this.#top)}`);
      this.#top.values.set(node, name(own));
    }
    const steps = this.#steps();
    for (let i = 0; i < steps.length; ) {
      const turns = random.chance(0.1) ? Math.min(random.integer(2, 3), steps.length - i) : 0;
      if (turns > 1) this.#loop(steps.slice(i, i + turns));
      else this.#step(steps[i]);
      i += Math.max(1, turns);
      if (random.chance(0.15)) this.#gatherIntoList(steps[i - 1]);
    }
    for (const { name: own, node } of graph.outputs) {
      const type = random.chance(0.3) ? `: ${this.#type(graph.nodes[node].shape, graph.nodes[node].dtype, this.#top)}` : '';
      this.#body.push(`output ${own}${type} = ${this.#top.value(node).text}`);
    }
    return [...this.#declarations, `model Fuzz(${list(config)}) {`, ...indent(this.#body), '}', ''].join('\n');
  }

  /** Runs of nodes with one origin; what stands in no step belongs to the one before. */
  #steps(): Step[] {
    const groups = new Map<string, Node[]>();
    for (const node of this.graph.nodes) {
      if (node.op === 'input' || node.op === 'constant') continue;
      const { scope } = node.origin;
      groups.set(scope, [...(groups.get(scope) ?? []), node]);
    }
    return [...groups.values()].map((nodes): Step => {
      const own = new Set(nodes.map((n) => n.id));
      const reads = [...new Set(nodes.flatMap((n) => n.args))].filter((id) => !own.has(id) && this.graph.nodes[id].op !== 'constant');
      const results = nodes.filter((n) => this.#outputs.has(n.id) || this.#users[n.id].some((u) => !own.has(u))).map((n) => n.id);
      return { nodes, reads, results };
    });
  }

  #type(shape: Shape, dtype: string, names: Names): string {
    return `${dtype === 'f32' ? '' : dtype}[${list(shape.map((d) => names.int(d).text))}]`;
  }

  #step(step: Step): void {
    const kind = this.random.integer(0, 9);
    if (step.results.length === 0 || kind < 3) this.#body.push(...this.#statements(step, this.#top));
    else if (kind < 6) this.#block(step);
    else if (kind < 8) this.#function(step);
    else this.#branch(step);
  }

  /** The step's statements where these names hold; results get names of their own. */
  #statements(step: Step, names: Names): string[] {
    const lines: string[] = [];
    const surface = new Surface(this.graph, names);
    const results = new Set(step.results);
    for (const { id, op } of this.graph.nodes) if (op === 'constant') names.inline.set(id, surface.write(this.graph.nodes[id]));
    for (const node of step.nodes) {
      const kept = results.has(node.id);
      if (node.op === 'param') {
        const own = names.fresh('w');
        const at = parameterName(node.attrs.name);
        lines.push(`param ${own}: ${this.#type(node.shape, node.dtype, names)}${node.attrs.buffer ? ' @buffer' : ''} @name("${at}")`);
        names.values.set(node.id, name(own));
        continue;
      }
      // Only what an operation takes in itself may stay without a value that could be named.
      const filled = node.op === 'broadcast' && this.graph.nodes[node.args[0]].op === 'constant';
      const written = surface.write(node);
      const within = !kept && (filled || (this.#users[node.id].length === 1 && written.text.length < LONGEST && this.random.chance(node.op === 'broadcast' ? 0.9 : 0.6)));
      if (within) names.inline.set(node.id, this.random.chance(0.05) ? name(`(${written.text})`) : written);
      else {
        const own = this.#rebound(node, names) ?? names.fresh();
        lines.push(`${own} = ${written.text}`);
        names.values.set(node.id, name(own));
      }
    }
    for (const { id } of step.nodes) names.inline.delete(id);
    return lines;
  }

  /** The name of a value that nothing reads any more, now and then. */
  #rebound(node: Node, names: Names): string | undefined {
    if (!this.random.chance(0.4)) return undefined;
    for (const id of node.args) {
      const own = names.values.get(id);
      if (!own || !/^[a-z]\d+$/.test(own.text) || this.#outputs.has(id) || this.#users[id].some((u) => u > node.id)) continue;
      if (this.#outside && !this.#outside.has(own.text)) continue;
      // An expression that waits for its reader may still say the name; a name may stand for two values.
      const waiting = [...names.inline.values()].some(({ text }) => new RegExp(`\\b${own.text}\\b`).test(text));
      const shared = [...names.values].some(([other, { text }]) => other !== id && text === own.text);
      if (!waiting && !shared) return own.text;
    }
    return undefined;
  }

  /** A step as a block, its tensors' extents named by their patterns. */
  #block(step: Step): void {
    const { random, graph } = this;
    const names = new Names(random, 't');
    for (const [own, n] of this.#constants) names.ints.set(own, n);
    const block = `Step${this.#blocks++}`;
    const config: string[] = [];
    const given: string[] = [];
    for (let i = random.integer(0, 2); i > 0; i--) {
      const n = random.pick([...new Set(step.nodes.flatMap((node) => node.shape)), 2]);
      const own = `k${i}`;
      const asDefault = random.chance(0.3);
      config.push(asDefault ? `${own} = ${n}` : own);
      if (!asDefault || random.chance(0.3)) given.push(`${own} = ${this.#top.int(n).text}`);
      names.ints.set(own, n);
    }
    // Those without a default stand first.
    config.sort((a, b) => Number(a.includes('=')) - Number(b.includes('=')));
    const tensors = step.reads.map((id, i) => {
      const own = `x${i}`;
      names.values.set(id, name(own));
      const { shape, dtype } = graph.nodes[id];
      return `${own}: ${dtype === 'f32' ? '' : dtype}[${this.#pattern(shape, names)}]`;
    });
    const body = this.#statements(step, names);
    const returned = step.results.map((id) => names.value(id).text);
    const shapes = random.chance(0.5) ? ` -> ${list(step.results.map((id) => this.#type(graph.nodes[id].shape, graph.nodes[id].dtype, names)))}` : '';
    this.#declarations.push(`block ${block}(${list(config)})(${list(tensors)})${shapes} {`, ...indent([...body, `return ${list(returned)}`]), '}');
    const label = random.chance(0.5) ? `s${this.#blocks}` : random.chance(0.5) ? `s[${this.#blocks}]` : `s.b${this.#blocks}`;
    const targets = step.results.map(() => this.#top.fresh());
    const args = list(step.reads.map((id) => this.#top.value(id).text));
    const configured = `${block}(${list(given)})`;
    if (random.chance(0.2)) {
      const held = this.#top.fresh('b');
      this.#body.push(`${held} = ${label}: ${configured}`, `${list(targets)} = ${held}(${args})`);
    } else this.#body.push(`${list(targets)} = ${label}: ${configured}(${args})`);
    step.results.forEach((id, i) => this.#top.values.set(id, name(targets[i])));
  }

  #pattern(shape: Shape, names: Names): string {
    const { random } = this;
    const rest = shape.length > 1 && random.chance(0.15) ? random.integer(1, shape.length) : 0;
    const entries = shape.slice(rest).map((d) => {
      const bound = [...names.ints].find(([own, v]) => v === d && /^[A-Z]\d/.test(own));
      if (bound && random.chance(0.5)) return bound[0];
      if (random.chance(0.7)) {
        const own = names.fresh('D');
        names.ints.set(own, d);
        return own;
      }
      return random.chance(0.5) ? '_' : String(d);
    });
    return list(rest > 0 ? ['...', ...entries] : entries);
  }

  /** A step as a function, or a lambda; its weights stand outside. */
  #function(step: Step): void {
    const { random } = this;
    const weights = step.nodes.filter((n) => n.op === 'param');
    const declared = this.#statements({ ...step, nodes: weights, results: weights.map((n) => n.id) }, this.#top);
    const names = new Names(random, 't');
    for (const [own, n] of this.#constants) names.ints.set(own, n);
    const reads = [...step.reads, ...weights.map((n) => n.id)];
    const params = reads.map((id, i) => {
      names.values.set(id, name(`x${i}`));
      return `x${i}${random.chance(0.1) ? ': tensor' : ''}`;
    });
    const given = reads.map((id) => this.#top.value(id).text);
    if (random.chance(0.5)) {
      const n = random.pick(step.nodes[0].shape.length > 0 ? step.nodes[0].shape : [3]);
      params.push('n = 1');
      given.push(`n = ${this.#top.int(n).text}`);
      names.ints.set('n', n);
    }
    const own = `step${this.#blocks++}`;
    const body = this.#statements({ ...step, nodes: step.nodes.filter((n) => n.op !== 'param') }, names);
    const returned = step.results.map((id) => names.value(id).text);
    const [only] = body;
    const short = body.length === 1 && only.startsWith(`${returned[0]} = `) ? only.slice(returned[0].length + 3) : undefined;
    const targets = step.results.map(() => this.#top.fresh());
    if (short !== undefined && random.chance(0.5)) {
      this.#body.push(...declared, `${own} = fn (${list(params)}) => ${short}`);
    } else {
      this.#declarations.push(...(short !== undefined ? [`fn ${own}(${list(params)}) = ${short}`] : [`fn ${own}(${list(params)}) {`, ...indent([...body, `return ${list(returned)}`]), '}']));
      this.#body.push(...declared);
    }
    this.#body.push(`${list(targets)} = ${own}(${list(given)})`);
    step.results.forEach((id, i) => this.#top.values.set(id, name(targets[i])));
  }

  /** A step on the branch that is taken; the other one gives its names something else, or nothing. */
  #branch(step: Step): void {
    const { random } = this;
    const holds = random.chance(0.5);
    const condition = this.#top.condition(holds);
    const lines = this.#statements(step, this.#top);
    const others = random.chance(0.5) ? step.results.map((id) => `${this.#top.value(id).text} = ${random.pick(['none', '0', '[1, 2]', 'full([2, 3], 1)'])}`) : [];
    const [first, second] = holds ? [lines, others] : [others, lines];
    if (holds && others.length === 0) this.#body.push(`if ${condition} {`, ...indent(first), '}');
    else if (random.chance(0.3)) this.#body.push(`if ${condition} {`, ...indent(first), `} else if ${this.#top.condition(true)} {`, ...indent(second), '}');
    else this.#body.push(`if ${condition} {`, ...indent(first), '} else {', ...indent(second), '}');
  }

  /** Several steps as the turns of a loop, each with a branch of its own. */
  #loop(steps: readonly Step[]): void {
    const { random } = this;
    const counter = this.#top.fresh('i');
    // What a loop is to leave behind must be there before it; a turn may give an outer name a new value.
    const outside = (this.#outside = new Set([...this.#top.values.values()].map((v) => v.text)));
    const lines = steps.map((step) => this.#statements(step, this.#top));
    this.#outside = undefined;
    const left = [...new Set(steps.flatMap((s) => s.results).map((id) => this.#top.value(id).text))].filter((own) => !outside.has(own));
    const weights = new Set(lines.flat().flatMap((l) => /^param (\w+)/.exec(l)?.[1] ?? []));
    const start = random.integer(0, 2);
    const items = lines.map((_, i) => start + i);
    const iterable = random.chance(0.5) ? `${start}..${start + steps.length}` : `[${list(items.map(String))}]`;
    const turns = lines.flatMap((turn, i) => [`${i > 0 ? '} else ' : ''}if ${counter} == ${items[i]} {`, ...indent(turn)]);
    this.#body.push(...left.filter((own) => !weights.has(own)).map((own) => `${own} = none`), `for ${counter} in ${iterable} {`, ...indent([...turns, '}']), '}');
  }

  /** Names of results become items of a list. */
  #gatherIntoList({ results }: Step): void {
    const ids = results.filter((id) => /^v\d+$/.test(this.#top.value(id).text));
    if (ids.length === 0) return;
    const { random } = this;
    const own = this.#top.fresh('xs');
    const items = ids.map((id) => this.#top.value(id).text);
    this.#body.push(random.chance(0.5) ? `${own} = [${list(items)}]` : `${own} = [y for y in [${list(items)}]] + [none]`);
    ids.forEach((id, i) => this.#top.values.set(id, { text: `${own}[${i}]`, binds: BINDS.postfix }));
  }
}


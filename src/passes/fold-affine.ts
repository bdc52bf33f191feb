/**
 * Folds static scales and shifts into contractions: conv(x, w) * s + t = conv(x, w * s) + t, and, where a contraction
 * follows, conv(x * s + t, w) = conv(x, w * s) + conv(t, w). Batch norm, layer scale, the affine part of any norm and
 * constant factors vanish by this algebra alone; what is static is evaluated ahead of time.
 *
 * Afterwards no static scale stands directly behind a contraction that is its only argument's only source and could
 * hold it in a weight of its own.
 */
import type { Graph, Node, NodeId } from '../graph.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { copyNode, countUses, finish } from '../graph-rewrite.ts';
import { affineStep, findAbsorptions, varyingAxes } from './absorb.ts';
import type { Absorption, AffineStep } from './absorb.ts';
import { scalesWeight, shiftThrough, weightTimesInput } from './contraction-weights.ts';
import type { Contraction } from './contraction-weights.ts';
import { Factors } from './factor.ts';
import type { Factor } from './factor.ts';
import { PushBack, Uses } from './push-back.ts';
import { staticNodes } from './static-nodes.ts';

export function foldAffine(graph: Graph): Graph {
  return new AffineFolder(graph).run();
}

class AffineFolder {
  readonly #graph: Graph;
  readonly #known: Uint8Array;
  readonly #absorptions: ReadonlyMap<NodeId, Absorption>;
  readonly #builder = new GraphBuilder();
  readonly #uses = new Uses(this.#builder);
  readonly #back = new PushBack(this.#builder, this.#uses);
  /** Old ids to new. */
  readonly #renamed: NodeId[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#known = staticNodes(graph);
    this.#absorptions = findAbsorptions(graph, this.#known);
  }

  run(): Graph {
    const uses = countUses(this.#graph);
    for (const node of this.#graph.nodes) {
      const id = this.#node(node);
      this.#renamed.push(id);
      this.#uses.record(id, uses[node.id]);
    }
    return finish(this.#graph, this.#builder, this.#renamed);
  }

  #node(node: Node): NodeId {
    const absorption = this.#absorptions.get(node.id);
    if (absorption) return this.#absorb(node as Contraction, absorption);
    const step = affineStep(node, this.#known);
    return (step && this.#fold(step)) ?? copyNode(node, node.args.map((id) => this.#renamed[id]), this.#builder);
  }

  /** The affine step moved back into what it works on; undefined where it stays as it is. */
  #fold({ node, value, factor }: AffineStep): NodeId | undefined {
    const factors = new Factors(this.#builder, node.origin);
    const x = this.#renamed[value];
    const f = factor === undefined ? factors.scalar(-1) : factors.of(this.#renamed[factor]);
    const over = (op: 'mul' | 'div' | 'sub', a: number): Factor => factors.combine(op, factors.scalar(a), f, node.shape);
    switch (node.op) {
      case 'neg':
      case 'mul':
        return this.#back.scale(x, f);
      case 'div':
        return this.#back.scale(x, over('div', 1));
      case 'add':
        return this.#back.shift(x, f);
      case 'sub': {
        if (value === node.args[0]) {
          // x - t = x + -t, so that later shifts find one kind of node.
          const shift = over('mul', -1);
          return this.#back.shift(x, shift) ?? this.#add(x, shift, factors, node);
        }
        const negated = this.#back.scale(x, factors.scalar(-1));
        return negated === undefined ? undefined : this.#back.shift(negated, f) ?? this.#add(negated, f, factors, node);
      }
      default:
        throw new Error(`bug: ${node.op} is no affine step`);
    }
  }

  #add(x: NodeId, shift: Factor, factors: Factors, { origin, shape }: Node): NodeId {
    return this.#builder.push('add', [x, factors.whole(shift, shape)], {}, origin);
  }

  /** The contraction of what stands above its claimed path, with the path's scale in the weight and its shift behind. */
  #absorb(node: Contraction, { weight, path }: Absorption): NodeId {
    const factors = new Factors(this.#builder, node.origin);
    const top = path[path.length - 1];
    let x = this.#renamed['value' in top ? top.value : top.args[0]];
    let scale: Factor | undefined;
    let shift: Factor | undefined;
    for (const step of path.toReversed()) {
      if ('value' in step) {
        ({ scale, shift } = this.#compose(step, scale, shift, factors));
        continue;
      }
      const from = this.#builder.node(x).shape;
      x = copyNode(step, [x], this.#builder);
      scale = scale && factors.move(scale, step, from);
      shift = shift && factors.move(shift, step, from);
    }
    const w = this.#renamed[node.args[weight]];
    const scaled = scale ? weightTimesInput(node, weight, w, scale, factors, this.#builder) : w;
    const contraction = this.#builder.push(node.op, weight === 1 ? [x, scaled] : [scaled, x], node.attrs, node.origin);
    if (!shift) return contraction;
    return this.#add(contraction, shiftThrough(node, weight, w, shift, factors, this.#builder), factors, node);
  }

  /** The affine map x * scale + shift followed by one more step. */
  #compose({ node, value, factor }: AffineStep, scale: Factor | undefined, shift: Factor | undefined, factors: Factors): { scale?: Factor; shift?: Factor } {
    const f = factor === undefined ? factors.scalar(-1) : factors.of(this.#renamed[factor]);
    const both = (op: 'mul' | 'div', g: Factor): { scale?: Factor; shift?: Factor } => ({
      scale: factors.combine(op, scale ?? factors.scalar(1), g, node.shape),
      shift: shift && factors.combine(op, shift, g, node.shape),
    });
    switch (node.op) {
      case 'neg':
      case 'mul':
        return both('mul', f);
      case 'div':
        return both('div', f);
      case 'add':
        return { scale, shift: shift ? factors.combine('add', shift, f, node.shape) : f };
      case 'sub': {
        const first = value === node.args[0] ? { scale, shift } : both('mul', factors.scalar(-1));
        const sign = factors.combine('mul', f, factors.scalar(value === node.args[0] ? -1 : 1), node.shape);
        return { scale: first.scale, shift: first.shift ? factors.combine('add', first.shift, sign, node.shape) : sign };
      }
      default:
        throw new Error(`bug: ${node.op} is no affine step`);
    }
  }
}

/** Static scales that still stand directly behind a contraction that could hold them. */
export function unfoldedScales(graph: Graph): string[] {
  const known = staticNodes(graph);
  const uses = countUses(graph);
  return graph.nodes.flatMap((node) => {
    const step = node.op === 'mul' || node.op === 'div' ? affineStep(node, known) : undefined;
    const source = step && graph.nodes[step.value];
    if (!step || !source || (source.op !== 'conv' && source.op !== 'einsum') || uses[source.id] !== 1) return [];
    const weight = ([1, 0] as const).find((side) => known[source.args[side]] && uses[source.args[side]] === 1);
    if (weight === undefined || !scalesWeight(source, weight, varyingAxes(graph, step.factor!))) return [];
    return [`%${node.id} scales %${source.id}, which could hold the scale in its weight`];
  });
}

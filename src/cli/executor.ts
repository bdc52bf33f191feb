/** Runs a compiled model on the chosen device, from and to plain arrays. */
import type { Compilation, ParamReader } from '../compile.ts';
import type { DType, Graph, Shape } from '../graph.ts';
import type { Tensor } from '../ops/types.ts';
import { evaluateGraph } from '../reference/graph.ts';

export type Values = Float32Array | Int32Array;

export interface OutputTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: ArrayLike<number>;
}

export interface Executor {
  /** The device, for people. */
  readonly description: string;
  run(inputs: Readonly<Record<string, Values>>): Promise<Readonly<Record<string, OutputTensor>>>;
  close(): void;
}

/** The reference evaluator on the CPU. */
export function evaluatorExecutor(graph: Graph, read: ParamReader, precision: 'f32' | 'f64', onProgress?: (done: number, total: number) => void): Executor {
  return {
    description: `reference evaluator (CPU, ${precision})`,
    async run(inputs) {
      const typed: Record<string, Tensor> = {};
      for (const { name, node } of graph.inputs) {
        const { shape, dtype } = graph.nodes[node];
        const data = inputs[name];
        typed[name] = { shape, dtype, data: dtype === 'f32' && precision === 'f64' ? Float64Array.from(data) : data };
      }
      const params = (name: string, shape: Shape): Tensor => {
        const data = read(name, shape);
        return { shape, dtype: 'f32', data: precision === 'f64' ? Float64Array.from(data) : data };
      };
      return evaluateGraph(graph, { inputs: typed, params }, { precision, onProgress });
    },
    close() {},
  };
}

export type { Compilation };

/** What a kernel's code makes a subgroup execute, against counts by hand. */
import { describe, expect, test } from 'vitest';
import { compileGraph } from '../src/compile.ts';
import { effortOf } from '../src/codegen/effort.ts';
import { F32, U32, vector, type WgslExpr, type WgslModule, type WgslStatement } from '../src/codegen/wgsl.ts';
import { add, assign, barrier, construct, element, f32, fma, forOf, ifOf, less, letOf, mul, ref, same, u32, varOf } from '../src/codegen/wgsl-build.ts';
import { WEB } from '../src/targets.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

const lane = ref('lane', U32);

function effort(body: WgslStatement[], { workgroups = [4, 1, 1] as const, size = 64, tile = 256 } = {}) {
  const module: WgslModule = {
    enables: [], diagnosticsOff: [], constants: [], functions: [],
    bindings: [{ name: 'x', index: 0, access: 'read', storage: 'f32', packed: false, elements: 4096 }],
    workgroupVars: [{ name: 'tile', type: { kind: 'array', of: F32, length: tile } }],
    workgroupSize: [size, 1, 1],
    builtins: [{ name: 'lane', builtin: 'local_invocation_index' }],
    body,
  };
  return effortOf({ module, workgroups });
}

const load = (at: WgslExpr, width: 1 | 2 | 4 = 1): WgslExpr => ({ kind: 'load', type: vector('f32', width), binding: 'x', at, width, raw: false });
const tileAt = (at: WgslExpr): WgslExpr => element(ref('tile', { kind: 'array', of: F32, length: 256 }), at);

describe('counts of a subgroup', () => {
  test('sectors are few where neighbours touch neighbours', () => {
    expect(effort([letOf('a', load(lane))])).toMatchObject({ accesses: 1, sectors: 4, waits: 1 });
    expect(effort([letOf('a', load(lane, 4))]).sectors).toBe(16);
    expect(effort([letOf('a', load(mul(lane, u32(64))))]).sectors).toBe(32);
    expect(effort([letOf('a', load(u32(5)))]).sectors).toBe(1);
    expect(effort([letOf('a', load(lane))], { size: 8 }).sectors).toBe(1);
  });

  test('workgroup memory is slow where banks meet', () => {
    expect(effort([letOf('a', tileAt(lane))])).toMatchObject({ local: 1, localWaits: 1 });
    expect(effort([letOf('a', tileAt(mul(lane, u32(2))))]).local).toBe(2);
    expect(effort([letOf('a', tileAt(mul(lane, u32(32))))]).local).toBe(32);
    // One word for all is read once.
    expect(effort([letOf('a', tileAt(u32(3)))]).local).toBe(1);
  });

  test('loops count as often as they run, and wait each time', () => {
    const i = ref('i', U32);
    const sum = ref('sum', F32);
    const loop = forOf('i', u32(0), u32(40), u32(4), [assign(sum, fma(load(add(i, lane)), f32(2), sum))]);
    const counts = effort([varOf('sum', F32, f32(0)), loop]);
    expect(counts).toMatchObject({ arithmetic: 10, accesses: 10, waits: 10, barriers: 0 });
    expect(counts.code).toBeLessThan(6);
    // As many turns as the invocation with most takes.
    expect(effort([forOf('i', lane, u32(64), u32(32), [barrier])]).barriers).toBe(2);
  });

  test('loads together wait once; loads for the next turn wait early', () => {
    expect(effort([letOf('a', load(lane)), letOf('b', load(add(lane, u32(64)))), letOf('c', mul(ref('a', F32), ref('b', F32)))]).waits).toBe(1);
    expect(effort([letOf('a', load(lane)), barrier, letOf('b', load(lane))]).waits).toBe(2);
    const next = ref('next', F32);
    const body = [assign(tileAt(lane), next), barrier, ifOf(less(ref('i', U32), u32(7)), [assign(next, load(lane))]), letOf('y', tileAt(lane)), barrier];
    expect(effort([varOf('next', F32, f32(0)), forOf('i', u32(0), u32(8), u32(1), body)])).toMatchObject({ waits: 0, early: 8, barriers: 16 });
  });

  test('branches count where an invocation takes them', () => {
    const heavy = letOf('a', same('exp', f32(1)));
    expect(effort([ifOf(less(lane, u32(1)), [heavy])]).arithmetic).toBe(8);
    expect(effort([ifOf(less(lane, u32(0)), [heavy])]).arithmetic).toBe(0);
    expect(effort([ifOf(less(lane, u32(16)), [letOf('a', load(lane))])]).sectors).toBe(2);
    const data: WgslExpr = { kind: 'binary', type: vector('bool', 1), op: '<', a: load(lane), b: f32(0) };
    expect(effort([ifOf(data, [heavy], [letOf('b', construct(F32, f32(1)))])])).toMatchObject({ arithmetic: 8, accesses: 1 });
  });

  test('bytes of workgroup memory', () => {
    expect(effort([], { tile: 100 }).workgroupBytes).toBe(400);
  });
});

test.each(['ViT', 'EfficientViT', 'Swin'])('a subgroup of %s computes at least its share', (name) => {
  const { plan, kernels } = compileGraph(tinyGraph(TINY.find((t) => t.name === name)!), { target: WEB, dtype: 'f32' }).value!;
  for (const step of plan.steps) {
    const code = kernels[step.kernel];
    const counted = effortOf(code);
    const subgroups = code.workgroups.reduce((a, b) => a * b) * Math.ceil(code.module.workgroupSize.reduce((a, b) => a * b) / 32);
    // A multiply-add is one instruction of up to 32 invocations.
    const flops = step.call.ops.reduce((sum, op) => sum + (op.op === 'einsum' || op.op === 'conv' ? op.flops : 0), 0);
    expect(counted.arithmetic * 32 * subgroups, plan.kernels[step.kernel].id).toBeGreaterThanOrEqual(0.45 * flops);
    const { loose, ...numbers } = counted;
    expect(loose).toBe(plan.kernels[step.kernel].schedule.family === 'chain' ? true : undefined);
    expect(Object.values(numbers).every((n) => Number.isFinite(n) && n >= 0)).toBe(true);
  }
});

/** WGSL as text: kernels with their schedules and the code that is made of them, and the printer on its own. */
import { describe, expect, test } from 'vitest';
import { foldGroups } from '../src/codegen/dispatch.ts';
import { countPoints } from '../src/codegen/count.ts';
import { generateKernel } from '../src/codegen/generate.ts';
import { Names } from '../src/codegen/names.ts';
import { add, binary, construct, element, f32, i32, letOf, mul, ref, splat, sub, u32 } from '../src/codegen/wgsl-build.ts';
import { F32, I32, U32, vector } from '../src/codegen/wgsl.ts';
import type { WgslExpr, WgslModule, WgslStatement } from '../src/codegen/wgsl.ts';
import { printModule } from '../src/codegen/wgsl-print.ts';
import { readKernel } from '../src/kernel-read.ts';
import { inRange } from '../src/kernel-expr.ts';
import { add as addIndex, axis, constant } from '../src/kernel-index.ts';
import type { Space } from '../src/plan.ts';
import type { Schedule } from '../src/schedule.ts';
import { WEB } from '../src/targets.ts';
import { textTests } from './helpers/text-tests.ts';

/** `# schedule JSON`, `# weights NAMES`, then the kernel. */
textTests({
  folder: 'wgsl',
  extension: '.kernel',
  comment: '#',
  run: ([{ text }]) => {
    const { value: kernel, errors } = readKernel(text);
    if (!kernel) throw new Error(errors.map((e) => `${e.line}: ${e.message}`).join('\n'));
    const line = (name: string): string => new RegExp(`^# ${name}\\b(.*)$`, 'm').exec(text)![1].trim();
    const weights = new Set(line('weights').split(' '));
    const spaces = kernel.params.map((p): Space => (weights.has(p.name) ? 'weights' : 'arena'));
    const { module, workgroups, issued } = generateKernel({ kernel, spaces, schedule: JSON.parse(line('schedule')) as Schedule }, WEB);
    return `workgroups ${workgroups.join(' ')}, loads ${issued.loadBytes} bytes, stores ${issued.storeBytes}\n${printModule(module)}`;
  },
});

const moduleOf = (body: readonly WgslStatement[]): WgslModule => ({
  enables: [],
  diagnosticsOff: [],
  bindings: [{ name: 'x', index: 0, access: 'read_write', storage: 'f32', packed: false, elements: 8 }, { name: 'h', index: 1, access: 'read', storage: 'f16', packed: true, elements: 8 }],
  workgroupVars: [],
  constants: [],
  functions: [],
  workgroupSize: [1, 1, 1],
  builtins: [],
  body,
});
const expression = (e: WgslExpr): string => /let y = (.*);/.exec(printModule(moduleOf([letOf('y', e)])))![1];
const load = (binding: string, at: WgslExpr, width: 1 | 2 | 4): WgslExpr => ({ kind: 'load', type: vector('f32', width), binding, at, width, raw: false });

describe('the printer', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((n) => ref(n, F32));
  const i = ref('i', U32);
  test.each<[string, WgslExpr]>([
    ['a + b + c', add(add(a, b), c)],
    ['a + (b + c)', add(a, add(b, c))],
    ['a - (b - c)', sub(a, sub(b, c))],
    ['(a + b) * c', mul(add(a, b), c)],
    ['a * b + c', add(mul(a, b), c)],
    ['i / 4u % 3u', binary('%', binary('/', i, u32(4)), u32(3))],
    ['(i & 3u) == 0u', binary('==', binary('&', i, u32(3)), u32(0))],
    ['a * (-1.5)', mul(a, f32(-1.5))],
    ['0.1', f32(0.1)],
    ['1e-7', f32(1e-7)],
    ['3.4028234663852886e+38', f32(3.4028234663852886e38)],
    ['-2147483648', i32(-(2 ** 31))],
    ['vec4<f32>(a)', splat(a, 4)],
    ['v.y', element(ref('v', vector('f32', 2)), 1)],
    ['vec2<i32>(1, 2)', construct(vector('i32', 2), i32(1), i32(2))],
    ['x[i]', load('x', i, 4)],
    ['unpack2x16float(h[i])', load('h', i, 2)],
    ['unpack4(h[i])', load('h', i, 4)],
    ['unpack2x16float(h[(i) / 2u])[(i) % 2u]', load('h', i, 1)],
  ])('%s', (text, e) => expect(expression(e)).toBe(text));

  test('joins narrow elements where accesses of several widths meet', () => {
    const text = printModule(moduleOf([letOf('y', load('x', i, 4)), letOf('z', load('x', i, 2))]));
    expect(text).toContain('x: array<vec2<f32>, 4>');
    expect(text).toContain('let y = vec4<f32>(x[(i) * 2u], x[(i) * 2u + 1u]);');
  });

  test('has no text for infinity', () => expect(() => expression(f32(Infinity))).toThrow('bug: '));
  test('refuses types that do not meet', () => expect(() => add(a, ref('n', I32))).toThrow('bug: '));
});

describe('counting', () => {
  const [p, q, r] = [{ name: 'p', extent: 5 }, { name: 'q', extent: 3 }, { name: 'r', extent: 7 }];
  const window = inRange(addIndex(axis(p), axis(q), constant(-1)), 0, 5);
  test('without guards, all points', () => expect(countPoints([p, q, r], [])).toBe(105));
  test('a window at the edge', () => expect(countPoints([p, q, r], [{ condition: window, holds: true }])).toBe(13 * 7));
  test('outside of it', () => expect(countPoints([p, q, r], [{ condition: window, holds: false }])).toBe(2 * 7));
  test('guards of other axes multiply', () => expect(countPoints([p, q, r], [{ condition: window, holds: true }, { condition: inRange(axis(r), 0, 2), holds: true }])).toBe(13 * 2));
});

describe('dispatch', () => {
  test.each([[1, 8], [8, 8], [9, 8], [64, 8], [65, 8], [511, 8]])('%i workgroups, %i a dimension', (groups, most) => {
    const [x, y, z] = foldGroups(groups, most);
    expect(Math.max(x, y, z)).toBeLessThanOrEqual(most);
    expect(x * y * z).toBeGreaterThanOrEqual(groups);
  });
});

describe('names', () => {
  test('are valid, unique and free of reserved words', () => {
    const names = new Names();
    expect(['x', 'x', 'blocks.0.attn', 'max', '3d', 'x', '_', '__a'].map((n) => names.fresh(n))).toEqual(['x', 'x_1', 'blocks_0_attn', 'max_', 'x3d', 'x_2', 'x_3', 'xa']);
  });
});

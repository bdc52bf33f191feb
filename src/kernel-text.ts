/**
 * The text form of kernels and programs:
 *
 *   program tiny
 *   buffer x0 image: f32[1, 3, 224, 224] input
 *   buffer w1 "head.weight": f32[1000, 192] weight as f16
 *   kernel matmul_197x576x192 {
 *     read p0: f32[197, 192]
 *     read p1: f32[576, 192] as f16 blocks [16, 16]
 *     write o0: f32[197, 576]
 *     s0[a0:197, a1:576] = sum[r0:192] mul(p0[a0, r0], p1[a1, r0])
 *     out[i0:197, i1:576] = s0(i0, i1)
 *     store o0 = out
 *   }
 *   call matmul_197x576x192(t3, w1, t4) @ blocks.0.attn Attention
 *     op einsum flops=43573248 unfusedBytes=1046784 @ blocks.0.attn.qkv Linear
 *
 * Buffers have [indices], stages (indices). A store elsewhere than at its own point says so: `store o0[i0+1, i1] = out`.
 * Stages that are not f32 say their dtype after the axes. Of kernels with one name the later ones get `#2`, `#3`.
 * What `printProgram` writes, `readProgram` (kernel-read.ts) reads back the same, source spans excepted.
 */
import type { DType, Origin, Shape } from './graph.ts';
import type { Axis, Buffer, Kernel, KernelCall, KernelParam, Layout, Program, Stage, Storage, Store } from './kernel.ts';
import { keyOf } from './kernel-index.ts';
import { exprKey } from './kernel-keys.ts';
import { formatLocation } from './source.ts';
import { printFields, printValue } from './text-value.ts';

export function printProgram(program: Program): string {
  const names = uniqueNames(program);
  const lines = [`program ${printValue(program.name)}`, ...program.buffers.map(printBuffer)];
  for (const [kernel, name] of names) lines.push(...kernelLines(kernel, name));
  for (const call of program.calls) lines.push(...callLines(call, names.get(call.kernel)!));
  return `${lines.join('\n')}\n`;
}

export function printKernel(kernel: Kernel): string {
  return `${kernelLines(kernel, kernel.name).join('\n')}\n`;
}

/** Kernels in order of first use, each with a name of its own. */
function uniqueNames({ calls }: Program): Map<Kernel, string> {
  const names = new Map<Kernel, string>();
  const counts = new Map<string, number>();
  for (const { kernel } of calls) {
    if (names.has(kernel)) continue;
    const count = (counts.get(kernel.name) ?? 0) + 1;
    counts.set(kernel.name, count);
    names.set(kernel, count === 1 ? kernel.name : `${kernel.name}#${count}`);
  }
  return names;
}

function printBuffer({ id, name, shape, dtype, storage, layout, kind }: Buffer): string {
  return `buffer ${id} ${printValue(name)}: ${typeText(dtype, shape, storage, layout)} ${kind}`;
}

/** The storage is told where it is not the dtype's own. */
function typeText(dtype: DType, shape: Shape, storage: Storage, layout?: Layout): string {
  const own = dtype === 'f32' ? 'f32' : 'i32';
  return `${dtype}[${shape.join(', ')}]${storage === own ? '' : ` as ${storage}`}${layout ? ` blocks [${layout.blocks.join(', ')}]` : ''}`;
}

function kernelLines({ params, stages, stores }: Kernel, name: string): string[] {
  return [`kernel ${name} {`, ...[...params.map(printParam), ...stages.map(printStage), ...stores.map(printStore)].map((line) => `  ${line}`), '}'];
}

function printParam({ name, shape, dtype, storage, layout, access }: KernelParam): string {
  return `${access} ${name}: ${typeText(dtype, shape, storage, layout)}`;
}

export function printStage({ name, axes, reduce, body, dtype }: Stage): string {
  const list = (of: readonly Axis[]): string => `[${of.map((a) => `${a.name}:${a.extent}`).join(', ')}]`;
  return `${name}${list(axes)}${dtype === 'f32' ? '' : `: ${dtype}`} = ${reduce ? `${reduce.op}${list(reduce.axes)} ` : ''}${exprKey(body)}`;
}

function printStore({ buffer, stage, at }: Store): string {
  return `store ${buffer}${at ? `[${at.map(keyOf).join(', ')}]` : ''} = ${stage}`;
}

function callLines({ args, origin, ops }: KernelCall, name: string): string[] {
  return [`call ${name}(${args.join(', ')})${printOrigin(origin)}`, ...ops.map(({ op, origin: from, ...costs }) => `  op ${op} ${printFields(costs)}${printOrigin(from)}`)];
}

function printOrigin({ scope, block, span }: Origin): string {
  const place = scope !== '' || block !== '' ? ` @ ${printValue(scope)} ${printValue(block)}` : '';
  return span ? `${place}  # ${formatLocation(span).replace(/[\r\n]/g, ' ')}` : place;
}

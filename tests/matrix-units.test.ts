/** Every architecture of the zoo, made tiny, for a device that offers all there is: valid code with f32 and f16. */
import { expect, test } from 'vitest';
import { generateKernel } from '../src/codegen/generate.ts';
import { printModule } from '../src/codegen/wgsl-print.ts';
import type { WgslStatement } from '../src/codegen/wgsl.ts';
import { compileGraph } from '../src/compile.ts';
import { verifyProgram } from '../src/verify-kernel.ts';
import { MATRIX_UNITS, validate } from './helpers/null-device.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

/** Matrices that a loop declares without a value: Dawn sets them to zero in the loop's first turn only, though WGSL says each. */
function unsetInLoops(statements: readonly WgslStatement[], inLoop = false): string[] {
  return statements.flatMap((s) => {
    if (s.kind === 'var') return inLoop && s.type.kind === 'matrix' && !s.value ? [s.name] : [];
    if (s.kind === 'for') return unsetInLoops(s.body, true);
    if (s.kind === 'if') return [...unsetInLoops(s.then, inLoop), ...unsetInLoops(s.else ?? [], inLoop)];
    return s.kind === 'block' ? unsetInLoops(s.body, inLoop) : [];
  });
}

/** Whether the code uses a subgroup's number without a bound, which `Emitter.subgroup` gives and says the reason of. */
const usesBareSubgroup = (code: string): boolean => /\bsubgroup_id\b(?!\)|: u32| % \d+u)/.test(code);

const USUAL = [['f32', 'f32'], ['f16', 'f16']] as const;
/** Halves of which inputs are f32, for every other architecture; for all with VITC_TEST_ALL=1. */
const MIXED = ['f16', 'f32'] as const;

test.each(TINY.map((tiny, i) => ({ tiny, name: tiny.name, variants: i % 2 === 0 || process.env.VITC_TEST_ALL === '1' ? [...USUAL, MIXED] : USUAL })))('$name', async ({ tiny, variants }) => {
  // All in one module would collide; what differs is checked once.
  const valid = new Set<string>();
  for (const [dtype, inputs] of variants) {
    const { value, diagnostics } = compileGraph(tinyGraph(tiny, 2), { target: MATRIX_UNITS, dtype, inputs });
    expect(diagnostics).toEqual([]);
    expect(verifyProgram(value!.program, MATRIX_UNITS.limits.maxStorageBuffersPerShaderStage)).toEqual([]);
    for (const kernel of value!.plan.kernels) {
      const { module } = generateKernel(kernel, MATRIX_UNITS);
      expect(unsetInLoops(module.body), kernel.id).toEqual([]);
      const code = printModule(module);
      expect(usesBareSubgroup(code), kernel.id).toBe(false);
      if (!valid.has(code)) expect(await validate(code)).toEqual([]);
      valid.add(code);
    }
  }
});

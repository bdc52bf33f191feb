/** Every architecture of the zoo, made tiny, for a device that offers all there is: valid code with f32 and f16. */
import { expect, test } from 'vitest';
import { generateKernel } from '../src/codegen/generate.ts';
import { printModule } from '../src/codegen/wgsl-print.ts';
import { compileGraph } from '../src/compile.ts';
import { verifyProgram } from '../src/verify-kernel.ts';
import { MATRIX_UNITS, validate } from './helpers/null-device.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

test.each(TINY)('$name', async (tiny) => {
  // All in one module would collide; what differs is checked once.
  const valid = new Set<string>();
  for (const [dtype, inputs] of [['f32', 'f32'], ['f16', 'f32'], ['f16', 'f16']] as const) {
    const { value, diagnostics } = compileGraph(tinyGraph(tiny, 2), { target: MATRIX_UNITS, dtype, inputs });
    expect(diagnostics).toEqual([]);
    expect(verifyProgram(value!.program, MATRIX_UNITS.limits.maxStorageBuffersPerShaderStage)).toEqual([]);
    for (const kernel of value!.plan.kernels) {
      const code = printModule(generateKernel(kernel, MATRIX_UNITS).module);
      if (!valid.has(code)) expect(await validate(code)).toEqual([]);
      valid.add(code);
    }
  }
});

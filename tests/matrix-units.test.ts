/** Every architecture of the zoo, made tiny, for a device that offers all there is: valid code with f32 and f16. */
import { expect, test } from 'vitest';
import { generateKernel } from '../src/codegen/generate.ts';
import { printModule } from '../src/codegen/wgsl-print.ts';
import { compileGraph } from '../src/compile.ts';
import { MATRIX_UNITS, validate } from './helpers/null-device.ts';
import { TINY, tinyGraph } from './helpers/tiny-zoo.ts';

test.each(TINY)('$name', async (tiny) => {
  for (const dtype of ['f32', 'f16'] as const) {
    const { value, diagnostics } = compileGraph(tinyGraph(tiny, 2), { target: MATRIX_UNITS, dtype });
    expect(diagnostics).toEqual([]);
    const codes = value!.plan.kernels.map((kernel) => printModule(generateKernel(kernel, MATRIX_UNITS).module));
    // All in one module would collide; what differs is checked once.
    for (const code of new Set(codes)) expect(await validate(code)).toEqual([]);
  }
});

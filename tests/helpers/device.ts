/** The device of tests: SwiftShader, or with VITC_TEST_DEVICE=gpu whatever adapter the machine has. */
import type { GpuDevice } from '../../src/cli/devices.ts';
import { openDevice } from '../../src/cli/devices.ts';
import { CliError } from '../../src/cli/errors.ts';

let opened: Promise<GpuDevice | undefined> | undefined;

/**
 * One device for a test file; undefined where the machine has none. Use:
 * `const gpu = await testDevice(); describe.skipIf(!gpu)('on a device', ...)`.
 */
export function testDevice(): Promise<GpuDevice | undefined> {
  return (opened ??= freshDevice());
}

/** A device of its own, for tests that destroy it. */
export async function freshDevice(): Promise<GpuDevice | undefined> {
  try {
    // 'gpu' takes any adapter and never starts a child; the global setup has made the software adapter visible.
    return (await openDevice('gpu')) as GpuDevice;
  } catch (failure) {
    if (!(failure instanceof CliError)) throw failure;
    console.warn(`no test device: ${failure.message}`);
    return undefined;
  }
}

/** The adapter under the tests' devices; each gives one device. */
export async function testAdapter(): Promise<GPUAdapter> {
  await testDevice();
  const { vitcWebGpu } = globalThis as { vitcWebGpu?: GPU };
  return (await vitcWebGpu!.requestAdapter())!;
}

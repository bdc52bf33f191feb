/** Times of a loaded model: medians over many runs. */
import { sizeOf } from '../graph.ts';
import { encodeF16 } from '../half.ts';
import type { Measured } from '../report/analyze.ts';
import { unitValues } from '../weights/seeded.ts';
import type { AnyModel, InputPort, InputValues, LoadedPackage } from './executor.ts';

/** Values in [-1, 1), as they are stored: zeros would hide wrong indexing and can run faster than real data. */
export function randomInputs(ports: readonly InputPort[]): Record<string, InputValues> {
  return Object.fromEntries(
    ports.map(({ name, shape, dtype, storage }) => {
      const values = unitValues(`input:${name}`, sizeOf(shape), 1);
      return [name, dtype !== 'f32' ? new Int32Array(values.length) : storage === 'f16' ? encodeF16(values) : values];
    }),
  );
}

export async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** Milliseconds of measurements that last `seconds` together, three at least, after as many to warm up as take a quarter of that. */
export async function sampleWindow(seconds: number, measure: () => Promise<number>, least = 3): Promise<number[]> {
  for (const end = performance.now() + 250 * seconds; performance.now() < end; ) await measure();
  const times: number[] = [];
  for (const end = performance.now() + 1000 * seconds; performance.now() < end || times.length < least; ) times.push(await measure());
  return times;
}

/** The median over `seconds` and at least 5 runs. */
export async function medianOf(seconds: number, measure: () => Promise<number>): Promise<{ median: number; runs: number }> {
  const times = (await sampleWindow(seconds, measure, 5)).sort((a, b) => a - b);
  return { median: times[times.length >> 1], runs: times.length };
}

/** Calls before a wait, at most: so many are short, and the CPU never works further ahead of the device. */
const CALLS = 50;

/**
 * Measures predictions with inputs and outputs on the device: milliseconds of one. Call follows call, each recorded and
 * submitted by itself while the device works on those before, with one wait at the end, as programs do that stay there.
 */
export async function deviceCalls(model: AnyModel): Promise<() => Promise<number>> {
  const { queue } = model.device;
  const calls = (count: number): Promise<number> =>
    timed(async () => {
      for (let i = 0; i < count; i++) {
        const encoder = model.device.createCommandEncoder();
        model.record(encoder);
        queue.submit([encoder.finish()]);
      }
      await queue.onSubmittedWorkDone();
    });
  await calls(1);
  const guess = await calls(1);
  const count = Math.max(1, Math.min(CALLS, Math.round(100 / Math.max(guess, 0.1))));
  return async () => (await calls(count)) / count;
}

/** Milliseconds a prediction with inputs and outputs on the device: the device's time, or the CPU's for its submits if that is longer. */
export async function deviceTime(model: AnyModel, seconds: number): Promise<number> {
  return (await medianOf(seconds, await deviceCalls(model))).median;
}

/** Profiles that the median of each step is taken over. */
const PROFILES = 15;

/** Seconds of every step and of a whole prediction; undefined where the device has no timestamps. */
export async function measureSteps({ model, inputs: ports, description }: LoadedPackage, wholeSeconds = 1): Promise<Measured | undefined> {
  if (!model.device.features.has('timestamp-query')) return undefined;
  const inputs = randomInputs(ports);
  await model.run(inputs);
  const whole = await deviceTime(model, wholeSeconds);
  // Slow devices are profiled less often.
  const runs = Math.max(3, Math.min(PROFILES, Math.round(2000 / whole)));
  const times: number[][] = [];
  for (let i = 0; i < runs; i++) times.push((await model.profile(inputs)).kernels.map((k) => k.milliseconds));
  const steps = times[0].map((_, step) => times.map((run) => run[step]).sort((a, b) => a - b)[runs >> 1] / 1000);
  return { device: description, steps, wholeSeconds: whole / 1000 };
}

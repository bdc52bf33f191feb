/** Times of a loaded model: medians over many runs. */
import { sizeOf } from '../graph.ts';
import type { Measured } from '../report/analyze.ts';
import { unitValues } from '../weights/seeded.ts';
import type { AnyModel, InputPort, LoadedPackage, Values } from './executor.ts';

/** Values in [-1, 1): zeros would hide wrong indexing and can run faster than real data. */
export function randomInputs(ports: readonly InputPort[]): Record<string, Values> {
  return Object.fromEntries(
    ports.map(({ name, shape, dtype }) => {
      const values = unitValues(`input:${name}`, sizeOf(shape), 1);
      return [name, dtype === 'f32' ? values : new Int32Array(values.length)];
    }),
  );
}

export async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** The median over `seconds` and at least 5 runs, after as many to warm up as take a quarter of that. */
export async function medianOf(seconds: number, measure: () => Promise<number>): Promise<{ median: number; runs: number }> {
  for (const end = performance.now() + 250 * seconds; performance.now() < end; ) await measure();
  const times: number[] = [];
  for (const end = performance.now() + 1000 * seconds; performance.now() < end || times.length < 5; ) times.push(await measure());
  times.sort((a, b) => a - b);
  return { median: times[times.length >> 1], runs: times.length };
}

/** Milliseconds a prediction with inputs and outputs on the device: many recorded in one submit. */
export async function deviceTime(model: AnyModel, seconds: number, guess: number): Promise<number> {
  const repeats = Math.max(1, Math.min(50, Math.round(100 / Math.max(guess, 0.1))));
  const { median } = await medianOf(seconds, () =>
    timed(async () => {
      const encoder = model.device.createCommandEncoder();
      for (let i = 0; i < repeats; i++) model.record(encoder);
      model.device.queue.submit([encoder.finish()]);
      await model.device.queue.onSubmittedWorkDone();
    }),
  );
  return median / repeats;
}

/** Profiles that the median of each step is taken over. */
const PROFILES = 15;

/** Seconds of every step and of a whole prediction; undefined where the device has no timestamps. */
export async function measureSteps({ model, inputs: ports, description }: LoadedPackage, wholeSeconds = 1): Promise<Measured | undefined> {
  if (!model.device.features.has('timestamp-query')) return undefined;
  const inputs = randomInputs(ports);
  const first = await timed(() => model.run(inputs));
  const whole = await deviceTime(model, wholeSeconds, first);
  // Slow devices are profiled less often.
  const runs = Math.max(3, Math.min(PROFILES, Math.round(2000 / whole)));
  const times: number[][] = [];
  for (let i = 0; i < runs; i++) times.push((await model.profile(inputs)).kernels.map((k) => k.milliseconds));
  const steps = times[0].map((_, step) => times.map((run) => run[step]).sort((a, b) => a - b)[runs >> 1] / 1000);
  return { device: description, steps, wholeSeconds: whole / 1000 };
}

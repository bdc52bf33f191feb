/** Device profiles: the few figures that predicted times are made of. Each says where it comes from. */

/** Figures of one device. Rates are what kernels reach, not what data sheets promise, unless the source says so. */
export interface Profile {
  readonly name: string;
  /** For people: device, driver, how it was measured. */
  readonly description: string;
  /** Memory, bytes a second, read plus written. */
  readonly bandwidth: number;
  /** The last cache that all cores share, and bytes a second from it. */
  readonly cache: { readonly bytes: number; readonly bandwidth: number };
  /** FLOP/s of a tiled matrix product that fills the device: f32, and f16 operands in matrix units where there are any. */
  readonly rates: { readonly f32: number; readonly f16?: number };
  /** Seconds that one dispatch costs which depends on the one before it and runs other code. */
  readonly dispatch: number;
  /** Seconds to fetch one instruction of a kernel's code. */
  readonly fetch: number;
  /**
   * Cores that run workgroups (multiprocessors, compute units): how many, 32-bit lanes of each, cycles a second, and what
   * one holds at once: invocations, and bytes of workgroup memory.
   */
  readonly cores: { readonly count: number; readonly lanes: number; readonly clock: number; readonly invocations: number; readonly memory: number };
  /** Seconds from asking for a value to using it: from the shared cache, from workgroup memory; and of a barrier. */
  readonly latency: { readonly memory: number; readonly local: number; readonly barrier: number };
  /** Where each figure comes from. */
  readonly sources: Readonly<Record<ProfileFigure, string>>;
}

export const PROFILE_FIGURES = ['bandwidth', 'cache', 'rates', 'dispatch', 'fetch', 'cores', 'latency'] as const;
export type ProfileFigure = (typeof PROFILE_FIGURES)[number];

const HOPPER = {
  cache: { bytes: 50e6, bandwidth: 5.7e12 },
  rates: { f32: 38e12, f16: 231e12 },
  dispatch: 5.5e-6,
  fetch: 2e-9,
  cores: { count: 132, lanes: 128, clock: 1.98e9, invocations: 2048, memory: 228e3 },
  latency: { memory: 165e-9, local: 6.5e-9, barrier: 18e-9 },
} as const;

const FITTED = 'fitted by bench/fit-cost.mjs to generated kernels of whole models on an H200';

const HOPPER_SOURCES = {
  cache: `size: NVIDIA H100 Tensor Core GPU Architecture whitepaper (2022); bandwidth ${FITTED}; Luo et al. 2024, "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture", measure as much`,
  rates: 'measured on an H200: 4096 x 4096 x 4096 products; f32 in register tiles (36 to 40 TFLOP/s), f16 in subgroup matrices with both operands in blocks (231)',
  dispatch: `${FITTED}; a chain of dependent dispatches of one empty kernel takes 2.2 µs each`,
  fetch: FITTED,
  cores: '132 multiprocessors of 128 lanes, 2048 threads and 228 KB of shared memory (whitepaper, ibid.); 1.98 GHz under steady load, measured',
  latency: FITTED,
} as const;

export const PROFILES: readonly Profile[] = [
  {
    name: 'nvidia-h100',
    description: 'NVIDIA H100 80GB HBM3, driver 580, Dawn on Vulkan',
    bandwidth: 2.96e12,
    ...HOPPER,
    sources: { ...HOPPER_SOURCES, bandwidth: 'measured: copy of a large buffer' },
  },
  {
    name: 'nvidia-h200',
    description: 'NVIDIA H200 141GB HBM3e, driver 580, Dawn on Vulkan',
    bandwidth: 3.5e12,
    ...HOPPER,
    sources: { ...HOPPER_SOURCES, bandwidth: `${FITTED}; the data sheet promises 4.8 TB/s` },
  },
  {
    name: 'apple-m2',
    description: 'Apple M2, 10 GPU cores, unified LPDDR5',
    bandwidth: 85e9,
    cache: { bytes: 8e6, bandwidth: 300e9 },
    rates: { f32: 2.1e12 },
    dispatch: 8e-6,
    fetch: 3e-9,
    cores: { count: 10, lanes: 128, clock: 1.398e9, invocations: 1024, memory: 64e3 },
    latency: { memory: 300e-9, local: 15e-9, barrier: 25e-9 },
    sources: {
      bandwidth: 'Apple, "Apple unveils M2" (June 2022): 100 GB/s; a copy is assumed to reach 0.85 of it',
      cache: 'assumed: a last cache of 8 MB, which Apple does not publish and others report, and its bandwidth',
      rates: 'assumed: 0.6 of 10 cores of 128 lanes, a multiply-add a cycle at 1.398 GHz (3.58 TFLOP/s)',
      dispatch: 'assumed',
      fetch: 'assumed',
      cores: '10 cores (Apple, ibid.); 128 lanes and 64 KB of threadgroup memory: P. Turner, "Metal Benchmarks" (2022), which gives 768 to 3072 resident threads, 1024 assumed; 1.398 GHz as commonly reported',
      latency: 'assumed',
    },
  },
  {
    name: 'intel-xe-96',
    description: 'Intel Iris Xe, 96 execution units, dual-channel LPDDR4X-4267: an integrated GPU',
    bandwidth: 55e9,
    cache: { bytes: 3.8e6, bandwidth: 170e9 },
    rates: { f32: 1.0e12 },
    dispatch: 12e-6,
    fetch: 5e-9,
    cores: { count: 6, lanes: 128, clock: 1.35e9, invocations: 896, memory: 128e3 },
    latency: { memory: 300e-9, local: 30e-9, barrier: 40e-9 },
    sources: {
      bandwidth: 'a 128-bit bus of LPDDR4X-4266 (AnandTech, "The Intel Xe-LP GPU Architecture Deep Dive", 2020): 68.3 GB/s; a copy is assumed to reach 0.8 of it',
      cache: 'size and bandwidth assumed: 3.8 MB, 128 bytes a cycle',
      rates: '96 units of 8 lanes (Intel, oneAPI GPU Optimization Guide, "Intel Iris Xe GPU Architecture"), a multiply-add a cycle at 1.35 GHz: 2.07 TFLOP/s; a tiled product is assumed to reach half',
      dispatch: 'assumed',
      fetch: 'assumed',
      cores: '6 dual subslices of 16 units of 8 lanes, 128 KB of shared local memory and 7 threads a unit (Intel, ibid.), 8 invocations a thread; 1.35 GHz as of a Core i7-1185G7',
      latency: 'assumed',
    },
  },
  {
    name: 'swiftshader-2',
    description: 'SwiftShader on 2 CPU cores, Dawn on Vulkan',
    bandwidth: 0.5e9,
    cache: { bytes: 32e6, bandwidth: 1.7e9 },
    rates: { f32: 2.2e9 },
    dispatch: 25e-6,
    fetch: 0.1e-9,
    cores: { count: 2, lanes: 4, clock: 0.65e9, invocations: 256, memory: 32e3 },
    latency: { memory: 20e-9, local: 5e-9, barrier: 200e-9 },
    sources: {
      bandwidth: 'measured: copy of 67 MB',
      cache: 'measured: sets read again and again',
      rates: 'measured: generated matrix product of side 256',
      dispatch: 'measured: chain of dependent dispatches in one pass',
      fetch: 'assumed',
      cores: '2 cores of 4 lanes; instructions a second that generated matrix products reach',
      latency: 'assumed: a core runs one invocation after the other and waits for little',
    },
  },
];

export const DEFAULT_PROFILE = 'nvidia-h100';

export function profileNamed(name: string): Profile | undefined {
  return PROFILES.find((p) => p.name === name);
}

/** Figures that a profile file must have, each a positive number; groups by name. */
const NUMBERS = {
  bandwidth: [],
  cache: ['bytes', 'bandwidth'],
  rates: ['f32'],
  dispatch: [],
  fetch: [],
  cores: ['count', 'lanes', 'clock', 'invocations', 'memory'],
  latency: ['memory', 'local', 'barrier'],
} as const satisfies Record<ProfileFigure, readonly string[]>;

/** A profile from JSON, or what is wrong with it. */
export function readProfile(text: string): Profile | string {
  let data: Partial<Profile>;
  try {
    data = JSON.parse(text) as Partial<Profile>;
  } catch {
    return 'it is no JSON';
  }
  if (typeof data !== 'object' || data === null) return 'it is no JSON object';
  const positive = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value > 0;
  const fine = (figure: ProfileFigure): boolean => {
    const value: unknown = data[figure];
    const names: readonly string[] = NUMBERS[figure];
    return names.length === 0 ? positive(value) : typeof value === 'object' && value !== null && names.every((name) => positive((value as Record<string, unknown>)[name]));
  };
  const wrong: string[] = PROFILE_FIGURES.filter((figure) => !fine(figure));
  if (!wrong.includes('rates') && data.rates!.f16 !== undefined && !positive(data.rates!.f16)) wrong.push('rates');
  if (typeof data.name !== 'string') wrong.push('name');
  if (wrong.length > 0) return `${wrong.join(', ')} ${wrong.length === 1 ? 'is' : 'are'} missing or of the wrong type`;
  const { name, description, bandwidth, cache, rates, dispatch, fetch, cores, latency, sources } = data as Profile;
  const pick = <K extends string>(from: Readonly<Record<K, number>>, names: readonly K[]): Record<K, number> => Object.fromEntries(names.map((n) => [n, from[n]])) as Record<K, number>;
  const texts: Partial<Record<string, unknown>> = sources ?? {};
  return {
    name,
    description: typeof description === 'string' ? description : name,
    bandwidth,
    cache: pick(cache, NUMBERS.cache),
    rates: { f32: rates.f32, ...(rates.f16 !== undefined && { f16: rates.f16 }) },
    dispatch,
    fetch,
    cores: pick(cores, NUMBERS.cores),
    latency: pick(latency, NUMBERS.latency),
    sources: Object.fromEntries(PROFILE_FIGURES.map((figure) => [figure, typeof texts[figure] === 'string' ? texts[figure] : 'not told'])) as Profile['sources'],
  };
}

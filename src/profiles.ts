/** Device profiles: the few figures that predicted times are made of. Each says where it comes from. */

/** Figures of one device. Rates are what kernels reach, not what data sheets promise, unless the source says so. */
export interface Profile {
  readonly name: string;
  /** For people: device, driver, how it was measured. */
  readonly description: string;
  /** Memory, bytes a second, read plus written. */
  readonly bandwidth: number;
  /**
   * The last cache that all cores share. `bandwidth` is what the loads and stores of kernels reach that stage tiles
   * between barriers, `direct` what they reach without: a core's own cache serves neighbours that load the same.
   */
  readonly cache: { readonly bytes: number; readonly bandwidth: number; readonly direct: number };
  /** FLOP/s of a tiled matrix product that fills the device: f32, and f16 operands in matrix units where there are any. */
  readonly rates: { readonly f32: number; readonly f16?: number };
  /** Seconds that one dispatch costs which depends on the one before it. */
  readonly dispatch: number;
  /** Cores that run workgroups (multiprocessors, compute units), and invocations that fill the arithmetic units of one. */
  readonly cores: { readonly count: number; readonly invocations: number };
  /** Seconds from asking for a value to having it and the next one asked for, barriers between included. */
  readonly latency: number;
  /** Where each figure comes from. */
  readonly sources: Readonly<Partial<Record<ProfileFigure, string>>>;
}

export type ProfileFigure = 'bandwidth' | 'cache' | 'rates' | 'dispatch' | 'cores' | 'latency';

const HOPPER = {
  cache: { bytes: 50e6, bandwidth: 1.7e12, direct: 5.6e12 },
  rates: { f32: 33e12, f16: 69e12 },
  dispatch: 2.2e-6,
  cores: { count: 132, invocations: 256 },
  latency: 0.3e-6,
} as const;

const HOPPER_SOURCES = {
  cache: 'size: NVIDIA H100 Tensor Core GPU Architecture whitepaper (2022), table 2; bandwidth: the most that generated convolutions and matrix products reached on an H200; direct: L2 throughput of Luo et al. 2024, "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture via Microbenchmarking"',
  cores: '132 multiprocessors (ibid.); 256 invocations of 8 x 8 results each reach the full rate, measured',
  latency: 'fitted to small generated kernels on an H200, which take this long for every 16 bytes an invocation loads',
} as const;

export const PROFILES: readonly Profile[] = [
  {
    name: 'nvidia-h100',
    description: 'NVIDIA H100 80GB HBM3, driver 580, Dawn on Vulkan',
    bandwidth: 2.96e12,
    ...HOPPER,
    sources: {
      ...HOPPER_SOURCES,
      bandwidth: 'measured: copy of a large buffer',
      rates: 'measured: 4096 x 4096 x 4096 products; f32 in register tiles (30 to 36 TFLOP/s), f16 row-major in subgroup matrices (48 to 69)',
      dispatch: 'measured: chain of dependent dispatches in one pass',
    },
  },
  {
    name: 'nvidia-h200',
    description: 'NVIDIA H200 141GB HBM3e, Dawn on Vulkan',
    bandwidth: 4.2e12,
    ...HOPPER,
    sources: {
      ...HOPPER_SOURCES,
      bandwidth: 'NVIDIA H200 data sheet (4.8 TB/s), times the share that a copy reaches on an H100 (0.88)',
      rates: 'measured on an H100, whose cores are the same',
      dispatch: 'measured on an H100',
    },
  },
  {
    name: 'apple-m2',
    description: 'Apple M2, 10 GPU cores, unified LPDDR5',
    bandwidth: 85e9,
    cache: { bytes: 8e6, bandwidth: 200e9, direct: 400e9 },
    rates: { f32: 2.2e12 },
    dispatch: 5e-6,
    cores: { count: 10, invocations: 256 },
    latency: 0.3e-6,
    sources: {
      bandwidth: 'Apple, "Apple unveils M2" (June 2022): 100 GB/s; a copy is assumed to reach 0.85 of it',
      cache: 'size: system-level cache of 8 MB (AnandTech, "Apple Announces M2 SoC", June 2022); bandwidth assumed',
      rates: 'Apple, ibid.: 3.6 TFLOP/s; a tiled product is assumed to reach 0.6 of it',
      dispatch: 'assumed',
      cores: '10 cores (Apple, ibid.) of 128 units; twice as many invocations are assumed to fill one',
      latency: 'assumed',
    },
  },
  {
    name: 'intel-xe-96',
    description: 'Intel Iris Xe, 96 execution units, dual-channel LPDDR4X-4267: an integrated GPU',
    bandwidth: 55e9,
    cache: { bytes: 3.84e6, bandwidth: 100e9, direct: 160e9 },
    rates: { f32: 1.0e12 },
    dispatch: 8e-6,
    cores: { count: 6, invocations: 256 },
    latency: 0.3e-6,
    sources: {
      bandwidth: 'two channels of LPDDR4X-4267: 68.3 GB/s (Intel, Core i7-1185G7 specifications); a copy is assumed to reach 0.8 of it',
      cache: 'L3 of 3840 KB, 64 bytes a clock and slice (Intel, Xe-LP API Developer and Optimization Guide, "Xe-LP architecture"); bandwidth assumed at 2 slices',
      rates: '96 units of 8 lanes, a multiply-add a clock, 1.35 GHz: 2.07 TFLOP/s (ibid.); a tiled product is assumed to reach half',
      dispatch: 'assumed',
      cores: '6 subslices of 16 units of 8 lanes (ibid.); twice as many invocations are assumed to fill one',
      latency: 'assumed',
    },
  },
  {
    name: 'swiftshader-2',
    description: 'SwiftShader on 2 CPU cores, Dawn on Vulkan',
    bandwidth: 0.5e9,
    cache: { bytes: 32e6, bandwidth: 1.15e9, direct: 1.7e9 },
    rates: { f32: 2.2e9 },
    dispatch: 25e-6,
    cores: { count: 2, invocations: 4 },
    latency: 0.36e-6,
    sources: {
      bandwidth: 'measured: copy of 67 MB',
      cache: 'measured: sets read again and again; bandwidth to staged tiles by generated matrix products',
      rates: 'measured: generated matrix product of side 256',
      dispatch: 'measured: chain of dependent dispatches in one pass',
      cores: '2 cores of 4 lanes',
      latency: 'measured: generated matrix product of 16 x 64 results',
    },
  },
];

export const DEFAULT_PROFILE = 'nvidia-h100';

export function profileNamed(name: string): Profile | undefined {
  return PROFILES.find((p) => p.name === name);
}

const FIGURES = ['bandwidth', 'dispatch', 'latency'] as const;

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
  const wrong = FIGURES.filter((name) => !positive(data[name])) as string[];
  if (!positive(data.cache?.bytes) || !positive(data.cache?.bandwidth) || !positive(data.cache.direct)) wrong.push('cache');
  if (!positive(data.cores?.count) || !positive(data.cores?.invocations)) wrong.push('cores');
  if (!positive(data.rates?.f32) || (data.rates.f16 !== undefined && !positive(data.rates.f16))) wrong.push('rates');
  if (typeof data.name !== 'string') wrong.push('name');
  if (wrong.length > 0) return `${wrong.join(', ')} ${wrong.length === 1 ? 'is' : 'are'} missing or of the wrong type`;
  const { name, description, bandwidth, cache, rates, dispatch, cores, latency, sources } = data as Profile;
  return {
    name,
    description: typeof description === 'string' ? description : name,
    bandwidth,
    cache: { bytes: cache.bytes, bandwidth: cache.bandwidth, direct: cache.direct },
    rates: { f32: rates.f32, ...(rates.f16 !== undefined && { f16: rates.f16 }) },
    dispatch,
    cores: { count: cores.count, invocations: cores.invocations },
    latency,
    sources: Object.fromEntries(Object.entries(sources ?? {}).filter(([, text]) => typeof text === 'string')),
  };
}

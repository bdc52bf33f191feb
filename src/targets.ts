/** Target profiles: what generated code may rely on. */

export interface TargetLimits {
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupSizeX: number;
  readonly maxComputeWorkgroupSizeY: number;
  readonly maxComputeWorkgroupSizeZ: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly minStorageBufferOffsetAlignment: number;
}

/** A shape of subgroup-matrix multiply that the adapter offers: C[M, N] (+)= A[M, K] B[K, N]. */
export interface SubgroupMatrixConfig {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly componentType: 'f32' | 'f16' | 'u32' | 'i32' | 'u8' | 'i8';
  readonly resultComponentType: 'f32' | 'f16' | 'u32' | 'i32';
}

/** What code generation may use. Serializable: `native` profiles are made from an adapter by the caller. */
export interface Target {
  readonly name: string;
  readonly limits: TargetLimits;
  readonly shaderF16: boolean;
  /** Subgroup operations, with the guaranteed range of sizes; absent: none. */
  readonly subgroups?: { readonly minSize: number; readonly maxSize: number };
  readonly subgroupMatrix: readonly SubgroupMatrixConfig[];
  /** A CPU behind the API: registers are few, workgroup memory is no faster than memory. */
  readonly software: boolean;
}

/** The defaults that every WebGPU implementation gives (WebGPU, section 3.6.2, limits). */
export const WEB_LIMITS: TargetLimits = {
  maxStorageBufferBindingSize: 128 * 1024 * 1024,
  maxBufferSize: 256 * 1024 * 1024,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupsPerDimension: 65535,
  minStorageBufferOffsetAlignment: 256,
};

export const WEB: Target = { name: 'web', limits: WEB_LIMITS, shaderF16: false, subgroupMatrix: [], software: false };

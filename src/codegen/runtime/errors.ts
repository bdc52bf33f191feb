/** The one error class of packages; `code` is for programs, the message for people. */

export type VitcErrorCode =
  /** There is no `navigator.gpu`, and no device was given. */
  | 'no-webgpu'
  | 'no-adapter'
  /** The device or adapter lacks a feature, or subgroups of the size that the kernels were compiled for. */
  | 'missing-feature'
  | 'limit-too-low'
  /** A table of the package is not as the compiler wrote it. */
  | 'bad-package'
  /** A file of the package could not be read. */
  | 'fetch-failed'
  /** Weights cut short, altered, or of another compilation. */
  | 'bad-weights'
  | 'kernel-failed'
  | 'out-of-memory'
  /** A missing or unknown input, or one of wrong length, type or value. */
  | 'bad-input'
  | 'device-lost'
  /** The model was used after `destroy()`. */
  | 'destroyed'
  /** WebGPU refused an operation; the message has its words. */
  | 'gpu-error';

export class VitcError extends Error {
  constructor(
    readonly code: VitcErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.name = 'VitcError';
  }
}

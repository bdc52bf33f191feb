/** E071x and up: limits of targets. */
import type { CodeInfo } from '../codes.ts';

export const TARGET_CODES = {
  E0711: {
    title: 'tensor over a limit of the target',
    explanation: [
      'A tensor is bound to kernels as a whole, and WebGPU bounds the size of a binding: 128 MiB where a device promises no more (target `web`).',
      'An attention over 4096 tokens with 16 heads, for example, has scores of 16 * 4096 * 4096 * 4 bytes = 1 GiB when they are stored.',
      'Take a smaller batch or picture, store f16 (`--dtype f16`), or compile for a target with larger limits (`--target native` takes those of this machine\'s device).',
    ].join('\n\n'),
  },
  E0712: {
    title: 'model over the memory of the target',
    explanation: [
      'All intermediate tensors share one buffer, in which those that are never needed at the same time overlap. What is left is larger than the target allows for one buffer: 256 MiB where a device promises no more (target `web`).',
      'The notes name the largest tensors. `vitc report` shows which live when. Take a smaller batch or picture, or compile for a target with larger limits.',
    ].join('\n\n'),
  },
  E0713: {
    title: 'kernel over the buffers of the target',
    explanation: [
      'A kernel reads and writes more tensors than the target allows to be bound at once: 8 where a device promises no more (target `web`).',
      'Compile for a target that allows more.',
    ].join('\n\n'),
  },
} as const satisfies Record<string, CodeInfo>;

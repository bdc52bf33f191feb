/** E09xx: packages, devices and the command line. E092x: no usable device (exit code 3). */
import type { CodeInfo } from '../codes.ts';

export const COMMAND_CODES = {
  E0901: { title: 'unreadable file', explanation: 'There is no file of this name, or it may not be read, or it is no UTF-8 text where text is wanted. Paths are relative to the working folder.' },
  E0902: {
    title: 'output not written',
    explanation: 'The output could not be written. What stood there before is untouched: outputs go to a temporary name and are renamed when whole. A folder is replaced only if an earlier compile wrote it.',
  },
  E0903: { title: 'source too large', explanation: 'A source file may have 4 MiB. Architectures are pages, not megabytes: generate loops with `for`, not with text.' },
  E0904: {
    title: 'no such file or preset',
    explanation: 'The argument is neither a `.vit` file nor the name of a preset of the zoo. `vitc zoo` lists the presets; `FILE#NAME` picks a preset or model of a file.',
  },
  E0905: { title: 'bad option value', explanation: 'The option does not take this value. `vitc COMMAND --help` lists what it takes.' },
  E0920: {
    title: 'no GPU adapter',
    explanation: [
      'WebGPU found no adapter: there is no GPU that Vulkan, Metal or Direct3D 12 can reach, or its driver is missing.',
      'On Linux, `vulkaninfo --summary` lists what the driver offers; in a container the driver must be passed in.',
      'Without a GPU, use `--device software` (a CPU adapter, slow) or `--device cpu` (the reference evaluator).',
    ].join('\n\n'),
  },
  E0921: {
    title: 'WebGPU does not load',
    explanation: [
      'The npm package `webgpu` (Dawn for Node) has no binary for this platform, or the binary does not load.',
      'It has builds for Linux and Windows on x64 and arm64, and for macOS. Reinstall with `npm install`, or use `--device cpu`.',
    ].join('\n\n'),
  },
  E0922: {
    title: 'no software adapter',
    explanation: [
      'The software adapter is SwiftShader, a Vulkan driver that runs on the CPU. It comes from the npm package',
      '`@sparticuz/chromium`, which has it for Linux on x64 only, and is unpacked once into the cache folder',
      '(`$XDG_CACHE_HOME/vitc`, or `~/.cache/vitc`), which must be writable.',
      'Elsewhere, install a Vulkan driver that runs on the CPU and name its ICD file in `VK_DRIVER_FILES`.',
    ].join('\n'),
  },
  E0923: {
    title: 'device request failed',
    explanation: 'The adapter was found but gave no device, often because another process holds it or the driver is broken.',
  },
} as const satisfies Record<string, CodeInfo>;

/** README.md of a package. */
import { sizeOf } from '../graph.ts';
import { formatMilliseconds } from '../units.ts';
import type { ModuleFacts } from './package-module.ts';
import { boxesOf, classified, takesHalves } from './package-module.ts';
import type { PredictedTimes } from './package-plan.ts';
import { formatPort } from './runtime/plan.ts';

function bytes(count: number): string {
  return count < 1 << 20 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / (1 << 20)).toFixed(1)} MiB`;
}

/** Markdown may hold HTML, which a model's documentation does not mean. */
function withoutHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}

function exampleInput({ inputs, plan }: ModuleFacts, index: number): string {
  const { name, image } = inputs[index];
  if (image) return `${name}: picture`;
  const { dtype, storage, shape } = plan.inputs[index];
  return `${name}: new ${{ f32: 'Float32Array', f16: 'Uint16Array', i32: 'Int32Array', bool: 'Uint8Array' }[storage ?? dtype]}(${sizeOf(shape)})`;
}

export function readme(facts: ModuleFacts, packageName: string, { hasWeights, predicted }: { readonly hasWeights: boolean; readonly predicted?: PredictedTimes }): string {
  const { plan } = facts;
  const needs = [...plan.features.map((f) => `the feature \`${f}\``), ...Object.entries(plan.limits).map(([name, value]) => `\`${name}\` of ${value}`)];
  const pictures = facts.inputs.some((input) => input.image);
  const [classes] = classified(facts);
  const boxes = boxesOf(facts.outputs);
  const lines = [
    `# ${packageName}`,
    ...(facts.doc ? [withoutHtml(facts.doc.trim()), ''] : []),
    `The model \`${plan.name}\` as WebGPU kernels, compiled by vitc. An ES module without dependencies, for browsers, Node and Deno.`,
    '',
    '```js',
    `import { load${classes ? ', classify, labels' : ''}${boxes ? ', detect' : ''} } from './index.js';`,
    '',
    'const model = await load({ onProgress: ({ phase, loaded, total }) => console.log(phase, loaded, total) });',
    `const outputs = await model.run({ ${facts.inputs.map((_, i) => exampleInput(facts, i)).join(', ')} });`,
    ...(classes ? [`console.log(classify(outputs.${classes}, labels.${classes}, 5));`] : []),
    ...(boxes ? ['console.log(detect(outputs, 0.7));'] : []),
    'model.destroy();',
    '```',
    ...(pictures ? ['A picture is an ImageData, ImageBitmap, VideoFrame, canvas, img or video element, or `{ data, width, height }` with 8-bit gray, RGB or RGBA pixels.', ''] : ['']),
    ...(takesHalves(plan) ? ['Inputs of type `f16` are a Float16Array, or where there is none a Uint16Array of the bits of IEEE half precision, or a GPUBuffer of them in whole 32-bit words. A Float32Array is taken too and rounded to the nearest halves, which takes longer.', ''] : []),
    '| | name | type |',
    '| --- | --- | --- |',
    ...plan.inputs.map((port) => `| input | \`${port.name}\` | \`${formatPort(port)}\` |`),
    ...plan.outputs.map((port) => `| output | \`${port.name}\` | \`${formatPort(port)}\` |`),
    '',
    `Needs WebGPU${needs.length > 0 ? ` with ${needs.join(', ')}` : ' with its default limits and no optional feature'}, ${bytes(plan.arenaBytes)} of GPU memory for intermediate values and ${bytes(plan.shards.reduce((a, b) => a + b, 0))} for weights.`,
    ...(predicted ? [`A run is ${predicted.milliseconds.length} dispatches, predicted to take ${formatMilliseconds(predicted.milliseconds.reduce((a, b) => a + b, 0))} on the device profile \`${predicted.device}\`; \`report.json\` has each, \`vitc report\` explains them.`] : []),
    ...(hasWeights ? [] : ['', 'It was compiled without weights: compile it again with `--weights FILE.safetensors`, or give them to `load({ weights })`.']),
    '',
    '## In Node',
    'Node has no WebGPU of its own. Make a device with the npm package `webgpu`, and keep what `create` returns as long as the model is in use:',
    '```js',
    "import { create, globals } from 'webgpu';",
    "import { load, requirements } from './index.js';",
    '',
    'Object.assign(globalThis, globals);',
    `const gpu = create(${plan.features.some((f) => f !== 'subgroups') ? "['enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia,use_vulkan_memory_model']" : '[]'});`,
    'const device = await (await gpu.requestAdapter()).requestDevice(requirements);',
    'const model = await load({ device });',
    '```',
    '',
    '## More',
    "- `run(inputs, { outputs: 'gpu' })` leaves the outputs in GPUBuffers; inputs may be GPUBuffers too; `record(encoder)` records the dispatches into an encoder of yours.",
    '- `profile(inputs)` times each kernel, beside what `report.json` says of it; the device needs `timestamp-query`.',
    '- `load({ weights })` takes the weights from another folder, from bytes, or from a function; `load({ baseUrl })` says where this folder is when a bundler has moved `index.js`.',
    '- Errors are `VitcError` with a `code`. After the device is lost, load the model again.',
    '- For TypeScript, install `@webgpu/types`.',
    '',
  ];
  return lines.join('\n');
}

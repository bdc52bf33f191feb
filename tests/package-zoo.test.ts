/** Packages of the zoo's models as a TypeScript program sees them: several inputs and outputs, integers, classes, boxes. Nothing runs on a device. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigLiteral } from '../src/compile.ts';
import { compileGraph } from '../src/compile.ts';
import { findModel, graphOf } from '../src/cli/model.ts';
import { packageFiles } from '../src/cli/packages.ts';
import type { PackageFiles } from '../src/codegen/package.ts';
import type { Detection, Shaped } from '../src/codegen/runtime/detect.ts';
import { WEB } from '../src/targets.ts';
import { writePackage } from './helpers/tiny-package.ts';
import { typeErrors } from './helpers/type-check.ts';

/** Small, and a batch of two, so that no extent is 1 by chance. */
const MODELS: Record<string, { preset: string; settings: Record<string, ConfigLiteral> }> = {
  whisper: { preset: 'whisper_tiny', settings: { dim: 32, depth: 1, heads: 2, mels: 10, frames: 24, words: 51, context: 16, length: 5 } },
  detr: { preset: 'detr_resnet50', settings: { height: 64, width: 96, dim: 32, depth: 1, heads: 2, hidden: 64, queries: 7 } },
};
const BATCH = 2;

let programs: string;
const folders: Record<string, string> = {};
const packages: Record<string, PackageFiles> = {};

beforeAll(() => {
  programs = mkdtempSync(join(tmpdir(), 'vitc-test-'));
  for (const [name, { preset, settings }] of Object.entries(MODELS)) {
    const graph = graphOf(findModel(preset), { set: settings, batch: BATCH });
    packages[name] = packageFiles(compileGraph(graph, { target: WEB, dtype: 'f32' }).value!);
    folders[name] = writePackage(packages[name]);
  }
});

afterAll(() => {
  for (const folder of [programs, ...Object.values(folders)]) rmSync(folder, { recursive: true, force: true });
});

describe('packages of models with several inputs or outputs', () => {
  test('are used as their types say, and not otherwise', () => {
    const whisper = `import { load } from '${folders.whisper}/index.js';\nconst model = await load();\nconst input_features = new Float32Array(480);\nconst decoder_input_ids = new Int32Array(10);\n`;
    const detr = `import { detect, labels, load } from '${folders.detr}/index.js';\nconst model = await load();\nconst pictures = [new ImageData(1, 1), new ImageData(1, 1)];\n`;
    const found = typeErrors(programs, {
      speech: `${whisper}const { encoder, logits } = await model.run({ input_features, decoder_input_ids });
        const places: 12 = encoder.shape[1]; const words: 51 = logits.shape[2]; const floats: Float32Array[] = [encoder, logits];
        const onGpu = await model.run({ input_features, decoder_input_ids }, { outputs: 'gpu' });
        const next = await model.run({ input_features, decoder_input_ids: onGpu.logits }); void [places, words, floats, next];`,
      // Refused, each for one reason.
      wrong1: `${whisper}await model.run({ input_features });`,
      wrong2: `${whisper}await model.run({ input_features, decoder_input_ids: new Float32Array(10) });`,
      wrong3: `${whisper}await model.run({ input_features: new ImageData(1, 1), decoder_input_ids });`,
      wrong4: `${whisper}(await model.run({ input_features, decoder_input_ids })).words;`,
      wrong5: `import { classify } from '${folders.whisper}/index.js'; void classify;`,
      objects: `${detr}const outputs = await model.run({ image: pictures });
        const queries: 7 = outputs.pred_boxes.shape[1]; const classes: 92 = outputs.logits.shape[2]; const names: readonly string[] = labels.logits;
        for (const { picture, label, probability, box: [left, top, right, bottom] } of detect(outputs, 0.5)) void [picture + probability + left + top + right + bottom, label?.length];
        void [queries, classes, names, detect({ logits: outputs.logits, pred_boxes: outputs.pred_boxes })];`,
      wrong6: `${detr}const { logits } = await model.run({ image: pictures }); detect({ logits }); void labels;`,
      wrong7: `${detr}await model.run({ image: pictures[0] }); void [detect, labels];`,
    });
    expect(found).toEqual([
      expect.stringMatching(/^wrong1\.mts: .*'\{ input_features: Float32Array<ArrayBuffer>; \}' is not assignable to parameter of type 'Inputs'/),
      expect.stringMatching(/^wrong2\.mts: Type 'Float32Array<ArrayBuffer>' is not assignable to type '.*Int32Array/),
      expect.stringMatching(/^wrong3\.mts: Type 'ImageData' is not assignable to type '.*Float32Array/),
      expect.stringMatching(/^wrong4\.mts: Property 'words' does not exist on type 'Outputs'/),
      expect.stringMatching(/^wrong5\.mts: Module .* has no exported member 'classify'/),
      expect.stringMatching(/^wrong6\.mts: .*is not assignable to parameter of type 'Pick<Outputs, /),
      expect.stringMatching(/^wrong7\.mts: Type 'ImageData' is not assignable to type/),
    ]);
  });

  test('export what their models declare, and no more', async () => {
    const exported = async (name: string): Promise<string[]> => Object.keys(await import(pathToFileURL(join(folders[name], 'index.js')).href)).sort();
    expect(await exported('whisper')).toEqual(['VitcError', 'load', 'requirements']);
    expect(await exported('detr')).toEqual(['VitcError', 'detect', 'labels', 'load', 'requirements']);
    for (const file of ['labels.js', 'runtime/classify.js', 'runtime/detect.js', 'runtime/pictures.js']) expect([file, packages.whisper.has(file), packages.detr.has(file)]).toEqual([file, false, true]);
  });

  test('find labelled boxes in outputs, the likeliest first, without the background', async () => {
    const { detect } = (await import(pathToFileURL(join(folders.detr, 'index.js')).href)) as { detect(outputs: Record<string, Shaped>, threshold?: number): Detection[] };
    const [queries, classes, background] = [7, 92, 91];
    const logits = Object.assign(new Float32Array(BATCH * queries * classes), { shape: [BATCH, queries, classes] });
    const pred_boxes = Object.assign(new Float32Array(BATCH * queries * 4), { shape: [BATCH, queries, 4] });
    for (let i = 0; i < BATCH * queries; i++) logits[i * classes + background] = 20;
    const put = (picture: number, query: number, label: number, score: number): void => {
      logits.fill(0, (picture * queries + query) * classes, (picture * queries + query + 1) * classes);
      logits[(picture * queries + query) * classes + label] = score;
      pred_boxes.set([0.5, 0.25, 0.5, 0.25], (picture * queries + query) * 4);
    };
    put(0, 2, 17, 9);
    put(1, 6, 1, 12);
    const probability = (score: number): unknown => expect.closeTo(Math.exp(score) / (Math.exp(score) + classes - 1), 5);
    const box = [0.25, 0.125, 0.75, 0.375];
    expect(detect({ logits, pred_boxes })).toEqual([
      { picture: 1, index: 1, label: 'person', probability: probability(12), box },
      { picture: 0, index: 17, label: 'cat', probability: probability(9), box },
    ]);
    expect(detect({ logits, pred_boxes }, 0.999).map((d) => d.label)).toEqual(['person']);
  });
});

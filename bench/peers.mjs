// The seven models that RESULTS.md compares, beside PyTorch and ONNX Runtime, on the machine at hand.
// Usage: npm run build && node bench/peers.mjs OUT [LIST of peers] [options of vitc bench, such as --batch 1]
// Writes OUT/peers.jsonl as it goes, a line a result, and OUT/peers.md, the table. Needs what `vitc bench --peers` does: a
// python3 with torch and timm, onnxruntime-node in the working folder's node_modules or NODE_PATH; what is missing is left out.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODELS = ['vit_tiny_patch16_224', 'vit_base_patch16_224', 'efficientvit_m0', 'efficientvit_m5', 'mobilevit_s', 'mobilevitv2_100', 'mixer_b16_224'];
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const [out = 'out', ...more] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const files = ['--lines', join(out, 'peers.jsonl'), '--markdown', join(out, 'peers.md')];
const { status } = spawnSync(process.execPath, [cli, 'bench', ...MODELS, '--batch', '1,64', '--dtype', 'f32,f16', '--seconds', '0.6', ...files, '--peers', ...more], { stdio: 'inherit' });
process.exit(status ?? 1);

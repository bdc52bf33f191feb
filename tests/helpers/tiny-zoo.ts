/** Every architecture of the zoo made tiny by its settings: few blocks, narrow, small pictures. */
import { join } from 'node:path';
import { Sources, buildGraph, type ConfigLiteral } from '../../src/compile.ts';
import { Project, ZOO } from '../../src/cli/files.ts';
import type { Graph } from '../../src/graph.ts';

interface Tiny {
  readonly file: string;
  readonly name: string;
  readonly settings: Readonly<Record<string, ConfigLiteral>>;
}

const WIDTHS = { widths: [8, 16, 16, 16], depths: [1, 1, 1, 1] };

export const TINY: readonly Tiny[] = [
  { file: 'blip', name: 'BLIP', settings: { size: 32, patch: 16, dim: 16, depth: 1, heads: 2, text_dim: 16, text_heads: 2, words: 40, context: 8, shared: 8, length: 5 } },
  { file: 'clip', name: 'CLIP', settings: { size: 32, patch: 16, dim: 16, depth: 1, heads: 2, text_dim: 16, text_depth: 1, text_heads: 2, words: 40, context: 8, shared: 8, texts: 2, length: 5 } },
  { file: 'deepvit', name: 'DeepViT', settings: { size: 32, dim: 24, depth: 2, heads: 4, classes: 7, start: 1 } },
  { file: 'depth_anything', name: 'DepthAnything', settings: { size: 28, dim: 16, depth: 4, heads: 2, taps: [1, 2, 3, 4], widths: [8, 8, 8, 8], fused: 8 } },
  { file: 'detr', name: 'DETR', settings: { height: 32, width: 32, dim: 16, depth: 1, heads: 2, hidden: 16, queries: 5, classes: 6 } },
  { file: 'efficientvit', name: 'EfficientViT', settings: { size: 64, widths: [16, 24, 24], depths: [1, 1, 1], heads: [2, 2, 2], kernels: [5, 3, 3, 3], window: 2, key: 4, classes: 7 } },
  { file: 'eva02', name: 'EVA02', settings: { size: 28, dim: 24, depth: 1, heads: 3, hidden: 20, classes: 7 } },
  { file: 'mae', name: 'MAE', settings: { size: 64, dim: 16, depth: 1, heads: 2, decoder_dim: 16, decoder_depth: 1, decoder_heads: 2 } },
  { file: 'memory_vit', name: 'MemoryViT', settings: { size: 64, dim: 12, depth: 2, heads: 3, classes: 7, tasks: [[5, 2], [6, 3]] } },
  { file: 'mixer', name: 'Mixer', settings: { size: 32, dim: 16, depth: 1, classes: 7 } },
  { file: 'mobilevit', name: 'MobileViT', settings: { size: 64, channels: [8, 8, 12, 12, 16], widths: [8, 12, 16], features: 20, classes: 7 } },
  { file: 'mobilevitv2', name: 'MobileViTv2', settings: { size: 64, scale: 0.25, classes: 7 } },
  { file: 'navit', name: 'NaViT', settings: { dim: 12, depth: 1, heads: 3, grid: 8, images: 2, length: 12, classes: 7 } },
  { file: 'poolformer', name: 'PoolFormer', settings: { size: 64, ...WIDTHS, classes: 7 } },
  { file: 'pvtv2', name: 'PVTv2', settings: { size: 64, ...WIDTHS, heads: [1, 2, 2, 2], classes: 7 } },
  { file: 'resnet', name: 'ResNet', settings: { size: 32, depths: [1, 1, 1, 1], classes: 7 } },
  { file: 'segformer', name: 'SegFormer', settings: { size: 64, ...WIDTHS, heads: [1, 2, 2, 2], decoder: 16, classes: 7 } },
  { file: 'swin', name: 'Swin', settings: { size: 32, patch: 4, window: 4, dim: 12, depths: [2, 2], heads: [2, 3], classes: 7 } },
  { file: 'vit', name: 'ViT', settings: { size: 32, patch: 16, dim: 24, depth: 1, heads: 3, classes: 7 } },
  { file: 'whisper', name: 'Whisper', settings: { dim: 12, depth: 1, heads: 2, mels: 8, frames: 16, words: 30, context: 12, length: 4 } },
  { file: 'xcit', name: 'XCiT', settings: { size: 32, dim: 16, depth: 1, heads: 2, classes: 7 } },
];

export function tinyGraph({ file, name, settings }: Tiny, batch = 1): Graph {
  const project = new Project(join(ZOO, `${file}.vit`));
  const { value, diagnostics } = buildGraph(new Sources(project), { entry: project.entry, target: name, settings, batch });
  const errors = diagnostics.filter((d) => d.severity === 'error');
  if (!value || errors.length > 0) throw new Error(`${name}: ${errors.map((d) => `${d.code} ${d.message}`).join('\n')}`);
  return value;
}

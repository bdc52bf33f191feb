/** Class scores as people read them. */
import { color, plain } from './terminal.ts';

export interface Score {
  readonly index: number;
  readonly label: string;
  readonly logit: number;
  /** softmax over all classes. */
  readonly probability: number;
}

/** The `count` best classes of a row of logits. */
export function best(logits: ArrayLike<number>, count: number, labels?: readonly string[]): Score[] {
  const values = Array.from(logits);
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const sum = values.reduce((total, v) => total + Math.exp(v - largest), 0);
  return values
    .map((logit, index) => ({ index, label: labels?.[index] ?? `class ${index}`, logit, probability: Math.exp(logit - largest) / sum }))
    .sort((a, b) => b.logit - a.logit || a.index - b.index)
    .slice(0, count);
}

const BLOCKS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** `cat ██████████████▌ 72.9%`, a line a class. */
export function bars(scores: readonly Score[], width = 30): string {
  const shown = scores.map(({ label, probability }) => ({ label: plain(label), probability }));
  const name = Math.max(...shown.map((s) => s.label.length));
  return shown
    .map(({ label, probability }) => {
      const eighths = Math.round(probability * width * 8);
      const bar = '█'.repeat(eighths >> 3) + BLOCKS[eighths & 7];
      return `${label.padEnd(name)}  ${(100 * probability).toFixed(1).padStart(5)}%  ${color.cyan(bar)}`.trimEnd();
    })
    .join('\n');
}

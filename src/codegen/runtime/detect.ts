/** Boxes and their classes, from the outputs of a detector. */
import { softmax } from './classify.ts';

export interface Detection {
  /** Which picture of the batch. */
  readonly picture: number;
  readonly index: number;
  readonly label?: string;
  readonly probability: number;
  /** [left, top, right, bottom], as shares of the picture's width and height. */
  readonly box: readonly [number, number, number, number];
}

export interface DetectionFormat {
  /** `cxcywh`: centre and size; `xyxy`: corners. */
  readonly format: 'cxcywh' | 'xyxy';
  /** The class that stands for no object, if there is one. */
  readonly background?: number;
  readonly labels?: readonly string[];
}

/** Tensors with a shape, as `run` gives them. */
export interface Shaped extends ArrayLike<number> {
  readonly shape: readonly number[];
}

function cornersOf(values: ArrayLike<number>, at: number, format: DetectionFormat['format']): Detection['box'] {
  const [a, b, c, d] = [values[at], values[at + 1], values[at + 2], values[at + 3]];
  return format === 'xyxy' ? [a, b, c, d] : [a - c / 2, b - d / 2, a + c / 2, b + d / 2];
}

/** Boxes [B, N, 4] with scores [B, N, classes] whose likeliest class is no background and at least `threshold` probable, the likeliest first. */
export function detect(boxes: Shaped, scores: Shaped, how: DetectionFormat, threshold = 0.7): Detection[] {
  const [batch, count, classes] = scores.shape;
  const found: Detection[] = [];
  for (let at = 0; at < batch * count; at++) {
    const shares = softmax(scores, at * classes, classes);
    // The likeliest object, even where `background` is likelier: the threshold decides.
    let best = -1;
    for (let i = 0; i < classes; i++) if (i !== how.background && (best < 0 || shares[i] > shares[best])) best = i;
    if (shares[best] < threshold) continue;
    found.push({ picture: Math.floor(at / count), index: best, label: how.labels?.[best], probability: shares[best], box: cornersOf(boxes, at * 4, how.format) });
  }
  return found.sort((a, b) => b.probability - a.probability);
}

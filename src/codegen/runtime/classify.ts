/** Class names for logits. */

export interface Classification {
  readonly index: number;
  readonly label: string;
  /** The class's share of the softmax over all classes. */
  readonly probability: number;
}

/** The softmax of `values[from]` to `values[from + count - 1]`. */
export function softmax(values: ArrayLike<number>, from: number, count: number): Float64Array {
  const shares = Float64Array.from({ length: count }, (_, i) => values[from + i]);
  const highest = shares.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += shares[i] = Math.exp(shares[i] - highest);
  return shares.map((share) => share / sum);
}

/** The `count` most probable classes of each row of logits [..., labels.length], the likeliest first. */
export function classify(logits: ArrayLike<number>, labels: readonly string[], count = 5): Classification[][] {
  const classes = labels.length;
  return Array.from({ length: logits.length / classes }, (_, row) =>
    Array.from(softmax(logits, row * classes, classes), (probability, index) => ({ index, label: labels[index], probability }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, count),
  );
}

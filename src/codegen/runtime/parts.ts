/** Dividing a run into parts, so that the GPU works on the first while the CPU submits the next. */

/**
 * Microseconds, measured in Node on an H100; of other devices they need only be of this order. A submit costs 40 to 60 of
 * its own, and Dawn then translates each dispatch for the driver, which takes the CPU less than its execution takes the GPU.
 */
const SUBMIT = 50;
const TRANSLATE = 1.5;
const EXECUTE = 5;

/**
 * Dispatches of each part, of which there is at least one. Found from the end: a part is as long as the GPU needs to be
 * busy with it until the next is submitted, so that parts grow. A part that would not begin earlier by what a submit
 * costs stays whole, as all models of few dispatches do.
 */
export function partSizes(count: number): number[] {
  const sizes: number[] = [];
  for (let left = count; ; ) {
    // EXECUTE * head = SUBMIT + TRANSLATE * (left - head)
    const head = Math.ceil((SUBMIT + TRANSLATE * left) / (EXECUTE + TRANSLATE));
    if (TRANSLATE * (left - head) < SUBMIT) return [left, ...sizes];
    sizes.unshift(left - head);
    left = head;
  }
}

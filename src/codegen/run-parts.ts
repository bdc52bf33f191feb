/** Dividing a run into parts, so that the GPU works on the first while the CPU submits the next. */

/**
 * Microseconds, measured in Node on an H100; of other devices they need only be of this order. A submit costs 40 to 60 of
 * its own, and Dawn then translates each dispatch for the driver, which takes the CPU less than its execution takes the GPU.
 */
const SUBMIT = 50;
const TRANSLATE = 1.5;
/** Of a dispatch that nothing is predicted of. */
const EXECUTE = 5;
/** The least share of what is predicted that was measured: a GPU that is done too early waits, which costs more than a part that is too long. */
const SURE = 0.6;

/**
 * Dispatches of each part, of which there is at least one; `predicted` has microseconds of each dispatch, where they are
 * known. Found from the end: a part is as long as the GPU needs to be busy with it until the next is submitted, so that
 * parts grow. A part that would not begin earlier by what a submit costs stays whole, as all models of few dispatches do.
 */
export function runParts(predicted: readonly (number | undefined)[]): number[] {
  const busy = [0];
  for (const time of predicted) busy.push(busy.at(-1)! + (time === undefined ? EXECUTE : SURE * time));
  const sizes: number[] = [];
  for (let left = predicted.length; ; ) {
    let head = 0;
    while (head < left && busy[head] < SUBMIT + TRANSLATE * (left - head)) head++;
    if (TRANSLATE * (left - head) < SUBMIT) return [left, ...sizes];
    sizes.unshift(left - head);
    left = head;
  }
}

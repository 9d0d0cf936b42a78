import type { Steps } from './turns.ts';

/** So many are sorted in one step: about a millisecond. */
const RUN = 1_024;

/** A sorted copy: runs are sorted, then merged in pairs. */
export function* sortInSteps<Item>(items: readonly Item[], compareItems: (a: Item, b: Item) => number): Steps<Item[]> {
  let from: Item[] = [];
  for (let start = 0; start < items.length; start += RUN) {
    for (const item of items.slice(start, start + RUN).sort(compareItems)) from.push(item);
    yield;
  }
  for (let width = RUN; width < from.length; width *= 2) {
    const to: Item[] = [];
    for (let start = 0; start < from.length; start += 2 * width) {
      let left = start;
      let right = start + width;
      const [leftEnd, rightEnd] = [Math.min(right, from.length), Math.min(right + width, from.length)];
      while (left < leftEnd || right < rightEnd) {
        const [a, b] = [from[left] as Item, from[right] as Item];
        const isLeft = right >= rightEnd || (left < leftEnd && compareItems(a, b) <= 0);
        to.push(isLeft ? a : b);
        if (isLeft) left += 1;
        else right += 1;
        if (to.length % RUN === 0) yield;
      }
    }
    from = to;
  }
  return from;
}

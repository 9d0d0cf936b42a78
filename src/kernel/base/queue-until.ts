import { DeadlinePassed } from './failures.ts';

/**
 * Puts an item in a queue, which it leaves when its signal fires as long as it waits there; `left` then gets the reason of
 * the signal. Nothing of it is done, and a caller whose deadline has passed is told so.
 */
export function queueUntil<Item>(
  queue: Item[],
  item: Item,
  signal: AbortSignal | undefined,
  left: (reason: unknown) => void,
): void {
  if (signal?.aborted === true) return left(signal.reason);
  queue.push(item);
  signal?.addEventListener('abort', () => leave(queue, item, signal.reason, left), { once: true });
}

function leave<Item>(queue: Item[], item: Item, reason: unknown, left: (reason: unknown) => void): void {
  const at = queue.indexOf(item);
  // What was taken is done.
  if (at === -1) return;
  queue.splice(at, 1);
  if (reason instanceof DeadlinePassed) reason.wasUndone = true;
  left(reason);
}

import { DeadlineError } from './failures.ts';

/**
 * Puts an item in a queue. When its signal fires while it waits there, it leaves the queue, and `left` gets the reason of
 * the signal. Nothing of it was done, and the refusal of a passed deadline says so.
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
  // It was taken already, and is carried out.
  if (at === -1) {
    if (reason instanceof DeadlineError) reason.wasTaken = true;
    return;
  }
  queue.splice(at, 1);
  if (reason instanceof DeadlineError) reason.hasLeftQueue = true;
  left(reason);
}

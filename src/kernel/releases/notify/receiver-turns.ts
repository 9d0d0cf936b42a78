import type { NotificationSpec } from '../kinds/notification.ts';

/** Takes a slot for a message to a receiver; undefined when the line has to wait for one. */
export type TakeTurn = (receiver: string, line: string) => { readonly end: () => void } | undefined;

/**
 * Bounds the messages in flight to one receiver.
 *
 * @param resume gets a waiting line when a slot is free
 */
export function receiverTurns(placesMax: number, resume: (line: string) => void): TakeTurn {
  const receivers = new Map<string, { sending: number; readonly waiting: Set<string> }>();
  return (receiver, line) => {
    const one = receivers.get(receiver) ?? { sending: 0, waiting: new Set() };
    receivers.set(receiver, one);
    if (one.sending >= placesMax) {
      one.waiting.add(line);
      return undefined;
    }
    one.waiting.delete(line);
    one.sending += 1;
    return {
      end: () => {
        one.sending -= 1;
        const [next] = one.waiting;
        if (next !== undefined) {
          one.waiting.delete(next);
          resume(next);
        } else if (one.sending === 0) receivers.delete(receiver);
      },
    };
  };
}

/** The receiver as far as it can be slow: an address without its query, or the Secret. */
export function receiverOf({ channel: { type, url, secret } }: NotificationSpec): string {
  const isAddressSecret = type === 'slack' && secret !== undefined;
  const address = url === undefined || !URL.canParse(url) ? undefined : new URL(url);
  return isAddressSecret || address === undefined
    ? `${type} ${JSON.stringify(secret)}`
    : `${address.host}${address.pathname}`;
}

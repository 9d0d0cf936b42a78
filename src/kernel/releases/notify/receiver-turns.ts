import type { NotificationSpec } from '../kinds/notification.ts';

/** A place among those that a receiver is sent something by; undefined when the line has to wait for one. */
export type TakeTurn = (receiver: string, line: string) => { readonly end: () => void } | undefined;

/**
 * Bounds how many messages are on their way to one receiver.
 *
 * @param resume takes a line that waited, once there is a place for it
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

/** Where messages go, as far as it can be slow: an address without its query, or what a Secret says. */
export function receiverOf({ channel: { type, url, secret } }: NotificationSpec): string {
  const isAddressSecret = type === 'slack' && secret !== undefined;
  const address = url === undefined || !URL.canParse(url) ? undefined : new URL(url);
  return isAddressSecret || address === undefined
    ? `${type} ${JSON.stringify(secret)}`
    : `${address.host}${address.pathname}`;
}

import { contentHash } from '#kernel/base/ids.ts';
import type { NotificationSpec } from '../kinds/notification.ts';

/** Names of pending notifications, by line: one line for each release and channel. */
export interface WaitingLines {
  /** False when it is known already. */
  readonly add: (line: string, name: string) => boolean;
  readonly remove: (line: string, name: string) => void;
  /** The earliest of a line. */
  readonly first: (line: string) => string | undefined;
}

export function waitingLines(): WaitingLines {
  const lines = new Map<string, Set<string>>();
  return {
    add: (line, name) => {
      const waiting = lines.get(line) ?? new Set();
      if (waiting.has(name)) return false;
      lines.set(line, waiting.add(name));
      return true;
    },
    remove: (line, name) => {
      const waiting = lines.get(line);
      waiting?.delete(name);
      if (waiting?.size === 0) lines.delete(line);
    },
    first: (line) => [...(lines.get(line) ?? [])].sort((a, b) => orderOf(a) - orderOf(b))[0],
  };
}

/** The line of a notification: its release and channel. */
export function lineOf({ release, channel }: NotificationSpec): string {
  return `${release} ${contentHash(channel)}`;
}

/** Time of the event in milliseconds, the end of the name; see `notifications` of the engine. */
function orderOf(name: string): number {
  return Number.parseInt(name.slice(name.lastIndexOf('-') + 1), 36);
}

import type { Log } from './log.ts';

/** How long a cause is silent after its line. */
const SILENT_MS = 30_000;
/** Causes that are remembered; beyond it the oldest is forgotten and may be logged again. */
const CAUSES_MAX = 1_000;

/** Logs an error that comes again and again: one line for each cause and 30 seconds. */
export function logSeldom(log: Log, nowMs: () => number): (error: unknown, message: string, about?: object) => void {
  const lastMs = new Map<string, number>();
  return (error, message, about = {}) => {
    const cause = `${message}: ${error instanceof Error ? error.message : String(error)}`;
    const now = nowMs();
    const last = lastMs.get(cause);
    if (last !== undefined && now - last < SILENT_MS) return;
    lastMs.delete(cause);
    lastMs.set(cause, now);
    const [oldest] = lastMs.keys();
    if (lastMs.size > CAUSES_MAX && oldest !== undefined) lastMs.delete(oldest);
    log.error({ ...about, err: error }, message);
  };
}

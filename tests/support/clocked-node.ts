import { openLog, type LogLevel } from '#kernel/base/log.ts';
import type { StartOptions } from '#planes/parts/shared.ts';
import { startBackline } from '#planes/start.ts';

/** The options of a node, as JSON in its only argument. */
export interface ClockedNodeOptions extends Pick<
  StartOptions,
  'roles' | 'dataDirectory' | 'datasetsDirectory' | 'databaseUrl' | 'port' | 'rollUpSeconds'
> {
  readonly nowMs: number;
  /** Default: errors. */
  readonly logLevel?: LogLevel | undefined;
}

/** The parent sets the time. The node sends the same message back once its clock shows it. */
export interface ClockMessage {
  readonly nowMs: number;
}

/** The message of a node that answers requests. */
export interface NodeReady {
  readonly port: number;
  readonly token: string;
}

const [, , argument] = process.argv;
// Also imported for its types.
if (argument !== undefined && process.send !== undefined) {
  const { nowMs, logLevel = 'error', ...options } = JSON.parse(argument) as ClockedNodeOptions;
  let now = Temporal.Instant.fromEpochMilliseconds(nowMs);
  process.on('message', (message: ClockMessage) => {
    now = Temporal.Instant.fromEpochMilliseconds(message.nowMs);
    process.send?.(message);
  });
  // A parent that is gone has no more use for it.
  process.on('disconnect', () => process.exit(1));
  const running = await startBackline({ ...options, host: '127.0.0.1', clock: () => now, log: openLog(logLevel) });
  await running.ready;
  // As the program does: its supervisor starts another one.
  void running.failed.then(() => process.exit(1));
  const ready: NodeReady = { port: running.port, token: running.token };
  process.send(ready);
}

import { pino, type Logger } from 'pino';

export type Log = Logger;

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** JSON lines on standard error. Credentials that slip into a logged object are cut out. */
export function openLog(level: LogLevel): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: ['*.authorization', '*.token', '*.password', 'authorization', 'token', 'password'],
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

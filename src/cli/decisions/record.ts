import { randomUUID } from 'node:crypto';
import { encodeYaml } from '#kernel/api/codec/body.ts';
import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';

export interface RecordOptions extends ConnectionOptions {
  readonly output?: 'json' | 'yaml';
}

export interface EndOptions extends RecordOptions {
  readonly until?: string;
  readonly key?: string;
}

/** Records that can be ended by hand, with their paths. */
export const ENDABLE = {
  grant: '/v1/grants/end',
  override: '/v1/overrides/end',
  subscription: '/v1/subscriptions/end',
};

/** `backline record anna`: all that is on record of a listener. */
export async function record(listener: string, options: RecordOptions, io: Io): Promise<number> {
  const path = `/v1/subjects?listener=${encodeURIComponent(listener)}`;
  return print(await call(connectionFrom(options, io), 'GET', path), options, io);
}

/** `backline end grant ID`: takes back what was bought or given. */
export async function end(what: keyof typeof ENDABLE, id: string, options: EndOptions, io: Io): Promise<number> {
  const { until, key = randomUUID() } = options;
  const body = { [what]: id, key, ...(until === undefined ? {} : { until }) };
  return print(await call(connectionFrom(options, io), 'POST', ENDABLE[what], { body }), options, io);
}

function print(answer: unknown, { output }: RecordOptions, io: Io): number {
  io.exact.write(output === 'json' ? `${JSON.stringify(answer, null, 2)}\n` : encodeYaml(answer));
  return EXIT.ok;
}

import { version as programVersion } from '#kernel/base/version.ts';
import { call } from './api/call.ts';
import { connectionFrom, type ConnectionOptions } from './api/connection.ts';
import { EXIT } from './terminal/failure.ts';
import type { Io } from './terminal/io.ts';

export interface VersionOptions extends ConnectionOptions {
  readonly client?: boolean;
}

/** `backline version`: of this program, then of the server. The first is printed even when there is no server. */
export async function version(options: VersionOptions, io: Io): Promise<number> {
  io.stdout.write(`client ${programVersion}\n`);
  if (options.client === true) return EXIT.ok;
  const target = connectionFrom(options, io);
  const { gitVersion } = (await call(target, 'GET', '/version')) as { readonly gitVersion: string };
  io.stdout.write(
    `server ${gitVersion.split('+backline-')[1] ?? gitVersion} (Kubernetes API ${gitVersion.split('+')[0]})\n`,
  );
  return EXIT.ok;
}

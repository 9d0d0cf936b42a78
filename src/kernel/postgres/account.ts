import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { postgresRefusal } from './refusals.ts';

/** The operating system's user that the server runs as, when it is not our own. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Users that a system gives no rights worth having, the better one first. */
const UNPRIVILEGED = ['postgres', 'nobody'];

/** PostgreSQL refuses to run as root: then, and only then, it gets an account of its own. */
export function serverAccount(dataDirectory: string | undefined): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  if (dataDirectory !== undefined) {
    const { uid, gid } = statSync(dataDirectory);
    if (uid !== 0) return { uid, gid };
  }
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const wanted of UNPRIVILEGED) {
    for (const line of lines) {
      const [name, , uid, gid] = line.split(':');
      if (name === wanted && Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) };
    }
  }
  throw postgresRefusal(
    'no-account',
    `PostgreSQL does not run as root, and this system has no user named ${UNPRIVILEGED.join(' or ')} to run it as.`,
  );
}

/** Whether the account gets into the directory, whatever mode bits and access lists stand on the way. */
export function canEnter(account: Account | undefined, directory: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd -- "$0"', directory], { ...account, cwd: '/', stdio: 'ignore' }).status === 0;
}

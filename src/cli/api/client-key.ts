import { createHash, randomBytes } from 'node:crypto';
import { EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';

const KEY_BYTES = 32;

/** `backline client-key`: a new key for an application. It is shown once; what is declared is its hash. */
export function clientKey(io: Io): number {
  const key = `bk_${randomBytes(KEY_BYTES).toString('base64url')}`;
  const hash = createHash('sha256').update(key).digest('hex');
  io.stdout.write(`key   ${key}\nhash  ${hash}\n`);
  io.stderr.write(
    'Give the key to the application; nobody can show it again. Declare the hash in spec.keys of its Client.\n',
  );
  return EXIT.ok;
}

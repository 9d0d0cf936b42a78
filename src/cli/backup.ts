import { systemClock } from '#kernel/base/clock.ts';
import { EXIT } from './terminal/failure.ts';
import type { Io } from './terminal/io.ts';

interface PlaceOptions {
  readonly data: string;
  readonly datasets?: string;
  readonly quiet?: boolean;
}

export interface BackupOptions extends PlaceOptions {
  /** False with `--no-keys`. */
  readonly keys: boolean;
}

export interface RestoreOptions extends PlaceOptions {
  readonly keys?: string;
}

/** `backline backup`: everything of an installation into a new folder, while it runs. */
export async function backup(folder: string, options: BackupOptions, io: Io): Promise<number> {
  const { backUp } = await import('#planes/backup.ts');
  await backUp(placeOf(options, io), folder, {
    withKeys: options.keys,
    onProgress: progressOf(options, io),
    now: systemClock(),
  });
  const keys = options.keys ? ' Its folder keys opens every Secret in it: keep that elsewhere.' : '';
  io.stdout.write(`The backup is in ${folder}.${keys}\n`);
  return EXIT.ok;
}

/** `backline restore`: a backup into an empty database and data folder. */
export async function restoreBackup(folder: string, options: RestoreOptions, io: Io): Promise<number> {
  const { restore } = await import('#planes/backup.ts');
  await restore(placeOf(options, io), folder, { keys: options.keys, onProgress: progressOf(options, io) });
  io.stdout.write(`The backup ${folder} is restored. Start the program, and see docs/on-call.md, "After a restore".\n`);
  return EXIT.ok;
}

function placeOf({ data, datasets }: PlaceOptions, { env }: Io) {
  const databaseUrl = env['DATABASE_URL'];
  return {
    databaseUrl: databaseUrl === '' ? undefined : databaseUrl,
    quotaDatabaseUrls: (env['QUOTA_DATABASE_URLS'] ?? '').split(/[\s,]+/).filter((url) => url !== ''),
    data,
    datasets,
  };
}

function progressOf({ quiet }: PlaceOptions, io: Io): (text: string) => void {
  return quiet === true ? () => {} : (text) => void io.stderr.write(`${text}\n`);
}

import { open, rename, stat, truncate, type FileHandle } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const LIMITS = {
  /** A log that grows beyond it is moved aside; the one before is dropped. */
  bytesMax: 8 << 20,
  /** Characters of one line that are kept in an answer. */
  lineCharsMax: 4_000,
  /** Bytes at the end in which the last line is looked for. */
  tailBytes: 4_096,
} as const;

const NAME = 'log';

/** Opens the log of a replica for its process, which goes on writing when nobody of ours runs. */
export function openReplicaLog(folder: string): Promise<FileHandle> {
  return open(join(folder, NAME), 'a', 0o600);
}

/**
 * Moves a log aside that has become too long. The process keeps its open file, so the content is copied and the file emptied, as
 * logrotate does with `copytruncate`; lines of that moment may be lost. Of a longer one only the end is kept.
 */
export async function rotateLog(folder: string, bytesMax: number = LIMITS.bytesMax): Promise<void> {
  const path = join(folder, NAME);
  const size = await sizeOf(path);
  if (size <= bytesMax) return;
  const kept = await readEnd(path, size, bytesMax);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(kept);
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, `${path}.1`);
  await truncate(path, 0);
}

/** Colours, and characters that a database or a terminal does not take. */
const UNSHOWN = /\p{Cc}(?:\[[0-9;]*[A-Za-z])?/gu;
const FAILURE = /error|exception|fatal|panic/i;

/** The last line of a log that names a failure, or else that says anything. */
export async function lastLine(folder: string): Promise<string | undefined> {
  const path = join(folder, NAME);
  const end = (await readEnd(path, await sizeOf(path), LIMITS.tailBytes)).toString('utf8');
  const lines = end
    .split('\n')
    .map((line) => line.replaceAll(UNSHOWN, '').trim())
    .filter((line) => line !== '');
  return (lines.findLast((line) => FAILURE.test(line)) ?? lines.at(-1))?.slice(0, LIMITS.lineCharsMax).toWellFormed();
}

/** The lines of a log that have a text, the oldest first; of the last ones so many lines and characters at most. */
export async function readLog(
  folder: string,
  { text, linesMax, charsMax }: { text?: string; linesMax: number; charsMax: number },
): Promise<string[]> {
  const found: string[] = [];
  for (const name of [`${NAME}.1`, NAME]) {
    const path = join(folder, name);
    if ((await sizeOf(path)) === 0) continue;
    for await (const line of createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Infinity })) {
      if (text !== undefined && !line.includes(text)) continue;
      found.push(line.slice(0, LIMITS.lineCharsMax));
      if (found.length >= 2 * linesMax) found.splice(0, linesMax);
    }
  }
  let left = charsMax;
  const first = found.findLastIndex((line) => (left -= line.length) < 0) + 1;
  return found.slice(Math.max(first, found.length - linesMax));
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.size ?? 0;
}

async function readEnd(path: string, size: number, bytesMax: number): Promise<Buffer> {
  const length = Math.min(size, bytesMax);
  if (length === 0) return Buffer.alloc(0);
  const file = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

import { readFile, readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { Refusal, type Path } from '#kernel/base/failures.ts';
import { decodeManifests } from '#kernel/api/codec/manifests.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';

const LIMITS = {
  /** Files of one change. */
  filesMax: 10_000,
  /** One file; what people write has kilobytes. */
  bytesMax: 16 * 1024 * 1024,
} as const;

/** An object to declare and where it was written. */
export interface DeclaredObject {
  readonly object: Readonly<Record<string, unknown>>;
  /** `plans.yaml:14`: file and line of a field of the object. */
  readonly place: (path: Path) => string;
}

/**
 * Reads the objects of all named files, of all .yaml, .yml and .json files below named folders (in order of their
 * names), and of standard input for `-`.
 */
export async function readManifests(names: readonly string[], io: Io): Promise<DeclaredObject[]> {
  const files: string[] = [];
  for (const name of names) files.push(...(name === '-' ? ['-'] : await filesAt(resolve(io.directory, name), name)));
  if (files.length > LIMITS.filesMax)
    throw new CliFailure(`${files.length} files are too many; ${LIMITS.filesMax} fit.`);
  const declared: DeclaredObject[] = [];
  for (const file of files) {
    const shown = file === '-' ? 'standard input' : relative(io.directory, file);
    const text = file === '-' ? await readAll(io.stdin) : await readFile(file, 'utf8');
    for (const { value, lineOf } of decode(text, shown)) {
      declared.push({ object: value, place: (path) => `${shown}:${lineOf(path)}` });
    }
  }
  if (declared.length === 0) {
    throw new CliFailure(`there are no objects in ${names.join(', ')}.`, { exitCode: EXIT.usage });
  }
  return declared;
}

function decode(text: string, file: string) {
  if (text.length > LIMITS.bytesMax) throw new CliFailure(`${file} has more than ${LIMITS.bytesMax} characters.`);
  try {
    return decodeManifests(text);
  } catch (error) {
    if (error instanceof Refusal) throw new CliFailure(`${file}: ${error.message}`, { remedy: error.remedy });
    throw error;
  }
}

async function filesAt(path: string, name: string): Promise<string[]> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch {
    throw new CliFailure(`there is no file or folder ${name}.`, { exitCode: EXIT.usage });
  }
  if (!isFolder) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (file) =>
        !relative(path, file)
          .split('/')
          .some((part) => part.startsWith('.')),
    )
    .sort();
}

async function readAll(stream: Io['stdin']): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

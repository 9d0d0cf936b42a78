import { readFile } from 'node:fs/promises';
import { glob } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** A source file of ours and what it imports, types included. Paths are relative to the root, with `/`. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Files of ours. */
  readonly imports: readonly string[];
  /** Packages and `node:` modules, as they are named. */
  readonly packages: readonly string[];
}

const SPECIFIER =
  /(?:^|[\s;}])(?:import|export)\s[^'"();]*?from\s*'([^']+)'|(?:^|[\s;}])import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g;

/** Reads every TypeScript file below the given folders. */
export async function sourceFiles(folders: readonly string[]): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const folder of folders) {
    for await (const name of glob(`${folder}/**/*.ts`, { cwd: root })) {
      const path = name.replaceAll('\\', '/');
      const text = await readFile(join(root, path), 'utf8');
      const specifiers = [...text.matchAll(SPECIFIER)].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '');
      const ours = specifiers.map((specifier) => resolveSpecifier(specifier, path));
      files.push({
        path,
        text,
        imports: ours.filter((found) => found !== undefined),
        packages: specifiers.filter((_, index) => ours[index] === undefined),
      });
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function resolveSpecifier(specifier: string, from: string): string | undefined {
  if (specifier.startsWith('.')) return relative(root, resolve(root, dirname(from), specifier)).replaceAll('\\', '/');
  const alias = /^#(kernel|domains|planes|cli|simulation)\/(.+)$/.exec(specifier);
  if (alias !== null) return `src/${alias[1]}/${alias[2]}`;
  return specifier.startsWith('#tests/') ? specifier.slice(1) : undefined;
}

/** Groups of files that import each other in a circle; empty when there is none. Tarjan's algorithm. */
export function importCycles(files: readonly SourceFile[]): string[][] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (path: string): void => {
    order.set(path, order.size);
    low.set(path, order.get(path) ?? 0);
    stack.push(path);
    for (const next of byPath.get(path)?.imports ?? []) {
      if (!byPath.has(next)) continue;
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(path, Math.min(low.get(path) ?? 0, low.get(next) ?? 0));
    }
    if (low.get(path) !== order.get(path)) return;
    const group = stack.splice(stack.indexOf(path));
    if (group.length > 1 || byPath.get(path)?.imports.includes(path) === true) cycles.push(group);
  };
  for (const { path } of files) if (!order.has(path)) visit(path);
  return cycles;
}

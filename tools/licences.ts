/**
 * `npm run licences`: the licences of everything that runs with Backline, from the lock file. Ends with 1 when one is not in
 * the list of allowed ones.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** Licences that allow use and distribution with Backline (Apache-2.0), by SPDX identifier. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'PostgreSQL',
]);

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
}

/** Packages at run time, by licence. */
export function groupByLicence(
  packages: Readonly<Record<string, LockedPackage>>,
): ReadonlyMap<string, readonly string[]> {
  const atRunTime = Object.entries(packages).filter(
    ([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true,
  );
  const named = atRunTime.map(([path, { version, license = 'none' }]) => ({
    name: `${path.replace(/^.*node_modules\//, '')}@${version}`,
    license,
  }));
  return new Map(
    [...Map.groupBy(named, ({ license }) => license)]
      .map(([license, of]) => [license, of.map(({ name }) => name).sort()] as const)
      .sort(([a], [b]) => a.localeCompare(b)),
  );
}

/** Whether an SPDX expression is allowed: one alternative of OR, every part of AND. */
export function isAllowed(expression: string): boolean {
  const alternatives = expression.replaceAll(/[()]/g, '').split(' OR ');
  return alternatives.some((alternative) => alternative.split(' AND ').every((part) => ALLOWED.has(part.trim())));
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '..');
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const groups = groupByLicence(packages);
  for (const [licence, names] of groups) console.log(`${licence}: ${names.length}\n  ${names.join(', ')}`);
  const refused = [...groups].filter(([licence]) => !isAllowed(licence));
  for (const [licence, names] of refused) console.error(`not allowed: ${licence} (${names.join(', ')})`);
  process.exitCode = refused.length === 0 ? 0 : 1;
}

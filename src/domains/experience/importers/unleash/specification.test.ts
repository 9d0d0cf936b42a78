import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isRecord } from '#kernel/base/is-record.ts';
import type { ExperienceTable } from '../../decisions/table.ts';
import { decideFlag, declaredTable } from '../../testing/imported-table.ts';
import { importUnleash } from './unleash.ts';

const FOLDER = join(
  dirname(fileURLToPath(import.meta.resolve('@unleash/client-specification/package.json'))),
  'specifications',
);
/** All specifications and tests of version 6.1.0. */
const EXPECTED = { files: 22, tests: 227, variantTests: 52 };

interface Specification {
  readonly name: string;
  readonly state: unknown;
  readonly tests?: readonly Case<boolean>[];
  readonly variantTests?: readonly Case<object>[];
}
interface Case<Expected> {
  readonly description: string;
  readonly context: Readonly<Record<string, unknown>>;
  readonly toggleName: string;
  readonly expectedResult: Expected;
}

const read = (file: string): unknown => JSON.parse(readFileSync(join(FOLDER, file), 'utf8'));
const files = read('index.json') as readonly string[];
const specifications = files.map((file) => ({ file, ...(read(file) as Specification) }));

/** Flattens properties beside the other fields, as OpenFeature does. */
function flat({ properties = {}, ...context }: Case<unknown>['context']): Record<string, unknown> {
  return { ...(properties as object), ...context };
}

/** The flag's value; without a flag, the SDK's answer for an unknown feature. */
function valueOf(table: ExperienceTable, { toggleName, context }: Case<unknown>): unknown {
  const outcome = decideFlag(table, toggleName, flat(context), { nowMs: Date.now() });
  assert.equal(outcome?.error, undefined);
  return outcome === undefined ? false : outcome.value;
}

test('no specification and no case of it is missed', () => {
  assert.deepEqual(
    readdirSync(FOLDER)
      .filter((file) => file !== 'index.json')
      .sort(),
    files.toSorted(),
  );
  const count = (cases: 'tests' | 'variantTests') =>
    specifications.reduce((sum, one) => sum + (one[cases] ?? []).length, 0);
  assert.deepEqual({ files: files.length, tests: count('tests'), variantTests: count('variantTests') }, EXPECTED);
});

for (const { file, state, tests = [], variantTests = [] } of specifications) {
  test(`Unleash's specification holds for what is imported: ${file}`, () => {
    const { objects, notes } = importUnleash(state);
    assert.deepEqual(
      notes.filter(({ leftOut }) => leftOut),
      [],
    );
    const table = declaredTable(objects);
    for (const one of tests) {
      const value = valueOf(table, one);
      const enabled = isRecord(value) ? value['feature_enabled'] : value;
      assert.equal(enabled, one.expectedResult, one.description);
    }
    for (const one of variantTests) {
      const value = valueOf(table, one);
      // A feature without variants is a boolean, with the matching default variant.
      const variant = isRecord(value) ? value : { name: 'disabled', enabled: false, feature_enabled: value };
      assert.deepEqual(variant, one.expectedResult, one.description);
    }
  });
}

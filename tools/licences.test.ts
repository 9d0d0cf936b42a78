import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { groupByLicence, isAllowed } from './licences.ts';

test('a licence expression is allowed by one alternative and by all parts of it', () => {
  for (const expression of ['MIT', '(MIT OR GPL-3.0-only)', '(Apache-2.0 AND BSD-3-Clause)']) {
    assert.ok(isAllowed(expression), expression);
  }
  for (const expression of ['GPL-3.0-only', '(MIT AND GPL-3.0-only)', 'none', '']) {
    assert.ok(!isAllowed(expression), expression);
  }
});

test('packages at run time are reported by licence, without those of development', () => {
  const groups = groupByLicence({
    '': { version: '1.0.0', license: 'Apache-2.0' },
    'node_modules/a': { version: '1.0.0', license: 'MIT' },
    'node_modules/a/node_modules/@b/c': { version: '2.0.0' },
    'node_modules/d': { version: '3.0.0', license: 'GPL-3.0-only', dev: true },
    'node_modules/e': { version: '3.0.0', license: 'GPL-3.0-only', devOptional: true },
  });
  assert.deepEqual(
    [...groups],
    [
      ['MIT', ['a@1.0.0']],
      ['none', ['@b/c@2.0.0']],
    ],
  );
});

test('everything that runs with Backline has an allowed licence', async () => {
  const { packages } = JSON.parse(await readFile(join(import.meta.dirname, '../package-lock.json'), 'utf8')) as {
    packages: Parameters<typeof groupByLicence>[0];
  };
  const groups = groupByLicence(packages);
  assert.ok(groups.size > 2);
  assert.deepEqual(
    [...groups.keys()].filter((licence) => !isAllowed(licence)),
    [],
  );
});

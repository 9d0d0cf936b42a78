import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommandLine } from '../program.ts';
import { exitOf, tableText } from './sql.ts';
import { fakeIo } from '../testing/fake-io.ts';

test('numbers stand to the right, texts to the left, and a value stays in its line', () => {
  const columns = [
    { name: 'track', type: 'VARCHAR' },
    { name: 'n', type: 'BIGINT' },
    { name: 'share', type: 'DECIMAL(9,2)' },
    { name: 'tags', type: 'VARCHAR[]' },
  ];
  const rows = [
    ['a', 5, 0.5, ['x']],
    ['long\nname', 1234, null, null],
  ];
  assert.equal(
    tableText({ columns, rows }),
    ['track          n   share   tags', 'a              5     0.5   ["x"]', 'long name   1234       -   -'].join('\n'),
  );
});

test('a table without rows shows its columns', () => {
  assert.equal(tableText({ columns: [{ name: 'a', type: 'VARCHAR' }], rows: [] }), 'a');
});

test('rows that are cut off without a limit end with 1 where a program may read them', () => {
  const cases: readonly [options: Parameters<typeof exitOf>[0], truncated: boolean, code: number][] = [
    [{ output: 'csv' }, true, 1],
    [{ output: 'json' }, true, 1],
    [{ output: 'table', file: 'out.txt' }, true, 1],
    [{ output: 'table' }, true, 0],
    [{ output: 'csv', limit: 10 }, true, 0],
    [{ output: 'csv' }, false, 0],
  ];
  for (const [options, truncated, code] of cases) assert.equal(exitOf(options, truncated), code);
});

const WRONG: readonly [args: readonly string[], message: RegExp][] = [
  [['sql'], /one query is needed/],
  [['sql', 'select 1', '-f', 'x.sql'], /one query is needed/],
  [['sql', 'select 1', '-o', 'parquet'], /--file out\.parquet/],
  [['sql', 'select 1', '--limit', '0'], /It must be a whole number from 1 to 5000000/],
];

for (const [args, message] of WRONG) {
  test(`a wrong command line ends with 64 and says what is wrong: ${args.join(' ')}`, async () => {
    const io = fakeIo();
    assert.equal(await runCommandLine(args, io), 64);
    assert.match(io.written.stderr, message);
  });
}

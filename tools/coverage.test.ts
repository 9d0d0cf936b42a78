import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesByFile, roomOf } from './coverage.ts';

test('an LCOV report gives the covered lines of each file', () => {
  const lcov = 'TN:\nSF:src/a.ts\nDA:1,1\nLH:3\nLF:4\nend_of_record\nSF:/root/src/b.ts\nLF:2\nLH:0\nend_of_record\n';
  assert.deepEqual(
    [...linesByFile(lcov, '/root')],
    [
      ['src/a.ts', { covered: 3, all: 4 }],
      ['src/b.ts', { covered: 0, all: 2 }],
    ],
  );
});

test('a room is a folder of the kernel or a domain, or another part as a whole', () => {
  assert.deepEqual(
    ['src/kernel/events/datasets/roll.ts', 'src/domains/products/module.ts', 'src/cli/release/list.ts'].map(roomOf),
    ['src/kernel/events', 'src/domains/products', 'src/cli'],
  );
});

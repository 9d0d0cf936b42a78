import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { fieldsWithoutEffect } from '#kernel/kinds/testing/field-effects.ts';
import { selects } from '../rules/choose-policy.ts';
import { spanAfter } from './freeze-window.ts';
import { Fragile } from '../testing/fragile.ts';
import { Draft } from './draft.ts';
import { Freeze } from './freeze.ts';
import { Stop } from './stop.ts';

const NOW = Temporal.Instant.from('2026-05-01T12:00:00Z');

test('no field of freezes without an effect', async () => {
  const kinds = kindRegistry([Fragile]).all;
  const bases = [
    { timeZone: 'Europe/Stockholm', start: '2026-05-01T22:00', end: '2026-05-02T06:00', reason: 'r', owner: 'o' },
    {
      selector: { kinds: [Fragile.kind], namespaces: ['default'], matchLabels: { team: 'x' } },
      timeZone: 'Europe/Stockholm',
      start: '2026-05-01T22:00',
      rrule: 'FREQ=DAILY',
      duration: 'PT8H',
      reason: 'r',
      owner: 'o',
    },
  ];
  const without = await fieldsWithoutEffect({
    kind: Freeze,
    bases,
    informational: ['reason', 'owner'],
    values: {
      timeZone: ['America/New_York'],
      start: ['2026-05-01T23:00'],
      end: ['2026-05-02T07:00'],
      rrule: ['FREQ=WEEKLY'],
      duration: ['PT4H'],
      'selector.kinds[]': ['Other'],
    },
    observe: (spec) => {
      const freeze = Freeze.spec({ spec });
      const moments = [0, 12, 24, 48].map((hours) => NOW.add({ hours }).epochMilliseconds);
      return [
        Freeze.validate?.(spec, { now: NOW, find: () => [], name: 'a', kinds }),
        moments.map((moment) => spanAfter(freeze, moment)),
        selects(freeze.selector ?? {}, { kind: Fragile, namespace: 'default', labels: { team: 'x' } }),
      ];
    },
  });
  assert.deepEqual(without, []);
});

test('a stop is all in its being there: its one field is the reason', async () => {
  const stop = { kind: Stop, bases: [{ reason: 'r' }], informational: ['reason'], observe: () => 0 };
  assert.deepEqual(await fieldsWithoutEffect(stop), []);
});

test('no field of drafts without an effect', async () => {
  const kinds = kindRegistry([Fragile]).all;
  const object = { apiVersion: Fragile.apiVersion, kind: Fragile.kind, metadata: { name: 'a', namespace: 'default' } };
  const without = await fieldsWithoutEffect({
    kind: Draft,
    bases: [{ title: 't', account: 'acme', objects: [object] }],
    informational: ['title'],
    values: { 'objects[]': [{}] },
    // The stories of drafts hold the effect of their objects.
    observe: (spec) => [
      Draft.indexes?.['account']?.(spec, 'a'),
      Draft.validate?.(spec, { now: NOW, find: () => [], name: 'a', kinds }),
    ],
  });
  assert.deepEqual(without, []);
});

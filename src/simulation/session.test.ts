import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chance, seedOf } from './chance.ts';
import { contextOf, listenerAt } from './listener.ts';
import type { Effect } from './effect.ts';
import { session, skipsAskedFor, withoutSkips, type AppEvent, type ShownFlag } from './session.ts';

const shown: ShownFlag = {
  flag: 'layout',
  variant: 'shelves',
  reason: 'SPLIT',
  rule: '',
  experiment: 'exp',
  assignmentId: 'exp/1/shelves/abc',
  holdout: '',
  specRevision: 'abc',
};

test('a seed makes the same listeners and sessions again, another seed makes others', () => {
  const play = (seed: number) =>
    Array.from({ length: 20 }, (_, number) => {
      const listener = listenerAt(seed, number);
      return [
        contextOf(listener),
        session(listener, { shown: [shown], snapshot: '1' }, [], chance(seedOf(seed, number))),
      ];
    });
  assert.deepEqual(play(1), play(1));
  assert.notDeepEqual(play(1), play(2));
});

test('listeners are spread over plans and markets about as the weights say', () => {
  const listeners = Array.from({ length: 20_000 }, (_, number) => listenerAt(3, number));
  const share = (plan: string) => listeners.filter((listener) => listener.plan === plan).length / listeners.length;
  // Within four standard errors of a share of 0.55, and of 0.06.
  assert.ok(Math.abs(share('free') - 0.55) < 4 * Math.sqrt((0.55 * 0.45) / 20_000), String(share('free')));
  assert.ok(Math.abs(share('student') - 0.06) < 4 * Math.sqrt((0.06 * 0.94) / 20_000), String(share('student')));
});

test('an effect changes what it is on by its factor, for those who see the variant, and nothing else', () => {
  const plays = (effects: readonly Effect[], flags: readonly ShownFlag[]): { plays: number; skips: number } => {
    const total = { plays: 0, skips: 0 };
    for (let number = 0; number < 5_000; number += 1) {
      for (const { type, properties } of session(
        listenerAt(1, number),
        { shown: flags, snapshot: '1' },
        effects,
        chance(number),
      )) {
        if (type !== 'play') continue;
        total.plays += 1;
        if (properties['skipped'] === true) total.skips += 1;
      }
    }
    return total;
  };
  const effects: Effect[] = [{ flag: 'layout', variant: 'shelves', on: 'plays', factor: 1.5 }];
  const base = plays([], [shown]);
  assert.deepEqual(plays(effects, [{ ...shown, variant: 'grid' }]), base, 'another variant');
  const more = plays(effects, [shown]);
  assert.ok(Math.abs(more.plays / base.plays - 1.5) < 0.06, `${more.plays} / ${base.plays}`);
  assert.ok(Math.abs(more.skips / more.plays - base.skips / base.plays) < 0.01);
});

test('everything that a session does lies in order, and only what was shown is exposed', () => {
  for (let number = 0; number < 200; number += 1) {
    const events = session(
      listenerAt(5, number),
      { shown: number % 2 === 0 ? [shown] : [], snapshot: '7', startMs: 1_000 },
      [],
      chance(number),
    );
    assert.deepEqual(
      events.map(({ atMs }) => atMs),
      events.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
    );
    assert.equal(events[0]?.type, 'session');
    assert.equal(events.filter(({ type }) => type === 'exposure').length, number % 2 === 0 ? 1 : 0);
  }
});

test('a skip that is denied plays on, and only listeners without a paid plan have to ask', () => {
  for (let number = 0; number < 200; number += 1) {
    const listener = listenerAt(5, number);
    const events = session(listener, { shown: [], snapshot: '7' }, [], chance(number));
    const asked = skipsAskedFor(listener, events);
    if (listener.plan !== 'free') assert.deepEqual(asked, []);
    const skips = (all: readonly AppEvent[]) => all.filter(({ properties }) => properties['skipped'] === true).length;
    const after = withoutSkips(events, new Set(asked.slice(1)));
    assert.equal(skips(after), skips(events) - Math.max(0, asked.length - 1));
    assert.equal(after.length, events.length);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { allot } from '#kernel/releases/allot.ts';
import { settle, type Candidate } from '#kernel/releases/settle.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { liveKey, LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { compile } from '#domains/experience/decisions/compile.ts';
import { Experiment } from '#domains/experience/kinds/experiment.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { Holdout } from '#domains/experience/kinds/holdout.ts';
import { experienceKinds } from '#domains/experience/module.ts';

const kinds = kindRegistry([...audienceKinds, ...experienceKinds]);
const runs = Number(process.env['EXPERIMENT_RUNS'] ?? 150);

type Spec = Readonly<Record<string, unknown>>;

function live(kind: Kind, name: string, spec: unknown): LiveObject {
  return { kind: kind.id, namespace: 'default', name, labels: {}, spec, revision: contentHash(spec) };
}

const values = (...all: string[]) => all.map((value, index) => ({ name: 'abc'[index], value }));
const weights = (a: number, b: number) => [
  { variant: 'a', weight: a },
  { variant: 'b', weight: b },
];
const ranges = (until: number) => [
  { variant: 'a', ranges: [{ from: 0, until }] },
  { variant: 'b', ranges: [{ from: 0.5, until: 0.5 + until }] },
];
const named = { algorithm: 'growthbook-v2', salt: 's' };

const contexts = Array.from({ length: 60 }, (_, index) => ({
  targetingKey: `u${index}`,
  household: `h${index % 23}`,
  plan: index % 3 === 0 ? 'paid' : 'free',
}));

/** The next declaration: some fields of one object, or of two at once. */
const flagFields = fc.constantFrom<Spec>(
  { unit: ['household'] },
  { unit: undefined },
  { variants: values('A', 'B', 'C') },
  { variants: values('B', 'A', 'C') },
  { default: 'a' },
  { default: 'c' },
  { enabled: false },
  { enabled: true },
);
const experimentFields = fc.constantFrom<Spec>(
  { state: 'running' },
  { state: 'running' },
  { state: 'ended' },
  { state: 'draft' },
  { iteration: 1 },
  { iteration: 2 },
  { iteration: 3, state: 'running' },
  { unit: ['household'] },
  { unit: undefined },
  { split: weights(1, 1) },
  { split: weights(9, 1) },
  { split: ranges(0.1) },
  { split: ranges(0.4) },
  { bucketing: named },
  { bucketing: undefined },
  { traffic: { percent: 50 } },
  { traffic: { percent: 20 } },
  { traffic: { percent: 50, bucketing: named } },
  { traffic: { percent: 50, unit: ['household'] } },
  { traffic: undefined },
  { holdouts: ['rest'] },
  { holdouts: undefined },
  { when: { anyOf: [{ allOf: [{ attribute: 'plan', in: ['free'] }] }] } },
  { when: undefined },
  { allocation: { percent: 30, exclusivityTags: ['x'], exclusiveTo: ['x'] } },
  { allocation: { percent: 60, exclusivityTags: ['x'], exclusiveTo: ['x'] } },
  { allocation: undefined },
);
const change = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant(Flag), name: fc.constantFrom('f', 'g'), fields: flagFields }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant(Experiment),
      name: fc.constantFrom('on-f', 'on-g'),
      fields: experimentFields,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant(Holdout),
      name: fc.constant('rest'),
      fields: fc.constantFrom<Spec>({ percent: 10 }, { percent: 40 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant(Audience),
      name: fc.constantFrom('tuned', 'listening'),
      fields: fc.constantFrom<Spec>(
        { members: { exclude: contexts.slice(0, 30).map(({ targetingKey }) => targetingKey) } },
        { members: undefined },
        { title: 'Another name' },
      ),
    }),
  },
);

/** Declares and brings live what may go live, as the engine does. */
class Installation {
  readonly world = new LiveObjects(kinds, [
    ...['household', 'plan'].map((name) => live(Attribute, name, { type: 'string' })),
    ...['f', 'g'].map((name) =>
      live(Flag, name, { type: 'string', enabled: true, default: 'c', variants: values('A', 'B', 'C') }),
    ),
    live(Audience, 'tuned', { anyOf: [{ allOf: [{ attribute: 'plan', in: ['free', 'paid'] }] }] }),
    // The holdout uses one audience, and with it the audience inside.
    live(Audience, 'listening', { anyOf: [{ allOf: [{ audience: 'tuned' }] }] }),
    live(Holdout, 'rest', { percent: 20, audience: 'listening' }),
    ...['f', 'g'].map((flag) =>
      live(Experiment, `on-${flag}`, { flag, state: 'draft', iteration: 1, split: weights(1, 1) }),
    ),
  ]);

  declare(changes: readonly { readonly kind: Kind; readonly name: string; readonly fields: Spec }[]): number {
    const wanted = new Map<string, LiveObject>();
    for (const { kind, name, fields } of changes) {
      const key = liveKey(kind.id, name);
      const before = (wanted.get(key) ?? this.world.get(kind.id, name))?.spec as Spec;
      const spec = JSON.parse(JSON.stringify({ ...before, ...fields })) as Spec;
      wanted.set(key, live(kind, name, spec));
    }
    const candidates = [...wanted.values()].map((object): Candidate => ({ ...object, wanted: object }));
    const held = settle(this.world, candidates, kinds);
    const { allotted, short } = allot(this.world, candidates, held, kinds);
    const going = [...wanted].filter(([key]) => !held.has(key) && !short.has(key));
    for (const [key, object] of going) this.world.set(allotted.get(key) ?? object);
    return going.length;
  }
}

test('whatever is declared around it, a running experiment moves nobody, keeps its holdout, and shares no unit', () => {
  let [accepted, declared] = [0, 0];
  fc.assert(
    fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 2 }), { maxLength: 14 }), (steps) => {
      const installation = new Installation();
      /** By unit and iteration of each experiment: the value of the variant, or "held out". */
      const had = new Map<string, string>();
      for (const step of [[{ kind: Experiment, name: 'on-f', fields: { state: 'running' } }], ...steps]) {
        declared += step.length;
        accepted += installation.declare(step);
        const { flags } = compile(installation.world);
        for (const context of contexts) {
          const shared: string[] = [];
          for (const [key, flag] of flags) {
            const { experiment, holdout, variant, value } = flag.decide(
              { context, nowMs: 0, random: () => 0, kept: new Map() },
              flags,
            );
            const spec = installation.world.get(Experiment.id, `on-${key}`)?.spec as Spec | undefined;
            if (experiment === undefined && holdout === undefined) continue;
            if (experiment !== undefined && spec?.['allocation'] !== undefined) shared.push(key);
            const who = `on-${key}/${String(spec?.['iteration'])} ${context.targetingKey}`;
            const is = holdout === undefined ? `${variant ?? ''}=${String(value)}` : 'held out';
            assert.equal(had.get(who) ?? is, is, who);
            had.set(who, is);
          }
          assert.ok(shared.length < 2, `${context.targetingKey} is in two exclusive experiments`);
        }
      }
    }),
    { numRuns: runs },
  );
  // A rule that holds everything would pass as well.
  assert.ok(accepted > declared / 3, `${accepted} of ${declared} changes went live`);
});

test('the audience of a holdout does not change while an experiment runs with it, however many audiences are between', () => {
  const installation = new Installation();
  const running = { state: 'running', holdouts: ['rest'] };
  assert.equal(installation.declare([{ kind: Experiment, name: 'on-f', fields: running }]), 1);
  for (const name of ['tuned', 'listening']) {
    const others = { members: { exclude: ['u1', 'u2'] } };
    assert.equal(installation.declare([{ kind: Audience, name, fields: others }]), 0, name);
    assert.equal(installation.declare([{ kind: Audience, name, fields: { title: 'Another name' } }]), 1);
    const beside = { kind: Flag, name: 'g', fields: { default: name === 'tuned' ? 'a' : 'b' } };
    assert.equal(
      installation.declare([beside, { kind: Audience, name, fields: others }]),
      1,
      'and nothing else is held',
    );
  }
  const anew = { kind: Experiment, name: 'on-f', fields: { iteration: 2 } };
  const others = { kind: Audience, name: 'tuned', fields: { members: { exclude: ['u1'] } } };
  assert.equal(installation.declare([others, anew]), 2);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { judgedSpec, misfit } from './judged-spec.ts';
import type { MetricTraits } from './measure-source.ts';

const DENIALS: MetricTraits = {
  called: 'Denials',
  better: 'fewer',
  of: 'events',
  harmlessRate: 0.002,
  isSplit: true,
};
const purchases: MetricTraits = { called: 'Purchases', better: 'more', of: 'events', isSplit: true };
const totals: MetricTraits = { ...purchases, called: 'Time listened', of: 'totals' };
const values: MetricTraits = { ...purchases, called: 'Lag', of: 'values', better: 'fewer' };
const guardrail = (more: Partial<GuardrailSpec>): GuardrailSpec => ({ name: 'g', ...more });

test('each test of a policy is the judge’s, with what the source knows of its numbers', () => {
  const cases: readonly [GuardrailSpec, MetricTraits, object][] = [
    [
      guardrail({ noWorse: { margin: 1.3 } }),
      DENIALS,
      {
        type: 'riskRatio',
        name: 'Denials',
        better: 'fewer',
        margin: 1.3,
        harmlessRate: 0.002,
        splitTolerance: 1,
      },
    ],
    [
      guardrail({ noWorse: { margin: 1.5 } }),
      { ...purchases, harmlessRate: 0.1 },
      { type: 'riskRatio', name: 'Purchases', better: 'more', margin: 1.5, splitTolerance: 1 },
    ],
    [
      guardrail({ noWorse: { margin: 1.5 }, independentEvery: 'PT30M' }),
      purchases,
      {
        type: 'riskRatio',
        name: 'Purchases',
        better: 'more',
        margin: 1.5,
        splitTolerance: 1,
        independentMs: 1_800_000,
      },
    ],
    [guardrail({ burnRate: { objective: 0.999 } }), DENIALS, { type: 'burnRate', name: 'Denials', objective: 0.999 }],
    [
      guardrail({ threshold: { above: 0.1, unitsMin: 50 } }),
      DENIALS,
      { type: 'threshold', name: 'Denials', measure: 'rate', max: 0.1, unitsMin: 50 },
    ],
    [
      guardrail({ threshold: { below: 3, unitsMin: 50 } }),
      totals,
      { type: 'threshold', name: 'Time listened', measure: 'mean', min: 3, unitsMin: 50 },
    ],
    [
      guardrail({ threshold: { above: 3, unitsMin: 100 } }),
      values,
      { type: 'threshold', name: 'Lag', measure: 'value', max: 3, unitsMin: 0 },
    ],
  ];
  for (const [given, measured, wanted] of cases) {
    assert.equal(misfit(given, measured), undefined);
    assert.deepEqual(judgedSpec(given, measured), wanted);
  }
});

test('numbers that a test cannot use are reported in a sentence', () => {
  const cases: readonly [GuardrailSpec, MetricTraits, string][] = [
    [
      guardrail({ noWorse: { margin: 1.5 } }),
      totals,
      'noWorse compares events of units (count, proportion); Time listened needs a threshold',
    ],
    [
      guardrail({ burnRate: { objective: 0.9 } }),
      purchases,
      'a burn rate needs events of units (count, proportion) where fewer are better; Purchases are not',
    ],
  ];
  for (const [given, measured, sentence] of cases) assert.equal(misfit(given, measured), sentence);
});

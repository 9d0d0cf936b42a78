import { createColors } from 'picocolors';
import type { Guardrail, ReleaseObject, ReleaseSpec, ReleaseStatus, Stage } from '../release-object.ts';
import type { View } from '../view.ts';

/** The present time in tests. */
export const NOW_MS = Date.parse('2026-11-22T10:00:00Z');

export function viewOf(width: number, more: Partial<View> = {}): View {
  return { nowMs: NOW_MS, width, colours: createColors(false), timeZone: 'UTC', ...more };
}

export function stage(name: string, percent: number, more: object = {}, part: object = {}): Stage {
  return { name, listeners: { unit: 'household', percent, ...part }, soak: 'PT10M', promote: 'auto', ...more };
}

const side = (revision: string) => ({ revision, generation: 1, namespace: 'default', labels: {} });

/** A release of two objects in three stages, by default in the middle one. */
export function release(
  options: {
    readonly name?: string;
    readonly spec?: Partial<ReleaseSpec>;
    readonly status?: Partial<ReleaseStatus>;
  } = {},
): ReleaseObject {
  return {
    metadata: { name: options.name ?? 'premium-4211', creationTimestamp: '2026-11-22T09:40:00Z' },
    spec: {
      number: 4211,
      authors: ['ann'],
      changeSet: '4211',
      policy: {
        name: 'prices',
        spec: {
          stages: [stage('first', 1), stage('tenth', 10, { deadline: 'PT1H' }, { markets: ['de'] }), stage('half', 50)],
          guardrails: [{ name: 'denials' }],
        },
      },
      objects: [
        { kind: 'products.backline.dev/Plan', name: 'premium', from: side('aaaa'), to: side('bbbb') },
        { kind: 'products.backline.dev/Price', name: 'premium-de', to: side('cccc') },
      ],
      planHash: '3fa812cc90aa17',
      open: true,
      ...options.spec,
    },
    status: {
      phase: 'Progressing',
      message: 'Soaks until 2026-11-22T10:04:05Z.',
      stage: 'tenth',
      share: 10,
      nextAt: '2026-11-22T10:04:05Z',
      standing: {
        state: { at: 'exposing', stage: 1, seenMs: NOW_MS - 355_000, heldMs: 0 },
        approvals: [],
      },
      history: [
        { at: '2026-11-22T09:40:00Z', phase: 'Waiting', by: 'ann', message: 'Just created.' },
        {
          at: '2026-11-22T09:40:01Z',
          phase: 'Progressing',
          by: 'system:releases',
          message: 'first: Going live in this stage.',
        },
        {
          at: '2026-11-22T09:54:00Z',
          phase: 'Progressing',
          by: 'system:releases',
          message: 'tenth: Going live in this stage.',
        },
      ],
      ...options.status,
    },
  };
}

export function ratioGuardrail(more: Partial<Guardrail> = {}): Guardrail {
  return {
    name: 'denials',
    outcome: 'undecided',
    because: 'denials: 1.1 times as often as stable: cannot tell yet; evidence of harm 1.3 of 40, of safety 4.5 of 20.',
    figures: {
      of: 'riskRatio',
      candidate: { units: 1_204, bad: 33 },
      stable: { units: 10_800, bad: 270 },
      ratio: 1.1,
      bounds: { from: 0.71, to: 1.62 },
      harm: { value: 1.3, needed: 40 },
      safety: { value: 4.5, needed: 20 },
    },
    unitsNeeded: { toPass: 2_310, toFail: null },
    ...more,
  };
}

import type { Path } from '#kernel/base/failures.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import type { Kind } from '#kernel/resources/kind.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import type { PolicySpec } from '../kinds/policy-spec.ts';
import { PrometheusSource } from '../kinds/prometheus-source.ts';

/** Kinds of the modules above that a policy names. */
const MARKET = 'products.backline.dev/Market';
export const METRIC = 'events.backline.dev/Metric';

/** Objects that those reach by name which one cohort goes by: more is no audience that people made. */
const RELIED_MAX = 1_000;

/** An object that a policy names, at its path in the spec. What only shadows name holds nothing up. */
export interface PolicyRef {
  readonly path: Path;
  readonly kind: string;
  readonly name: string;
  readonly isShadow: boolean;
}

/** What a policy names: without it, nobody is reached or nothing is judged. */
export function policyRefs({ stages, guardrails }: Pick<PolicySpec, 'stages' | 'guardrails'>): readonly PolicyRef[] {
  return [
    ...stages.flatMap(({ audience, markets = [] }, index): PolicyRef[] => {
      const path = ['spec', 'stages', index];
      return [
        ...(audience === undefined
          ? []
          : [{ path: [...path, 'audience'], kind: Audience.id, name: audience, isShadow: false }]),
        ...markets.map((name, at) => ({ path: [...path, 'markets', at], kind: MARKET, name, isShadow: false })),
      ];
    }),
    ...guardrails.flatMap(({ metric, prometheus, shadow: isShadow = false }, index): PolicyRef[] => {
      const path = ['spec', 'guardrails', index];
      return [
        ...(metric === undefined ? [] : [{ path: [...path, 'metric'], kind: METRIC, name: metric, isShadow }]),
        ...(prometheus === undefined
          ? []
          : [
              { path: [...path, 'prometheus', 'source'], kind: PrometheusSource.id, name: prometheus.source, isShadow },
            ]),
      ];
    }),
  ];
}

/**
 * What decides who is in the cohorts of a policy, and what they are judged by: its audiences with all that these are
 * defined by, and its metrics. While somebody has a release it stays as it is.
 */
export function reliedOn(
  policy: PolicySpec,
  liveOf: (kind: string, name: string) => { readonly kind: Kind; readonly spec: unknown } | undefined,
): readonly LiveKey[] {
  const refs = policyRefs(policy).filter(({ isShadow }) => !isShadow);
  const keys = new Set(refs.filter(({ kind }) => kind === METRIC).map(({ kind, name }) => liveKey(kind, name)));
  const open = refs.filter(({ kind }) => kind === Audience.id).map(({ kind, name }) => ({ kind, name }));
  for (let ref = open.pop(); ref !== undefined && keys.size < RELIED_MAX; ref = open.pop()) {
    const key = liveKey(ref.kind, ref.name);
    if (keys.has(key)) continue;
    keys.add(key);
    const object = liveOf(ref.kind, ref.name);
    for (const { kind, name } of object?.kind.refs?.(object.spec) ?? []) open.push({ kind, name });
  }
  return [...keys].sort();
}

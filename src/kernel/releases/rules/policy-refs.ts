import type { Path } from '#kernel/base/failures.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import type { PolicySpec } from '../kinds/policy-spec.ts';
import type { Targets } from '../kinds/targets.ts';
import { PrometheusSource } from '../kinds/prometheus-source.ts';

/** A kind of a module above that a policy names. */
export const METRIC = 'events.backline.dev/Metric';

/** Objects that the audiences of one cohort may reach; no real audience needs more. */
const RELIED_MAX = 1_000;

/** An object that a policy names, at its path in the spec. References of shadows do not hold a release. */
export interface PolicyRef {
  readonly path: Path;
  readonly kind: string;
  readonly name: string;
  readonly isShadow: boolean;
  /** Whether it decides who gets a change. */
  readonly decides: boolean;
}

/** The references of a policy: without them no stage or no guardrail works. */
export function policyRefs(
  { stages, guardrails }: Pick<PolicySpec, 'stages' | 'guardrails'>,
  targets: Targets,
): readonly PolicyRef[] {
  return [
    ...stages.flatMap((stage, index) =>
      targets.flatMap(({ name: target, refs }): PolicyRef[] => {
        const where = stage[target];
        const named = where === undefined ? [] : (refs?.(where) ?? []);
        return named.map(({ path, ...ref }) => ({
          ...ref,
          path: ['spec', 'stages', index, target, ...path],
          isShadow: false,
        }));
      }),
    ),
    ...guardrails.flatMap(({ metric, prometheus, shadow: isShadow = false }, index): PolicyRef[] => {
      const path = ['spec', 'guardrails', index];
      return [
        ...(metric === undefined
          ? []
          : [{ path: [...path, 'metric'], kind: METRIC, name: metric, isShadow, decides: false }]),
        ...(prometheus === undefined
          ? []
          : [
              {
                path: [...path, 'prometheus', 'source'],
                kind: PrometheusSource.id,
                name: prometheus.source,
                isShadow,
                decides: false,
              },
            ]),
      ];
    }),
  ];
}

/**
 * The dependencies of the cohorts and verdicts of a policy: its audiences with all their references, and its metrics. They cannot
 * change while a cohort has a release.
 */
export function dependenciesOf(
  policy: PolicySpec,
  targets: Targets,
  liveOf: (kind: string, name: string) => { readonly kind: Kind; readonly object: LiveObject } | undefined,
): readonly LiveKey[] {
  const refs = policyRefs(policy, targets).filter(({ isShadow }) => !isShadow);
  const keys = new Set(refs.filter(({ kind }) => kind === METRIC).map(({ kind, name }) => liveKey(kind, name)));
  const open = refs.filter(({ decides }) => decides).map(({ kind, name }) => ({ kind, name }));
  for (let ref = open.pop(); ref !== undefined && keys.size < RELIED_MAX; ref = open.pop()) {
    const key = liveKey(ref.kind, ref.name);
    if (keys.has(key)) continue;
    keys.add(key);
    const live = liveOf(ref.kind, ref.name);
    const refs = live?.kind.refs?.(live.object.spec, live.object.namespace) ?? [];
    for (const { kind, name } of refs) open.push({ kind, name });
  }
  return [...keys].sort();
}

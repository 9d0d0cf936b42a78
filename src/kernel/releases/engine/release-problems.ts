import { fieldPath } from '#kernel/base/failures.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Reader } from '#kernel/store/contract.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { REMAINDERS_MAX, type Remainder } from '../kinds/release-status.ts';
import type { PlannedRelease } from '../kinds/target.ts';
import type { ReleasePart, Targets } from '../kinds/targets.ts';
import { isThere } from '../live.ts';
import { couplingProblem } from '../rules/coupling.ts';
import { policyRefs } from '../rules/policy-refs.ts';
import { findTakenBackChanges } from './find-taken-back.ts';
import type { ChangeView } from './change-view.ts';
import { pinOn } from './guard.ts';
import type { Intents } from './intent.ts';

interface Parts {
  readonly store: Reader;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
}

/** Reasons that block a release entirely, in sentences, and remainders of a rollback. */
export interface ReleasePlan {
  readonly problems: readonly string[];
  readonly remains: readonly Remainder[];
}

export const NOTHING_PLANNED: ReleasePlan = { problems: [], remains: [] };

/** Asks the targets of a release for their plans. */
export async function planRelease(
  { name, spec }: PlannedRelease,
  parts: readonly ReleasePart[],
  intents: Intents,
): Promise<ReleasePlan> {
  const isCoupled = spec.policy !== undefined && spec.rollbackOf === undefined;
  const order = parts.map(({ target }) => target);
  const coupling = isCoupled ? couplingProblem(spec.policy, order) : undefined;
  if (coupling !== undefined) return { problems: [coupling], remains: [] };
  const plans = await Promise.all(
    parts.map(async ({ target, objects }) => {
      const plan = await intents.targetOf(target.name).plan({ name, objects });
      return { target: target.name, ...plan };
    }),
  );
  const remains = plans.flatMap(({ target, actions }) =>
    actions.flatMap(({ kind, name: object, undo, remains: says = '' }): Remainder[] =>
      undo === 'exact' ? [] : [{ target, kind, name: object, undo, says }],
    ),
  );
  const problems = [...(await intents.problems({ name, spec }, [])), ...plans.flatMap((plan) => plan.problems)];
  return { problems, remains: remains.slice(0, REMAINDERS_MAX) };
}

/** References of its stages and guardrails that do not exist: without them no stage or no guardrail works. */
export function missingReferences({ policy }: ReleaseSpec, parts: Parts): readonly string[] {
  if (policy === undefined) return [];
  const { kinds, targets } = parts;
  return policyRefs(policy.spec, targets)
    .filter(({ kind, name, isShadow }) => !isShadow && !isThere(parts, kind, name))
    .map(({ kind, name, path }) => {
      const { released, kind: title } = kinds.byId(kind);
      return `policy ${policy.name}, ${fieldPath(path)}: there is no ${released ? 'live ' : ''}${title} "${name}"`;
    });
}

/** A pin also blocks changes that were declared before it. */
export function pinReasons(
  { objects, rollbackOf }: ReleaseSpec,
  { store, kinds }: Parts,
  now: Temporal.Instant,
): readonly string[] {
  if (rollbackOf !== undefined) return [];
  return objects.flatMap(
    ({ kind, name, to }) => pinOn(store, { kind: kinds.byId(kind), name }, to, now)?.because ?? [],
  );
}

/** Sentences about ended changes that a release brings back. */
export function takenBackReasons(
  { objects, rollbackOf }: ReleaseSpec,
  { store }: Parts,
  view: ChangeView,
): readonly string[] {
  if (rollbackOf !== undefined) return [];
  return objects.flatMap((one) => {
    const changed = view.look(one);
    return findTakenBackChanges(store, changed, one.to, view.trail(changed, one.to));
  });
}

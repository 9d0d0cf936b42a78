import type { Bucket } from '#kernel/quotas/rules/bucket.ts';
import type { Carry } from '#kernel/quotas/rules/contract.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import { factsOn } from '../rules/terms-at.ts';
import { bucketsFor, type MeteredUse } from './buckets-for.ts';
import type { ProductsTable } from './table.ts';

/** Moves per subject: the input of `Quotas.carry` without the key. */
export type UseMoves = Pick<Carry, 'subject' | 'moves'>;

/** Older terms have no open window, except lifetime windows. */
const FORMER_DAYS_MAX = 400;

/**
 * Computes the moves from former plans to the present one. Former plans matter beyond the last, as they may
 * give features that the last did not. Mostly there are none: use is counted under the feature's name. Moves
 * are needed where windows differ (anchor or length) and where the new plan's cap scales; that cap decides
 * how. Use stays where it was when the scope's owner changes.
 */
export function movesToNow(table: ProductsTable, after: SubjectFacts, nowMs: number): readonly UseMoves[] {
  const moves = new Map<string, Carry['moves'][number][]>();
  const known = new Set<string>();
  for (const former of after.formers) {
    if (former.untilMs < nowMs - FORMER_DAYS_MAX * 86_400_000) continue;
    for (const { subject, moves: more } of movesAtChange(table, factsOn(after, former), after, nowMs)) {
      const own = moves.get(subject) ?? [];
      for (const move of more) {
        const name = `${subject} ${counterOf(move.from)} ${counterOf(move.to)}`;
        if (!known.has(name)) own.push(move);
        known.add(name);
      }
      moves.set(subject, own);
    }
  }
  return [...moves].map(([subject, all]) => ({ subject, moves: all }));
}

/** Moves from one plan to another. */
export function movesAtChange(
  table: ProductsTable,
  before: SubjectFacts,
  after: SubjectFacts,
  nowMs: number,
): readonly UseMoves[] {
  const moves = new Map<string, Carry['moves'][number][]>();
  for (const { name, spec } of table.features.values()) {
    if (spec.type !== 'metered') continue;
    const [from, to] = [useOf(table, name, before, nowMs), useOf(table, name, after, nowMs)];
    if (from === undefined || to === undefined || from.scope.subject !== to.scope.subject) continue;
    const onPlanChange = to.cap?.spec.onPlanChange ?? 'carry';
    for (const [source, target] of pairs(from, to)) {
      const { subject } = to.scope;
      moves.set(subject, [...(moves.get(subject) ?? []), { from: source, to: target, onPlanChange }]);
    }
  }
  return [...moves].map(([subject, all]) => ({ subject, moves: all }));
}

function useOf(table: ProductsTable, feature: string, facts: SubjectFacts, nowMs: number): MeteredUse | undefined {
  // Each device keeps its own use; its windows are resolved when it asks.
  const use = bucketsFor(table, { device: '', feature }, facts, nowMs);
  return use.metered && use.scope.kind !== 'device' ? use : undefined;
}

function pairs(from: MeteredUse, to: MeteredUse): readonly (readonly [Bucket, Bucket])[] {
  return (['plan', 'grace'] as const).flatMap((origin) => {
    const of = ({ buckets, origins }: MeteredUse) => buckets.find(({ id }) => origins.get(id)?.from === origin);
    const [source, target] = [of(from), of(to)];
    return source === undefined || target === undefined || counterOf(source) === counterOf(target)
      ? []
      : [[source, target] as const];
  });
}

/** Buckets with equal text share one counter at every moment. */
function counterOf({ id, window: { type, per, weekStart }, anchor }: Bucket): string {
  return JSON.stringify([id, type, per, weekStart, type === 'anchored' ? anchor?.at : '']);
}

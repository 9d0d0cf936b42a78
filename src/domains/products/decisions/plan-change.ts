import type { Bucket } from '#kernel/quotas/rules/bucket.ts';
import type { Carry } from '#kernel/quotas/rules/contract.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import { factsOn } from '../rules/terms-at.ts';
import { bucketsFor, type MeteredUse } from './buckets-for.ts';
import type { ProductsTable } from './table.ts';

/** For each subject whose use moves: what `Quotas.carry` takes, but for the key. */
export type UseMoves = Pick<Carry, 'subject' | 'moves'>;

/** Older terms have no window that is still open, but for those that nobody leaves. */
const FORMER_DAYS_MAX = 400;

/**
 * What has to be carried to what a listener is on now, from all that the listener was on before: the plan that has just
 * changed, and those before it, as they may have given what the last one did not. Mostly nothing: use is counted under the
 * name of the feature. It has to where windows differ (another anchor, another length), and where the new plan's cap
 * scales. The cap of the new plan says how. Use that is counted for others after the change than before stays with them.
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

/** What has to be carried from one plan to another. */
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
  // Devices keep their use by themselves: their windows are looked up when they ask.
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

/** Two buckets of one text are one counter at every moment. */
function counterOf({ id, window: { type, per, weekStart }, anchor }: Bucket): string {
  return JSON.stringify([id, type, per, weekStart, type === 'anchored' ? anchor?.at : '']);
}

import type { Bucket } from '#kernel/quotas/bucket.ts';
import type { Carry } from '#kernel/quotas/contract.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import { bucketsFor, type MeteredUse, type UseQuestion } from './buckets-for.ts';
import type { ProductsTable } from './table.ts';

/** A listener at one side of a change. */
export interface Side {
  readonly question: Omit<UseQuestion, 'feature'>;
  readonly facts: SubjectFacts;
}

/** For each subject whose use moves: what `Quotas.carry` takes, but for the key. */
export type UseMoves = Omit<Carry, 'key'>;

/**
 * What has to be carried when a subscription changes its plan, market or anchor, or ends, or begins. Mostly nothing: use
 * is counted under the name of the feature. It has to where windows differ (another anchor, another length), and where
 * the new plan's cap scales. The cap of the new plan says how. Use that is counted for others after the change than
 * before stays with them.
 */
export function movesAtChange(table: ProductsTable, before: Side, after: Side, nowMs: number): readonly UseMoves[] {
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

function useOf(
  table: ProductsTable,
  feature: string,
  { question, facts }: Side,
  nowMs: number,
): MeteredUse | undefined {
  // Devices keep their use by themselves: their windows are looked up when they ask.
  const use = bucketsFor(table, { ...question, device: question.device ?? '', feature }, facts, nowMs);
  return use.metered && use.scope.kind !== 'device' ? use : undefined;
}

function pairs(from: MeteredUse, to: MeteredUse): readonly (readonly [Bucket, Bucket])[] {
  return (['plan', 'grace'] as const).flatMap((origin) => {
    const of = ({ buckets, origins }: MeteredUse) => buckets.find(({ id }) => origins.get(id)?.from === origin);
    const [source, target] = [of(from), of(to)];
    return source === undefined || target === undefined || isSameCounter(source, target)
      ? []
      : [[source, target] as const];
  });
}

function isSameCounter(a: Bucket, b: Bucket): boolean {
  const counter = ({ id, window: { type, per, weekStart }, anchor }: Bucket) =>
    JSON.stringify([id, type, per, weekStart, type === 'anchored' ? anchor?.at : '']);
  return counter(a) === counter(b);
}

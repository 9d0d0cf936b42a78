import { hash } from 'node:crypto';
import { Type } from 'typebox';
import type { SlotAnswer } from '#kernel/quotas/rules/contract.ts';
import type { DecisionRoute } from '#kernel/snapshots/module.ts';
import type { MeteredUse } from './decisions/buckets-for.ts';
import { decideUse } from './decisions/decide-use.ts';
import { standingOfSlots } from './decisions/describe-usage.ts';
import type { ProductsTable } from './decisions/table.ts';
import { situationIfAny } from './earlier-use.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { subjectsOfUse } from './rules/use-subject.ts';
import { factsOf, instant, requireAtOnce, situationBy, type Desk, type Situation, type Use } from './usage-desk.ts';
import { FEATURE, input, name, SECONDS, usageRoutesOf, WHO } from './usage-route.ts';

const SESSION = { session: name('Your name for the session, like a stream.') };

/** Routes for concurrent use. For server clients, people who may post to the path, and the listener's own devices. */
export function slotRoutes(desk: Desk | undefined): readonly DecisionRoute<ProductsTable>[] {
  const route = usageRoutesOf(desk);
  return [
    route(
      '/v1/acquire',
      {
        summary:
          'Acquires a slot of a concurrent feature, like a stream. A conflict lists the holders, with takeover tokens.',
        input: input({
          ...WHO,
          ...FEATURE,
          ...SESSION,
          holder: name('Name shown to sessions that find no slot, like "Kitchen speaker".'),
          ...SECONDS,
          takeover: Type.Optional(
            Type.String({ maxLength: 2_000, description: 'Takeover token of an earlier conflict: ends that session.' }),
          ),
        }),
        forServers: false,
      },
      async ({ session, holder, seconds, takeover, ...question }, { desk, table, now }) => {
        requireAtOnce(table, question.feature);
        const facts = await factsOf(desk, question.listener);
        const situation = situationBy(table, question, facts, now);
        const { use, base } = situation;
        if (!use.metered) return base;
        const { quota, scope, buckets } = use;
        const token = takeover === undefined ? {} : { takeover };
        const own = sessionOf(question.listener, scope.subject, session);
        const request = { subject: scope.subject, quota, buckets, session: own, holder, ttlMs: seconds * 1_000 };
        return translateSlot(
          table,
          { ...situation, use },
          await desk.quotas.acquire({ ...request, ...token }, desk.signal),
          now,
        );
      },
    ),
    route(
      '/v1/heartbeat',
      {
        summary: 'Renews a slot, or reports that it has ended and which session took it over.',
        input: input({ ...WHO, ...FEATURE, ...SESSION, ...SECONDS }),
        forServers: false,
      },
      async ({ session, seconds, ...question }, { desk, table, now }) => {
        requireAtOnce(table, question.feature);
        const { facts, situation } = await slotSituation(desk, table, question, now);
        if (situation instanceof Refusal || (!situation.use.metered && situation.base.outcome !== 'allow')) {
          await leaveEverywhere(desk, facts, { ...question, session });
          return { outcome: 'ended', feature: question.feature, because: 'not-given' };
        }
        // Use without a limit takes no slots.
        if (!situation.use.metered) return situation.base;
        const { quota, scope } = situation.use;
        const own = sessionOf(question.listener, scope.subject, session);
        const kept = await desk.quotas.heartbeat(
          { subject: scope.subject, quota, session: own, ttlMs: seconds * 1_000 },
          desk.signal,
        );
        return translateSlot(table, { ...situation, use: situation.use }, kept, now);
      },
    ),
    route(
      '/v1/leave',
      { summary: 'Releases a slot.', input: input({ ...WHO, ...FEATURE, ...SESSION }), forServers: false },
      async ({ session, ...question }, { desk, table, now }) => {
        requireAtOnce(table, question.feature);
        const { facts, situation } = await slotSituation(desk, table, question, now);
        const subject =
          situation instanceof Refusal || !situation.use.metered ? undefined : situation.use.scope.subject;
        await leaveEverywhere(desk, facts, { ...question, session }, subject);
        return { outcome: 'left', feature: question.feature, session };
      },
    ),
  ];
}

async function slotSituation(
  desk: Desk,
  table: ProductsTable,
  question: Use,
  now: Temporal.Instant,
): Promise<{ readonly facts: Situation['facts']; readonly situation: Situation | Refusal }> {
  const facts = await factsOf(desk, question.listener);
  return { facts, situation: situationIfAny(() => situationBy(table, question, facts, now)) };
}

/** Releases a session's slot on present and former terms: a listener without terms may still hold one. */
async function leaveEverywhere(
  { quotas }: Desk,
  facts: Situation['facts'],
  { session, feature: quota, ...question }: Use & { readonly session: string },
  subject?: string,
): Promise<void> {
  const before = facts.formers.length > 0 || subject === undefined ? subjectsOfUse(facts, question) : [];
  for (const one of new Set([...(subject === undefined ? [] : [subject]), ...before])) {
    await quotas.leave({ subject: one, quota, session: sessionOf(question.listener, one, session) });
  }
}

/** Length of the listener's mark at the end of a session name: a space and 96 bits. */
const MARK_LENGTH = 17;

/** Session names are per listener: the same name of two household members is two sessions. */
function sessionOf(listener: string, subject: string, session: string): string {
  if (!subject.startsWith('household/')) return session;
  return `${session} ${hash('sha256', listener, 'base64url').slice(0, MARK_LENGTH - 1)}`;
}

function translateSlot(
  table: ProductsTable,
  { base, facts, use }: Situation & { readonly use: MeteredUse },
  result: SlotAnswer,
  now: Temporal.Instant,
): object {
  if (result.outcome === 'ended') {
    const { because, by } = result;
    return { outcome: 'ended', feature: use.feature, because, ...(by === undefined ? {} : { by }) };
  }
  const standing = standingOfSlots(use, result, now.epochMilliseconds);
  const decided = { ...decideUse(table, { base, use }, standing, { amount: 1 }), record: facts.version };
  if (result.outcome === 'granted') return { ...decided, expiresAt: instant(result.expiresAtMs) };
  const isShared = use.scope.subject.startsWith('household/');
  const holders = result.holders.map(({ session, holder, sinceMs, expiresAtMs, takeover }) => ({
    session: isShared ? session.slice(0, -MARK_LENGTH) : session,
    holder,
    since: instant(sinceMs),
    expiresAt: instant(expiresAtMs),
    takeover,
  }));
  return { ...decided, holders };
}

import { Type } from 'typebox';
import { inTurns, type Steps } from '#kernel/base/turns.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import { defineRoute, type AnswerContext, type DecisionRoute } from '#kernel/snapshots/module.ts';
import type { AdFacts } from './ad-facts.ts';
import { moneyOfAdSet } from './decisions/ad-sets.ts';
import type { AdsTable } from './decisions/table.ts';
import { AdSet } from './kinds/ad-set.ts';
import { Advertiser } from './kinds/advertiser.ts';
import { bucketOf } from './money/budget-sources.ts';
import type { AdRecords } from './open-ad-records.ts';
import { LEDGER_ROWS_MAX } from './records/ledger.ts';
import { adRefusal } from './refusals.ts';
import { decimalOf } from './rules/micros.ts';

const text = (description: string) => Type.String({ minLength: 1, maxLength: 320, description });
const money = (description: string) => Type.String({ description });

/** Answers what the ledger of an account has: for the reconciliation with the event log. */
export function ledgerRoute(records: AdRecords | undefined): DecisionRoute<AdsTable> {
  return defineRoute({
    path: '/v1/ads/ledger',
    access: 'insight',
    about: { input: 'account', kind: Advertiser, subresource: 'ledger' },
    summary:
      'Shows the budgets of an account: limits, what is used and reserved, and what events were charged. For users `get` on `advertisers/ledger` of the account is enough.',
    forServers: true,
    isAboutNobody: true,
    input: Type.Object(
      {
        account: text('Live name of the Advertiser: NAMESPACE/NAME.'),
        afterBucket: Type.Optional(text('The next page: `bucket` of the last counter.')),
        afterWindow: Type.Optional(text('The next page: `window` of the last counter.')),
      },
      { additionalProperties: false },
    ),
    answer: Type.Object({
      account: Type.String({ description: 'Live name of the Advertiser.' }),
      at: Type.String({ format: 'date-time', description: 'When it was read; not before.' }),
      counters: Type.Array(
        Type.Object({
          bucket: Type.String({
            description:
              '`adset NAME day`, or with campaign or account, and lifetime. Names of more than 250 characters are hashed.',
          }),
          window: Type.String({ description: '`lifetime`, or the day in the zone of the account.' }),
          limit: Type.Optional(money('The budget; absent: there is none.')),
          used: money('With what is reserved.'),
          reserved: money('In open slices of nodes: what was not charged of it goes back when they are settled.'),
          charged: money('For events. Of a campaign or account without what was charged in open slices.'),
          unlogged: money('Of the lifetime of an ad set: charges that are not in the event log yet, or may come.'),
        }),
        { description: `In the order of bucket and window, at most ${LEDGER_ROWS_MAX}: then there may be more.` },
      ),
      isLast: Type.Boolean({ description: 'Whether no page follows.' }),
    }),
    handle: async ({ account, afterBucket, afterWindow }, { table, now }: AnswerContext<AdsTable, AdFacts>) => {
      if (records === undefined) throw adRefusal('no-records', 'This process has no database.');
      const after = afterBucket === undefined ? undefined : { bucket: afterBucket, window: afterWindow ?? '' };
      const rows = await records.readLedger({ account, after });
      const limits = await inTurns(limitsOf(table, account));
      if (rows.length === 0 && after === undefined && limits === undefined) {
        throw adRefusal('unknown-account', `There is no ledger of the account "${account}".`);
      }
      const counters = rows.map(({ bucket, window, used, reserved, charged, unlogged }) => {
        const limit = limits?.get(bucket);
        return {
          bucket,
          window,
          ...(limit === undefined ? {} : { limit: decimalOf(limit) }),
          used: decimalOf(used),
          reserved: decimalOf(reserved),
          charged: decimalOf(charged),
          unlogged: decimalOf(unlogged),
        };
      });
      return { account, at: now.toString(), counters, isLast: rows.length < LEDGER_ROWS_MAX };
    },
  });
}

/** Limits by bucket; undefined where the account has no ad set. Looks at each of its ad sets, in steps. */
function* limitsOf(table: AdsTable, account: string): Steps<ReadonlyMap<string, number> | undefined> {
  const limits = new Map<string, number>();
  let isKnown = false;
  const { name: own } = readLiveName(Advertiser, account);
  for (const { name } of table.world.find(AdSet.id, 'account', own)) {
    yield;
    const owned = moneyOfAdSet(table, name);
    if (owned?.account !== account) continue;
    isKnown = true;
    for (const { owner, per, limit } of owned.limits) {
      if (limit !== 'unlimited') limits.set(bucketOf({ owner, per }), limit);
    }
  }
  return isKnown ? limits : undefined;
}

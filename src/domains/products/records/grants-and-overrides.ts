import { randomUUID } from 'node:crypto';
import type { Refusal } from '#kernel/base/failures.ts';
import { productRefusal } from '#domains/products/refusals.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { GRANTS_MAX } from '../rules/buckets.ts';
import type { RecordWrite, SubjectStore } from './contract.ts';
import { jsonOf } from './json-of.ts';
import {
  factsOf,
  GRANT,
  grantRecord,
  OVERRIDE,
  overrideRecord,
  type GrantRow,
  type OverrideRow,
} from './read-subjects.ts';
import type { RecordTransaction } from './record-transaction.ts';

type Write = <Result extends object>(
  doing: RecordWrite,
  work: (transaction: RecordTransaction) => Promise<Result>,
) => Promise<Result>;

/** Starts and ends grants and overrides. */
export function grantsAndOverrides(
  write: Write,
): Pick<SubjectStore, 'grant' | 'endGrant' | 'override' | 'endOverride'> {
  return { ...grants(write), ...overrides(write) };
}

function grants(write: Write): Pick<SubjectStore, 'grant' | 'endGrant'> {
  return {
    grant: (listener, doing, wish) =>
      write(doing, async (transaction) => {
        const { query, note, touch } = transaction;
        await touch([listener]);
        const now = await transaction.now();
        const [facts] = await factsOf(transaction, [listener]);
        if (facts === undefined) throw new Error('facts of nobody');
        const { addOn, feature, amount, validUntilMs, anchor, terms, price } = wish(facts, now);
        const isLeft = (until: number | undefined): boolean => until === undefined || until > now.epochMilliseconds;
        const left = facts.grants.filter((grant) => grant.feature === feature && isLeft(grant.validUntilMs));
        if (left.length >= GRANTS_MAX) throw tooManyGrants(listener, feature, left.length);
        const id = randomUUID();
        const until =
          validUntilMs === undefined ? null : Temporal.Instant.fromEpochMilliseconds(validUntilMs).toString();
        await query({
          text: `insert into backline.grants (id, add_on, feature, amount, created_at, valid_from, valid_until,
              anchor_wall, anchor_zone, terms, listener, price)
            values ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9, $10, $11)`,
          values: [
            id,
            addOn,
            feature,
            amount,
            now.toString(),
            until,
            anchor?.wallTime ?? null,
            anchor?.zone ?? null,
            jsonOf(terms),
            listener,
            jsonOf(price),
          ],
        });
        await note([listener], 'granted', { grant: id, addOn, feature, amount });
        return grantRecord((await grantRow(transaction, id)).row);
      }),
    endGrant: (id, until, doing) =>
      write(doing, async (transaction) => {
        const { listener } = await grantRow(transaction, id);
        await transaction.touch([listener]);
        const { row } = await grantRow(transaction, id);
        const now = await transaction.now();
        const end = until ?? now;
        if (Temporal.Instant.compare(end, now) < 0) throw endsBefore(end, now);
        if (row.valid_until !== null && Temporal.Instant.compare(row.valid_until, end) <= 0) return grantRecord(row);
        await transaction.query({
          text: 'update backline.grants set valid_until = $2 where id = $1',
          values: [id, end.toString()],
        });
        const { add_on: addOn, feature } = row;
        await transaction.note([listener], 'grant-ended', { grant: id, addOn, feature, until: end.toString() });
        return grantRecord((await grantRow(transaction, id)).row);
      }),
  };
}

function overrides(write: Write): Pick<SubjectStore, 'override' | 'endOverride'> {
  return {
    override: (listener, doing, wish) =>
      write(doing, async (transaction) => {
        await transaction.touch([listener]);
        const now = await transaction.now();
        const { feature, limit, value, reason, until } = wish(now);
        const id = randomUUID();
        await transaction.query({
          text: `insert into backline.overrides (id, feature, max_units, value, reason, until_at, listener, created_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8)`,
          values: [
            id,
            feature,
            limit === undefined ? null : String(limit),
            jsonOf(value),
            reason,
            until.toString(),
            listener,
            now.toString(),
          ],
        });
        const units = limit === undefined ? {} : { limit: String(limit) };
        const detail = { override: id, feature, ...units, reason, until: until.toString() };
        await transaction.note([listener], 'overridden', detail);
        return overrideRecord((await overrideRow(transaction, id)).row);
      }),
    endOverride: (id, doing) =>
      write(doing, async (transaction) => {
        const { listener } = await overrideRow(transaction, id);
        await transaction.touch([listener]);
        const { row } = await overrideRow(transaction, id);
        const now = await transaction.now();
        if (Temporal.Instant.compare(row.until_at, now) <= 0) return overrideRecord(row);
        await transaction.query({
          text: 'update backline.overrides set until_at = $2 where id = $1',
          values: [id, now.toString()],
        });
        const { feature } = row;
        await transaction.note([listener], 'override-ended', { override: id, feature, until: now.toString() });
        return overrideRecord((await overrideRow(transaction, id)).row);
      }),
  };
}

async function grantRow({ query }: Queryable, id: string): Promise<{ listener: string; row: GrantRow }> {
  const [row] = await query<GrantRow & { listener: string }>({
    text: `select listener, ${GRANT} from backline.grants where id = $1`,
    values: [id],
  });
  if (row === undefined) throw productRefusal('no-grant', `There is no grant "${id}".`);
  return { listener: row.listener, row };
}

async function overrideRow({ query }: Queryable, id: string): Promise<{ listener: string; row: OverrideRow }> {
  const [row] = await query<OverrideRow & { listener: string }>({
    text: `select listener, ${OVERRIDE} from backline.overrides where id = $1`,
    values: [id],
  });
  if (row === undefined) throw productRefusal('no-override', `There is no override "${id}".`);
  return { listener: row.listener, row };
}

function tooManyGrants(listener: string, feature: string, count: number): Refusal {
  const message = `"${listener}" has ${count} grants of ${feature} with units left.`;
  return productRefusal('too-many-grants', message, {
    remedy: `The maximum is ${GRANTS_MAX}: wait until one is used up, or end one.`,
  });
}

function endsBefore(end: Temporal.Instant, now: Temporal.Instant): Refusal {
  const detail = `${end.toString()} is over; it is ${now.toString()}.`;
  return productRefusal('invalid-record', `until: ${detail}`, {
    problems: [{ path: ['until'], reason: 'FieldValueInvalid', detail }],
    remedy: 'Give a future moment, or omit it to end it now.',
  });
}

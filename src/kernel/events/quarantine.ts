import { badContinue } from '#kernel/api/list.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { VirtualList } from '#kernel/api/virtual.ts';
import { requiredValues, selectionOf } from '#kernel/api/selection.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { QuarantinedEvent, type QuarantinedEventSpec } from './kinds/quarantined-event.ts';

const LIMITS = {
  /** Most events of one page, also when the client asks for more. */
  pageMax: 500,
} as const;

/** Prefix of the number of an event in its name. */
export const NAME_PREFIX = 'q-';
const NAME = new RegExp(`^${NAME_PREFIX}(\\d{1,15})$`);

interface Row {
  readonly number: number;
  readonly received_at: Temporal.Instant;
  readonly sent_at: Temporal.Instant | null;
  readonly replayed_at: Temporal.Instant | null;
  readonly type: string;
  readonly id: string;
  readonly client: string;
  readonly format: QuarantinedEventSpec['format'];
  readonly reason: string;
  readonly detail: string;
}

/** Lists the quarantine, newest first. A page of a selection may be short; its token continues where it ended. */
export function quarantinedEvents(database: Database): VirtualList {
  return async (target, query) => {
    const { matches } = selectionOf(QuarantinedEvent, query, target.name);
    const limit = Math.min(query.limit === 0 ? LIMITS.pageMax : query.limit, LIMITS.pageMax);
    const wanted = requiredValues(query.fieldSelector);
    const named = target.name === undefined ? undefined : Number(NAME.exec(target.name)?.[1] ?? 0);
    const rows = await database.query<Row>({
      text: `
        select number, received_at, sent_at, replayed_at, type, id, client, format, reason, detail
        from backline.event_quarantine
        where number < $1 and number >= $2 and ($3::text is null or type = $3) and ($4::text is null or reason = $4)
          and ($5::text is null or client = $5)
        order by number desc limit $6`,
      values: [
        named === undefined ? positionIn(query.continueToken) : named + 1,
        named ?? 0,
        wanted.get('type') ?? null,
        wanted.get('reason') ?? null,
        wanted.get('client') ?? null,
        limit,
      ],
    });
    const last = rows.at(-1);
    const more = named === undefined && rows.length === limit && last !== undefined;
    return {
      version: rows[0]?.number ?? 0,
      entries: rows.map(entryOf).filter(matches),
      continueToken: more ? Buffer.from(String(last.number)).toString('base64url') : undefined,
      remaining: undefined,
    };
  };
}

function positionIn(token: string): number {
  if (token === '') return Number.MAX_SAFE_INTEGER;
  const text = Buffer.from(token, 'base64url').toString();
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badContinue();
}

function entryOf(row: Row): Entry {
  const { type, id, client, format, reason, detail, sent_at: sentAt, replayed_at: replayedAt } = row;
  const spec: QuarantinedEventSpec = {
    type,
    id,
    client,
    format,
    reason,
    detail,
    ...(sentAt === null ? {} : { sentAt: sentAt.toString() }),
    ...(replayedAt === null ? {} : { replayedAt: replayedAt.toString() }),
  };
  return virtualEntry(QuarantinedEvent, `${NAME_PREFIX}${row.number}`, row.received_at, { spec });
}

/** An entry of a list or table for an object that the store does not have. */
export function virtualEntry(kind: Kind, name: string, at: Temporal.Instant, content: object): Entry {
  const metadata = { name, uid: name, creationTimestamp: at.toString({ smallestUnit: 'millisecond' }) };
  return textEntry(kind, { apiVersion: kind.apiVersion, kind: kind.kind, metadata, ...content }, 0);
}

import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { withoutSecrets } from '#kernel/kinds/confidential.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import type { Caller, Declaration, HistoryItem, RevisionContent, Store } from './contract.ts';
import type { StoredEntry } from './entry.ts';
import { type ChangeRow, RowReader } from './load.ts';
import type { TextsAtRest } from './texts-at-rest.ts';

interface HistorySource {
  readonly database: Database;
  readonly texts: TextsAtRest;
}

/**
 * Kept versions of an object, newest first; of confidential kinds without what is secret. At most `limit`, and only
 * while those before have fewer than `bytesMax`: the first one is always there.
 */
export async function readHistory(
  { database, texts }: HistorySource,
  kind: Kind,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  { limit, bytesMax }: { readonly limit: number; readonly bytesMax: number },
): Promise<{ readonly items: readonly HistoryItem[]; readonly isCut: boolean }> {
  const rows = await database.query<Omit<HistoryItem, 'at'> & { at: Temporal.Instant; count: number }>({
    name: 'object-history',
    text: `
      with latest as (
        select version, at, type, author, request_id, octet_length(body) as bytes
        from backline.changes where kind = $1 and namespace = $2 and name = $3
        order by version desc limit $4
      ), sized as (
        select version, at, type, author, request_id, count(*) over ()::integer as count,
          sum(bytes) over (order by version desc) - bytes as earlier
        from latest
      )
      select sized.version, sized.at, sized.type, sized.author as "user", sized.request_id as "requestId",
        changes.body as "text", sized.count
      from sized join backline.changes on changes.version = sized.version
      where sized.earlier < $5
      order by sized.version desc`,
    values: [kind.id, namespace, name, limit, bytesMax],
  });
  const items = rows.map(({ version, at, type, user, requestId, text }) => ({
    version,
    at: at.toString(),
    type,
    user,
    requestId,
    text: kind.confidential === true ? hideSecrets(texts.fromDatabase(kind, namespace, name, text)) : text,
  }));
  return { items, isCut: (rows[0]?.count ?? 0) > rows.length };
}

/** Deletions of one name that are searched for the object of one uid. */
const DELETIONS_MAX = 200;

/** The deletion of an object by its uid, which stands in no column. Not for confidential kinds, whose texts are sealed. */
export async function readDeletion(
  { database }: HistorySource,
  kind: Kind,
  { namespace, name, uid }: { readonly namespace: string; readonly name: string; readonly uid: string },
): Promise<HistoryItem | undefined> {
  const [row] = await database.query<Omit<HistoryItem, 'at'> & { at: Temporal.Instant }>({
    name: 'object-deletion',
    text: `
      select version, at, type, author as "user", request_id as "requestId", body as "text"
      from (
        select version, at, type, author, request_id, body from backline.changes
        where kind = $1 and namespace = $2 and name = $3 and type = 'DELETED'
        order by version desc limit $4
      ) deletions
      where strpos(body, $5) > 0 and body::json #>> '{metadata,uid}' = $6
      order by version desc limit 1`,
    values: [kind.id, namespace, name, DELETIONS_MAX, `"uid":${JSON.stringify(uid)}`, uid],
  });
  return row === undefined ? undefined : { ...row, at: row.at.toString() };
}

/** Kept versions of what was declared under a live name, newest first, and who wrote them. */
export async function readDeclarations(
  { database, texts }: HistorySource,
  kind: Kind,
  live: string,
  { below, limit, except }: Parameters<Store<never>['declarations']>[2],
): Promise<readonly Declaration[]> {
  const { namespace, name } = readLiveName(kind, live);
  const rows = await database.query<{
    version: number;
    write: number;
    type: Declaration['type'];
    namespace: string;
    user: string;
    requestId: string;
    caller: string;
    body: string;
  }>({
    name: namespace === undefined ? 'declarations' : 'declarations-in',
    text: `
      select version, case write when 0 then version else write end as write, type, namespace, author as "user",
        request_id as "requestId", caller, body
      from backline.changes
      where kind = $1 and name = $2 and version < $3 and not (author = $4 and caller = '')
        ${namespace === undefined ? '' : 'and namespace = $6'}
      order by version desc limit $5`,
    values: [kind.id, name, below, except, limit, ...(namespace === undefined ? [] : [namespace])],
  });
  return rows.map(({ user, requestId, caller, body, ...row }) => ({
    ...row,
    author: { user, requestId, ...(caller === '' ? {} : { caller: JSON.parse(caller) as Caller }) },
    text: texts.fromDatabase(kind, row.namespace, name, body),
  }));
}

function hideSecrets(text: string): string {
  const object: ResourceObject = JSON.parse(text);
  return JSON.stringify(withoutSecrets(object));
}

/** Objects of a kind as they were at a version or time. */
export async function readPast(
  { database, texts }: HistorySource,
  kind: Kind,
  at: number | Temporal.Instant,
  { namespace, name }: { readonly namespace?: string | undefined; readonly name?: string | undefined },
): Promise<{ readonly version: number; readonly entries: readonly StoredEntry[] }> {
  const version = typeof at === 'number' ? at : await versionAt(database, at);
  const [kept] = await database.query<{ floor: number; last: number }>(
    'select c.version as floor, w.version as last from backline.compaction c, backline.writer w',
  );
  const { floor = 0, last = 0 } = kept ?? {};
  if (version < floor) throw expiredRefusal(version, floor);
  if (version > last) throw notYet(version, last);
  const rows = await database.query<ChangeRow>({
    name: 'past',
    text: `
      select * from (
        select distinct on (namespace collate "C", name collate "C") version, type, kind, namespace, name, body
        from backline.changes
        where kind = $1 and version <= $2 and ($3::text is null or namespace = $3) and ($4::text is null or name = $4)
        order by namespace collate "C", name collate "C", version desc
      ) latest where type <> 'DELETED'`,
    values: [kind.id, version, namespace ?? null, name ?? null],
  });
  const reader = new RowReader(new Map([[kind.id, kind]]), texts);
  return { version, entries: rows.map((row) => reader.entry(row)).filter((entry) => entry !== undefined) };
}

/** The last version that had been written at a time: the one before the first that was written later. */
async function versionAt(database: Database, at: Temporal.Instant): Promise<number> {
  const [row] = await database.query<{ version: number }>({
    text: `
      select coalesce(
        (select min(version) from backline.changes where at > $1::timestamptz) - 1,
        (select version from backline.writer)) as version`,
    values: [at.toString()],
  });
  return row?.version ?? 0;
}

function expiredRefusal(version: number, floor: number): Refusal {
  return resourceRefusal(
    'expired',
    `The state at version ${version} is no longer kept: history begins at version ${floor}.`,
  );
}

function notYet(version: number, last: number): Refusal {
  return resourceRefusal('bad-query', `Version ${version} has not been written yet: the last is ${last}.`);
}

export async function readRevision(
  database: Database,
  kind: Kind,
  name: string,
  hash: string,
): Promise<RevisionContent | undefined> {
  const [row] = await database.query<{ generation: number; spec: string }>({
    name: 'revision',
    text: 'select generation, spec from backline.revisions where kind = $1 and name = $2 and hash = $3',
    values: [kind.id, name, hash],
  });
  return row === undefined ? undefined : { hash, generation: row.generation, spec: JSON.parse(row.spec) };
}

/** Objects by their last version: the row of the present one is always kept. */
export async function readUntouched(
  { patient }: Database,
  kind: Kind,
  before: Temporal.Instant,
  limit: number,
): Promise<readonly { readonly namespace: string; readonly name: string; readonly version: number }[]> {
  return patient.query<{ namespace: string; name: string; version: number }>({
    text: `
      select namespace, name, version from backline.changes c
      where kind = $1 and at < $2::timestamptz and type <> 'DELETED' and not exists (
        select from backline.changes later
        where later.kind = c.kind and later.namespace = c.namespace and later.name = c.name
          and later.version > c.version)
      order by version limit $3`,
    values: [kind.id, before.toString(), limit],
  });
}

const HOURS_A_DAY = 24;
/** How long superseded versions of transient kinds are kept: longer than any watcher is away. */
const TRANSIENT_HOURS = 24;

/**
 * Drops what was superseded more than `historyDays` ago, and keeps the state as it was at that moment and every change since: the
 * past remains complete from there on.
 */
export async function compactHistory(
  { patient }: Database,
  kinds: readonly Kind[],
  now: Temporal.Instant,
  historyDays: number,
): Promise<{ readonly floor: number; readonly dropped: number }> {
  // First what cannot be had any more, then the rows: a crash in between leaves rows that the next time takes.
  const [row] = await patient.query<{ version: number }>({
    text: `
      update backline.compaction c
      set version = greatest(c.version, coalesce(
        (select version - 1 from backline.changes where at >= $1::timestamptz order by version limit 1),
        (select version from backline.writer)))
      returning version`,
    values: [now.subtract({ hours: historyDays * HOURS_A_DAY }).toString()],
  });
  const floor = row?.version ?? 0;
  const transient = await dropTransient(patient, kinds, now.subtract({ hours: TRANSIENT_HOURS }));
  const [deleted] = await patient.query<{ count: number }>({
    text: `
      with deleted as (
        delete from backline.changes c
        where c.version <= $1 and (c.type = 'DELETED' or exists (
          select from backline.changes later
          where later.kind = c.kind and later.namespace = c.namespace and later.name = c.name
            and later.version > c.version and later.version <= $1))
        returning true
      )
      select count(*) from deleted`,
    values: [floor],
  });
  return { floor, dropped: transient + (deleted?.count ?? 0) };
}

/** Drops superseded versions of kinds that are written all the time. What an object is, and that it went, stays. */
async function dropTransient({ query }: Queryable, kinds: readonly Kind[], before: Temporal.Instant): Promise<number> {
  const [deleted] = await query<{ count: number }>({
    text: `
      with deleted as (
        delete from backline.changes c
        where c.kind = any ($1::text[]) and c.at < $2::timestamptz and c.type <> 'DELETED' and exists (
          select from backline.changes later
          where later.kind = c.kind and later.namespace = c.namespace and later.name = c.name
            and later.version > c.version)
        returning true
      )
      select count(*) from deleted`,
    values: [kinds.filter(({ transient }) => transient === true).map(({ id }) => id), before.toString()],
  });
  return deleted?.count ?? 0;
}

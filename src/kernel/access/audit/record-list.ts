import { badContinue } from '#kernel/api/list.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { VirtualList } from '#kernel/api/virtual.ts';
import { requiredValues, selectionOf } from '#kernel/api/selection.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Caller, Entry, Sealing } from '#kernel/store/contract.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { AuditRecord, type AuditSpec } from '../kinds/audit-record.ts';
import type { AttemptLog } from './attempts.ts';
import { changedFields } from './changed-fields.ts';
import { attemptRows, changeRows, changedTexts, type AttemptRow, type ChangeRow, type RowFilter } from './rows.ts';

const LIMITS = {
  /** Records of one page, also when the client asks for more. */
  pageMax: 500,
  /** Rows read for one page; a short page continues where it ended. */
  scannedMax: 5_000,
  rowsAtOnce: 500,
} as const;

type Row = ChangeRow | AttemptRow;

/** Position in both sources: the next page is below. */
interface Position {
  change: number;
  attempt: number;
}

/** Reads the audit record: changes and attempts as one list, newest first. */
export function auditRecords(parts: {
  readonly database: Database;
  readonly kinds: KindRegistry;
  readonly sealing: Sealing;
  readonly attempts: AttemptLog;
  readonly version: () => number;
}): VirtualList {
  const { database, kinds, sealing, attempts, version } = parts;
  return async (target, query) => {
    // A caller who already has an answer finds the attempt in the list.
    await attempts.flush();
    const { matches } = selectionOf(AuditRecord, query, target.name);
    const filter = filterOf(query.fieldSelector, kinds);
    const position = query.continueToken === '' ? startOf(target.name) : decodePosition(query.continueToken);
    const limit = Math.min(query.limit === 0 ? LIMITS.pageMax : query.limit, LIMITS.pageMax);
    const found: { row: Row; entry: Entry }[] = [];
    let more = true;
    for (let scanned = 0; more && found.length < limit && scanned < LIMITS.scannedMax;) {
      const chunk = await nextRows(database, filter, position);
      more = chunk.more;
      for (const row of chunk.rows) {
        if (found.length === limit) {
          more = true;
          break;
        }
        position[row.source] = row.number;
        scanned += 1;
        const entry = entryOf(row, kinds, []);
        if (matches(entry)) found.push({ row, entry });
      }
      if (target.name !== undefined) more = false;
    }
    const changed = await fieldsOf(found.map(({ row }) => row));
    return {
      version: version(),
      entries: found.map(({ row, entry }) => {
        const fields = row.source === 'change' ? changed.get(row.number) : undefined;
        return fields === undefined ? entry : entryOf(row, kinds, fields);
      }),
      continueToken: more ? encodePosition(position) : undefined,
      remaining: undefined,
    };
  };

  /** Changed fields of each change, by version. */
  async function fieldsOf(rows: readonly Row[]): Promise<ReadonlyMap<number, readonly string[]>> {
    const modified = rows.filter((row) => row.source === 'change' && row.type === 'MODIFIED');
    if (modified.length === 0) return new Map();
    const texts = await changedTexts(
      database,
      modified.map(({ number }) => number),
    );
    return new Map(
      modified.flatMap((row) => {
        const text = texts.get(row.number);
        const kind = kinds.all.find(({ id }) => id === row.kind);
        if (text === undefined || kind === undefined) return [];
        const open = (sealed: string): ResourceObject =>
          JSON.parse(kind.confidential === true ? sealing.open(row, sealed) : sealed);
        return [[row.number, changedFields(open(text.before), open(text.after))]];
      }),
    );
  }
}

/**
 * The next rows of both sources in one order. Ends where a source may have more rows that are newer than the other's
 * next.
 */
async function nextRows(
  database: Database,
  filter: RowFilter,
  from: Position,
): Promise<{ rows: readonly Row[]; more: boolean }> {
  const [changes, attempts] = await Promise.all([
    changeRows(database, filter, from.change, LIMITS.rowsAtOnce),
    attemptRows(database, filter, from.attempt, LIMITS.rowsAtOnce),
  ]);
  const rows: Row[] = [];
  let [nextChange, nextAttempt] = [0, 0];
  for (;;) {
    const change = changes[nextChange];
    const attempt = attempts[nextAttempt];
    const unknown =
      (change === undefined && changes.length === LIMITS.rowsAtOnce) ||
      (attempt === undefined && attempts.length === LIMITS.rowsAtOnce);
    if (unknown) return { rows, more: true };
    if (change === undefined && attempt === undefined) return { rows, more: false };
    if (change !== undefined && (attempt === undefined || Temporal.Instant.compare(change.at, attempt.at) >= 0)) {
      rows.push(change);
      nextChange += 1;
    } else if (attempt !== undefined) {
      rows.push(attempt);
      nextAttempt += 1;
    }
  }
}

/** The part of a field selector that the database can look up. */
function filterOf(fieldSelector: string, kinds: KindRegistry): RowFilter {
  const wanted = requiredValues(fieldSelector);
  const resource = wanted.get('resource')?.split('/')[0];
  const group = wanted.get('group');
  const named = kinds.all.filter(
    (kind) => (resource === undefined || kind.plural === resource) && (group === undefined || kind.group === group),
  );
  return {
    author: wanted.get('user'),
    request_id: wanted.get('requestId'),
    namespace: wanted.get('namespace'),
    name: wanted.get('name'),
    kinds: resource === undefined && group === undefined ? undefined : named.map(({ id }) => id),
  };
}

function entryOf(row: Row, kinds: KindRegistry, changed: readonly string[]): Entry {
  const name = recordName(row);
  const object: ResourceObject = {
    apiVersion: AuditRecord.apiVersion,
    kind: AuditRecord.kind,
    metadata: { name, uid: name, creationTimestamp: row.at.toString({ smallestUnit: 'millisecond' }) },
    spec: specOf(row, kinds, changed),
  };
  return textEntry(AuditRecord, object, row.source === 'change' ? row.number : 0);
}

function specOf(row: Row, kinds: KindRegistry, changed: readonly string[]): AuditSpec {
  const caller = JSON.parse(row.caller) as Partial<Caller>;
  const { groups = [], address = '', userAgent = '', verb = '', mintedBy, annotations } = caller;
  const kind = kinds.all.find(({ id }) => id === row.kind);
  const plural = kind?.plural ?? row.kind;
  const asked = {
    user: row.user,
    groups: [...groups],
    ...(mintedBy === undefined ? {} : { mintedBy: [...mintedBy] }),
    address,
    userAgent,
    requestId: row.requestId,
    group: kind?.group ?? '',
    namespace: row.namespace,
    name: row.name,
    ...(annotations === undefined ? {} : { annotations }),
    changed: [...changed],
  };
  if (row.source === 'attempt') {
    const { part, dryRun, code, reason, times, lastAt } = row;
    const resource = part === '' ? plural : `${plural}/${part}`;
    const again =
      times === 1 || lastAt === null ? {} : { times, lastAt: lastAt.toString({ smallestUnit: 'millisecond' }) };
    return { ...asked, resource, verb, dryRun, code, ...(reason === '' ? {} : { reason }), ...again };
  }
  return {
    ...asked,
    resource: plural,
    verb: verbOf(row, verb),
    dryRun: false,
    code: row.type === 'ADDED' ? 201 : 200,
    version: String(row.number),
  };
}

/** A posted change set creates some objects and changes others: the event decides the verb. */
function verbOf({ type }: ChangeRow, asked: string): string {
  if (asked !== 'create') return asked;
  return { ADDED: 'create', MODIFIED: 'update', DELETED: 'delete' }[type];
}

const NAME = /^(change|attempt)-(\d{1,15})$/;

function recordName({ source, number }: Row): string {
  return `${source}-${number}`;
}

/** A record with a name is the next one of its source after this position. */
function startOf(name: string | undefined): Position {
  const [, source, number] = NAME.exec(name ?? '') ?? [];
  if (name === undefined || source === undefined) {
    return { change: Number.MAX_SAFE_INTEGER, attempt: Number.MAX_SAFE_INTEGER };
  }
  return { change: 0, attempt: 0, [source]: Number(number) + 1 };
}

function encodePosition({ change, attempt }: Position): string {
  return Buffer.from(JSON.stringify([change, attempt])).toString('base64url');
}

function decodePosition(token: string): Position {
  const [, change, attempt] = /^\[(\d{1,16}),(\d{1,16})\]$/.exec(Buffer.from(token, 'base64url').toString()) ?? [];
  if (change !== undefined && attempt !== undefined) return { change: Number(change), attempt: Number(attempt) };
  throw badContinue();
}

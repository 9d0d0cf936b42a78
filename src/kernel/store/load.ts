import { internText } from '#kernel/base/intern.ts';
import type { Log } from '#kernel/base/log.ts';
import { inTurns } from '#kernel/base/turns.ts';
import { copiedRows } from '#kernel/postgres/copy-rows.ts';
import type { Database, Queryable, Transaction } from '#kernel/postgres/database.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Change } from './contract.ts';
import { type StoredChange, StoredEntry } from './entry.ts';
import { Memory } from './memory.ts';
import type { TextsAtRest } from './texts-at-rest.ts';
import type { WindowLimits } from './watch-window.ts';

/** The kinds that a store has, by id. Of others nothing is read. */
export type KnownKinds = ReadonlyMap<string, Kind>;

/** A version of an object as the database has it. */
export interface ChangeRow {
  readonly version: number;
  readonly type: Change['type'];
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly body: string | Buffer;
}

/**
 * Reads the declared objects and the latest changes, so that watchers of before a restart can go on. It is the state of one
 * moment, also while others write. Objects are made of the bytes that the database sends, as they come.
 */
export async function loadMemory(
  database: Database,
  options: {
    readonly kinds: KnownKinds;
    readonly limits: WindowLimits;
    readonly texts: TextsAtRest;
    readonly log: Log | undefined;
  },
): Promise<Memory> {
  const { kinds, limits, texts, log } = options;
  const reader = new RowReader(kinds, texts);
  const { memory, changes } = await database.patient.transaction(async (connection) => {
    await connection.query('set transaction isolation level repeatable read, read only');
    const [writer] = await connection.query<{ version: number }>('select version from backline.writer');
    const version = writer?.version ?? 0;
    await warnOfUnknownKinds(connection, [...kinds.values()], log);
    const floor = await windowFloor(connection, version, limits);
    const loaded = new Memory({ kinds: [...kinds.values()], version, floor, limits });
    /** Versions that are both what there is and a change of the window. */
    const shown = new Map<number, StoredEntry>();
    for (const select of [currentStates('='), currentStates('<>')]) {
      for await (const rows of changeRows(connection, select)) {
        for (const row of rows) {
          const entry = reader.entry(row);
          if (entry === undefined) continue;
          loaded.begin(entry);
          if (row.version > floor) shown.set(row.version, entry);
        }
      }
    }
    return { memory: loaded, changes: await windowOf(connection, floor, reader, shown) };
  });
  await inTurns(memory.appendChanges(changes));
  return memory;
}

/** The changes above the floor, each joined to the state that it found. */
async function windowOf(
  connection: Transaction,
  floor: number,
  reader: RowReader,
  shown: ReadonlyMap<number, StoredEntry>,
): Promise<readonly StoredChange[]> {
  const states = new Map<string, StoredEntry | undefined>();
  for await (const rows of changeRows(connection, statesBefore(floor))) {
    for (const row of rows) states.set(objectOf(row), reader.entry(row));
  }
  const changes: StoredChange[] = [];
  for await (const rows of changeRows(connection, changesAbove(floor))) {
    for (const row of rows) {
      const entry = shown.get(row.version) ?? reader.entry(row);
      if (entry === undefined) continue;
      const key = objectOf(row);
      changes.push({ version: row.version, type: row.type, entry, before: states.get(key) });
      states.set(key, row.type === 'DELETED' ? undefined : entry);
    }
  }
  return changes;
}

/** The objects of one kind, with the version at which they were so. */
export async function loadKind(
  database: Database,
  kind: Kind,
): Promise<{ readonly version: number; readonly rows: readonly ChangeRow[] }> {
  return database.patient.transaction(async (connection) => {
    await connection.query('set transaction isolation level repeatable read, read only');
    const [writer] = await connection.query<{ version: number }>('select version from backline.writer');
    const rows = await connection.query<ChangeRow>({
      text: `
        select c.version, c.type, c.kind, c.namespace, c.name, c.body
        from backline.objects o join backline.changes c on c.version = o.version where o.kind = $1`,
      values: [kind.id],
    });
    return { version: writer?.version ?? 0, rows };
  });
}

/** Makes entries of rows, and none for kinds that this program does not have. */
export class RowReader {
  readonly #kinds: KnownKinds;
  readonly #texts: TextsAtRest;

  constructor(kinds: KnownKinds, texts: TextsAtRest) {
    this.#texts = texts;
    this.#kinds = kinds;
  }

  entry({ kind: kindId, namespace, name, version, body }: ChangeRow): StoredEntry | undefined {
    const kind = this.#kinds.get(kindId);
    if (kind === undefined) return undefined;
    const text = kind.confidential === true ? this.#texts.fromDatabase(kind, namespace, name, body.toString()) : body;
    return new StoredEntry({ kind, namespace, name, version }, text);
  }
}

function objectOf(row: ChangeRow): string {
  return `${row.kind}\0${row.namespace}\0${row.name}`;
}

/** @param select version, type, kind, namespace, name and body; the body of a row is valid until the next rows come */
async function* changeRows(connection: Transaction, select: string): AsyncIterable<readonly ChangeRow[]> {
  let type = '';
  let kind = '';
  let namespace = '';
  for await (const copied of copiedRows(connection.copyOut(`copy (${select}) to stdout (format binary)`))) {
    const rows: ChangeRow[] = [];
    while (copied.next()) {
      const version = copied.integer();
      type = internText(copied.text(type));
      kind = copied.text(kind);
      namespace = copied.text(namespace);
      rows.push({
        version,
        type: type as ChangeRow['type'],
        kind,
        namespace,
        name: copied.text(),
        body: copied.bytes(),
      });
    }
    yield rows;
  }
}

async function warnOfUnknownKinds(connection: Queryable, kinds: readonly Kind[], log: Log | undefined): Promise<void> {
  const unknown = await connection.query<{ kind: string; count: number }>({
    text: 'select kind, count(*) from backline.objects where kind <> all ($1::text[]) group by kind order by kind',
    values: [kinds.map((kind) => kind.id)],
  });
  for (const { kind, count } of unknown) {
    log?.warn(`store: ${count} objects of the unknown kind ${kind} are kept`);
  }
}

/** The version above which all changes fit the limits and are still in the database. */
async function windowFloor(connection: Queryable, version: number, limits: WindowLimits): Promise<number> {
  const [row] = await connection.query<{ oldest: number | null }>({
    text: `
      select (
        select min(version) from (
          select version, sum(length) over (order by version desc) as size
          from (
            select version, octet_length(body) as length
            from backline.changes where version > c.version
            order by version desc limit $1
          ) latest
        ) sized where size <= $2
      ) as oldest
      from backline.compaction c`,
    values: [limits.changes, limits.characters],
  });
  return row === undefined || row.oldest === null ? version : row.oldest - 1;
}

/** A change whose object was read as the current state comes without its body. */
function changesAbove(floor: number): string {
  return `
    select c.version, c.type, c.kind, c.namespace, c.name, case when o.version is null then c.body end
    from backline.changes c left join backline.objects o
      on o.kind = c.kind and o.namespace = c.namespace and o.name = c.name and o.version = c.version
    where c.version > ${floor} order by c.version`;
}

/** Of every object that changed above the floor: its state at the floor. */
function statesBefore(floor: number): string {
  return `
    select b.version, b.type, b.kind, b.namespace, b.name, b.body
    from (select distinct kind, namespace, name from backline.changes where version > ${floor}) o
    cross join lateral (
      select version, type, kind, namespace, name, body
      from backline.changes c
      where c.kind = o.kind and c.namespace = o.namespace and c.name = o.name and c.version <= ${floor}
      order by c.version desc limit 1
    ) b
    where b.type <> 'DELETED'`;
}

/** Heads first: objects share with them what both have. */
function currentStates(isHead: '=' | '<>'): string {
  return `
    select c.version, c.type, c.kind, c.namespace, c.name, c.body
    from backline.objects o join backline.changes c on c.version = o.version
    where o.kind ${isHead} '${Head.id}'`;
}

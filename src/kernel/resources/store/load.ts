import type { Database, Queryable } from '#kernel/postgres/database.ts';
import type { Log } from '#kernel/base/log.ts';
import { inTurns, type Steps } from '#kernel/base/turns.ts';
import type { Kind } from '../kind.ts';
import type { Change } from '../store-contract.ts';
import { type StoredChange, StoredEntry } from './entry.ts';
import { Memory } from './memory.ts';
import type { TextsAtRest } from './texts-at-rest.ts';
import type { WindowLimits } from './watch-window.ts';

/** The kinds that a store has, by id. Of others nothing is read. */
export type KnownKinds = ReadonlyMap<string, Kind>;

export interface ChangeRow {
  readonly version: number;
  readonly type: Change['type'];
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly body: string;
}

/**
 * Reads the declared objects and the latest changes, so that watchers of before a restart can go on: the state of one
 * moment, whoever writes meanwhile.
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
  const rows = await database.patient.transaction(async (connection) => {
    await connection.query('set transaction isolation level repeatable read, read only');
    const [writer] = await connection.query<{ version: number }>('select version from backline.writer');
    const version = writer?.version ?? 0;
    await warnOfUnknownKinds(connection, [...kinds.values()], log);
    const floor = await windowFloor(connection, version, limits);
    return {
      version,
      floor,
      changed: await changesAbove(connection, floor),
      before: await statesBefore(connection, floor),
      current: await currentStates(connection),
    };
  });
  return inTurns(memoryOf(rows, new RowReader(kinds, texts), { kinds, limits }));
}

/** Reading a hundred thousand objects takes seconds, in which other things go on. */
function* memoryOf(
  rows: { version: number; floor: number } & Readonly<Record<'changed' | 'before' | 'current', readonly ChangeRow[]>>,
  reader: RowReader,
  { kinds, limits }: { readonly kinds: KnownKinds; readonly limits: WindowLimits },
): Steps<Memory> {
  const { version, floor, changed, before, current } = rows;
  const memory = new Memory({ kinds: [...kinds.values()], version, floor, limits });
  for (const row of current) {
    const entry = reader.entry(row);
    if (entry !== undefined) memory.begin(entry);
    yield;
  }
  yield* memory.begun(yield* reader.changes(changed, before));
  return memory;
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

/** Makes entries of rows, one for each version, and none for kinds that this program does not have. */
export class RowReader {
  readonly #kinds: KnownKinds;
  readonly #texts: TextsAtRest;
  readonly #entries = new Map<number, StoredEntry>();

  constructor(kinds: KnownKinds, texts: TextsAtRest) {
    this.#texts = texts;
    this.#kinds = kinds;
  }

  entry(row: ChangeRow): StoredEntry | undefined {
    const kind = this.#kinds.get(row.kind);
    if (kind === undefined) return undefined;
    let entry = this.#entries.get(row.version);
    if (entry === undefined) {
      const text = this.#texts.fromDatabase(kind, row.namespace, row.name, row.body);
      const { namespace, name, version } = row;
      entry = new StoredEntry({ kind, namespace, name, version }, text);
      this.#entries.set(row.version, entry);
    }
    return entry;
  }

  /** Joins each change to the state that it found. */
  *changes(rows: readonly ChangeRow[], before: readonly ChangeRow[]): Steps<StoredChange[]> {
    const states = new Map<string, StoredEntry | undefined>();
    for (const row of before) {
      states.set(objectOf(row), this.entry(row));
      yield;
    }
    const changes: StoredChange[] = [];
    for (const row of rows) {
      yield;
      const entry = this.entry(row);
      if (entry === undefined) continue;
      changes.push({ version: row.version, type: row.type, entry, before: states.get(objectOf(row)) });
      states.set(objectOf(row), row.type === 'DELETED' ? undefined : entry);
    }
    return changes;
  }
}

function objectOf(row: ChangeRow): string {
  return `${row.kind}\0${row.namespace}\0${row.name}`;
}

async function warnOfUnknownKinds(connection: Queryable, kinds: readonly Kind[], log: Log | undefined): Promise<void> {
  const unknown = await connection.query<{ kind: string; count: number }>({
    text: 'select kind, count(*) from backline.objects where kind <> all ($1::text[]) group by kind order by kind',
    values: [kinds.map((kind) => kind.id)],
  });
  for (const { kind, count } of unknown) {
    log?.warn(
      `The database holds ${count} objects of the kind ${kind}, which this program does not know. They are kept.`,
    );
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

function changesAbove(connection: Queryable, floor: number): Promise<ChangeRow[]> {
  return connection.query<ChangeRow>({
    text: `
      select version, type, kind, namespace, name, body
      from backline.changes where version > $1 order by version`,
    values: [floor],
  });
}

/** Of every object that changed above the floor: its state at the floor. */
function statesBefore(connection: Queryable, floor: number): Promise<ChangeRow[]> {
  return connection.query<ChangeRow>({
    text: `
      select b.version, b.type, b.kind, b.namespace, b.name, b.body
      from (select distinct kind, namespace, name from backline.changes where version > $1) o
      cross join lateral (
        select version, type, kind, namespace, name, body
        from backline.changes c
        where c.kind = o.kind and c.namespace = o.namespace and c.name = o.name and c.version <= $1
        order by c.version desc limit 1
      ) b
      where b.type <> 'DELETED'`,
    values: [floor],
  });
}

function currentStates(connection: Queryable): Promise<ChangeRow[]> {
  return connection.query<ChangeRow>(`
    select c.version, c.type, c.kind, c.namespace, c.name, c.body
    from backline.objects o join backline.changes c on c.version = o.version`);
}

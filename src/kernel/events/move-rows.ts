import { repeat } from '#kernel/base/repeat.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { writeOwnEvents, type OwnEventParts } from './write-own-events.ts';

interface MoveParts extends OwnEventParts {
  readonly database: Database;
}

/** Rows of a table that become events of the program's own. */
interface EventRows<Row> {
  readonly everyMs: number;
  /** Rows of one batch. */
  readonly rowsMax: number;
  /** Reads up to `rowsMax` rows that are not in the event log, `for update skip locked`. */
  readonly read: (query: Queryable['query']) => Promise<readonly Row[]>;
  readonly eventOf: (row: Row) => object;
  /** Marks or drops rows that are in the event log now. */
  readonly mark: (query: Queryable['query'], rows: readonly Row[]) => Promise<unknown>;
  /** Where that fails; it is tried again. */
  readonly onFailure: (error: unknown) => void;
}

/** Moves rows into the event log, at least once each; the ids of their events remove duplicates. Any number of processes may run it. */
export function moveRows<Row>(parts: MoveParts, rows: EventRows<Row>): { readonly close: () => Promise<void> } {
  const run = async (): Promise<void> => {
    while ((await moveSome(parts, rows)) === rows.rowsMax);
  };
  return { close: repeat(rows.everyMs, run, rows.onFailure) };
}

/** Gives how many. */
export function moveSome<Row>(
  { database, write, table, clock }: MoveParts,
  { read, eventOf, mark }: Pick<EventRows<Row>, 'read' | 'eventOf' | 'mark'>,
): Promise<number> {
  return database.transaction(async ({ query }) => {
    const rows = await read(query);
    if (rows.length === 0) return 0;
    await writeOwnEvents({ write, table, clock }, rows.map(eventOf));
    await mark(query, rows);
    return rows.length;
  });
}

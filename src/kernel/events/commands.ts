import type { Clock } from '#kernel/base/clock.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { VirtualKind, VirtualList } from '#kernel/api/virtual.ts';
import { selectionOf } from '#kernel/api/selection.ts';
import type { Kind, KindOf, ResourceObject } from '#kernel/kinds/kind.ts';
import { virtualEntry } from './quarantine.ts';

/** Commands that a list shows, newest first. */
const SHOWN_MAX = 500;

/** Carries out a posted command and records it. */
export function command<Spec>(
  kind: KindOf<Spec, unknown>,
  parts: { readonly database: Database; readonly clock: Clock },
  work: {
    readonly carryOut: (spec: Spec, user: string) => Promise<object>;
    /** The part of the spec that is recorded. */
    readonly specOf: (spec: Spec) => object;
  },
): VirtualKind {
  return async (object: ResourceObject, { user, dryRun }) => {
    const { apiVersion, metadata } = object;
    if (dryRun) return { apiVersion, kind: kind.kind, metadata, spec: object.spec };
    const spec = kind.spec(object);
    const status = await work.carryOut(spec, user.name);
    const [row] = await parts.database.query<{ number: number }>({
      text: `
        insert into backline.event_commands (kind, at, author, spec, status) values ($1, $2::timestamptz, $3, $4, $5)
        returning number`,
      values: [
        kind.kind,
        parts.clock().toString(),
        user.name,
        JSON.stringify(work.specOf(spec)),
        JSON.stringify(status),
      ],
    });
    const name = nameOf(kind, row?.number ?? 0);
    return { apiVersion, kind: kind.kind, metadata: { ...metadata, name }, spec: work.specOf(spec), status };
  };
}

/** Lists the commands of a kind that were carried out, newest first. */
export function commandList(kind: Kind, database: Database): VirtualList {
  return async (target, query) => {
    const { matches } = selectionOf(kind, query, target.name);
    const rows = await database.query<{ number: number; at: Temporal.Instant; spec: string; status: string }>({
      text: `
        select number, at, spec, status from backline.event_commands where kind = $1 order by number desc limit $2`,
      values: [kind.kind, SHOWN_MAX],
    });
    const entries = rows.map(({ number, at, spec, status }) =>
      virtualEntry(kind, nameOf(kind, number), at, { spec: JSON.parse(spec), status: JSON.parse(status) }),
    );
    return {
      version: rows[0]?.number ?? 0,
      entries: entries.filter(matches),
      continueToken: undefined,
      remaining: undefined,
    };
  };
}

function nameOf(kind: Kind, number: number): string {
  return `${kind.singular}-${number}`;
}

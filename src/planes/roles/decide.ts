import { EVENTS, type EventTable } from '#kernel/events/event-table.ts';
import type { LogWriter } from '#kernel/events/log-writer.ts';
import { decisionApi } from '#kernel/snapshots/decision-api.ts';
import { snapshotStream } from '#kernel/snapshots/stream.ts';
import type { Witness } from '#kernel/snapshots/witness.ts';
import { followedKinds } from '../parts/catalogue.ts';
import type { DatabaseParts } from '../parts/database-parts.ts';
import type { FollowingNode } from '../parts/node.ts';
import { releaseWitness, SILENT_WITNESS } from '../parts/release-witness.ts';
import type { RoleParts, SharedParts } from '../parts/shared.ts';

/** Answers decisions, and streams snapshots to applications that decide by themselves. */
export async function startDecide(
  shared: SharedParts,
  node: FollowingNode,
  /** Where exposures of releases are counted; undefined without a database. */
  counted: { readonly kept: DatabaseParts; readonly write: LogWriter['write'] } | undefined,
): Promise<RoleParts> {
  const { follower, gate } = node;
  const witness = counted === undefined ? SILENT_WITNESS : await openWitness(shared, node, counted);
  const kinds = followedKinds(shared.modules);
  return {
    routes: [
      snapshotStream({ follower, gate, kinds }),
      ...decisionApi(node.modules, { follower, clock: shared.clock, gate, witness, ownNames: shared.ownNames }),
    ],
    checks: [],
  };
}

function openWitness(
  { lifetime, clock, log, registry }: SharedParts,
  { follower }: FollowingNode,
  { kept: { database, records }, write }: { readonly kept: DatabaseParts; readonly write: LogWriter['write'] },
): Promise<Witness> {
  const table = () => follower.snapshot().tables.get(EVENTS) as EventTable;
  return lifetime.open(
    'witness',
    () => releaseWitness({ database, write, table, cellOf: records.cellOf, clock, log, registry }),
    (witness) => witness.close(),
  );
}

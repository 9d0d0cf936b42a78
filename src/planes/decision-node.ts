import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import type { ReadinessCheck } from '#kernel/http/health.ts';
import { counter, gauge } from '#kernel/http/metrics.ts';
import type { PathAttributes, User } from '#kernel/resources/api/authority.ts';
import type { ResourceClient } from '#kernel/resources/client/contract.ts';
import type { KindRegistry } from '#kernel/resources/registry.ts';
import { clientsModule, type ClientTable } from '#kernel/snapshots/client-table.ts';
import { decisionApi, type DecisionApi } from '#kernel/snapshots/decision-api.ts';
import { followHeads, type Follower } from '#kernel/snapshots/follow.ts';
import { decisionGate, type Gate, type RecordRead } from '#kernel/snapshots/gate.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { SNAPSHOT_STREAM, snapshotStream } from '#kernel/snapshots/stream.ts';
import type { Witness } from '#kernel/snapshots/witness.ts';

/** What follows the live state in one process, and who may ask it. */
export interface DecisionNode {
  readonly follower: Follower;
  readonly gate: Gate;
  /** Answers questions. */
  readonly answer: DecisionApi;
  readonly check: ReadinessCheck;
}

export function startDecisionNode(options: {
  readonly client: ResourceClient;
  readonly kinds: KindRegistry;
  readonly modules: readonly DecisionModule<unknown>[];
  /** Ids of kinds that server applications may follow. */
  readonly followed: ReadonlySet<string>;
  readonly userOf: (exchange: Exchange) => Promise<User | undefined>;
  readonly authorize: (user: User, wanted: PathAttributes) => void;
  readonly keepRead: (read: RecordRead) => Promise<void>;
  readonly witness: Witness;
  readonly clock: Clock;
  readonly log: Log;
  readonly registry: Registry;
}): DecisionNode {
  const { modules, clock, registry, userOf, authorize, keepRead, witness } = options;
  const broken = counter(
    registry,
    'backline_release_worlds_broken_total',
    'What releases show to their cohorts and what could not be compiled: answered as for everybody.',
  );
  const follower = followHeads({ ...options, worldBroken: () => broken.inc() });
  const gate = decisionGate({
    table: () => follower.snapshot().tables.get(clientsModule.name) as ClientTable,
    clock,
    userOf,
    authorize,
    keepRead,
  });
  const decide = decisionApi(modules, follower, clock, gate, witness);
  const stream = snapshotStream({ follower, gate, kinds: options.followed });
  gauge(registry, 'backline_snapshot_version', 'The version that decisions are answered from.', () =>
    Number(follower.current()?.version ?? 0),
  );
  gauge(
    registry,
    'backline_snapshot_left_out_objects',
    'Live objects that are answered as they were before, as their newest change does not compile: see the log.',
    follower.leftOut,
  );
  gauge(
    registry,
    'backline_snapshot_age_seconds',
    'How long ago the snapshot was last known to be current.',
    () => follower.ageMs() / 1000,
  );
  return {
    follower,
    gate,
    answer: (exchange) => (exchange.path === SNAPSHOT_STREAM.path ? stream(exchange) : decide(exchange)),
    check: { name: 'snapshot', problem: follower.problem },
  };
}

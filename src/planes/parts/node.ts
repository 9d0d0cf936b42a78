import { counter, gauge } from '#kernel/http/metrics.ts';
import type { ReadinessCheck } from '#kernel/http/health.ts';
import { clientsModule, type ClientTable } from '#kernel/snapshots/client-table.ts';
import { followHeads, type Follower } from '#kernel/snapshots/follow.ts';
import { decisionGate, type Gate } from '#kernel/snapshots/gate.ts';
import type { HeadSource } from '#kernel/snapshots/head-state.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import { OpenAnswers } from '#kernel/snapshots/open-answers.ts';
import type { UserOf } from './callers.ts';
import { decisionModules } from './catalogue.ts';
import type { Records } from './records.ts';
import type { SharedParts } from './shared.ts';

/** Follows the live state in one process, and admits its callers: applications and senders of events. */
export interface FollowingNode {
  readonly modules: readonly DecisionModule<unknown>[];
  readonly follower: Follower;
  readonly gate: Gate;
  readonly checks: readonly ReadinessCheck[];
}

export async function startNode(
  shared: SharedParts,
  parts: {
    readonly source: HeadSource;
    /** Undefined without a database. */
    readonly records: Records | undefined;
    readonly userOf: UserOf;
    readonly authorize: Parameters<typeof decisionGate>[0]['authorize'];
  },
): Promise<FollowingNode> {
  const { lifetime, kinds, openAnswers = new OpenAnswers(), clock, log, registry } = shared;
  const { source, records, userOf, authorize } = parts;
  const modules = decisionModules(shared.modules, { records: records?.ofModules, random: Math.random, log });
  const broken = counter(
    registry,
    'backline_release_worlds_broken_total',
    'What releases show to their cohorts and what could not be compiled: answered as for everybody.',
  );
  const follower = await lifetime.open(
    'snapshots',
    () => followHeads({ source, kinds, modules, log, onBrokenWorld: () => broken.inc() }),
    (following) => following.stop(),
  );
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
  const gate = decisionGate({
    table: () => follower.snapshot().tables.get(clientsModule.name) as ClientTable,
    clock,
    userOf,
    authorize,
    // A node without a database has no records.
    keepRead: (read) => records?.keepRead(read) ?? Promise.resolve(),
    openAnswers,
  });
  const checks: readonly ReadinessCheck[] = [
    { name: 'snapshot', problem: follower.problem },
    // Answers from memory go on, so requests may come.
    { name: 'control-plane', problem: () => contactProblem(follower.ageMs()), isWarning: true },
  ];
  return { modules, follower, gate, checks };
}

function contactProblem(ageMs: number): string | undefined {
  if (ageMs === 0) return undefined;
  const seconds = Math.round(ageMs / 1_000);
  return `not heard of for ${seconds} s: answers are of that time, and changes since are unknown; ads stop after a minute`;
}

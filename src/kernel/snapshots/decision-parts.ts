import type { Clock } from '#kernel/base/clock.ts';
import type { FactSources } from './facts.ts';
import type { Follower } from './follow.ts';
import type { Gate } from './gate.ts';
import type { Witness } from './witness.ts';

/** The parts that answer questions. */
export interface DecisionParts {
  readonly follower: Follower;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly witness: Witness;
  /** Names of this server, for links back to it. */
  readonly ownNames: ReadonlySet<string>;
  /** Between the modules that are asked. */
  readonly facts: FactSources;
}

import type { Clock } from '#kernel/base/clock.ts';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Requeue, Watch } from './controller.ts';
import type { Informer } from './informer.ts';

/** The parts that controllers of a module get, in the process that leads them. */
export interface ControllerParts {
  readonly client: ResourceClient;
  /** Follows a kind; stopped with the controllers. */
  readonly inform: (kind: Kind) => Informer;
  readonly clock: Clock;
}

/** See `runController`. */
export interface ModuleController {
  readonly name: string;
  readonly watches: readonly Watch[];
  readonly reconcile: (key: string) => Promise<Requeue | void>;
}

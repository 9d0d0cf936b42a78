import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { ResourceClient, SelectOptions } from '#kernel/api/client/contract.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Requeue, Watch } from './controller.ts';
import type { Informer } from './informer.ts';

/** The parts that controllers of a module get, in the process that leads them. */
export interface ControllerParts {
  readonly client: ResourceClient;
  readonly log: Log;
  /** Absent where the configuration lets no declared object run a program on this machine. */
  readonly localRuntime: LocalRuntime | undefined;
  /** Follows a kind, or a selection of its objects; stopped with the controllers. */
  readonly inform: (kind: Kind, selected?: SelectOptions) => Informer;
  readonly clock: Clock;
}

/** The permission to run programs that objects name, in folders below one. */
export interface LocalRuntime {
  readonly directory: string;
  /** Runs when the process stops in order; not when another process leads. */
  readonly beforeStop: (stop: () => Promise<void>) => void;
}

/** See `runController`. */
export interface ModuleController {
  readonly name: string;
  readonly watches: readonly Watch[];
  readonly reconcile: (key: string) => Promise<Requeue | void>;
  /** Begins to bring keys from elsewhere; returns how to end that. */
  readonly begin?: (add: (key: string) => void) => () => void | Promise<void>;
}

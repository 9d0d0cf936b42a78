import { kubernetesTime, type Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { RefusedHost, type OutboundError } from '#kernel/outbound/outbound.ts';
import type { Author, Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { PrometheusSource, type ReachableCondition } from '../../kinds/prometheus-source.ts';

const AUTHOR: Author = { user: 'system:releases', requestId: 'prometheus' };

/** Receives the result of a request to a source: undefined where it was answered. */
export type NoteRequest = (source: string, failure: OutboundError | undefined) => void;

type Found = Pick<ReachableCondition, 'status' | 'reason' | 'message'>;

/** Updates the condition Reachable of each PrometheusSource after requests. */
export function noteReachable(parts: {
  readonly store: Pick<Store<Operation>, 'get' | 'write'>;
  readonly clock: Clock;
  readonly log: Log;
}): NoteRequest {
  const { store, clock, log } = parts;
  /** The last condition written here: concurrent requests write it once. */
  const noted = new Map<string, string>();
  return (source, failure) => {
    const object = store.get(PrometheusSource, '', source)?.object();
    if (object === undefined) return void noted.delete(source);
    const found = reachable(failure);
    const text = JSON.stringify(found);
    const [before] = PrometheusSource.status(object)?.conditions ?? [];
    if (noted.get(source) === text || (before !== undefined && isSame(before, found))) return;
    noted.set(source, text);
    const since = before?.status === found.status ? before.lastTransitionTime : kubernetesTime(clock());
    const condition: ReachableCondition = { type: 'Reachable', ...found, lastTransitionTime: since };
    store.write([statusOf(source, condition)], AUTHOR).catch((error: unknown) => {
      noted.delete(source);
      log.warn({ err: error, source }, 'prometheus: cannot write the condition of a source');
    });
  };
}

/** The condition of a source after a request. */
function reachable(failure: OutboundError | undefined): Found {
  if (failure === undefined) return { status: 'True', reason: 'Answered', message: 'It answered the last query.' };
  const reason = failure instanceof RefusedHost ? 'HostRefused' : 'NoAnswer';
  const message = `${failure.message.slice(0, 1).toUpperCase()}${failure.message.slice(1)}.`;
  return { status: 'False', reason, message };
}

function isSame(before: Found, found: Found): boolean {
  return before.status === found.status && before.reason === found.reason && before.message === found.message;
}

function statusOf(name: string, condition: ReachableCondition): Operation {
  return {
    verb: 'patch',
    kind: PrometheusSource.id,
    namespace: '',
    name,
    part: 'status',
    patchType: 'merge',
    patch: { status: { conditions: [condition] } },
    fieldValidation: 'Ignore',
  };
}

import { kubernetesTime, type Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { Log } from '#kernel/base/log.ts';
import { Event } from '#kernel/kinds/builtin/event.ts';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';

interface Happening {
  readonly type: 'Normal' | 'Warning';
  /** One word for programs. */
  readonly reason: string;
  /** A sentence for people. */
  readonly message: string;
}

/** Records an event of an object. Never fails: an event that cannot be recorded is logged. */
export type RecordEvent = (object: ResourceObject, happening: Happening) => Promise<void>;

/** Events of objects without a namespace stand here, as in Kubernetes. */
const NAMESPACE_OF_THE_REST = 'default';
/** Characters of a name of 253 that remain beside a dot and the digest. */
const NAME_CHARACTERS_MAX = 236;

/** Records events of a component; the same event about the same object is counted, not repeated. */
export function eventRecorder(options: {
  readonly client: ResourceClient;
  readonly component: string;
  readonly clock: Clock;
  readonly log: Log;
}): RecordEvent {
  const { client, component, clock, log } = options;
  return async (object, happening) => {
    const { apiVersion, kind, metadata } = object;
    const { name, namespace, uid, resourceVersion } = metadata;
    const about = { apiVersion, kind, name, namespace, uid, resourceVersion };
    const now = kubernetesTime(clock());
    const event = newEvent(about, component, happening, now);
    const at = { namespace: event.metadata.namespace, name: event.metadata.name };
    try {
      const before = await client.get(Event, at);
      if (before === undefined) await client.create(Event, event);
      else await client.mergePatch(Event, at, { count: Number(before['count'] ?? 1) + 1, lastTimestamp: now });
    } catch (error) {
      if (!(error instanceof Refusal))
        log.warn({ error: String(error), ...happening }, 'event recorder: event dropped');
      else log.debug({ error: error.message, ...happening }, 'event recorder: event dropped');
    }
  };
}

/** The object of an event. */
interface InvolvedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** An event that happened for the first time. Its name follows from its content: every process counts in the same one. */
export function newEvent(
  about: InvolvedObject,
  component: string,
  happening: Happening,
  now: string,
): ResourceObject & { readonly metadata: { readonly namespace: string } } {
  const { kind, name, namespace = NAMESPACE_OF_THE_REST, uid = '' } = about;
  const { type, reason, message } = happening;
  const digest = contentHash([kind, name, uid, component, type, reason, message]).slice(0, 16);
  return {
    apiVersion: Event.apiVersion,
    kind: Event.kind,
    metadata: { namespace, name: `${name.slice(0, NAME_CHARACTERS_MAX)}.${digest}` },
    involvedObject: { ...about },
    ...happening,
    source: { component },
    reportingComponent: component,
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
}

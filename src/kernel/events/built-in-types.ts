import { eventRefusal } from './refusals.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { Admission } from '#kernel/store/rules/write.ts';
import { CELLS } from '#kernel/statistics/cells.ts';
import { DATASET, EVENT_TYPE, RELEASE_EXPOSURE } from './kinds/identity.ts';
import { sqlNameOf } from './kinds/sql-name.ts';

/** A node sends one exposure of a listener, release and track in this time. Exposures of several nodes in one window are one event. */
export const EXPOSURE_WINDOW_MS = 60_000;

const releaseExposure = {
  title: 'Release exposure',
  owner: 'backline',
  purpose: 'Evidence for releases: compares the events of listeners on the candidate with those on stable.',
  subject: 'required',
  schema: {
    properties: {
      release: { type: 'string', maxLength: 253, description: 'Name of the Release.' },
      releaseRevision: { type: 'string', maxLength: 64, description: 'Content hash of everything that it carries.' },
      track: {
        type: 'string',
        enum: ['candidate', 'stable'],
        description: 'candidate: the listener was shown the change.',
      },
      cell: {
        type: 'integer',
        minimum: 0,
        maximum: CELLS - 1,
        description: 'The cell of the unit within the release; absent in events from before cells existed.',
      },
    },
    required: ['release', 'releaseRevision', 'track'],
  },
  retention: 'P90D',
  identity: ['subject', 'release', 'releaseRevision', 'track'],
  within: `PT${EXPOSURE_WINDOW_MS / 60_000}M`,
};

/** An event type of the program itself: always live, never declared, and sent by no one else. */
export interface OwnEventType {
  readonly name: string;
  readonly spec: object;
}

/** The program's own event types, of the kernel and of modules. */
export function ownTypes(more: readonly OwnEventType[] = []): readonly LiveObject[] {
  return [{ name: RELEASE_EXPOSURE, spec: releaseExposure }, ...more].map(({ name, spec }) => ({
    kind: EVENT_TYPE,
    namespace: SYSTEM_NAMESPACE,
    name,
    labels: {},
    spec,
    revision: contentHash(spec),
  }));
}

/** Refuses EventTypes and Datasets whose SQL name is that of one of the program's own types. */
export function ownTypesGuard(own: readonly LiveObject[]): Admission {
  const names = new Set(own.map(({ name }) => sqlNameOf(name)));
  return {
    mayAsk: () => {},
    mayStore: ({ kind, object: { metadata } }) => {
      if ((kind.id !== EVENT_TYPE && kind.id !== DATASET) || !names.has(sqlNameOf(metadata.name))) return;
      throw eventRefusal('own-type', `The table "${sqlNameOf(metadata.name)}" of SQL belongs to the system.`, {
        subject: metadata.name,
      });
    },
  };
}

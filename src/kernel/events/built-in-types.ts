import { eventRefusal } from './refusals.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import type { Admission } from '#kernel/store/rules/write.ts';
import { CELLS } from '#kernel/statistics/cells.ts';
import { DATASET, EVENT_TYPE, RELEASE_EXPOSURE } from './kinds/identity.ts';
import { sqlNameOf } from './kinds/sql-name.ts';

/** A node tells of one listener, release and track once in this time; several nodes that do are told apart by it. */
export const EXPOSURE_WINDOW_MS = 60_000;

const releaseExposure = {
  title: 'Somebody saw what a release compares',
  owner: 'backline',
  purpose: 'What those did who saw what a release carries, beside those who did not: by that it is judged.',
  subject: 'required',
  schema: {
    properties: {
      release: { type: 'string', maxLength: 253, description: 'Name of the Release.' },
      releaseRevision: { type: 'string', maxLength: 64, description: 'Content hash of everything that it carries.' },
      track: { type: 'string', enum: ['candidate', 'stable'], description: 'candidate: the listener saw it.' },
      cell: {
        type: 'integer',
        minimum: 0,
        maximum: CELLS - 1,
        description: 'Which of the cells of the units of the release; absent in events of before there were cells.',
      },
    },
    required: ['release', 'releaseRevision', 'track'],
  },
  retention: 'P90D',
  identity: ['subject', 'release', 'releaseRevision', 'track'],
  within: `PT${EXPOSURE_WINDOW_MS / 60_000}M`,
};

/** A type of events that the program itself writes: it is always there, nobody declares it, and nobody else sends it. */
export interface OwnEventType {
  readonly name: string;
  readonly spec: object;
}

/** The program's own types: those of the kernel and of modules. */
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

/** What is live, with the program's own event types in place of any of the same name. */
export function withOwnTypes(world: World, own: readonly LiveObject[]): World {
  const isOwn = (name: string) => own.some((type) => type.name === name);
  return {
    get: (kind, name) =>
      (kind === EVENT_TYPE ? own.find((type) => type.name === name) : undefined) ?? world.get(kind, name),
    list: (kind) =>
      kind === EVENT_TYPE ? [...[...world.list(kind)].filter(({ name }) => !isOwn(name)), ...own] : world.list(kind),
    find: world.find,
  };
}

/** Refuses to declare what is called in SQL as one of the program's own types is. */
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

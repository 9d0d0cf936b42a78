import { contentHash } from '#kernel/base/ids.ts';
import { SYSTEM_NAMESPACE } from '#kernel/resources/deletion.ts';
import type { LiveObject, World } from '#kernel/resources/kind.ts';
import { CELLS } from '#kernel/statistics/cells.ts';
import { EVENT_TYPE, RELEASE_EXPOSURE } from './kinds/identity.ts';

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

export const builtInTypes: readonly LiveObject[] = [
  {
    kind: EVENT_TYPE,
    namespace: SYSTEM_NAMESPACE,
    name: RELEASE_EXPOSURE,
    labels: {},
    spec: releaseExposure,
    revision: contentHash(releaseExposure),
  },
];

/** What is live, with the event types that are always there. */
export function withBuiltInTypes(world: World): World {
  return {
    get: (kind, name) => world.get(kind, name) ?? builtInTypes.find((type) => type.kind === kind && type.name === name),
    list: (kind) => (kind === EVENT_TYPE ? [...world.list(kind), ...builtInTypes] : world.list(kind)),
    find: world.find,
  };
}

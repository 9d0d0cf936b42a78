import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';

const LIMITS = { lines: 10_000, text: 1_000 } as const;

/** Posted below an Instance: answers with the logs of its replicas. Not stored. */
export const InstanceLog = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'InstanceLog',
  plural: 'instancelogs',
  scope: 'Namespaced',
  description:
    'The last lines that the replicas of a Component wrote in a Cluster, on standard output and standard error.',
  spec: Type.Object(
    {
      revision: Type.Optional(
        Type.String({ pattern: '^[0-9a-f]{1,40}$', description: 'First digits of a revision; absent: all that run.' }),
      ),
      text: Type.Optional(
        Type.String({ minLength: 1, maxLength: LIMITS.text, description: 'Only lines that contain it.' }),
      ),
      lines: Type.Integer({
        minimum: 1,
        maximum: LIMITS.lines,
        default: 100,
        description: 'Lines of each replica at most: the last ones.',
      }),
    },
    { description: 'Which lines.' },
  ),
  status: Type.Object(
    {
      replicas: Type.Array(
        Type.Object({
          replica: Type.String({ description: 'Revision and number of the replica.' }),
          lines: Type.Array(Type.String(), { description: 'The lines, the oldest first.' }),
        }),
        { description: 'One entry for each replica.' },
      ),
    },
    { description: 'The lines.' },
  ),
  verbs: ['create'],
});

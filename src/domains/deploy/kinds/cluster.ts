import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { shortNameProblems } from '../rules/short-name.ts';
import { GROUP, VERSION } from './identity.ts';

const PORT_MAX = 65_535;
const PRIVILEGED_PORTS = 1_023;

const ClusterSpecSchema = Type.Object(
  {
    local: Type.Object(
      {
        port: Type.Optional(
          Type.Integer({
            minimum: PRIVILEGED_PORTS + 1,
            maximum: PORT_MAX,
            description: 'Port of its proxy; absent: any, see its status.',
          }),
        ),
      },
      { description: 'Child processes of the machine that the server runs on, behind a proxy.' },
    ),
  },
  {
    description:
      'A place where Components run. Stages of releases select clusters by their labels, like region and ring.',
  },
);

export type ClusterSpec = Static<typeof ClusterSpecSchema>;

const ClusterStatusSchema = Type.Object(
  {
    state: Type.Enum(['ready', 'unreachable'], { description: 'Whether it was reached at the last look.' }),
    seenAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it was last reached.' })),
    address: Type.Optional(Type.String({ description: 'Where its Components take requests, by their hosts.' })),
    message: Type.Optional(Type.String({ description: 'Why it is not reached.' })),
  },
  { description: 'The state of the cluster.' },
);

export type ClusterStatus = Static<typeof ClusterStatusSchema>;

export const Cluster = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Cluster',
  plural: 'clusters',
  categories: ['deploy'],
  scope: 'Cluster',
  description: 'A cluster runs Components.',
  spec: ClusterSpecSchema,
  status: ClusterStatusSchema,
  writtenBy: 'administrators',
  validate: (_, { name }) => shortNameProblems(name),
  columns: [
    { name: 'State', type: 'string', description: 'Whether it is reached.', value: ({ status }) => status?.state },
    { name: 'Address', type: 'string', description: 'Where requests go.', value: ({ status }) => status?.address },
    { name: 'Seen', type: 'date', description: 'When it was last reached.', value: ({ status }) => status?.seenAt },
  ],
  example: { name: 'stockholm', spec: { local: { port: 8101 } } },
});

import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';
import { InstanceLog } from './instance-log.ts';

const InstanceStatusSchema = Type.Object(
  {
    state: Type.Enum(['healthy', 'progressing', 'failed'], {
      description: 'healthy: what is wanted runs, and all of it is ready.',
    }),
    message: Type.Optional(Type.String({ description: 'Why it is not healthy.' })),
    observed: Type.String({ description: 'Revisions that run, with their parts of the requests and their replicas.' }),
    tracks: Type.Array(
      Type.Object({
        revision: Type.String({ description: 'The revision.' }),
        weight: Type.Integer({ description: 'Per cent of the requests.' }),
        replicas: Type.Integer({ description: 'Replicas that should run.' }),
        ready: Type.Integer({ description: 'Replicas that are ready.' }),
        restarts: Type.Integer({ description: 'Starts after a failure.' }),
        message: Type.Optional(Type.String({ description: 'Last failure of a replica that is not ready.' })),
      }),
      { description: 'One entry for each revision that runs.' },
    ),
  },
  { description: 'As the cluster was last observed.' },
);

export type InstanceStatus = Static<typeof InstanceStatusSchema>;

export const Instance = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Instance',
  plural: 'instances',
  categories: ['deploy'],
  scope: 'Namespaced',
  description: 'A Component in one Cluster, as it runs there. Written by the program; named COMPONENT.CLUSTER.',
  spec: Type.Object(
    {
      component: Type.String({ description: 'Name of the Component.' }),
      cluster: Type.String({ description: 'Name of the Cluster.' }),
    },
    { description: 'Which Component, and where.' },
  ),
  status: InstanceStatusSchema,
  writtenBy: 'administrators',
  subresources: { log: InstanceLog },
  columns: [
    { name: 'Component', type: 'string', description: 'Its Component.', value: ({ spec }) => spec.component },
    { name: 'Cluster', type: 'string', description: 'Its Cluster.', value: ({ spec }) => spec.cluster },
    { name: 'State', type: 'string', description: 'Its state.', value: ({ status }) => status?.state },
    {
      name: 'Runs',
      type: 'string',
      description: 'Revisions and their weights.',
      value: ({ status }) => status?.observed,
    },
    {
      name: 'Message',
      type: 'string',
      description: 'Why it is not healthy.',
      priority: 1,
      value: ({ status }) => status?.message,
    },
  ],
  selectableFields: { 'spec.component': ['spec', 'component'], 'spec.cluster': ['spec', 'cluster'] },
  example: { name: 'player-api.stockholm', spec: { component: 'player-api', cluster: 'stockholm' } },
});

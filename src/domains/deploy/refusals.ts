import { defineRefusals, type CodesOf } from '#kernel/base/refusals.ts';

export const deployRefusal = defineRefusals('deploy', {
  'unknown-instance': {
    reason: 'NotFound',
    meaning: 'No Component runs in this Cluster under this name.',
    remedy: 'Use the name of an Instance: kubectl get instances -A.',
  },
  'cluster-unreachable': {
    reason: 'ServiceUnavailable',
    meaning: 'The Cluster is not reached from this server.',
    remedy: 'Look at the message of the Cluster: kubectl get clusters -o yaml.',
  },
});

declare module '#kernel/base/failures.ts' {
  interface RefusalCodes extends CodesOf<typeof deployRefusal> {}
}

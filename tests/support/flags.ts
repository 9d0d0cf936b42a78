/** Objects about flags, for tests: `flag('night', { … })` with what matters, the rest as simple as can be. */
const NAMESPACE = 'default';

function object(group: string, kind: string, name: string, spec: object): object {
  return { apiVersion: `${group}/v1`, kind, metadata: { name, namespace: NAMESPACE }, spec };
}

export function attribute(name: string, spec: object): object {
  return object('audiences.backline.dev', 'Attribute', name, spec);
}

export function audience(name: string, ...conditions: object[]): object {
  return object('audiences.backline.dev', 'Audience', name, { anyOf: [{ allOf: conditions }] });
}

export function flag(name: string, spec: object = {}): object {
  return object('experience.backline.dev', 'Flag', name, {
    type: 'string',
    variants: [
      { name: 'a', value: 'A' },
      { name: 'b', value: 'B' },
    ],
    default: 'a',
    ...spec,
  });
}

export function experiment(name: string, flagName: string, spec: object = {}): object {
  return object('experience.backline.dev', 'Experiment', name, {
    flag: flagName,
    state: 'running',
    split: [
      { variant: 'a', weight: 50 },
      { variant: 'b', weight: 50 },
    ],
    ...spec,
  });
}

export function holdout(name: string, percent: number, spec: object = {}): object {
  return object('experience.backline.dev', 'Holdout', name, { percent, ...spec });
}

export function changeSet(...objects: object[]): object {
  return { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: { name: 'test' }, spec: { objects } };
}

export const CHANGE_SETS = '/apis/releases.backline.dev/v1/changesets';

/** A condition of one group, as `when`. */
export function when(...conditions: object[]): object {
  return { anyOf: [{ allOf: conditions }] };
}

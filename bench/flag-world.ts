import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { experienceKinds } from '#domains/experience/module.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';

export const COUNTRIES = ['se', 'no', 'dk', 'fi', 'is', 'de'];

function live(kind: Kind, name: string, spec: unknown): LiveObject {
  return { kind: kind.id, namespace: 'default', name, labels: {}, spec, revision: contentHash(spec) };
}

/** Some flags, each with one rule: recent apps in six countries are split in halves. */
export function flagWorld(count: number): LiveObjects {
  const spec = {
    type: 'boolean',
    enabled: true,
    variants: [
      { name: 'on', value: true },
      { name: 'off', value: false },
    ],
    default: 'off',
    rules: [
      {
        name: 'recent',
        when: {
          anyOf: [
            {
              allOf: [
                { attribute: 'country', in: COUNTRIES },
                { attribute: 'appVersion', semver: '>=8.9.0' },
              ],
            },
          ],
        },
        split: [
          { variant: 'on', weight: 50 },
          { variant: 'off', weight: 50 },
        ],
      },
    ],
  };
  return new LiveObjects(kindRegistry([...audienceKinds, ...experienceKinds]), [
    live(Attribute, 'country', { type: 'string' }),
    live(Attribute, 'app-version', { name: 'appVersion', type: 'semver' }),
    ...Array.from({ length: count }, (_, index) => live(Flag, `flag-${index}`, spec)),
  ]);
}

/** Contexts of listeners, for flags that split. */
export function contexts(count: number): { targetingKey: string; country: string; appVersion: string }[] {
  return Array.from({ length: count }, (_, index) => ({
    targetingKey: `listener-${index * 7919}`,
    country: COUNTRIES[index % COUNTRIES.length] ?? 'se',
    appVersion: `8.${9 + (index % 3)}.${index % 5}`,
  }));
}

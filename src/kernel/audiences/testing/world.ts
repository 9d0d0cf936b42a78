import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { attributeObjectName, type AttributeDeclaration } from '../language/attributes.ts';
import { audienceKinds } from '../kinds.ts';
import { Attribute } from '../kinds/attribute.ts';
import { Audience, type AudienceSpec } from '../kinds/audience.ts';

export const kinds = kindRegistry(audienceKinds);

export function live(kind: Kind, name: string, spec: unknown): LiveObject {
  return { kind: kind.id, namespace: 'default', name, labels: {}, spec, revision: JSON.stringify(spec) };
}

export function liveAttribute(attribute: AttributeDeclaration): LiveObject {
  return live(Attribute, attributeObjectName(attribute.name), attribute);
}

/** A world of these attributes and audiences. */
export function worldOf(
  attributes: readonly AttributeDeclaration[],
  audiences: ReadonlyMap<string, AudienceSpec> = new Map(),
): LiveObjects {
  return new LiveObjects(kinds, [
    ...attributes.map(liveAttribute),
    ...[...audiences].map(([name, spec]) => live(Audience, name, spec)),
  ]);
}

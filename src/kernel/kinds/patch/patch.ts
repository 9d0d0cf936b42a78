import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Kind } from '../kind.ts';
import { refuseTooDeep } from '../schema/depth.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

export type PatchType = 'json' | 'merge' | 'strategic';

const TYPE_OF_MEDIA: ReadonlyMap<string, PatchType> = new Map([
  ['application/json-patch+json', 'json'],
  ['application/merge-patch+json', 'merge'],
  ['application/strategic-merge-patch+json', 'strategic'],
]);

/** The content types of server-side apply: their body is an object, and no patch of one. */
const APPLY_MEDIA: readonly string[] = ['application/apply-patch+yaml', 'application/apply-patch+cbor'];

export function isServerSideApply(contentType: string | undefined): boolean {
  return APPLY_MEDIA.includes(mediaOf(contentType));
}

function mediaOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** The form of a patch from its content type. As in Kubernetes, strategic merge patches are for built-in kinds only. */
export function patchTypeOf(contentType: string | undefined, kind: Kind, part: string = 'main'): PatchType {
  const media = mediaOf(contentType);
  const type = TYPE_OF_MEDIA.get(media);
  if (type !== undefined && (type !== 'strategic' || isBuiltIn(kind))) return type;
  throw resourceRefusal(
    'unsupported-patch-type',
    `the body of the request was in an unknown format (${media}) - accepted media types include: ` +
      patchMediaTypes(kind, part).join(', '),
  );
}

/** The content types of patches that a kind accepts. A scale is not applied: its only field is applied to the object. */
export function patchMediaTypes(kind: Kind, part: string = 'main'): string[] {
  const patches = [...TYPE_OF_MEDIA].filter(([, form]) => form !== 'strategic' || isBuiltIn(kind));
  return [...patches.map(([name]) => name), ...(part === 'scale' ? [] : APPLY_MEDIA)];
}

function isBuiltIn(kind: Kind): boolean {
  return kind.group === '' || kind.group.endsWith('.k8s.io');
}

/**
 * Applies a patch and returns the patched object. May alter the given object, never the patch. Throws a Refusal: 400 for a
 * patch that is malformed or makes the object nest too deep, 422 for one that does not fit the object.
 */
export function applyPatch(type: PatchType, object: unknown, patch: unknown): unknown {
  switch (type) {
    case 'json':
      return applyJsonPatch(object, patch);
    case 'merge':
      refuseTooDeep(patch);
      return applyMergePatch(object, patch);
    case 'strategic':
      refuseTooDeep(patch);
      return applyStrategicMergePatch(object, patch);
    default:
      return type satisfies never;
  }
}

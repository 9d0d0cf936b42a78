import { getOwn, isObject, setOwn } from '../schema/own.ts';

/** RFC 7386: objects merge, null removes, everything else replaces. Neither argument is altered. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) delete result[key];
    else setOwn(result, key, applyMergePatch(getOwn(result, key), change));
  }
  return result;
}

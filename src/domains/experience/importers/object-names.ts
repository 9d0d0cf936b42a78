import { contentHash } from '#kernel/base/ids.ts';

/** Form and maximum length of object names here; prefixes may be added. */
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_CHARS_MAX = 200;
const SLUG_CHARS_MAX = 100;
const HASH_CHARS = 8;

/**
 * An object name per key. A key that is a valid name is kept; any other is spelled as near as possible with a
 * part of its hash. Names are deterministic and distinct.
 */
export function objectNames(keys: Iterable<string>): ReadonlyMap<string, string> {
  const all = [...new Set(keys)];
  const names = new Map(all.filter((key) => NAME.test(key) && key.length <= NAME_CHARS_MAX).map((key) => [key, key]));
  const taken = new Set(names.values());
  for (const key of all.filter((one) => !names.has(one)).sort()) {
    const slug = key
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, SLUG_CHARS_MAX)
      .replace(/^-|-$/g, '');
    const hash = contentHash(key);
    let chars = HASH_CHARS;
    const makeName = () => [slug, hash.slice(0, chars)].filter((part) => part !== '').join('-');
    while (taken.has(makeName())) chars += 1;
    names.set(key, makeName());
    taken.add(makeName());
  }
  return names;
}

import { InternTable } from '#kernel/base/intern.ts';

/** Most objects have the same labels as many others. */
const known = new InternTable((json): Readonly<Record<string, string>> => Object.freeze(JSON.parse(json)));

/** Labels as JSON says them; the same text gives the same object, which nobody can alter. */
export function labelSet(json: string): Readonly<Record<string, string>> {
  return known.get(json);
}

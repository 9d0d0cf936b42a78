import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';

export function malformedPatch(message: string): Refusal {
  return resourceRefusal('malformed-patch', `The patch is malformed: ${message}.`);
}

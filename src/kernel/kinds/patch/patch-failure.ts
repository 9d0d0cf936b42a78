import { Refusal } from '#kernel/base/failures.ts';

export function malformedPatch(message: string): Refusal {
  return new Refusal('resources/malformed-patch', 'BadRequest', `The patch is malformed: ${message}.`);
}

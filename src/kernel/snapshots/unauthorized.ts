import type { Refusal } from '#kernel/base/failures.ts';
import { clientRefusal } from './refusals.ts';

export function unauthorized(message: string, remedy: string): Refusal {
  return clientRefusal('unauthorized', message, { remedy });
}

import type { Refusal } from '#kernel/base/failures.ts';
import { clientRefusal } from './refusals.ts';

export function unauthorizedRefusal(message: string, remedy: string): Refusal {
  return clientRefusal('unauthorized', message, { remedy });
}

import { Refusal } from '#kernel/base/failures.ts';

export function unauthorized(message: string, remedy: string): Refusal {
  return new Refusal('clients/unauthorized', 'Unauthorized', message, { remedy });
}

import type { BacklineOptions } from '../package/types/index.d.ts';
import { Backline } from './client.ts';

/** Begins to follow a Backline. Call `ready()` before the first question, and `close()` at the end. */
export function connectBackline(options: BacklineOptions): Backline {
  return new Backline(options);
}

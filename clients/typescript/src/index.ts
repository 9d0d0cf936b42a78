import { Backline, type BacklineOptions } from './client.ts';

/** Begins to follow a Backline. Call `ready()` before the first question, and `close()` at the end. */
export function connectBackline(options: BacklineOptions): Backline {
  return new Backline(options);
}

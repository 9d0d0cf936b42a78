import { createInterface } from 'node:readline';
import { readText, send, type Connection } from '#kernel/api/client/http.ts';
import { parseServerRefusal } from './call.ts';

/** A watch on which nothing came for this long is dead: the server sends a bookmark at least every 30 s. */
const SILENCE_MS_MAX = 75_000;

export interface WatchEvent<Item> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: Item;
}

/**
 * The events of a watch, until the server or the signal ends it. `path` is that of a collection with its query, without
 * the parameters of a watch. Throws ServerRefusal when the server refuses.
 */
export async function* watchEvents<Item>(
  connection: Connection,
  path: string,
  signal: AbortSignal,
  accept = 'application/json',
): AsyncIterable<WatchEvent<Item>> {
  const query = `${path}${path.includes('?') ? '&' : '?'}watch=true&allowWatchBookmarks=true`;
  const answer = await send(connection, 'GET', query, { signal, headers: { accept } });
  if (answer.statusCode !== 200) throw parseServerRefusal(answer.statusCode ?? 0, await readText(answer));
  answer.setTimeout(SILENCE_MS_MAX, () => answer.destroy(new Error('the watch fell silent')));
  try {
    for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
      yield JSON.parse(line) as WatchEvent<Item>;
    }
  } finally {
    // A caller that stops early leaves a stream whose errors nobody handles.
    answer.on('error', () => {});
    answer.destroy();
  }
}

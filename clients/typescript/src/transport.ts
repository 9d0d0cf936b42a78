/** How the server is reached. Paths are relative to its URL. */
export interface Transport {
  /** Begins a GET whose answer goes on; throws when it is not 200. */
  readonly stream: (path: string, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
  readonly post: (path: string, body: string, signal: AbortSignal) => Promise<PostAnswer>;
}

interface PostAnswer {
  readonly status: number;
  readonly text: string;
  /** Seconds to wait, as the server asked for. */
  readonly retryAfterSeconds: number | undefined;
}

/**
 * Over `fetch`, with the key of a server Client. A path of the URL, like that of a gateway, stands before all paths.
 * With a wrong URL each request fails.
 */
export function fetchTransport(url: string, key: string | undefined): Transport {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const at = (path: string): URL => new URL(path, baseOf(url));
  return {
    stream: async (path, signal) => {
      const answer = await fetch(at(path), { headers, signal });
      if (answer.status !== 200 || answer.body === null) {
        throw new Error(`GET ${at(path).pathname} answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
      }
      return answer.body;
    },
    post: async (path, body, signal) => {
      const answer = await fetch(at(path), {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        signal,
      });
      const after = Number(answer.headers.get('retry-after') ?? Number.NaN);
      return {
        status: answer.status,
        text: await answer.text(),
        retryAfterSeconds: Number.isNaN(after) ? undefined : after,
      };
    },
  };
}

function baseOf(url: string): URL {
  const base = URL.parse(url);
  if (base === null || !['http:', 'https:'].includes(base.protocol) || base.search !== '' || base.hash !== '') {
    throw new TypeError(
      `${JSON.stringify(url)} is no URL of a server: write it like https://decisions.example.com or https://example.com/gateway`,
    );
  }
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  return base;
}

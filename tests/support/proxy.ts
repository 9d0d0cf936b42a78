import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

/** The way to a database, which can be taken away. */
export interface Proxy extends AsyncDisposable {
  /** URL of the same database through the proxy. */
  readonly url: string;
  /** Keeps connections open and drops all bytes. */
  readonly silence: () => void;
  /** Connections are closed, and new ones too. */
  readonly cut: () => void;
  readonly heal: () => void;
}

/** A proxy in front of a PostgreSQL that is reached by its socket. */
export async function proxyTo(databaseUrl: string): Promise<Proxy> {
  const { searchParams, pathname } = new URL(databaseUrl);
  const path = join(searchParams.get('host') ?? '', '.s.PGSQL.5432');
  const pairs = new Set<readonly [Socket, Socket]>();
  let way: 'open' | 'silent' | 'cut' = 'open';
  const server: Server = createServer((near) => {
    if (way === 'cut') return void near.destroy();
    const far = connect(path);
    const pair = [near, far] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [far, near]] as const) {
      from.on('data', (chunk) => {
        if (way === 'open') to.write(chunk);
      });
      from.on('error', () => {});
      from.on('close', () => {
        pairs.delete(pair);
        // A silent connection does not pass on the end either.
        if (way !== 'silent') to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const end = (): void => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    pairs.clear();
  };
  return {
    url: `postgresql://${searchParams.get('user') ?? ''}@127.0.0.1:${port}${pathname}`,
    silence: () => {
      way = 'silent';
    },
    cut: () => {
      way = 'cut';
      end();
    },
    heal: () => {
      // Bytes that a silent connection dropped do not come back, so its sockets end.
      if (way === 'silent') end();
      way = 'open';
    },
    [Symbol.asyncDispose]: async () => {
      end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
